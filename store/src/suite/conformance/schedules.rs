//! Schedules: one write wins, with its due entry.

use baton_common::ids::{Actor, RunId, TenantId};
use baton_common::records::{DueKind, ScheduleId};
use baton_common::transition::{KeepSchedule, KeepScheduleAnswer, Op, PopDue, Reply, ScheduleNote};
use baton_common::{Digest, Timestamp};
use uuid::Uuid;

use super::super::differential::PARTITION;
use super::Story;

impl Story<'_> {
    pub(super) async fn schedules(&mut self) {
        self.of_two_writes_of_a_schedule_one_counts().await;
        self.a_schedule_is_due_until_it_says_otherwise().await;
    }

    fn keep(&self, number: u64, seen: Option<u64>, op: &str, due: Option<Timestamp>) -> KeepSchedule {
        KeepSchedule {
            id: ScheduleId(RunId { partition: PARTITION, uuid: Uuid::from_u64_pair(6, number) }),
            tenant: TenantId::local(),
            name: format!("s{number}"),
            seen,
            op: Digest::of(op),
            body: Some(format!("{{\"op\":\"{op}\"}}")),
            due,
            note: Some(ScheduleNote { actor: Actor::local(), operation: "schedule_create".to_owned() }),
        }
    }

    async fn kept(&mut self, op: KeepSchedule) -> KeepScheduleAnswer {
        match self.apply(Op::KeepSchedule(Box::new(op))).await {
            Reply::KeepSchedule(answer) => answer,
            other => panic!("KEEP_SCHEDULE answered {other:?}"),
        }
    }

    async fn of_two_writes_of_a_schedule_one_counts(&mut self) {
        let first = self.keep(1, None, "a", None);
        let id = first.id;
        let KeepScheduleAnswer::Kept { rev: made } = self.kept(first.clone()).await else { panic!("it is kept") };
        assert_eq!(self.kept(first).await, KeepScheduleAnswer::Already { rev: made });
        assert_eq!(self.kept(self.keep(1, None, "b", None)).await, KeepScheduleAnswer::Conflict { rev: Some(made) });
        assert_eq!(self.kept(self.keep(1, Some(made), "c", None)).await, KeepScheduleAnswer::Kept { rev: made + 1 });
        assert_eq!(
            self.kept(self.keep(1, Some(made), "d", None)).await,
            KeepScheduleAnswer::Conflict { rev: Some(made + 1) }
        );
        let row = self.subject.schedule(id).await.expect("a read").expect("a schedule");
        assert_eq!((row.rev, row.name.as_str(), row.body.as_str()), (made + 1, "s1", "{\"op\":\"c\"}"));
        assert_eq!(self.subject.schedules(&TenantId::local()).await.expect("a read"), [row]);
        let other = TenantId::parse("other").expect("a tenant");
        assert_eq!(self.subject.schedules(&other).await.expect("a read"), []);
        let gone = KeepSchedule { body: None, ..self.keep(1, Some(made + 1), "e", None) };
        assert_eq!(self.kept(gone.clone()).await, KeepScheduleAnswer::Kept { rev: made + 2 });
        assert_eq!(self.kept(gone).await, KeepScheduleAnswer::Conflict { rev: None });
        assert_eq!(self.subject.schedule(id).await.expect("a read"), None);
    }

    async fn a_schedule_is_due_until_it_says_otherwise(&mut self) {
        let at = self.now.plus_ms(10);
        let op = self.keep(2, None, "a", Some(at));
        let id = op.id;
        let KeepScheduleAnswer::Kept { rev: made } = self.kept(op).await else { panic!("it is kept") };
        self.now = at;
        let pop = |limit| Op::PopDue(PopDue { partition: PARTITION, limit, hide_ms: 1_000 });
        let Reply::PopDue(page) = self.apply(pop(1_000)).await else { panic!("POP_DUE answered something else") };
        let mine = |page: &baton_common::transition::DuePage| {
            page.due.iter().filter(|due| due.key.kind == DueKind::Schedule && due.key == id.due()).count()
        };
        assert_eq!(mine(&page), 1);
        self.now = self.now.plus_ms(1_000);
        let Reply::PopDue(page) = self.apply(pop(1_000)).await else { panic!("POP_DUE answered something else") };
        assert_eq!(mine(&page), 1, "it was only hidden");
        self.kept(self.keep(2, Some(made), "b", None)).await;
        self.now = self.now.plus_ms(5_000);
        let Reply::PopDue(page) = self.apply(pop(1_000)).await else { panic!("POP_DUE answered something else") };
        assert_eq!(mine(&page), 0);
    }
}
