//! `baton dev`: both planes in this process, until somebody ends it.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::Context as _;
use baton_orchestrator::process::cancel_at_signal;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::args::DevArgs;
use crate::exit::{Exit, Failed};
use crate::local::Local;
use crate::output::duration;
use crate::paint::Paint;
use crate::setup::Setup;

const GRPC_ADDR: &str = "127.0.0.1:7420";

pub(super) async fn dev(args: &DevArgs, setup: &Setup) -> Result<Exit, Failed> {
    let started = Instant::now();
    let text =
        args.grpc_addr.clone().or_else(|| setup.sources.get("BATON_GRPC_ADDR")).unwrap_or_else(|| GRPC_ADDR.into());
    let address: SocketAddr = text.replacen("localhost:", "127.0.0.1:", 1).parse().map_err(|_| {
        Failed::usage(
            "invalid_setting",
            format!("{text:?} is no address"),
            format!("write an IP address and a port, such as {GRPC_ADDR}"),
        )
    })?;
    let data_dir = setup.data_dir(args.data_dir.as_ref())?;
    let key = setup.sources.get("BATON_API_KEY");
    let shutdown = CancellationToken::new();
    let signals = tokio::spawn(cancel_at_signal(shutdown.clone()));
    let folder = std::env::current_dir().into_iter().collect();
    let mut local = Local::start(setup, data_dir.clone(), folder, Some(address), key.as_deref()).await?;
    if let Some(file) = setup.sources.get("BATON_ADDR_FILE") {
        let unfinished = format!("{file}.new");
        std::fs::write(&unfinished, local.address.to_string())
            .and_then(|()| std::fs::rename(&unfinished, &file))
            .with_context(|| format!("the address cannot be written to {file}"))?;
    }
    let address = local.address;
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(%address, ms, "serving grpc");
    setup.output.result(&json!({ "grpc": address.to_string(), "data_dir": data_dir }), |paint| {
        ready(address, &data_dir, ms, paint)
    });
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = local.ended() => {}
    }
    if !setup.output.json {
        eprintln!("{}", Paint::stderr().dim("finishing what is under way, Ctrl-C again to end at once"));
    }
    local.stop().await;
    signals.abort();
    Ok(Exit::Succeeded)
}

fn ready(address: SocketAddr, data_dir: &std::path::Path, ms: u64, paint: Paint) -> String {
    let named =
        if address.to_string() == GRPC_ADDR { String::new() } else { format!("BATON_ORCHESTRATOR=http://{address} ") };
    format!(
        "{} in {}\n\n  {}  {}\n  {}  {}\n\n{}\n  {named}baton graph apply GRAPH.yaml\n  {named}baton submit NAME --wait\n",
        paint.green(paint.bold("baton is ready")),
        duration(ms),
        paint.dim("grpc"),
        paint.bold(format!("http://{address}")),
        paint.dim("data"),
        data_dir.display(),
        paint.dim("in another terminal:"),
    )
}
