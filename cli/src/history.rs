//! What happened to a run's jobs, read off its events: claims, fences and resumes.

use std::collections::BTreeMap;

use baton_proto::v1::Event;
use serde_json::{Value, json};

/// The jobs of a run by `node#activation/index`.
#[derive(Debug, Default)]
pub(crate) struct History {
    jobs: BTreeMap<(String, u32), Job>,
}

#[derive(Debug, Default)]
struct Job {
    claims: Vec<Value>,
    resumes: Vec<Value>,
    lost: Vec<Value>,
}

impl History {
    /// Takes one event in.
    pub(crate) fn add(&mut self, event: &Event) {
        let Some(index) = event.index else { return };
        if !matches!(event.kind.as_str(), "claimed" | "recorded" | "lease_expired") {
            return;
        }
        let job = self.jobs.entry((event.group.clone(), index)).or_default();
        match event.kind.as_str() {
            "claimed" => {
                job.claims.push(json!({ "fence": event.number, "worker": event.text, "at_ms": event.at_ms }));
            }
            "recorded" => {
                job.resumes.push(json!({ "fence": event.number, "result": event.text, "at_ms": event.at_ms }));
            }
            _ => job.lost.push(json!({ "fence": event.number, "followed": event.text, "at_ms": event.at_ms })),
        }
    }

    /// One entry for each job, in order.
    pub(crate) fn json(&self) -> Value {
        let each = self.jobs.iter().map(|((group, index), job)| {
            let fences: Vec<&Value> = job.claims.iter().map(|claim| &claim["fence"]).collect();
            json!({
                "job": format!("{group}/{index}"), "group": group, "index": index,
                "claims": job.claims, "fences": fences, "resumes": job.resumes, "lost": job.lost,
            })
        });
        each.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_lost_its_worker_shows_both_fences() {
        let event = |kind: &str, number, text: &str| Event {
            kind: kind.into(),
            group: "a#1".into(),
            index: Some(0),
            number,
            text: text.into(),
            ..Event::default()
        };
        let mut history = History::default();
        let events = [event("claimed", 1, "w1"), event("lease_expired", 1, "retry"), event("claimed", 2, "w2")];
        events.iter().chain([&event("recorded", 2, "ok")]).for_each(|event| history.add(event));
        let jobs = history.json();
        assert_eq!(jobs[0]["job"], "a#1/0");
        assert_eq!(jobs[0]["fences"], json!([1, 2]));
        assert_eq!(jobs[0]["resumes"][0]["result"], "ok");
    }
}
