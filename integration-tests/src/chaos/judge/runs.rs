//! I1: what was accepted came to the end it had to. I4: an end stays what it was. And a
//! request id names one run.

use futures_util::StreamExt as _;
use futures_util::stream;

use super::Verdict;
use crate::chaos::api::Api;
use crate::chaos::history::Ran;
use crate::chaos::load::is_over;

/// Calls at a time.
const AT_ONCE: usize = 16;

pub(super) async fn judge(api: &Api, verdict: &mut Verdict) -> anyhow::Result<()> {
    let judged = stream::iter(verdict.runs.iter().map(|ran| judge_one(api, ran)));
    let judged: Vec<(String, Result<Option<String>, String>)> = judged.buffer_unordered(AT_ONCE).collect().await;
    for (request, found) in judged {
        match found {
            Ok(None) => {}
            Ok(Some(violation)) => verdict.violations.push(violation),
            Err(lost) => {
                verdict.lost.push(request);
                verdict.violations.push(lost);
            }
        }
    }
    verdict.lost.sort();
    Ok(())
}

/// What is wrong with a run; an error where it was lost.
async fn judge_one(api: &Api, ran: &Ran) -> (String, Result<Option<String>, String>) {
    let request = ran.wanted.request.clone();
    let Some((id, _)) = ran.accepted.last() else { return (request, Ok(None)) };
    if let Some((other, _)) = ran.accepted.iter().find(|(other, _)| other != id) {
        return (request.clone(), Ok(Some(format!("I1: {request} was told to be {other} and {id}"))));
    }
    let now = match api.got(id).await {
        Ok(now) => now,
        Err(error) => return (request.clone(), Err(format!("I1: {request} {id}: {error:#}"))),
    };
    if !is_over(&now) {
        let waits: Vec<&str> = now.waits.iter().map(|wait| wait.text.as_str()).collect();
        let lost = format!("I1: {request} {id} is {:?} and does not end: {waits:?}", now.status());
        return (request, Err(lost));
    }
    if let Some(wrong) = ran.wanted.judge(&now) {
        return (request, Ok(Some(format!("I1: {wrong}"))));
    }
    let changed = ran
        .ended
        .as_ref()
        .filter(|then| (then.status, &then.output_json, &then.failure) != (now.status, &now.output_json, &now.failure));
    let changed =
        changed.map(|then| format!("I4: {request} ended as {:?} and is {:?} now", then.status(), now.status()));
    (request, Ok(changed))
}
