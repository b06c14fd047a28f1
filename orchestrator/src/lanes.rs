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

struct Waiting {
    published: u64,
    /// In which of the queues each job is, and its number there.
    places: BTreeMap<JobId, (usize, u64)>,
    /// The usual ones.
    queues: Vec<Queue>,
    /// Queues without lanes, which only tools name.
    others: BTreeSet<String>,
}

struct Queue {
    name: Arc<str>,
    /// By the order of their publication.
    jobs: BTreeMap<u64, (JobId, TenantId)>,
    tenants: BTreeMap<TenantId, usize>,
    looked: Option<Instant>,
}

impl Lanes {
    pub(crate) fn new(share: usize) -> Self {
        let queue =
            |name: &str| Queue { name: name.into(), jobs: BTreeMap::new(), tenants: BTreeMap::new(), looked: None };
        let queues = JOB_QUEUES.into_iter().map(queue).collect();
        let waiting = Waiting { published: 0, places: BTreeMap::new(), queues, others: BTreeSet::new() };
        Self { share: share.max(1), waiting: Mutex::new(waiting) }
    }

    /// Where the message goes, and whether the queue's depth is to be looked at.
    fn choose(&self, queue: &str, tenant: &TenantId, job: &JobId) -> (Arc<str>, bool) {
        let mut waiting = self.waiting.lock();
        let Some(index) = usual(queue) else {
            if waiting.others.len() < OTHERS_MAX && !waiting.others.contains(queue) {
                waiting.others.insert(queue.to_owned());
            }
            return (queue.into(), false);
        };
        waiting.forget(job);
        let number = waiting.published;
        waiting.published += 1;
        let Waiting { places, queues, .. } = &mut *waiting;
        let shared = &mut queues[index];
        let own = shared.tenants.entry(tenant.clone()).or_default();
        if *own < self.share {
            *own += 1;
            shared.jobs.insert(number, (job.clone(), tenant.clone()));
            places.insert(job.clone(), (index, number));
            return (shared.name.clone(), false);
        }
        let look = shared.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY);
        if look {
            shared.looked = Some(Instant::now());
        }
        let lanes = lanes_of(queue);
        let place = usize::from(Hasher::new().field("lane").field(tenant.as_str()).finish().0[0]) % lanes.len();
        (lanes.into_iter().nth(place).map_or_else(|| shared.name.clone(), Arc::from), look)
    }

    /// Queues beside the usual ones that something was published to.
    pub(crate) fn others(&self) -> BTreeSet<String> {
        self.waiting.lock().others.clone()
    }

    /// Messages of ours that wait in that queue.
    #[cfg(test)]
    pub(crate) fn waiting_in(&self, queue: &str) -> usize {
        self.waiting.lock().of(queue).map_or(0, |shared| shared.jobs.len())
    }

    /// A worker has the message.
    pub(crate) fn arrived(&self, job: &JobId) {
        self.waiting.lock().forget(job);
    }

    /// A queue holds no more than that: what was published before has arrived somewhere.
    fn holds_at_most(&self, queue: &str, ready: u64) {
        let mut waiting = self.waiting.lock();
        let Some(shared) = waiting.of(queue) else { return };
        let gone = shared.jobs.len().saturating_sub(usize::try_from(ready).unwrap_or(usize::MAX));
        let gone: Vec<JobId> = shared.jobs.values().take(gone).map(|(job, _)| job.clone()).collect();
        gone.iter().for_each(|job| waiting.forget(job));
    }
}

/// The place of a queue among the usual ones.
fn usual(queue: &str) -> Option<usize> {
    JOB_QUEUES.iter().position(|usual| *usual == queue)
}

impl Waiting {
    fn of(&self, queue: &str) -> Option<&Queue> {
        self.queues.get(usual(queue)?)
    }

    fn forget(&mut self, job: &JobId) {
        let Some((index, number)) = self.places.remove(job) else { return };
        let queue = &mut self.queues[index];
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
    pub(crate) fn lane_of(self: &Arc<Self>, queue: &str, tenant: &TenantId, job: &JobId) -> Arc<str> {
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
        let to = |queue: &str, tenant: &TenantId, index| lanes.choose(queue, tenant, &job(index)).0.to_string();
        let lane = |tenant: &TenantId, index| to("io.normal", tenant, index);
        assert_eq!([lane(&flood, 0), lane(&flood, 1)], ["io.normal", "io.normal"]);
        assert!(lane(&flood, 2).starts_with("io.normal.t"));
        assert_eq!(lane(&other, 3), "io.normal");
        lanes.arrived(&job(0));
        assert_eq!(lane(&flood, 4), "io.normal", "there is room again");
        assert_eq!(lane(&flood, 4), "io.normal", "a second message for a job takes no second place");
        assert_eq!(to("cap.gpu", &flood, 5), "cap.gpu");
        assert_eq!(lanes.others(), BTreeSet::from(["cap.gpu".to_owned()]));
    }

    #[test]
    fn what_arrived_elsewhere_is_known_by_the_queues_depth() {
        let lanes = Lanes::new(2);
        let flood = tenant("flood");
        let lane = |index| lanes.choose("io.low", &flood, &job(index)).0.to_string();
        assert_eq!([lane(0), lane(1)], ["io.low", "io.low"]);
        let (beside, look) = lanes.choose("io.low", &flood, &job(2));
        assert!(*beside != *"io.low" && look);
        lanes.holds_at_most("io.low", 1);
        assert_eq!(lane(3), "io.low");
        assert_ne!(lane(4), "io.low", "the newer of both still waits");
    }
}
