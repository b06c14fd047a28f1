//! `debug.spin`: keeps a processor busy, and memory if it is told to.

use std::time::{Duration, Instant};

use baton_common::Failure;
use baton_common::tool::{QueueClass, ToolSpec};
use serde::Deserialize;
use serde_json::{Value, json};

use super::spec;
use crate::{Call, CpuTool, args};

/// Computes for a while.
pub(super) struct Spin;

#[derive(Deserialize)]
struct Args {
    ms: u64,
    #[serde(default)]
    mb: usize,
}

impl CpuTool for Spin {
    fn spec(&self) -> ToolSpec {
        let properties = json!({
            "ms": { "type": "integer", "minimum": 0, "maximum": 86_400_000 },
            "mb": { "type": "integer", "minimum": 0, "maximum": 1_000_000 }
        });
        let description = "Keeps a processor busy for so many milliseconds, and so many MiB of memory";
        spec("debug.spin", QueueClass::Cpu, description, properties, &["ms"])
    }

    fn call(&self, args: Value, call: &Call, _runtime: &tokio::runtime::Handle) -> Result<Value, Failure> {
        let Args { ms, mb } = args::parse(args)?;
        let held = std::hint::black_box(vec![1_u8; mb << 20]);
        let end = Instant::now() + Duration::from_millis(ms);
        let mut turns: u64 = 0;
        while Instant::now() < end {
            if call.cancel.is_cancelled() || Instant::now() >= call.deadline {
                return Err(args::stopped(call));
            }
            turns = std::hint::black_box((0..20_000_u64).fold(turns, |sum, n| sum.wrapping_mul(31).wrapping_add(n)));
        }
        drop(held);
        Ok(json!({ "ms": ms }))
    }
}
