//! For stores that stand before another one, to count, delay or refuse: [`crate::forward_reads`]
//! hands every read on, so that such a store only says what it does to transitions.

/// What the macro names.
pub mod words {
    pub use async_trait::async_trait;
    pub use baton_common::ids::{GraphHash, GroupId, RunId, Seq, ThreadKey};
    pub use baton_common::records::{
        Audit, AuditHead, Body, Checkpoint, DueKey, Event, Group, Interrupt, Quota, Run, ScheduleId, ScheduleRow,
        Signal, Span, Task, Thread,
    };
    pub use baton_common::transition::Due;
    pub use baton_common::{Digest, JobId, Partition, TenantId, Timestamp};
}

/// Implements `Reader`, `Schedules` and `Registry` for a store that stands before the one in its field
/// `$inner`; the method `$before(&self, name) -> Result<(), Error>` is awaited first.
#[macro_export]
macro_rules! forward_reads {
    ($wrapper:ty, $inner:ident, $before:ident) => {
        const _: () = {
            use $crate::suite::forward::words::*;
            use $crate::{Quotas as _, Reader as _, Registry as _, Schedules as _};
            $crate::forward_reads! { @part $wrapper, $inner, $before, Reader {
                run(run: RunId) -> Option<Run>;
                load(run: RunId) -> Option<$crate::Loaded>;
                detail(run: RunId) -> Option<$crate::RunDetail>;
                group(run: RunId, group: &GroupId) -> Option<(Group, Vec<Task>)>;
                bodies(job: &JobId) -> $crate::TaskBodies;
                thread(key: &ThreadKey) -> Option<Thread>;
                checkpoint(key: &ThreadKey, seq: Seq) -> Option<Checkpoint>;
                segments(key: &ThreadKey, channel: &str, span: Span) -> Vec<Body>;
                signals(key: &ThreadKey) -> Vec<Signal>;
                waits(run: RunId) -> Vec<$crate::OpenWait>;
                runs(tenant: &TenantId, filter: &$crate::RunFilter) -> Vec<Run>;
                inbox(tenant: &TenantId, limit: u32) -> Vec<Interrupt>;
                events(run: RunId, after: u64, limit: u32) -> Vec<Event>;
                audit(partition: Partition, limit: u32) -> Vec<Audit>;
                audit_page(partition: Partition, after: Option<&str>, limit: u32, newest_first: bool) -> $crate::AuditPage;
                audit_head(partition: Partition) -> Option<AuditHead>;
                outline(run: RunId, tasks_max: u32) -> Option<$crate::RunDetail>;
                due_at(partition: Partition, keys: &[DueKey]) -> Vec<Option<Timestamp>>;
                parked(run: RunId) -> Option<(Timestamp, String)>;
                due(partition: Partition) -> Vec<(Timestamp, Due)>;
                now() -> Timestamp;
                scan(show: $crate::Show) -> ();
            } }
            $crate::forward_reads! { @part $wrapper, $inner, $before, Schedules {
                schedule(id: ScheduleId) -> Option<ScheduleRow>;
                schedules(tenant: &TenantId) -> Vec<ScheduleRow>;
            } }
            $crate::forward_reads! { @part $wrapper, $inner, $before, Registry {
                cluster() -> String;
                put_graph(graph: $crate::StoredGraph) -> ();
                graph(tenant: &TenantId, hash: GraphHash) -> Option<$crate::StoredGraph>;
                graph_named(tenant: &TenantId, name: &str) -> Option<$crate::StoredGraph>;
                graphs(tenant: &TenantId) -> Vec<$crate::StoredGraph>;
                put_api_key(key: $crate::ApiKey) -> ();
                api_key(hash: Digest) -> Option<$crate::ApiKey>;
                api_keys() -> Vec<$crate::ApiKey>;
                remove_api_key(id: &str) -> bool;
                put_worker(id: &str, body: Body) -> ();
                workers(since: Timestamp) -> Vec<$crate::StoredWorker>;
            } }
            $crate::forward_reads! { @part $wrapper, $inner, $before, Quotas {
                put_quota(quota: Quota) -> ();
                quotas() -> Vec<Quota>;
                remove_quota(owner: &TenantId, name: &str) -> bool;
                meter(name: &str, act: $crate::MeterAct, at: Option<Timestamp>) -> $crate::Metered;
            } }
        };
    };
    (@part $wrapper:ty, $inner:ident, $before:ident, $part:ident {
        $($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*
    }) => {
        #[async_trait]
        impl $crate::$part for $wrapper {$(
            async fn $name(&self, $($argument: $kind),*) -> Result<$answer, $crate::Error> {
                self.$before(stringify!($name)).await?;
                self.$inner.$name($($argument),*).await
            }
        )*}
    };
}
