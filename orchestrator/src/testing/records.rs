//! Records that tests begin with.

use baton_common::records::RunInfo;
use baton_common::tool::Priority;
use baton_common::{Actor, Digest, GraphHash, RunId, TenantId, ThreadId, ThreadKey};

/// A run of the graph `g` on the thread `t` that nothing special was asked of.
pub(crate) fn run_info(id: RunId) -> RunInfo {
    RunInfo {
        id,
        thread: ThreadKey { tenant: TenantId::local(), thread: ThreadId::parse("t").unwrap() },
        actor: Actor::local(),
        graph: GraphHash(Digest::of("g")),
        graph_name: "g".to_owned(),
        request: None,
        body_digest: Digest::of("b"),
        reader: 1,
        deadline: None,
        priority: Priority::Normal,
        traceparent: None,
        input: "{}".to_owned(),
        parent: None,
        record: false,
        parallel: None,
        before: Vec::new(),
    }
}
