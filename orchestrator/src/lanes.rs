//! Which lane of its queue a job's message goes to, so that no tenant waits behind another's
//! flood: the first few that a tenant has waiting go to the queue that all share, those
//! beyond to a lane beside it. Workers take from the queue eight times as often as from each
//! of its lanes, and from whatever holds something when the others are empty.
//!
//! What waits is counted by what this replica published and saw arrive. Others see arrivals
//! too: the depth of the queue, which is first in first out, bounds what is left of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use baton_broker::{Depth, JOB_QUEUES, lanes_of};
use baton_common::{Hasher, JobId, TenantId};
use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

use crate::orchestrator::Inner;

/// A queue's depth is asked for this often at most while a tenant has its share waiting.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Queues beside the usual ones that are remembered.
const OTHERS_MAX: usize = 100;

/// What this replica published to shared queues and did not see arrive.
pub(crate) struct Lanes {
    share: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    published: u64,
    places: BTreeMap<JobId, (String, u64)>,
    queues: BTreeMap<String, Queue>,
    /// Queues without lanes, which only tools name.
    others: BTreeSet<String>,
}

#[derive(Default)]
struct Queue {
    /// By the order of their publication.
    jobs: BTreeMap<u64, (JobId, TenantId)>,
    tenants: BTreeMap<TenantId, usize>,
    looked: Option<Instant>,
}

impl Lanes {
    pub(crate) fn new(share: usize) -> Self {
        Self { share: share.max(1), waiting: Mutex::default() }
    }

    /// Where the message goes, and whether the queue's depth is to be looked at.
    fn choose(&self, queue: &str, tenant: &TenantId, job: &JobId) -> (String, bool) {
        if !JOB_QUEUES.contains(&queue) {
            let others = &mut self.waiting.lock().others;
            if others.len() < OTHERS_MAX && !others.contains(queue) {
                others.insert(queue.to_owned());
            }
            return (queue.to_owned(), false);
        }
        let mut waiting = self.waiting.lock();
        waiting.forget(job);
        let number = waiting.published;
        waiting.published += 1;
        let shared = waiting.queues.entry(queue.to_owned()).or_default();
        let own = shared.tenants.entry(tenant.clone()).or_default();
        if *own < self.share {
            *own += 1;
            shared.jobs.insert(number, (job.clone(), tenant.clone()));
            waiting.places.insert(job.clone(), (queue.to_owned(), number));
            return (queue.to_owned(), false);
        }
        let look = shared.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY);
        if look {
            shared.looked = Some(Instant::now());
        }
        let lanes = lanes_of(queue);
        let place = usize::from(Hasher::new().field("lane").field(tenant.as_str()).finish().0[0]) % lanes.len();
        (lanes.into_iter().nth(place).unwrap_or_else(|| queue.to_owned()), look)
    }

    /// Queues beside the usual ones that something was published to.
    pub(crate) fn others(&self) -> BTreeSet<String> {
        self.waiting.lock().others.clone()
    }

    /// Messages of ours that wait in that queue.
    #[cfg(test)]
    pub(crate) fn waiting_in(&self, queue: &str) -> usize {
        self.waiting.lock().queues.get(queue).map_or(0, |shared| shared.jobs.len())
    }

    /// A worker has the message.
    pub(crate) fn arrived(&self, job: &JobId) {
        self.waiting.lock().forget(job);
    }

    /// A queue holds no more than that: what was published before has arrived somewhere.
    fn holds_at_most(&self, queue: &str, ready: u64) {
        let mut waiting = self.waiting.lock();
        let Some(shared) = waiting.queues.get(queue) else { return };
        let gone = shared.jobs.len().saturating_sub(usize::try_from(ready).unwrap_or(usize::MAX));
        let gone: Vec<JobId> = shared.jobs.values().take(gone).map(|(job, _)| job.clone()).collect();
        gone.iter().for_each(|job| waiting.forget(job));
    }
}

impl Waiting {
    fn forget(&mut self, job: &JobId) {
        let Some((name, number)) = self.places.remove(job) else { return };
        let Some(queue) = self.queues.get_mut(&name) else { return };
        let Some((_, tenant)) = queue.jobs.remove(&number) else { return };
        if let Some(own) = queue.tenants.get_mut(&tenant) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                queue.tenants.remove(&tenant);
            }
        }
    }
}

impl Inner {
    /// The lane that a job's message goes to.
    pub(crate) fn lane_of(self: &Arc<Self>, queue: &str, tenant: &TenantId, job: &JobId) -> String {
        let (lane, look) = self.lanes.choose(queue, tenant, job);
        if look {
            let (inner, queue) = (self.clone(), queue.to_owned());
            self.spawn(async move {
                if let Ok(Some(depth)) = inner.broker.depth(&queue).await {
                    inner.lanes.holds_at_most(&queue, depth.ready);
                }
            });
        }
        lane
    }

    /// A queue's depth with what waits in its lanes.
    pub(crate) async fn depth_of(&self, queue: &str) -> Result<Option<Depth>, baton_broker::Error> {
        let Some(mut depth) = self.broker.depth(queue).await? else { return Ok(None) };
        for lane in lanes_of(queue) {
            depth.ready += self.broker.depth(&lane).await?.map_or(0, |beside| beside.ready);
        }
        Ok(Some(depth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(index: u32) -> JobId {
        format!("001-6ba7b810-9dad-11d1-80b4-00c04fd430c8/0/a#1/{index}").parse().unwrap()
    }

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    #[test]
    fn a_flood_goes_beside_the_queue_and_another_tenant_does_not() {
        let lanes = Lanes::new(2);
        let (flood, other) = (tenant("flood"), tenant("other"));
        let lane = |tenant: &TenantId, index| lanes.choose("io.normal", tenant, &job(index)).0;
        assert_eq!([lane(&flood, 0), lane(&flood, 1)], ["io.normal", "io.normal"]);
        assert!(lane(&flood, 2).starts_with("io.normal.t"));
        assert_eq!(lane(&other, 3), "io.normal");
        lanes.arrived(&job(0));
        assert_eq!(lane(&flood, 4), "io.normal", "there is room again");
        assert_eq!(lane(&flood, 4), "io.normal", "a second message for a job takes no second place");
        assert_eq!(lanes.choose("cap.gpu", &flood, &job(5)).0, "cap.gpu");
        assert_eq!(lanes.others(), BTreeSet::from(["cap.gpu".to_owned()]));
    }

    #[test]
    fn what_arrived_elsewhere_is_known_by_the_queues_depth() {
        let lanes = Lanes::new(2);
        let flood = tenant("flood");
        for index in 0..2 {
            lanes.choose("io.low", &flood, &job(index));
        }
        let (lane, look) = lanes.choose("io.low", &flood, &job(2));
        assert!(lane != "io.low" && look);
        lanes.holds_at_most("io.low", 1);
        assert_eq!(lanes.choose("io.low", &flood, &job(3)).0, "io.low");
        assert_ne!(lanes.choose("io.low", &flood, &job(4)).0, "io.low", "the newer of both still waits");
    }
}
