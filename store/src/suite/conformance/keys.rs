//! Results kept under a name.

use baton_common::transition::{KeyName, Op, Reply, Reserve, ReserveAnswer, Settle};
use baton_common::{JobId, RunId};

use super::super::differential::PARTITION;
use super::super::world::key_name;
use super::{Story, job};

impl Story<'_> {
    pub(super) async fn keys(&mut self) {
        self.a_key_is_reserved_by_one_job_until_its_time_is_over().await;
        self.a_keys_first_result_counts().await;
        self.a_cache_is_never_reserved().await;
    }

    async fn reserve(&mut self, name: &KeyName, job: &JobId) -> ReserveAnswer {
        let op = Reserve { name: name.clone(), job: job.clone(), lease_ms: 1_000 };
        match self.apply(Op::Reserve(op)).await {
            Reply::Reserve(answer) => answer,
            other => panic!("RESERVE answered {other:?}"),
        }
    }

    async fn settle(&mut self, name: &KeyName, job: &JobId, outcome: Option<&str>) -> bool {
        let outcome = outcome.map(str::to_owned);
        let op = Settle { name: name.clone(), job: job.clone(), outcome, keep_ms: 5_000 };
        self.apply(Op::Settle(Box::new(op))).await == Reply::Changed(true)
    }

    fn jobs() -> (JobId, JobId) {
        let run = RunId { partition: PARTITION, uuid: uuid::Uuid::from_u64_pair(9, 9) };
        (job(run, "a", 0), job(run, "a", 1))
    }

    async fn a_key_is_reserved_by_one_job_until_its_time_is_over(&mut self) {
        let (name, (one, other)) = (key_name(10, false), Self::jobs());
        assert_eq!(self.reserve(&name, &one).await, ReserveAnswer::Free);
        assert_eq!(self.reserve(&name, &one).await, ReserveAnswer::Free);
        let until = self.now.plus_ms(1_000);
        assert_eq!(self.reserve(&name, &other).await, ReserveAnswer::Busy(until));
        assert!(!self.settle(&name, &other, None).await);
        assert!(self.settle(&name, &one, None).await);
        assert_eq!(self.reserve(&name, &other).await, ReserveAnswer::Free);
        self.now = self.now.plus_ms(1_000);
        assert_eq!(self.reserve(&name, &one).await, ReserveAnswer::Free);
    }

    async fn a_keys_first_result_counts(&mut self) {
        let (name, (one, other)) = (key_name(11, false), Self::jobs());
        self.reserve(&name, &one).await;
        assert!(self.settle(&name, &one, Some("1")).await);
        assert!(!self.settle(&name, &other, Some("2")).await);
        assert_eq!(self.reserve(&name, &other).await, ReserveAnswer::Done("1".to_owned()));
        self.now = self.now.plus_ms(5_000);
        assert_eq!(self.reserve(&name, &other).await, ReserveAnswer::Free);
    }

    async fn a_cache_is_never_reserved(&mut self) {
        let (name, (one, other)) = (key_name(12, true), Self::jobs());
        assert_eq!(self.reserve(&name, &one).await, ReserveAnswer::Free);
        assert_eq!(self.reserve(&name, &other).await, ReserveAnswer::Free);
        assert!(self.settle(&name, &one, Some("1")).await);
        assert!(self.settle(&name, &other, Some("2")).await);
        assert_eq!(self.reserve(&name, &one).await, ReserveAnswer::Done("2".to_owned()));
    }
}
