//! Every row of a partition as text: what other adapters are compared with.

use std::collections::BTreeMap;

use baton_common::transition::KeyName;
use serde::Serialize;

use super::rows::PartitionRows;

impl PartitionRows {
    /// Every row as text.
    pub(super) fn dump(&self) -> BTreeMap<String, String> {
        let mut dump = BTreeMap::new();
        let mut row = |name: String, value: String| dump.insert(name, value);
        self.threads.iter().for_each(|(key, value)| drop(row(format!("thread {key}"), text(value))));
        for ((key, seq), value) in &self.checkpoints {
            row(format!("checkpoint {key} {seq}"), text(value));
        }
        for ((key, channel, number), value) in &self.segments {
            row(format!("segment {key} {channel}#{number}"), value.clone());
        }
        self.infos.iter().for_each(|(run, value)| drop(row(format!("run {run} info"), text(value))));
        self.states.iter().for_each(|(run, value)| drop(row(format!("run {run} state"), text(value))));
        self.ends.iter().for_each(|(run, value)| drop(row(format!("run {run} end"), value.clone())));
        let groups =
            self.groups.iter().flat_map(|(run, groups)| groups.iter().map(move |(group, rows)| (run, group, rows)));
        for (run, group, rows) in groups {
            rows.info.iter().for_each(|info| drop(row(format!("group {run} {group} info"), text(info))));
            rows.state.iter().for_each(|state| drop(row(format!("group {run} {group} state"), text(state))));
            for (index, task) in rows.seen_tasks() {
                row(format!("task {run} {group} {index}"), text(&task));
            }
            for (index, rows) in &rows.tasks {
                let bodies = [("input", &rows.input), ("result", &rows.result), ("continued", &rows.continued)];
                for (what, body) in bodies.into_iter().filter_map(|(what, body)| Some((what, body.as_ref()?))) {
                    row(format!("{what} {run} {group} {index}"), body.clone());
                }
            }
        }
        for ((key, holder), seq) in &self.held {
            row(format!("held {key} {holder}"), seq.to_string());
        }
        for ((key, number), value) in &self.signals {
            row(format!("signal {key} {number}"), text(value));
        }
        for (name, value) in &self.keys {
            let KeyName { tenant, tool, text: key, cache } = name;
            row(format!("key {tenant} {tool} {cache} {key}"), text(value));
        }
        self.schedules.iter().for_each(|(id, value)| drop(row(format!("schedule {}", id.0), text(value))));
        for ((run, op, group, index), value) in &self.staged {
            row(format!("staged {run} {op} {group} {index}"), text(value));
        }
        for ((run, group, index), value) in &self.interrupts {
            row(format!("interrupt {run} {group} {index}"), text(value));
        }
        self.due.iter().for_each(|(key, at)| drop(row(format!("due {}", key.member()), at.to_string())));
        self.listed.keys().for_each(|(tenant, at, run)| drop(row(format!("listed {tenant} {run}"), at.to_string())));
        for ((tenant, interrupt), (at, job)) in &self.inbox {
            row(format!("inbox {tenant} {interrupt}"), format!("{at} {job}"));
        }
        self.parked.iter().for_each(|(run, (at, why))| drop(row(format!("parked {run}"), format!("{at} {why}"))));
        for event in self.events.values().flatten() {
            row(format!("event {} {:010}", event.run, event.seq), text(event));
        }
        for (place, value) in self.audit.iter().enumerate() {
            row(format!("audit {place:010}"), text(value));
        }
        self.audit_head.iter().for_each(|head| drop(row("audit head".to_owned(), text(head))));
        dump
    }
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
