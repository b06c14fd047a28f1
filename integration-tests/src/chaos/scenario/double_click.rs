//! T7: fifty people answer one question at once at three orchestrators, half of the questions
//! just as their time is over. One decision each, and everybody is told the same.

use std::collections::BTreeMap;
use std::time::Duration;

use baton_testbed::Rabbit;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use serde_json::{Value, json};

use super::{Given, until};
use crate::chaos::api::{Api, Told};
use crate::chaos::bed::{Bed, BedOptions};
use crate::chaos::load::is_over;
use crate::chaos::report::Report;

/// People at one question.
const PEOPLE: usize = 50;
/// How long a question with a deadline is open.
const EXPIRES: Duration = Duration::from_millis(1_500);

const QUESTION: &str = r#"
baton: 1
graph: chaos-click
output: { action: state.action, by: state.comment }
state: { draft: { type: string, default: a draft }, action: { type: string, default: expired }, comment: { type: string, default: nobody } }
start: approve
nodes:
  approve:
    ask: { title: "Good?", edit: state.draft, allow: [approve, reject], expires: EXPIRES }
    save: { action: output.action, comment: output.comment }
    then: end
    on_error:
      - { when: "error.code == 'expired'", to: end }
"#;

pub(super) async fn play(mut given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T7 fifty people answer one question at once");
    let options = BedOptions { sabotage: given.sabotage, orchestrators: 3, ..BedOptions::default() };
    let bed = Bed::start(&options, given.rabbit.take()).await?;
    let api = bed.direct_api()?;
    let patient = QUESTION.replace("EXPIRES", "1h");
    let short = QUESTION.replace("chaos-click", "chaos-deadline").replace("EXPIRES", "1500ms");
    api.apply(&patient).await?;
    api.apply(&short).await?;
    let questions = given.pick(24, 500);
    let mut tally: BTreeMap<String, usize> = BTreeMap::new();
    let asked = stream::iter((0..questions).map(|number| one(&api, number)));
    let asked: Vec<anyhow::Result<Asked>> = asked.buffer_unordered(4).collect().await;
    for asked in asked {
        judge(&asked?, &mut tally, &mut report);
    }
    report.count("questions", questions);
    for (told, count) in tally {
        report.count(&format!("people told {told}"), count);
    }
    report.violations.extend(bed.panics());
    Ok((report, Some(bed.into_rabbit())))
}

/// A question, what people said to it with what they were told, and what came of it.
struct Asked {
    number: usize,
    said: Vec<(Value, Told<bool>)>,
    output: Value,
}

async fn one(api: &Api, number: usize) -> anyhow::Result<Asked> {
    let at_deadline = number % 2 == 1;
    let graph = if at_deadline { "chaos-deadline" } else { "chaos-click" };
    let run = api.submitted(graph, &json!({}), &format!("click-{number}")).await?;
    let asks = || async { Ok(api.got(&run).await?.interrupts.first().cloned()) };
    let question = until("the question", Duration::from_secs(20), asks).await?;
    if at_deadline {
        let open = EXPIRES.saturating_sub(Duration::from_millis(15));
        let left = question.opened_at_ms + i64::try_from(open.as_millis())? - crate::chaos::clock::now_ms();
        tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0))).await;
    }
    let said = join_all((0..PEOPLE).map(|person| {
        let (question, run) = (question.id.clone(), run.clone());
        async move {
            let action = if person % 2 == 0 { "approve" } else { "reject" };
            let decision = json!({"action": action, "comment": format!("person {person}")});
            if at_deadline {
                tokio::time::sleep(Duration::from_millis(u64::try_from(person).unwrap_or(0))).await;
            }
            for turn in 0..40 {
                match api.answer(person + turn, &run, &question, &decision).await {
                    Told::Unknown => tokio::time::sleep(Duration::from_millis(50)).await,
                    told => return (decision, told),
                }
            }
            (decision, Told::Unknown)
        }
    }))
    .await;
    let over = || async { Ok(Some(api.got(&run).await?).filter(is_over)) };
    let ended = until("the end", Duration::from_secs(20), over).await?;
    let output: Value = serde_json::from_str(ended.output_json.as_deref().unwrap_or("null"))?;
    Ok(Asked { number, said, output })
}

fn judge(asked: &Asked, tally: &mut BTreeMap<String, usize>, report: &mut Report) {
    let Asked { number, said, output } = asked;
    let mut decided = Vec::new();
    for (decision, told) in said {
        let name = match told {
            Told::Ok(_) => {
                decided.push(decision.clone());
                "that it was done".to_owned()
            }
            Told::Refused { code, cause } => {
                let recorded = cause.strip_prefix("the recorded answer is ");
                decided.extend(recorded.and_then(|text| serde_json::from_str::<Value>(text).ok()));
                code.clone()
            }
            Told::Unknown => "nothing".to_owned(),
        };
        *tally.entry(name).or_default() += 1;
    }
    decided.dedup();
    report.expect(decided.len() <= 1, format!("I8: question {number}: people were told {decided:?}"));
    let (action, by) = match decided.first() {
        Some(decision) => (decision["action"].clone(), decision["comment"].clone()),
        None => (json!("expired"), json!("nobody")),
    };
    let fits = output["action"] == action && output["by"] == by;
    report.expect(fits, format!("I8: question {number}: {output} came of {action} by {by}"));
}
