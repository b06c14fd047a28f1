//! Renewals, one call of the store for each partition.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::Partition;
use baton_common::ids::WorkerId;
use baton_common::job::RenewAnswer;
use baton_common::transition::Renew;
use baton_control::{Error, Hold};
use baton_telemetry::about::Carry as _;
use futures_util::future::try_join_all;

use crate::about;
use crate::orchestrator::Inner;

impl Inner {
    pub(super) async fn renew(self: &Arc<Self>, worker: WorkerId, holds: Vec<Hold>) -> Result<Vec<RenewAnswer>, Error> {
        let mut answers = vec![RenewAnswer::Lost; holds.len()];
        let mut taken = vec![Vec::new(); holds.len()];
        let mut by_partition = BTreeMap::<Partition, Vec<usize>>::new();
        for (place, hold) in holds.iter().enumerate() {
            if let Ok(holder) = self.held(hold) {
                taken[place] = holder.taken;
                by_partition.entry(hold.job.run.partition).or_default().push(place);
            }
        }
        let lease_ms = self.settings.timings.lease_ms;
        let calls = by_partition.into_iter().map(|(partition, places)| {
            let leases = places.iter().map(|place| (holds[*place].job.clone(), holds[*place].fence)).collect();
            let renew = Renew { partition, worker, leases, lease_ms };
            async move { self.renew_op(renew).await.map(|answers| (places, answers)) }
        });
        for (places, renewed) in try_join_all(calls).await.map_err(super::from_store)? {
            for (place, answer) in places.into_iter().zip(renewed) {
                if matches!(answer, RenewAnswer::Held(_)) && !taken[place].is_empty() {
                    let hold = &holds[place];
                    let prolong = self.prolong_quotas(&hold.job, hold.fence, &taken[place]);
                    prolong.about(about::of_hold(self, hold, None)).await;
                }
                if answer == RenewAnswer::Cancel {
                    self.inflight.cancelling(holds[place].job.run);
                }
                answers[place] = answer;
            }
        }
        Ok(answers)
    }
}
