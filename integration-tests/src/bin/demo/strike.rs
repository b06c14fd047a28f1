//! Kills one orchestrator and one worker in the middle of their work and restarts both
//! servers. Which, and at which claim, is left to chance; that something is under way is not.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::bail;
use baton_integration_tests::cluster::Cluster;
use baton_integration_tests::grpc::Happened;
use rand::Rng as _;

use crate::claims;
use crate::follow::Follower;
use crate::timeline::Timeline;

/// Claims from which chance chooses; the digest of the examples makes some twenty.
const AMONG: usize = 6;

/// What a call needs to arrive that was under way when its caller was frozen.
const ARRIVAL: Duration = Duration::from_millis(100);

/// Names of the workers that are there, by their ids.
pub(crate) async fn workers(cluster: &Cluster) -> anyhow::Result<BTreeMap<String, String>> {
    let places = cluster.client.worker_places().await?;
    let name = |place: &str| {
        let pid: u32 = place.rsplit(':').next()?.parse().ok()?;
        cluster.workers.iter().find(|worker| worker.pid() == Some(pid)).map(|worker| worker.name.clone())
    };
    Ok(places.into_iter().filter_map(|(id, place)| Some((id, name(&place)?))).collect())
}

/// Does it all; the claims that were open at the worker's death.
pub(crate) async fn disturb(
    cluster: &mut Cluster,
    workers: &BTreeMap<String, String>,
    follower: &Follower,
    timeline: &mut Timeline,
) -> anyhow::Result<Vec<Happened>> {
    let first = rand::rng().random_range(0..AMONG);
    follower.claim(first).await?;
    let orchestrator = rand::rng().random_range(0..cluster.orchestrators.len());
    cluster.orchestrators[orchestrator].kill();
    let open: Vec<String> = claims::open(&follower.events()).iter().map(claims::name).collect();
    let name = &cluster.orchestrators[orchestrator].name;
    timeline.mark('o', format!("killed -9 {name} while workers held {}", open.join(", ")));

    let second = first + 1 + rand::rng().random_range(0..AMONG);
    let (worker, interrupted) = strike_worker(cluster, workers, follower, second).await?;
    let lost: Vec<String> = interrupted.iter().map(claims::name).collect();
    timeline.mark('w', format!("killed -9 {} in the middle of {}", cluster.workers[worker].name, lost.join(", ")));

    cluster.redis.kill();
    cluster.redis.restart()?;
    timeline.mark('r', "killed Redis and started it again");
    cluster.rabbit.kill();
    timeline.mark('b', "killed RabbitMQ");
    cluster.rabbit.restart()?;
    timeline.note("RabbitMQ is back");
    cluster.orchestrators[orchestrator].start()?;
    cluster.workers[worker].start()?;
    timeline.note("started both again");
    Ok(interrupted)
}

/// Kills whoever makes the claim of that number, or the next one whose job is not over yet
/// when its worker is frozen.
async fn strike_worker(
    cluster: &mut Cluster,
    workers: &BTreeMap<String, String>,
    follower: &Follower,
    from: usize,
) -> anyhow::Result<(usize, Vec<Happened>)> {
    for number in from.. {
        let claim = follower.claim(number).await?;
        let Some(name) = workers.get(&claim.text) else { bail!("worker {} is not listed", claim.text) };
        let Some(place) = cluster.workers.iter().position(|worker| worker.name == *name) else { continue };
        cluster.workers[place].freeze()?;
        tokio::time::sleep(ARRIVAL).await;
        let open = claims::open(&follower.events());
        let held: Vec<Happened> = open.into_iter().filter(|open| open.text == claim.text).collect();
        if held.is_empty() {
            cluster.workers[place].thaw()?;
            continue;
        }
        cluster.workers[place].kill();
        return Ok((place, held));
    }
    bail!("no worker held a claim")
}
