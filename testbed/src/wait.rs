//! Waiting for a condition of the outside world that sends no event.

use std::thread;
use std::time::{Duration, Instant};

/// Asks again and again until `ready` answers true, or says what was awaited.
///
/// # Errors
/// When `patience` is over, and when `ready` itself fails.
pub fn wait_until(
    what: &str,
    patience: Duration,
    mut ready: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + patience;
    while !ready()? {
        anyhow::ensure!(Instant::now() < deadline, "{what}: not within {patience:?}");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
