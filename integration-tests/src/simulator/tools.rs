//! Simulated tools and the ledger of their executions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use baton_common::{ErrorClass, Failure, JobId};
use baton_tools::{Call, Catalogue, CpuTool, IoTool, Tool};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::chaos::Chaos;
use super::checker::Checker;

/// What was really executed, as the outside world saw it.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<BTreeMap<String, Executions>>>);

#[derive(Default)]
struct Executions {
    job: Option<JobId>,
    once: bool,
    starts: u64,
}

impl Ledger {
    fn started(&self, call: &Call, effect: Effect) {
        let mut ledger = self.0.lock();
        let entry = ledger.entry(call.idempotency_key.to_string()).or_default();
        entry.job = Some(call.job.clone());
        entry.once = effect == Effect::Once;
        entry.starts += 1;
    }

    /// I9: no key is executed more often than it was granted, a `once` key at most once.
    /// A store that went back forgets grants, so that lives with one are judged by grants alone.
    pub(super) fn violation(&self, checker: &Checker) -> Option<String> {
        for (key, executions) in self.0.lock().iter() {
            let Some(job) = &executions.job else { continue };
            let granted = checker.grants(job);
            if executions.starts > granted {
                return Some(format!("I9: {job} ran {} times under {key}, granted {granted}", executions.starts));
            }
            if executions.once && executions.starts > 1 && !checker.was_rolled_back() {
                return Some(format!("I9: {job} may run once and ran {} times", executions.starts));
            }
        }
        None
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
        self.ledger.started(call, self.effect);
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
        self.ledger.started(call, Effect::Pure);
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
