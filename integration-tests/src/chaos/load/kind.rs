//! The kinds of runs of a load: what each is given, and what must come of it.

use baton_proto::v1::{Run, RunStatus};
use serde_json::{Value, json};

/// A kind of run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Turns of one job.
    Loop,
    /// Many jobs at a time.
    Fan,
    /// A question that several people answer at once.
    Ask,
    /// Graphs that are called.
    Child,
    /// A call that outlives its run.
    Notify,
    /// Jobs that are taken back.
    Undo,
    /// A job that never runs twice.
    Once,
    /// Waits for a signal and for a time.
    Signal,
    /// Computes beside a job.
    Cpu,
    /// Is stopped by a person.
    Cancel,
}

/// One run as it was asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its kind.
    pub kind: Kind,
    /// The caller's name for it.
    pub request: String,
    /// How much it does.
    pub size: u32,
}

impl Kind {
    /// All of them, each as often as it is drawn.
    pub const DRAWN: [Self; 16] = [
        Self::Loop,
        Self::Loop,
        Self::Loop,
        Self::Fan,
        Self::Fan,
        Self::Ask,
        Self::Ask,
        Self::Child,
        Self::Notify,
        Self::Undo,
        Self::Once,
        Self::Once,
        Self::Once,
        Self::Signal,
        Self::Cpu,
        Self::Cancel,
    ];

    /// Texts of the graphs; what is called comes first.
    pub const GRAPHS: [&str; 10] = [
        include_str!("graphs/loop.yaml"),
        include_str!("graphs/fan.yaml"),
        include_str!("graphs/ask.yaml"),
        include_str!("graphs/child.yaml"),
        include_str!("graphs/notify.yaml"),
        include_str!("graphs/undo.yaml"),
        include_str!("graphs/once.yaml"),
        include_str!("graphs/signal.yaml"),
        include_str!("graphs/cpu.yaml"),
        include_str!("graphs/cancel.yaml"),
    ];

    /// The name of its graph.
    #[must_use]
    pub fn graph(self) -> &'static str {
        match self {
            Self::Loop => "chaos-loop",
            Self::Fan => "chaos-fan",
            Self::Ask => "chaos-ask",
            Self::Child => "chaos-child",
            Self::Notify => "chaos-notify",
            Self::Undo => "chaos-undo",
            Self::Once => "chaos-once",
            Self::Signal => "chaos-signal",
            Self::Cpu => "chaos-cpu",
            Self::Cancel => "chaos-cancel",
        }
    }
}

impl Wanted {
    /// The file of its usual jobs.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{}.jsonl", self.request)
    }

    /// The file of what it does besides: notified, taken back, paid.
    #[must_use]
    pub fn other_file(&self) -> String {
        format!("{}-other.jsonl", self.request)
    }

    /// What it is given.
    #[must_use]
    pub fn input(&self) -> Value {
        let (file, other, size) = (self.file(), self.other_file(), self.size);
        let items: Vec<u32> = (0..4 + 2 * size).collect();
        match self.kind {
            Kind::Loop | Kind::Child => json!({"file": file, "turns": size}),
            Kind::Fan | Kind::Cancel => json!({"file": file, "items": items}),
            Kind::Ask | Kind::Signal | Kind::Cpu => json!({"file": file}),
            Kind::Notify => json!({"file": file, "told": other}),
            Kind::Undo => json!({"file": file, "undone": other}),
            Kind::Once => json!({"file": file, "paid": other}),
        }
    }

    /// What the signal says that it waits for.
    #[must_use]
    pub fn told(&self) -> Value {
        json!({"told": self.size})
    }

    /// Jobs that it makes: all, those that are idempotent and leave lines in its file, and
    /// those that are so in its other file.
    #[must_use]
    pub fn jobs(&self) -> (usize, usize, usize) {
        let size = usize::try_from(self.size).unwrap_or(0);
        match self.kind {
            Kind::Loop => (size, size, 0),
            Kind::Fan => (6 + 2 * size, 4 + 2 * size, 0),
            Kind::Ask => (2, 2, 0),
            Kind::Child => (3 * size, 3 * size, 0),
            Kind::Notify => (2, 1, 1),
            Kind::Undo => (4, 2, 2),
            Kind::Once => (2, 1, 0),
            Kind::Signal => (1, 1, 0),
            Kind::Cpu => (3, 2, 0),
            Kind::Cancel => (4 + 2 * size, 4 + 2 * size, 0),
        }
    }

    /// What is wrong with how it ended.
    #[must_use]
    pub fn judge(&self, run: &Run) -> Option<String> {
        let output: Option<Value> = run.output_json.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let failed = run.failure.as_ref().map(|failure| failure.code.clone()).unwrap_or_default();
        let size = self.size;
        let ended = |output: Value| (RunStatus::Succeeded, Some(output), String::new());
        let wanted = match self.kind {
            Kind::Loop => vec![ended(json!({"turns": size}))],
            Kind::Fan => vec![ended(json!({"ends": 4 + 2 * size}))],
            Kind::Ask => vec![ended(json!({"action": "approve"})), ended(json!({"action": "reject"}))],
            Kind::Child => vec![ended(json!({"calls": 3}))],
            Kind::Notify => vec![ended(json!({"done": true}))],
            Kind::Undo => vec![(RunStatus::Failed, None, "failed".to_owned())],
            Kind::Once => vec![ended(json!({"paid": "paid"})), ended(json!({"paid": "refunded"}))],
            Kind::Signal => vec![ended(json!({"told": size}))],
            Kind::Cpu => vec![ended(json!({"joined": 3}))],
            Kind::Cancel => {
                vec![ended(json!({"ends": 4 + 2 * size})), (RunStatus::Cancelled, None, String::new())]
            }
        };
        let seen = (run.status(), output, failed);
        let fits = |wanted: &(RunStatus, Option<Value>, String)| {
            wanted.0 == seen.0 && wanted.1 == seen.1 && (wanted.2.is_empty() || wanted.2 == seen.2)
        };
        (!wanted.iter().any(fits)).then(|| {
            let why = run.failure.as_ref().map(|failure| format!("{failure:?}")).unwrap_or_default();
            format!("{} {} ended as {:?} {:?} {why}, wanted {wanted:?}", self.request, run.id, seen.0, seen.1)
        })
    }
}
