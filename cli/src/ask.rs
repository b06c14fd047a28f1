//! Questions on a terminal: what is asked, and the decision that somebody types.

use std::io::{BufRead, Write, stderr, stdin};

use baton_proto::v1::Interrupt;
use serde_json::{Map, Value, json};

use crate::exit::Failed;
use crate::paint::{Paint, plain};
use crate::view::parsed;

/// Asks until there is a decision, or `None` when the input ends.
pub(crate) fn ask(question: &Interrupt) -> Result<Option<Value>, Failed> {
    let paint = Paint::stderr();
    let body = parsed(&question.question_json);
    let title = body["title"].as_str().unwrap_or("a question");
    eprintln!("\n{} {}", paint.yellow(paint.bold("?")), paint.bold(plain(title)));
    for shown in body["show"].as_array().into_iter().flatten() {
        eprintln!("  {} {}", paint.dim(shown[0].as_str().unwrap_or_default()), indented(&text_of(&shown[1])));
    }
    let approval = &body["form"]["approval"];
    if approval.is_object() { approve(approval, paint) } else { fill(&parsed(&question.schema_json), paint) }
}

fn approve(approval: &Value, paint: Paint) -> Result<Option<Value>, Failed> {
    let original = &approval["original"];
    eprintln!("\n{}\n", indented(&text_of(original)));
    let allowed: Vec<&str> = approval["allow"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let choices: Vec<String> = allowed
        .iter()
        .map(|action| format!("[{}]{}", &action[..action.len().min(1)], action.get(1..).unwrap_or_default()))
        .collect();
    loop {
        let Some(typed) = line(&format!("{} ", paint.cyan(choices.join("  ") + " ?")))? else { return Ok(None) };
        let typed = typed.to_lowercase();
        let chosen = allowed.iter().find(|action| !typed.is_empty() && action.starts_with(&typed));
        let decision = match chosen.copied() {
            Some("edit") => match edit(original)? {
                Some(value) => json!({ "action": "edit", "value": value }),
                None => continue,
            },
            Some(action @ ("reject" | "respond")) => {
                let Some(comment) = line("comment: ")? else { return Ok(None) };
                let comment = Some(comment).filter(|comment| !comment.is_empty());
                json!({ "action": action, "comment": comment })
            }
            Some(action) => json!({ "action": action }),
            None => continue,
        };
        return Ok(Some(decision));
    }
}

/// Asks for each field of an object, or for one value.
fn fill(schema: &Value, paint: Paint) -> Result<Option<Value>, Failed> {
    let Some(fields) = schema["properties"].as_object() else { return value("answer", schema, paint) };
    let mut answer = Map::new();
    for (name, field) in fields {
        match value(name, field, paint)? {
            Some(Value::Null) => {}
            Some(value) => drop(answer.insert(name.clone(), value)),
            None => return Ok(None),
        }
    }
    Ok(Some(Value::Object(answer)))
}

fn value(name: &str, schema: &Value, paint: Paint) -> Result<Option<Value>, Failed> {
    let kind = schema["type"].as_str().unwrap_or("JSON");
    loop {
        let Some(typed) = line(&format!("{name} {} ", paint.dim(format!("({kind}):"))))? else { return Ok(None) };
        let value = match kind {
            "string" => Ok(Value::String(typed)),
            _ if typed.is_empty() => Ok(Value::Null),
            "boolean" => match typed.to_lowercase().as_str() {
                "y" | "yes" | "true" => Ok(Value::Bool(true)),
                "n" | "no" | "false" => Ok(Value::Bool(false)),
                _ => Err("write yes or no".to_owned()),
            },
            _ => serde_json::from_str(&typed).map_err(|error| error.to_string()),
        };
        match value {
            Ok(value) => return Ok(Some(value)),
            Err(cause) => eprintln!("{} {cause}", paint.red("not understood:")),
        }
    }
}

/// Lets somebody edit a value in their editor; `None` when nothing useful came of it.
fn edit(original: &Value) -> Result<Option<Value>, Failed> {
    let is_text = original.is_string();
    let failed = |error: std::io::Error| Failed::from(anyhow::anyhow!("the editor did not work: {error}"));
    let suffix = if is_text { ".md" } else { ".json" };
    let file = tempfile::Builder::new().prefix("baton-").suffix(suffix).tempfile().map_err(failed)?;
    std::fs::write(file.path(), text_of(original)).map_err(failed)?;
    let editor =
        ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    let mut words = editor.split_whitespace();
    let status = std::process::Command::new(words.next().unwrap_or("vi")).args(words).arg(file.path()).status();
    if !status.map_err(failed)?.success() {
        eprintln!("the editor gave up: nothing was changed");
        return Ok(None);
    }
    let text = std::fs::read_to_string(file.path()).map_err(failed)?;
    if is_text {
        return Ok(Some(Value::String(text)));
    }
    match serde_json::from_str(&text) {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            eprintln!("that is no JSON: {error}");
            Ok(None)
        }
    }
}

fn line(prompt: &str) -> Result<Option<String>, Failed> {
    eprint!("{prompt}");
    let failed = |error: std::io::Error| Failed::from(anyhow::anyhow!("the terminal cannot be read: {error}"));
    stderr().flush().map_err(failed)?;
    let mut text = String::new();
    let read = stdin().lock().read_line(&mut text).map_err(failed)?;
    Ok((read > 0).then(|| text.trim_end_matches(['\r', '\n']).trim().to_owned()))
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        other => plain(&serde_json::to_string_pretty(other).unwrap_or_default()),
    }
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n  ")
}
