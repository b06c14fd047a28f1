//! What happened to a run's jobs, read off its events: claims, fences and resumes.

use std::collections::BTreeMap;

use baton_common::RunId;
use baton_proto::v1::Event;
use serde_json::{Value, json};

/// The jobs of a run by `node#activation/index`; those of a run that it called have the
/// caller's job before that.
#[derive(Debug, Default)]
pub(crate) struct History {
    called: Vec<(String, String)>,
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
        self.add_of("", event);
    }

    /// The runs that a run called and that were not looked at yet, with what stands before
    /// their jobs.
    pub(crate) fn take_called(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.called)
    }

    /// Takes one event of a run in whose jobs have that before their names.
    pub(crate) fn add_of(&mut self, prefix: &str, event: &Event) {
        let Some(index) = event.index else { return };
        if event.kind == "waits" && event.text.parse::<RunId>().is_ok() {
            self.called.push((format!("{prefix}{}/{index}/", event.group), event.text.clone()));
        }
        if !matches!(event.kind.as_str(), "claimed" | "recorded" | "lease_expired") {
            return;
        }
        let job = self.jobs.entry((format!("{prefix}{}", event.group), index)).or_default();
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

    #[test]
    fn jobs_of_a_called_run_stand_beneath_their_caller() {
        let called = "003-6f2c1d1e-0b5b-4a52-9d0e-7a5b9a3f2c11";
        let event = |kind: &str, group: &str, text: &str| Event {
            kind: kind.into(),
            group: group.into(),
            index: Some(1),
            text: text.into(),
            ..Event::default()
        };
        let mut history = History::default();
        history.add(&event("waits", "sub#1", called));
        history.add(&event("waits", "pause#1", "time"));
        assert_eq!(history.take_called(), [("sub#1/1/".to_owned(), called.to_owned())]);
        history.add_of("sub#1/1/", &event("claimed", "work#1", "w"));
        assert_eq!(history.json()[0]["job"], "sub#1/1/work#1/1");
        assert!(history.take_called().is_empty());
    }
}
