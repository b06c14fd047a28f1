//! Claims that are open: made, and neither recorded nor lost.

use std::collections::BTreeMap;

use baton_integration_tests::grpc::Happened;

/// The claims that are open after these events, in order of group and index.
pub(crate) fn open(events: &[Happened]) -> Vec<Happened> {
    let mut open: BTreeMap<(String, Option<u32>), Happened> = BTreeMap::new();
    for event in events {
        let task = (event.group.clone(), event.index);
        match event.kind.as_str() {
            "claimed" => {
                open.insert(task, event.clone());
            }
            "recorded" | "lease_expired" => {
                open.remove(&task);
            }
            "closed" => open.retain(|(group, _), _| *group != event.group),
            _ => {}
        }
    }
    open.into_values().collect()
}

/// `extract#1[7]`.
pub(crate) fn name(event: &Happened) -> String {
    event.index.map_or_else(|| event.group.clone(), |index| format!("{}[{index}]", event.group))
}
