//! Waits for a time and for a signal.

use baton_common::ids::{Actor, JobId, RunId, ThreadKey};
use baton_common::job::Outcome;
use baton_common::records::{DueKind, SIGNALS_MAX};
use baton_common::transition::{Deliver, DeliverAnswer, FireAnswer, Op, Reply, Signal, SignalAnswer};
use serde_json::json;

use super::super::world::{GroupPlan, thread};
use super::{Story, job, outcome};

impl Story<'_> {
    pub(super) async fn waits(&mut self) {
        self.a_wait_ends_when_its_time_is_over().await;
        self.a_signal_is_kept_until_a_wait_takes_it().await;
        self.a_signal_that_came_early_is_looked_at_when_its_wait_begins().await;
        self.a_wait_for_a_signal_fails_when_its_time_is_over().await;
        self.a_signal_is_known_by_its_id_and_its_thread().await;
        self.too_many_signals_are_refused_and_taken_ones_go().await;
    }

    async fn signal(&mut self, thread: ThreadKey, name: &str, id: &str) -> SignalAnswer {
        let (name, id) = (name.to_owned(), id.to_owned());
        let op = Signal { thread, name, id, value: json!({"for": "all"}).to_string(), actor: Actor::local() };
        match self.apply(Op::Signal(Box::new(op))).await {
            Reply::Signal(answer) => answer,
            other => panic!("SIGNAL answered {other:?}"),
        }
    }

    async fn deliver(&mut self, job: &JobId, number: u64) -> DeliverAnswer {
        let op = Deliver { job: job.clone(), number, outcome: outcome(&Outcome::value("signal")) };
        match self.apply(Op::Deliver(Box::new(op))).await {
            Reply::Deliver(answer) => answer,
            other => panic!("DELIVER answered {other:?}"),
        }
    }

    async fn heard(&mut self, run: RunId, signals: u64, waits: u32) -> bool {
        self.apply(Op::Heard { run, signals, waits }).await == Reply::Changed(true)
    }

    fn wait_for(signal: &'static str) -> GroupPlan {
        GroupPlan { signal: Some(signal), ..GroupPlan::wait("w") }
    }

    async fn a_wait_ends_when_its_time_is_over(&mut self) {
        let run = self.running(&[GroupPlan { expires_ms: Some(1_000), ..GroupPlan::wait("w") }]).await;
        let wait = job(run, "w", 0);
        assert_eq!(self.fire(&wait).await, FireAnswer::Kept);
        self.now = self.now.plus_ms(1_000);
        let FireAnswer::Fired(tail) = self.fire(&wait).await else { panic!("the wait is over") };
        let closed = tail.closed.expect("the group closed");
        assert_eq!(closed.groups[0].outcomes, Some(vec![Some(crate::machine::bodies::nothing())]));
        assert_eq!(self.fire(&wait).await, FireAnswer::Kept);
    }

    async fn a_signal_is_kept_until_a_wait_takes_it(&mut self) {
        let run = self.running(&[Self::wait_for("go")]).await;
        let thread = self.run(run).await.info.thread;
        let wait = job(run, "w", 0);
        let open = self.subject.waits(run).await.expect("a read");
        assert_eq!(open.iter().map(|wait| wait.signal.as_str()).collect::<Vec<_>>(), ["go"]);
        let other = self.signal(thread.clone(), "stop", "1").await;
        assert_eq!(other, SignalAnswer::Kept { number: 1, awaiting: vec![run] });
        assert!(self.due(run).await.contains(&DueKind::Signal));
        let wanted = self.signal(thread.clone(), "go", "2").await;
        assert_eq!(wanted, SignalAnswer::Kept { number: 2, awaiting: vec![run] });
        assert_eq!(self.deliver(&wait, 1).await, DeliverAnswer::Gone);
        let DeliverAnswer::Taken(tail) = self.deliver(&wait, 2).await else { panic!("not taken") };
        assert!(tail.closed.is_some());
        assert_eq!(self.deliver(&wait, 2).await, DeliverAnswer::Gone);
        assert!(!self.due(run).await.contains(&DueKind::Signal));
        let kept = self.subject.signals(&thread).await.expect("a read");
        assert_eq!(kept.iter().map(|signal| signal.taken.clone()).collect::<Vec<_>>(), [None, Some(wait)]);
        let later = self.signal(thread, "go", "3").await;
        assert_eq!(later, SignalAnswer::Kept { number: 3, awaiting: Vec::new() });
    }

    async fn a_signal_that_came_early_is_looked_at_when_its_wait_begins(&mut self) {
        let run = self.running(&[]).await;
        let thread = self.run(run).await.info.thread;
        self.signal(thread, "go", "1").await;
        assert!(!self.due(run).await.contains(&DueKind::Signal));
        self.advance(run, |commit| {
            commit.open = vec![Self::wait_for("go").new_group(run, baton_common::Seq(1), false)];
        })
        .await;
        assert!(self.due(run).await.contains(&DueKind::Signal));
        // Who looked before the wait began has not looked for it.
        assert!(!self.heard(run, 1, 0).await);
        assert!(!self.heard(run, 0, 1).await);
        assert!(self.heard(run, 1, 1).await);
        assert!(!self.due(run).await.contains(&DueKind::Signal));
    }

    async fn a_wait_for_a_signal_fails_when_its_time_is_over(&mut self) {
        let run = self.running(&[GroupPlan { expires_ms: Some(1_000), ..Self::wait_for("go") }]).await;
        let thread = self.run(run).await.info.thread;
        self.now = self.now.plus_ms(1_000);
        assert!(matches!(self.fire(&job(run, "w", 0)).await, FireAnswer::Fired(_)));
        assert_eq!(self.states(run, "w").await, ["failed"]);
        let late = self.signal(thread, "go", "1").await;
        assert_eq!(late, SignalAnswer::Kept { number: 1, awaiting: Vec::new() });
        assert_eq!(self.deliver(&job(run, "w", 0), 1).await, DeliverAnswer::Gone);
    }

    async fn a_signal_is_known_by_its_id_and_its_thread(&mut self) {
        let run = self.running(&[]).await;
        let key = self.run(run).await.info.thread;
        assert!(matches!(self.signal(key.clone(), "go", "same").await, SignalAnswer::Kept { number: 1, .. }));
        assert_eq!(self.signal(key.clone(), "go", "same").await, SignalAnswer::Already);
        assert_eq!(self.signal(thread("without-a-run"), "go", "1").await, SignalAnswer::Unknown);
    }

    async fn too_many_signals_are_refused_and_taken_ones_go(&mut self) {
        let run = self.running(&[Self::wait_for("go")]).await;
        let key = self.run(run).await.info.thread;
        for number in 1..=SIGNALS_MAX {
            let answer = self.signal(key.clone(), "go", &number.to_string()).await;
            assert!(matches!(answer, SignalAnswer::Kept { .. }), "{number}: {answer:?}");
        }
        assert_eq!(self.signal(key.clone(), "go", "one more").await, SignalAnswer::Full);
        assert!(matches!(self.deliver(&job(run, "w", 0), 1).await, DeliverAnswer::Taken(_)));
        assert_eq!(self.signal(key.clone(), "go", "1").await, SignalAnswer::Already);
        let next = u64::from(SIGNALS_MAX) + 1;
        let more = self.signal(key.clone(), "go", "one more").await;
        assert_eq!(more, SignalAnswer::Kept { number: next, awaiting: Vec::new() });
        let kept = self.subject.signals(&key).await.expect("a read");
        assert_eq!((kept.first().map(|first| first.number), kept.len()), (Some(2), 1_000));
    }
}
