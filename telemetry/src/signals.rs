//! The first signal drains, the second ends at once. What draining means is left to the
//! plane that holds the token.

use tokio_util::sync::CancellationToken;

/// Cancels `shutdown` at SIGTERM or Ctrl-C; ends the process at the second.
pub async fn cancel_at_signal(shutdown: CancellationToken) {
    for round in 0..2 {
        if let Err(error) = signal().await {
            tracing::error!(%error, "signals cannot be received");
            return;
        }
        if round == 1 {
            std::process::exit(130);
        }
        tracing::info!("draining");
        shutdown.cancel();
    }
}

#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        biased;
        _ = terminate.recv() => Ok(()),
        outcome = tokio::signal::ctrl_c() => outcome,
    }
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
