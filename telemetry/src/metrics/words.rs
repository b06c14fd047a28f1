//! Every metric there is: its name, its kind, its labels, and what it tells. What measures it,
//! and when, is left to the planes; `docs/operations/metrics.md` is made from this list.

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Rises only, from the start of the process on.
    Counter,
    /// A number now.
    Gauge,
    /// How often something took how long: seconds, with these upper bounds.
    Histogram(Buckets),
}

/// Upper bounds of a histogram, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buckets {
    /// A round trip to a server.
    RoundTrip,
    /// What should be over at once.
    Prompt,
    /// What may wait its turn.
    Wait,
    /// What takes as long as it takes.
    Work,
}

impl Buckets {
    /// The bounds, in seconds.
    #[must_use]
    pub fn bounds(self) -> &'static [f64] {
        match self {
            Self::RoundTrip => {
                &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]
            }
            Self::Prompt => {
                &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0]
            }
            Self::Wait => {
                &[0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1_800.0]
            }
            Self::Work => {
                &[0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0]
            }
        }
    }
}

/// Who tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Each orchestrator, of itself.
    Orchestrator,
    /// Every orchestrator alike, of the whole cluster: take it once, with `max`.
    Cluster,
    /// Each worker, of itself.
    Worker,
    /// Each process, of itself.
    Process,
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name as it is scraped.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Who tells it.
    pub of: Of,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it tells, in one phrase.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($of:ident { $($id:ident = $kind:expr, $name:literal, [$($label:literal),*], $help:literal;)* })*) => {
        $($(
            #[doc = $help]
            pub const $id: Metric =
                Metric { name: $name, kind: $kind, of: Of::$of, labels: &[$($label),*], help: $help };
        )*)*

        /// All of them.
        pub const ALL: &[Metric] = &[$($($id),*),*];
    };
}

use Kind::{Counter, Gauge};
const ROUND_TRIP: Kind = Kind::Histogram(Buckets::RoundTrip);
const PROMPT: Kind = Kind::Histogram(Buckets::Prompt);
const WAIT: Kind = Kind::Histogram(Buckets::Wait);
const WORK: Kind = Kind::Histogram(Buckets::Work);

metrics! {
    Cluster {
        RUNS = Gauge, "baton_runs", ["status"],
            "Runs that have not ended, child runs among them, by status";
        INTERRUPTS = Gauge, "baton_interrupts_open", [], "Questions that wait for an answer";
        INTERRUPT_AGE = Gauge, "baton_interrupts_oldest_age_seconds", [],
            "How long the oldest open question has waited, 0 where none is open";
        QUEUE_MESSAGES = Gauge, "baton_queue_messages", ["queue"],
            "Messages that wait in a queue and the lanes beside it";
        QUEUE_WORKERS = Gauge, "baton_queue_workers", ["queue"], "Workers announced lately that take from a queue";
        CLAIMS = Gauge, "baton_claims_in_flight", ["class", "queue"],
            "Jobs in the hands of workers, as these last announced it, by the queue they came from";
    }
    Orchestrator {
        STORE_UP = Gauge, "baton_store_up", [], "Whether this process reaches the store, 1 or 0";
        BROKER_UP = Gauge, "baton_broker_up", [], "Whether the broker takes messages of this process, 1 or 0";
        RUNS_SUBMITTED = Counter, "baton_runs_submitted_total", [],
            "Runs accepted, by callers and schedules, without repeated calls and child runs";
        RUNS_ENDED = Counter, "baton_runs_ended_total", ["status"], "Runs ended, without child runs";
        STEP = PROMPT, "baton_step_duration_seconds", [], "From loading a run to the commit of its step";
        DISPATCH_LAG = PROMPT, "baton_dispatch_lag_seconds", [],
            "From the moment a job may go to its queue until the broker has it";
        QUEUE_WAIT = WAIT, "baton_queue_wait_seconds", ["queue"],
            "From publishing a job until a worker is granted it, by the store's clock";
        LEASE_EXPIRIES = Counter, "baton_lease_expiries_total", ["class"], "Claims whose lease ran out";
        REPUBLICATIONS = Counter, "baton_republications_total", ["reason"],
            "Jobs published once more, since their message is believed lost";
        DEAD_LETTERS = Counter, "baton_dead_letters_total", ["queue"],
            "Messages that came back too often or could not be read, by the queue they were in";
        STORE = ROUND_TRIP, "baton_store_duration_seconds", [], "Round trips to the store";
        STORE_ERRORS = Counter, "baton_store_errors_total", [], "Round trips to the store that failed";
        PUBLISH = ROUND_TRIP, "baton_broker_publish_duration_seconds", [],
            "From handing messages to the broker until it confirmed them";
    }
    Worker {
        SLOTS = Gauge, "baton_worker_slots", ["class"], "Jobs that this worker runs at once at the most";
        SLOTS_USED = Gauge, "baton_worker_slots_used", ["class"], "Jobs that this worker runs now";
        SPOOLED = Gauge, "baton_worker_spooled_results", [], "Results on disk that no orchestrator has taken yet";
        JOBS = Counter, "baton_jobs_total", ["class", "outcome"],
            "Attempts ended: succeeded, abandoned, or the class of their failure";
        JOB = WORK, "baton_job_duration_seconds", ["class"], "From the grant of an attempt to its end";
        MODEL_TOKENS = Counter, "baton_model_tokens_total", ["tenant", "route", "direction"],
            "Tokens that models read (input) and wrote (output)";
        MODEL_COST = Counter, "baton_model_cost_dollars_total", ["tenant", "route"],
            "What model calls cost, where the model's price is configured";
        MODEL_CALLS = Counter, "baton_model_calls_total", ["route", "outcome"],
            "Model calls: succeeded, or the class of their failure";
        MODEL_CALL = WORK, "baton_model_call_duration_seconds", ["route"],
            "Model calls, with the candidates that were tried in vain";
    }
    Process {
        POOL_USED = Gauge, "baton_pool_used", ["pool"],
            "What is taken of a pool: compute, advances and sweeps of an orchestrator, slots of a worker";
        POOL_SIZE = Gauge, "baton_pool_size", ["pool"], "How much a pool has";
        BROKER_ERRORS = Counter, "baton_broker_errors_total", [],
            "Connections to the broker lost or not made, messages it did not take or confirm, questions it did not answer";
        MEMORY = Gauge, "process_resident_memory_bytes", [], "Memory in use";
        CPU = Counter, "process_cpu_seconds_total", [], "Processor time spent";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unlike_and_say_what_they_count() {
        let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
        for Metric { name, kind, .. } in ALL {
            assert_eq!(name.ends_with("_total"), *kind == Counter, "{name}");
            assert!(!matches!(kind, Kind::Histogram(_)) || name.ends_with("_seconds"), "{name}");
        }
    }

    #[test]
    fn bounds_rise() {
        for buckets in [Buckets::RoundTrip, Buckets::Prompt, Buckets::Wait, Buckets::Work] {
            assert!(buckets.bounds().is_sorted_by(|a, b| a < b), "{buckets:?}");
        }
    }

    /// `docs/operations/metrics.md` holds the list; `UPDATE_EXPECT=1` writes it anew.
    #[test]
    fn the_page_says_what_there_is() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations/metrics.md");
        let (begin, end) = ("<!-- metrics -->\n", "<!-- /metrics -->");
        let page = std::fs::read_to_string(&path).unwrap();
        let (head, rest) = page.split_once(begin).unwrap();
        let (_, tail) = rest.split_once(end).unwrap();
        let wanted = format!("{head}{begin}{}{end}{tail}", table());
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        } else {
            assert!(page == wanted, "run this test with UPDATE_EXPECT=1 to write {}", path.display());
        }
    }

    fn table() -> String {
        let mut text = String::new();
        for (of, title) in [
            (Of::Cluster, "The cluster, told by every orchestrator alike"),
            (Of::Orchestrator, "An orchestrator"),
            (Of::Worker, "A worker"),
            (Of::Process, "Each process"),
        ] {
            text += &format!("\n### {title}\n\n| name | kind | labels | what it tells |\n|---|---|---|---|\n");
            for metric in ALL.iter().filter(|metric| metric.of == of) {
                let kind = match metric.kind {
                    Counter => "counter",
                    Gauge => "gauge",
                    Kind::Histogram(_) => "histogram",
                };
                let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
                text += &format!("| `{}` | {kind} | {} | {} |\n", metric.name, labels.join(", "), metric.help);
            }
        }
        text + "\n"
    }
}
