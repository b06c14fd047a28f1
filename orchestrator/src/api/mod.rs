//! What callers ask of an orchestrator: gRPC, HTTP and the command line all come here.
//!
//! Every call names its [`Caller`]; another tenant's run is not found. Who the caller is,
//! and how these values look on a wire, is left to the edges.
//!
//! The calls are methods of [`crate::Orchestrator`]:
//! ```text
//! submit(&Caller, SubmitRequest)            -> Submitted
//! get(&Caller, RunId)                       -> RunView
//! list(&Caller, ListFilter)                 -> Vec<RunSummary>
//! answer(&Caller, RunId, Which, Value)      -> Answered
//! cancel(&Caller, RunId)                    -> CancelView
//! watch(&Caller, RunId, after: u64)         -> WatchStream
//! inbox(&Caller, limit: u32)                -> Vec<QuestionView>
//! apply_graph(&Caller, GraphSource)         -> Applied
//! list_graphs(&Caller)                      -> Vec<GraphView>
//! migrate(&Caller, MigrateRequest)          -> Migration
//! create_schedule(&Caller, name, Value)     -> ScheduleView
//! update_schedule(&Caller, name, Value, ..) -> ScheduleView
//! schedule(&Caller, name), schedules(..)    -> ScheduleView
//! pause_schedule, resume_schedule, run_schedule, backfill_schedule, delete_schedule
//! workers(&Caller)                          -> Vec<WorkerView>
//! queues(&Caller)                           -> Vec<QueueView>
//! artifacts(&Caller, RunId)                 -> Vec<ArtifactView>
//! artifact(&Caller, RunId, path: &str)      -> ArtifactContent
//! audit(&Caller, AuditFilter)               -> Vec<Audit>
//! verify_audit(&Caller, Vec<KeptHead>)       -> AuditVerdict
//! preview(&Caller, Action, Selection)       -> Preview
//! apply_operation(&Caller, id, Action, Vec<Sealed>) -> Vec<AppliedItem>
//! set_quota(&Caller, QuotaRequest)          -> QuotaView
//! quotas(&Caller)                           -> Vec<QuotaView>
//! quota(&Caller, name: &str)                -> QuotaView
//! delete_quota(&Caller, name: &str)         -> ()
//! unpark(&Caller, RunId)                    -> bool
//! archives(&Caller, after: Option<RunId>, limit: u32) -> ArchivePage
//! archive(&Caller, RunId)                   -> ArchiveContent
//! sweep_blobs(&Caller, dry: bool)           -> BlobSweep
//! health()                                  -> Health
//! readiness()                               -> Readiness
//! workers_there(&[WorkerId])                -> () once they announced themselves
//! ```
//! All are async and answer `Result<_, ApiError>`, but `health` and `readiness`.

mod address;
mod answer;
mod archive;
mod audit;
mod blobs;
mod error;
mod family;
mod graphs;
mod history;
mod migrate;
mod operate;
mod operation;
pub(crate) mod page;
mod quotas;
mod ready;
mod replay;
mod rewind;
mod runs;
mod schedules;
mod signal;
mod submit;
mod types;
mod updates;
mod watch;

pub use crate::collector::BlobSweep;
pub use archive::{ArchiveContent, ArchivePage, ArchiveView};
pub use audit::AuditVerdict;
pub use error::{ApiError, ErrorKind};
pub use history::{ChannelChange, CheckpointPage, CheckpointView, DiffView, StateView};
pub use migrate::{MigrateRequest, Migrated, MigratedRun, Migration};
pub use operation::{Action, Applied as AppliedItem, ITEMS_MAX, Item, Preview, Sealed, Selection};
pub use quotas::{QuotaRequest, QuotaView};
pub use ready::Readiness;
pub use replay::{Difference, ReplayView};
pub use rewind::{Edited, ForkRequest, Retried};
pub(crate) use runs::open_questions;
pub use schedules::{BackfillRequest, ScheduleView};
pub use signal::{Signalled, Target};
pub use types::{
    Answered, Applied, ArtifactContent, ArtifactView, AuditFilter, Caller, CancelView, Gap, GraphRef, GraphSource,
    GraphView, GroupView, Health, ListFilter, Live, QuestionView, QueueView, RunSummary, RunView, Status,
    SubmitRequest, Submitted, Wait, WatchStream, Watched, Which, WorkerView,
};
pub use updates::{Update, Updates};
