//! The faults: what each is called, how often it is drawn, and which kind of component it
//! kills. How they are made is up to the nemesis.

/// A way between two components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Between {
    /// An orchestrator and the store.
    Store,
    /// A process and the broker.
    Broker,
    /// Callers and an orchestrator.
    Calls,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// An orchestrator is killed.
    KillOrchestrator,
    /// A worker of the io class is killed.
    KillIoWorker,
    /// A worker of the cpu class is killed.
    KillCpuWorker,
    /// The store is killed.
    KillStore,
    /// The store is killed and has lost the last moments of its log, up to a second.
    CutLog,
    /// The broker is killed.
    KillBroker,
    /// A process dies, waits, fails or repeats itself at a named point.
    Point,
    /// An orchestrator stands still for a while.
    StopOrchestrator,
    /// A worker stands still for a while, mostly longer than its leases.
    StopWorker,
    /// The store stands still for a while.
    StopStore,
    /// The broker stands still for a while.
    StopBroker,
    /// Connections end.
    Cut(Between),
    /// Bytes are late.
    Slow(Between),
    /// Nothing comes through.
    Silent(Between),
    /// Connections are half open for good, new ones work.
    HalfOpen(Between),
    /// Requests arrive, answers do not.
    Unanswered(Between),
    /// A queue loses what waits in it.
    Purge,
    /// A queue is removed.
    Delete,
    /// A queue gets no messages any more.
    Unbind,
    /// The broker takes no messages for a while, for want of memory.
    Alarm,
    /// The broker takes no messages for a while, for want of room on its disk.
    DiskAlarm,
    /// The store cannot write to its disk for a while.
    FullDisk,
    /// The store has no memory left for a while.
    FullMemory,
    /// The store is killed, and a replica of it takes its place.
    Promote,
    /// An orchestrator is killed, and the clock of the next one is ten minutes off.
    Skew,
}

/// Every fault and how often it is drawn among the others.
pub(super) const DRAWN: [(Fault, u32); 33] = [
    (Fault::KillOrchestrator, 22),
    (Fault::KillIoWorker, 20),
    (Fault::KillCpuWorker, 10),
    (Fault::KillStore, 6),
    (Fault::CutLog, 5),
    (Fault::KillBroker, 3),
    (Fault::Point, 16),
    (Fault::StopOrchestrator, 5),
    (Fault::StopWorker, 6),
    (Fault::StopStore, 3),
    (Fault::StopBroker, 2),
    (Fault::Cut(Between::Store), 4),
    (Fault::Cut(Between::Broker), 3),
    (Fault::Cut(Between::Calls), 4),
    (Fault::Slow(Between::Store), 2),
    (Fault::Slow(Between::Broker), 2),
    (Fault::Slow(Between::Calls), 2),
    (Fault::Silent(Between::Store), 2),
    (Fault::Silent(Between::Broker), 2),
    (Fault::Silent(Between::Calls), 2),
    (Fault::HalfOpen(Between::Store), 2),
    (Fault::HalfOpen(Between::Broker), 2),
    (Fault::HalfOpen(Between::Calls), 2),
    (Fault::Unanswered(Between::Store), 2),
    (Fault::Unanswered(Between::Calls), 2),
    (Fault::Purge, 2),
    (Fault::Delete, 2),
    (Fault::Unbind, 1),
    (Fault::Alarm, 1),
    (Fault::DiskAlarm, 1),
    (Fault::FullDisk, 2),
    (Fault::FullMemory, 2),
    (Fault::Skew, 3),
];

impl Fault {
    /// What tables call it.
    #[must_use]
    pub fn name(self) -> String {
        let way = |what: &str, between: Between| match between {
            Between::Store => format!("way to the store {what}"),
            Between::Broker => format!("way to the broker {what}"),
            Between::Calls => format!("way to an orchestrator {what}"),
        };
        match self {
            Self::KillOrchestrator => "orchestrator killed".to_owned(),
            Self::KillIoWorker => "io worker killed".to_owned(),
            Self::KillCpuWorker => "cpu worker killed".to_owned(),
            Self::KillStore => "store killed".to_owned(),
            Self::CutLog => "store killed, tail of its log lost".to_owned(),
            Self::KillBroker => "broker killed".to_owned(),
            Self::Point => "failpoint in a process".to_owned(),
            Self::StopOrchestrator => "orchestrator stopped".to_owned(),
            Self::StopWorker => "worker stopped".to_owned(),
            Self::StopStore => "store stopped".to_owned(),
            Self::StopBroker => "broker stopped".to_owned(),
            Self::Cut(between) => way("cut", between),
            Self::Slow(between) => way("slow", between),
            Self::Silent(between) => way("silent", between),
            Self::HalfOpen(between) => way("half open", between),
            Self::Unanswered(between) => way("loses answers", between),
            Self::Purge => "queue purged".to_owned(),
            Self::Delete => "queue deleted".to_owned(),
            Self::Unbind => "queue unbound".to_owned(),
            Self::Alarm => "broker alarm, memory".to_owned(),
            Self::DiskAlarm => "broker alarm, disk".to_owned(),
            Self::FullMemory => "memory of the store full".to_owned(),
            Self::FullDisk => "disk of the store full".to_owned(),
            Self::Promote => "store killed, a replica promoted".to_owned(),
            Self::Skew => "orchestrator killed, then a clock 10 min off".to_owned(),
        }
    }

    /// The kind of component that it kills.
    #[must_use]
    pub fn kills(self) -> Option<&'static str> {
        match self {
            Self::KillOrchestrator | Self::Skew => Some("orchestrator"),
            Self::KillIoWorker => Some("io worker"),
            Self::KillCpuWorker => Some("cpu worker"),
            Self::KillStore | Self::CutLog | Self::Promote => Some("store"),
            Self::KillBroker => Some("broker"),
            _ => None,
        }
    }
}

/// The kinds of components that a soak must kill.
pub const COMPONENTS: [&str; 5] = ["orchestrator", "io worker", "cpu worker", "store", "broker"];

/// A fault that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strike {
    /// What was done.
    pub fault: Fault,
    /// To whom.
    pub target: String,
    /// When it began, in milliseconds since 1970.
    pub at_ms: i64,
    /// When it was over; of a process that was killed the moment it was killed, since others
    /// take its place.
    pub until_ms: i64,
}
