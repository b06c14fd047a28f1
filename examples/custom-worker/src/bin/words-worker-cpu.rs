//! The cpu worker of this team: all tools that ship with Baton, and `words.nearest`. It
//! looks at `call.cancel` now and then, and leaves threads to the worker.

use baton_worker::tool::{Call, CpuTool, Effect, Failure, Handle, QueueClass, Tool, ToolSpec, Value, json};

/// Finds the known word that takes the fewest changes of a letter.
struct NearestWord;

impl CpuTool for NearestWord {
    fn spec(&self) -> ToolSpec {
        let properties = json!({ "word": { "type": "string" }, "known": { "type": "array", "items": { "type": "string" }, "minItems": 1 } });
        ToolSpec {
            name: "words.nearest".to_owned(),
            major: 1,
            class: QueueClass::Cpu,
            effect: Effect::Pure,
            description: "Gives the known word that is nearest to another".to_owned(),
            args_schema: json!({ "type": "object", "properties": properties, "required": ["word", "known"] }),
        }
    }

    fn call(&self, args: Value, call: &Call, _runtime: &Handle) -> Result<Value, Failure> {
        let word = args["word"].as_str().unwrap_or_default();
        let known = args["known"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let known = known.take_while(|_| !call.cancel.is_cancelled());
        let nearest = known.map(|known| (distance(word, known), known)).min();
        Ok(json!({ "word": word, "nearest": nearest.map(|(_, word)| word), "changes": nearest.map(|(far, _)| far) }))
    }
}

/// Letters to change, add or leave out.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], line + 1);
        for (column, other) in to.chars().enumerate() {
            let least = (corner + usize::from(letter != other)).min(row[column] + 1).min(row[column + 1] + 1);
            corner = std::mem::replace(&mut row[column + 1], least);
        }
    }
    row[row.len() - 1]
}

fn main() -> std::process::ExitCode {
    baton_worker::process::main_with(QueueClass::Cpu, [Tool::cpu(NearestWord)])
}
