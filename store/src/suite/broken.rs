//! An operation that no store can make, and others that must be made all the same.

use baton_common::Version;
use baton_common::ids::Seq;
use baton_common::records::TaskKind;
use baton_common::transition::{OnBusy, Op, Submit};

use super::world::{GroupPlan, commit, run_info, thread};

/// A submit, the advance behind it whose child is no run, and submits of others: what shares
/// a transaction with something broken is made all the same.
#[must_use]
pub fn broken_among_others() -> (Op, Op, Vec<Op>) {
    let submit = |number: u64| {
        let info = run_info(&thread(&format!("beside{number}")), 1_000 + number, None);
        Op::Submit(Box::new(Submit::new(info, OnBusy::Reject)))
    };
    let run = run_info(&thread("beside0"), 1_000, None).id;
    let mut advance = commit(run, Version(1), Vec::new(), "broken");
    let mut group = GroupPlan::job("child").new_group(run, Seq(0), false);
    group.info_mut().kind = TaskKind::Child;
    advance.open.push(group);
    (submit(0), Op::Advance(advance.into()), (1..50).map(submit).collect())
}
