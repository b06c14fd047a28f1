//! Calls a built-in tool the way a worker does: arguments checked, io tools on the async
//! runtime, cpu tools on a thread of their own.

use baton_common::Failure;
use baton_tools::{Call, Catalogue, Config, Tool, builtin};
use serde_json::Value;

/// Runs one attempt.
pub(crate) async fn run(config: &Config, name: &str, args: Value, call: &Call) -> Result<Value, Failure> {
    let catalogue = Catalogue::new(builtin(config)).unwrap();
    catalogue.validate(name, &args)?;
    match catalogue.get(name).unwrap().clone() {
        Tool::Io(tool) => tool.call(args, call).await,
        Tool::Cpu(tool) => {
            let (call, runtime) = (call.clone(), tokio::runtime::Handle::current());
            tokio::task::spawn_blocking(move || tool.call(args, &call, &runtime)).await.unwrap()
        }
    }
}
