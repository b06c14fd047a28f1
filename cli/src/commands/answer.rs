//! `baton answer`: decisions for questions, and the inbox.

use baton_proto::v1;
use serde_json::{Value, json};

use super::json_or_file;
use crate::args::AnswerArgs;
use crate::client::{Client, call};
use crate::exit::{Exit, Failed};
use crate::output::{ago, table};
use crate::paint::{Paint, plain};
use crate::setup::Setup;
use crate::view;

pub(super) async fn answer(args: &AnswerArgs, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let Some(run) = &args.run else {
        let inbox = call!(client, runs, list_interrupts, v1::ListInterruptsRequest::default())?;
        return Ok(show(setup, &inbox.interrupts));
    };
    let Some(decision) = decision(args)? else {
        return Ok(show(setup, &open(&client, run).await?));
    };
    let question = match &args.question {
        Some(question) => question.clone(),
        None => only(open(&client, run).await?)?,
    };
    let request = v1::AnswerRequest { run_id: run.clone(), question, decision_json: decision };
    let answered = call!(client, runs, answer, request)?;
    let value = json!({ "question": answered.interrupt_id, "existed": answered.existed });
    setup.output.result(&value, |paint| {
        let what = if answered.existed { "was answered so before" } else { "answered" };
        format!("{} {what}", paint.green("✓"))
    });
    Ok(Exit::Succeeded)
}

fn decision(args: &AnswerArgs) -> Result<Option<String>, Failed> {
    let action = match (args.approve, args.reject) {
        (true, _) => "approve",
        (_, true) => "reject",
        _ => return args.decision.as_deref().map(|text| json_or_file("the decision", text)).transpose(),
    };
    let mut decision = json!({ "action": action });
    if let Some(comment) = &args.comment {
        decision["comment"] = Value::from(comment.as_str());
    }
    Ok(Some(decision.to_string()))
}

async fn open(client: &Client, run: &str) -> Result<Vec<v1::Interrupt>, Failed> {
    let found = call!(client, runs, get, v1::GetRunRequest { run_id: run.to_owned() })?;
    Ok(found.run.unwrap_or_default().interrupts)
}

fn only(open: Vec<v1::Interrupt>) -> Result<String, Failed> {
    match open.as_slice() {
        [question] => Ok(question.id.clone()),
        [] => Err(Failed::new(Exit::NotFound, "question_not_found", "the run asks nothing", "look with `baton get`")),
        several => {
            let several = several.iter().map(|question| address(question, several)).collect::<Vec<_>>().join(", ");
            let cause = format!("the run asks several questions: {several}");
            Err(Failed::usage("several_questions", cause, "name one of them"))
        }
    }
}

/// What leads to a question and to none of the others.
fn address(question: &v1::Interrupt, others: &[v1::Interrupt]) -> String {
    match others.iter().filter(|other| (&other.run_id, &other.node) == (&question.run_id, &question.node)).count() {
        1 => question.node.clone(),
        _ => format!("{}[{}]", question.node, question.index),
    }
}

fn show(setup: &Setup, open: &[v1::Interrupt]) -> Exit {
    let value = json!({ "questions": open.iter().map(view::question_json).collect::<Vec<_>>() });
    setup.output.result(&value, |paint| text(open, paint));
    Exit::Succeeded
}

fn text(open: &[v1::Interrupt], paint: Paint) -> String {
    if open.is_empty() {
        return "nothing is asked".to_owned();
    }
    let row = |question: &v1::Interrupt| {
        let title = view::parsed(&question.question_json)["title"].as_str().unwrap_or_default().to_owned();
        vec![question.run_id.clone(), address(question, open), plain(&title), ago(question.opened_at_ms)]
    };
    let rows: Vec<_> = open.iter().map(row).collect();
    let help = paint.dim("answer with `baton answer RUN NODE JSON`, or `baton answer RUN --approve`");
    format!("{}\n{help}", table(paint, &["RUN", "NODE", "QUESTION", "ASKED"], &rows))
}
