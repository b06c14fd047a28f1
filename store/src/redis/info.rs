//! A run's info as its row keeps it: without what its key and its fixed row say anyway, and without
//! what most runs have in common. One that is whole is read as it is.

use baton_common::RunId;
use baton_common::records::RunInfo;
use baton_common::tool::Priority;
use serde_json::{Map, Value, json};

use super::pack::{Fields, broken};
use super::{rows, words};
use crate::Error;

/// What the key and the fixed row say.
const SAID: [&str; 4] = ["id", "thread", "body_digest", "deadline"];

/// What most runs have in common.
fn common() -> [(&'static str, Value); 4] {
    [
        ("request", Value::Null),
        ("reader", json!(1)),
        ("priority", json!(Priority::default())),
        ("traceparent", Value::Null),
    ]
}

/// The info as its text, in which scripts find its graph before that of any earlier version.
pub(super) fn text(info: &RunInfo) -> Result<Vec<u8>, Error> {
    if !info.before.is_empty() {
        return rows::to_json(info).map(String::into_bytes);
    }
    let value =
        serde_json::to_value(info).map_err(|error| Error::Broken(format!("a run cannot be written: {error}")))?;
    let Value::Object(mut fields) = value else { return Err(broken("a run is no object")) };
    for name in SAID {
        fields.remove(name);
    }
    for (name, value) in common() {
        if fields.get(name) == Some(&value) {
            fields.remove(name);
        }
    }
    Ok(words::phrased(&rows::to_json(&fields)?).into_owned())
}

/// The info of a run from its text and its fixed row.
pub(super) fn info(run: RunId, text: &[u8], fixed: &[u8]) -> Result<RunInfo, Error> {
    if text.starts_with(b"{\"id\":") {
        return rows::json(text);
    }
    let mut fields: Map<String, Value> = rows::json(text)?;
    let mut said = Fields::of(fixed)?;
    let digest = baton_common::Digest(said.exactly()?);
    let thread = said.text()?;
    let (tenant, thread) = thread.split_once('/').ok_or_else(|| broken("a thread's key"))?;
    let deadline = said.moment_or_none()?;
    fields.insert("id".to_owned(), json!(run));
    fields.insert("thread".to_owned(), json!({"tenant": tenant, "thread": thread}));
    fields.insert("body_digest".to_owned(), json!(digest));
    fields.insert("deadline".to_owned(), json!(deadline));
    for (name, value) in common() {
        fields.entry(name).or_insert(value);
    }
    serde_json::from_value(Value::Object(fields)).map_err(|_| broken("a text is no run"))
}

#[cfg(test)]
mod tests {
    use baton_common::Timestamp;

    use super::*;

    const WHOLE: &str = "{\"id\":\"183-01a1feef-47ab-75c3-8c48-d06d0ba0fef2\",\"thread\":{\"tenant\":\"local\",\
        \"thread\":\"~183~of\"},\"actor\":\"local\",\"graph\":\"f4aa49a543713eaf0a45bf5526b6b784\",\
        \"graph_name\":\"sum\",\"request\":null,\"body_digest\":\"7a320fb220d89cf0a5f9e0359dc5a2a3\",\"reader\":1,\
        \"deadline\":null,\"priority\":\"normal\",\"traceparent\":null,\"input\":\"{}\"}";

    #[test]
    fn a_run_reads_as_it_was_submitted() {
        let mut of: RunInfo = rows::json(WHOLE.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        let mut check = |change: &dyn Fn(&mut RunInfo)| {
            change(&mut of);
            let fixed = rows::fixed_row(&of);
            let text = text(&of).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(info(of.id, &text, &fixed).as_ref(), Ok(&of));
            // One of an earlier program is whole.
            let whole = rows::to_json(&of).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(info(of.id, whole.as_bytes(), &fixed).as_ref(), Ok(&of));
            text.len() * 2 < whole.len()
        };
        assert!(check(&|_| {}));
        check(&|of| of.deadline = Some(Timestamp(9)));
        check(&|of| of.reader = 2);
        check(&|of| of.priority = Priority::High);
        check(&|of| of.traceparent = Some("00-x".to_owned()));
        check(&|of| of.input = "{\"graph\":\"ab\",\"deadline\":null}".to_owned());
        check(&|of| of.record = true);
        let pin =
            |of: &RunInfo| baton_common::records::Pin { graph: of.graph, until: baton_common::Seq(1), advances: 1 };
        check(&|of| of.before.push(pin(of)));
    }
}
