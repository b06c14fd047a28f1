//! `debug.spin`: keeps a processor busy.

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
}

impl CpuTool for Spin {
    fn spec(&self) -> ToolSpec {
        let properties = json!({ "ms": { "type": "integer", "minimum": 0, "maximum": 86_400_000 } });
        spec("debug.spin", QueueClass::Cpu, "Keeps a processor busy for so many milliseconds", properties, &["ms"])
    }

    fn call(&self, args: Value, call: &Call, _runtime: &tokio::runtime::Handle) -> Result<Value, Failure> {
        let Args { ms } = args::parse(args)?;
        let end = Instant::now() + Duration::from_millis(ms);
        let mut turns: u64 = 0;
        while Instant::now() < end {
            if call.cancel.is_cancelled() || Instant::now() >= call.deadline {
                return Err(args::stopped(call));
            }
            turns = std::hint::black_box((0..20_000_u64).fold(turns, |sum, n| sum.wrapping_mul(31).wrapping_add(n)));
        }
        Ok(json!({ "ms": ms }))
    }
}
