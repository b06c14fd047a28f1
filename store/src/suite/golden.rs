//! A small history that uses most records, for files that later programs must read.

use baton_common::ids::{ClaimRequest, JobId, Seq, Version, WorkerId};
use baton_common::job::Outcome;
use baton_common::transition::{Claim, ClaimVerdict, OnBusy, Op, Record, Recorded, Reply, Submit};
use baton_common::{Digest, Gen, Timestamp};

use super::Subject;
use super::world::{GroupPlan, checkpoint, commit, run_info, thread};

/// The run of that history.
pub const RUN: &str = "017-00000000-0000-0007-0000-000000000001";

/// Writes it: a run with a map of three, of which one is done and one claimed, and a question.
pub async fn fill(subject: &dyn Subject) {
    let mut now = Timestamp(1_760_000_000_000);
    let info = run_info(&thread("golden"), 1, None);
    let run = info.id;
    let mut apply = async |op: Op| {
        now = now.plus_ms(1);
        subject.apply_when(&op, now).await.expect("a transition")
    };
    apply(Op::Submit(Box::new(Submit::new(info, OnBusy::Reject)))).await;
    let map = GroupPlan { count: 3, window: 1, need_ok: 3, ..GroupPlan::job("map") };
    let (first, segment) = checkpoint(run, Seq(0), 0, Timestamp(1_760_000_000_000));
    let mut advance = commit(run, Version(1), Vec::new(), "golden");
    advance.checkpoints.push(first);
    advance.segments.push(segment);
    advance.open = vec![map.new_group(run, Seq(1), false), GroupPlan::ask("question").new_group(run, Seq(1), false)];
    apply(Op::Advance(Box::new(advance))).await;
    for index in 0..2 {
        let job = JobId { run, r#gen: Gen(0), group: map.id(), index };
        let digest = Digest::of(format!("{run}/{}/{index}", map.id()));
        let request = ClaimRequest(u64::from(index));
        let claim = Claim { job: job.clone(), digest, worker: WorkerId(1), request, lease_ms: 60_000 };
        let Reply::Claim(ClaimVerdict::Granted(granted)) = apply(Op::Claim(claim)).await else { continue };
        if index == 0 {
            let body = serde_json::to_string(&Outcome::value("kept")).expect("an outcome is JSON");
            let record = Record { job, digest, fence: granted.fence, outcome: Recorded::Ok(body) };
            apply(Op::Record(Box::new(record))).await;
        }
    }
}
