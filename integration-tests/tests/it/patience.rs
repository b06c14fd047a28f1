//! Waiting for what a cluster of real processes comes to, within a bound.

use std::time::{Duration, Instant};

use baton_integration_tests::cluster::Cluster;

/// Longer than anything takes here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until there is something; fails with what the processes said where that takes too long.
pub(crate) async fn until<T>(cluster: &Cluster, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "never: {what}\n{}", cluster.logs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
