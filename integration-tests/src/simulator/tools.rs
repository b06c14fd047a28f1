//! Simulated tools and the ledger of their executions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use baton_common::{ErrorClass, Failure};
use baton_tools::{Call, Catalogue, CpuTool, IoTool, Tool};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::chaos::Chaos;
use super::checker::Checker;

/// What was really executed, as the outside world saw it.
#[derive(Clone)]
pub(super) struct Ledger {
    checker: Arc<Checker>,
    keys: Arc<Mutex<BTreeMap<String, Executions>>>,
}

#[derive(Default)]
struct Executions {
    args: Value,
    starts: u64,
}

impl Ledger {
    /// An empty one, that tells `checker` what should not have been executed.
    pub(super) fn new(checker: Arc<Checker>) -> Self {
        Self { checker, keys: Arc::default() }
    }

    fn started(&self, args: &Value, call: &Call, effect: Effect) {
        let mut keys = self.keys.lock();
        let key = call.idempotency_key.to_string();
        let entry = keys.entry(key.clone()).or_default();
        entry.starts += 1;
        let (job, starts) = (&call.job, entry.starts);
        let granted = self.checker.grants(job);
        // A store that went back forgets grants of a `once` job, though it was executed.
        // Who takes a run up again wants it done again.
        let asked = self.checker.was_rolled_back() || self.checker.was_retried(job.run);
        let once = effect == Effect::Once && !asked;
        if starts > granted {
            self.checker.report(format!("I9: {job} ran {starts} times under {key}, granted {granted}"));
        } else if once && starts > 1 {
            self.checker.report(format!("I9: {job} may run once and ran {starts} times"));
        }
        if starts == 1 {
            entry.args = args.clone();
        } else if entry.args != *args {
            let first = &entry.args;
            self.checker.report(format!("I5: {job} ran on {first} and on {args} under one key, {key}"));
        }
    }
}

struct SimTool {
    name: &'static str,
    effect: Effect,
    ledger: Ledger,
    chaos: Arc<Chaos>,
}

/// A tool that waits, sometimes fails, and never answers the same twice, as models do.
#[async_trait]
impl IoTool for SimTool {
    fn spec(&self) -> ToolSpec {
        spec(self.name, QueueClass::Io, self.effect)
    }

    async fn call(&self, args: Value, call: &Call) -> Result<Value, Failure> {
        self.ledger.started(&args, call, self.effect);
        let usual = args["ms"].as_u64().unwrap_or(10);
        let ms = if self.chaos.strikes("tool slow", 30.0) { usual + self.chaos.below(9_000) } else { usual };
        tokio::select! {
            biased;
            () = call.cancel.cancelled() => return Err(Failure::new(ErrorClass::Cancelled, "cancelled", "told to stop")),
            () = tokio::time::sleep(Duration::from_millis(ms)) => {}
        }
        if self.chaos.strikes("tool failed for now", 60.0) {
            return Err(Failure::transient("busy", "try again"));
        }
        if self.chaos.strikes("tool failed for good", 15.0) {
            return Err(Failure::permanent("broken", "it will not work"));
        }
        assert!(!self.chaos.strikes("tool panicked", 5.0), "{EXPECTED_PANIC}");
        Ok(json!({"value": format!("{}", self.chaos.below(1_000_000)), "seed": args["seed"]}))
    }
}

struct SimCpuTool {
    ledger: Ledger,
    chaos: Arc<Chaos>,
}

impl CpuTool for SimCpuTool {
    fn spec(&self) -> ToolSpec {
        spec("sim.crunch", QueueClass::Cpu, Effect::Pure)
    }

    fn call(&self, args: Value, call: &Call, _runtime: &tokio::runtime::Handle) -> Result<Value, Failure> {
        self.ledger.started(&args, call, Effect::Pure);
        if self.chaos.strikes("tool failed for now", 60.0) {
            return Err(Failure::transient("busy", "try again"));
        }
        Ok(json!({"value": format!("{}", self.chaos.below(1_000_000)), "seed": args["seed"]}))
    }
}

fn spec(name: &str, class: QueueClass, effect: Effect) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        major: 1,
        class,
        effect,
        description: "Simulated work.".to_owned(),
        args_schema: json!({"type": "object", "properties": {"ms": {"type": "integer"}, "seed": {}}}),
    }
}

const EXPECTED_PANIC: &str = "as the dice said";

/// Keeps panics that the dice asked for out of the output.
pub(super) fn hush_expected_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload_as_str() != Some(EXPECTED_PANIC) {
                usual(info);
            }
        }));
    });
}

/// The simulated tools.
pub(super) fn catalogue(ledger: &Ledger, chaos: &Arc<Chaos>) -> Catalogue {
    let io = |name, effect| Tool::Io(Arc::new(SimTool { name, effect, ledger: ledger.clone(), chaos: chaos.clone() }));
    Catalogue::new([
        io("sim.work", Effect::Idempotent),
        io("sim.pure", Effect::Pure),
        io("sim.once", Effect::Once),
        Tool::Cpu(Arc::new(SimCpuTool { ledger: ledger.clone(), chaos: chaos.clone() })),
    ])
    .expect("tools with names of their own")
}
