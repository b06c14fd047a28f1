//! Tools that behave, and some that do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use baton_common::Failure;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use baton_tools::{Call, CpuTool, IoTool, Tool};
use serde_json::{Value, json};

fn spec(name: &str, class: QueueClass) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        major: 1,
        class,
        effect: Effect::Idempotent,
        description: String::new(),
        args_schema: json!({ "type": "object" }),
    }
}

/// `{ ms?, deaf?, panic?, bytes? }`: sleeps (unless deaf, until it is told to stop),
/// panics, or gives a long text.
struct Io;

#[async_trait]
impl IoTool for Io {
    fn spec(&self) -> ToolSpec {
        spec("t.io", QueueClass::Io)
    }

    async fn call(&self, args: Value, call: &Call) -> Result<Value, Failure> {
        let number = |key: &str| args[key].as_u64().unwrap_or(0);
        let sleep = tokio::time::sleep(Duration::from_millis(number("ms")));
        if args["deaf"] == true {
            sleep.await;
        } else if call.cancel.run_until_cancelled(sleep).await.is_none() {
            return Err(Failure::permanent("stopped", "it was told to stop"));
        }
        assert!(args["panic"] != true, "told to panic");
        Ok(match number("bytes") {
            0 => json!({ "ok": true }),
            bytes => Value::String("x".repeat(usize::try_from(bytes).unwrap())),
        })
    }
}

/// Threads that spin now, and the most there ever were.
pub(crate) static SPINNING: AtomicUsize = AtomicUsize::new(0);
pub(crate) static SPINNING_MAX: AtomicUsize = AtomicUsize::new(0);

/// `{ panic?, together? }`: panics, or spins until so many spin at once.
struct Cpu;

impl CpuTool for Cpu {
    fn spec(&self) -> ToolSpec {
        spec("t.cpu", QueueClass::Cpu)
    }

    fn call(&self, args: Value, call: &Call, _: &tokio::runtime::Handle) -> Result<Value, Failure> {
        assert!(args["panic"] != true, "told to panic");
        let together = usize::try_from(args["together"].as_u64().unwrap_or(0)).unwrap();
        if together == 0 {
            return Ok(json!({}));
        }
        let now = SPINNING.fetch_add(1, Ordering::SeqCst) + 1;
        SPINNING_MAX.fetch_max(now, Ordering::SeqCst);
        while SPINNING_MAX.load(Ordering::SeqCst) < together && !call.cancel.is_cancelled() {
            std::hint::spin_loop();
        }
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        SPINNING.fetch_sub(1, Ordering::SeqCst);
        Ok(json!({ "thread": thread }))
    }
}

pub(crate) fn all() -> Vec<Tool> {
    vec![Tool::Io(Arc::new(Io)), Tool::Cpu(Arc::new(Cpu))]
}
