//! `baton dev`: both planes in this process, until somebody ends it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use baton_orchestrator::process::{self, GRPC_ADDR};
use baton_telemetry::cancel_at_signal;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::args::DevArgs;
use crate::exit::{Exit, Failed};
use crate::local::{Addresses, Local};
use crate::output::duration;
use crate::paint::Paint;
use crate::setup::Setup;

pub(super) async fn dev(args: &DevArgs, setup: &Setup) -> Result<Exit, Failed> {
    let started = Instant::now();
    let at = addresses(args, setup)?;
    let data_dir = setup.data_dir(args.data_dir.as_ref())?;
    let key = setup.sources.get("BATON_API_KEY");
    let shutdown = CancellationToken::new();
    let signals = tokio::spawn(cancel_at_signal(shutdown.clone()));
    let folder = std::env::current_dir().into_iter().collect();
    let mut local = Local::start(setup, data_dir.clone(), folder, Some(at), key.as_deref()).await?;
    if let Some(file) = setup.sources.get("BATON_ADDR_FILE") {
        process::tell(file.as_ref(), local.address, local.http)?;
    }
    let (address, http) = (local.address, local.http);
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(%address, http = http.map(|http| http.to_string()), ms, "serving grpc");
    let shown = json!({ "grpc": address.to_string(), "http": http.map(|http| http.to_string()), "data_dir": data_dir });
    setup.output.result(&shown, |paint| ready(Addresses { grpc: address, http }, &data_dir, ms, paint));
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

/// Where it is to serve.
pub(crate) fn addresses(args: &DevArgs, setup: &Setup) -> Result<Addresses, Failed> {
    let given = |flag: &Option<String>, name| flag.clone().or_else(|| setup.sources.get(name));
    let wrong = |error: anyhow::Error| Failed::usage("invalid_setting", error, "or leave it out");
    let text = given(&args.grpc_addr, "BATON_GRPC_ADDR").unwrap_or_else(|| GRPC_ADDR.into());
    let free = || SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let grpc = process::address("BATON_GRPC_ADDR", &text);
    let grpc = setup.sources.or_noted("BATON_GRPC_ADDR", grpc, free).map_err(wrong)?;
    let text = given(&args.http_addr, "BATON_HTTP_ADDR");
    let http = process::http_address(text.as_deref(), grpc);
    let http = setup.sources.or_noted("BATON_HTTP_ADDR", http, || None).map_err(wrong)?;
    Ok(Addresses { grpc, http })
}

fn ready(at: Addresses, data_dir: &std::path::Path, ms: u64, paint: Paint) -> String {
    let Addresses { grpc, http } = at;
    let named =
        if grpc.to_string() == GRPC_ADDR { String::new() } else { format!("BATON_ORCHESTRATOR=http://{grpc} ") };
    let place = |name: &str, place: String| format!("  {}  {place}\n", paint.dim(name));
    let mut text = format!("{} in {}\n\n", paint.green(paint.bold("baton is ready")), duration(ms));
    text += &place("grpc", paint.bold(format!("http://{grpc}")));
    if let Some(http) = http {
        text += &place("http", format!("{}  {}", paint.bold(format!("http://{http}")), paint.dim("/openapi.json")));
    }
    text += &place("data", data_dir.display().to_string());
    text += &format!("\n{}\n", paint.dim("in another terminal:"));
    text + &format!("  {named}baton graph apply GRAPH.yaml\n  {named}baton submit NAME --wait\n")
}
