//! Names of keys. All keys of a partition share its hash tag, so that one script may change
//! them together, in a cluster too.

use baton_common::ids::{GroupId, RunId, ThreadKey};
use baton_common::{Partition, TenantId};

/// The store's identity, outside partitions.
pub(super) const META: &str = "baton:meta";
/// API keys by id, and ids by hash.
pub(super) const API_KEYS: &str = "baton:keys";
pub(super) const API_KEY_HASHES: &str = "baton:keyhashes";
/// Workers by id.
pub(super) const WORKERS: &str = "baton:workers";

/// Quotas by owner and name.
pub(super) const QUOTAS: &str = "baton:quotas";

/// What every key of a meter begins with.
pub(super) fn meter(name: &str) -> String {
    // A brace would end the hash tag early.
    format!("{{q:{}}}", name.replace(['{', '}'], "_"))
}

/// Graphs of a tenant by hash.
pub(super) fn graphs(tenant: &TenantId) -> String {
    format!("baton:graphs:{tenant}")
}

/// Hashes of a tenant's graphs by name.
pub(super) fn graph_names(tenant: &TenantId) -> String {
    format!("baton:names:{tenant}")
}

/// What every key of a partition begins with.
pub(super) fn tag(partition: Partition) -> String {
    format!("{{p{partition}}}")
}

/// A key with that hash tag that never exists.
pub(super) fn nothing(tag: &str) -> String {
    format!("{tag}~")
}

/// The partition's last moment.
pub(super) fn clock(partition: Partition) -> String {
    tag(partition) + "c"
}

/// Its due index.
pub(super) fn due(partition: Partition) -> String {
    tag(partition) + "d"
}

/// Its events.
pub(super) fn events(partition: Partition) -> String {
    tag(partition) + "e"
}

/// Its audit entries.
pub(super) fn audit(partition: Partition) -> String {
    tag(partition) + "a"
}

/// Where its audit log ends.
pub(super) fn audit_head(partition: Partition) -> String {
    tag(partition) + "h"
}

/// Runs that wait for an operator, and why.
pub(super) fn parked(partition: Partition) -> String {
    tag(partition) + "k"
}

/// How many of its runs are open by status, and whose questions it has had.
pub(super) fn counts(partition: Partition) -> String {
    tag(partition) + "o"
}

/// Its schedules, by uuid.
pub(super) fn schedules(partition: Partition) -> String {
    tag(partition) + "z"
}

/// Runs of a tenant in it.
pub(super) fn listed(partition: Partition, tenant: &TenantId) -> String {
    format!("{}l:{tenant}", tag(partition))
}

/// Open questions of a tenant in it.
pub(super) fn inbox(partition: Partition, tenant: &TenantId) -> String {
    format!("{}n:{tenant}", tag(partition))
}

/// A thread: its head, its runs and its channels.
pub(super) fn thread(key: &ThreadKey) -> String {
    format!("{}t:{key}", tag(key.partition()))
}

/// A thread's checkpoints and segments.
pub(super) fn data(key: &ThreadKey) -> String {
    format!("{}x:{key}", tag(key.partition()))
}

/// A thread's signals.
pub(super) fn signals(key: &ThreadKey) -> String {
    format!("{}y:{key}", tag(key.partition()))
}

/// Who holds which state of a thread.
pub(super) fn held(key: &ThreadKey) -> String {
    format!("{}i:{key}", tag(key.partition()))
}

/// A run: what is fixed, what changes, groups, tasks of narrow groups, questions.
pub(super) fn run(run: RunId) -> String {
    format!("{}r:{}", tag(run.partition), run.uuid.simple())
}

/// A run's bodies: inputs and results of narrow groups, questions' texts.
pub(super) fn bodies(run: RunId) -> String {
    format!("{}b:{}", tag(run.partition), run.uuid.simple())
}

/// What a wide group keeps in keys of its own: tasks (`wt`), inputs (`wi`), results (`wr`), and
/// what `lua/beside.lua` names.
pub(super) fn wide(what: &str, run: RunId, group: &GroupId) -> String {
    format!("{}{what}:{}:{group}", tag(run.partition), run.uuid.simple())
}
