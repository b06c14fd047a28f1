//! REPIN: a run that is not over goes on with another version of its graph.

use std::sync::Arc;

use baton_common::Seq;
use baton_common::records::{Audit, EventKind, Pin, Thread};
use baton_common::transition::{Repin, RepinAnswer};

use super::{Machine, Outcome};

impl Machine<'_> {
    pub(super) fn repin(&mut self, op: &Repin) -> Outcome<RepinAnswer> {
        let (Some(mut info), Some(mut state)) = (self.rows.run_info(op.run)?, self.rows.run_state(op.run)?) else {
            return Ok(RepinAnswer::Unknown);
        };
        if state.status.is_terminal() {
            return Ok(RepinAnswer::Terminal);
        }
        if info.graph == op.graph {
            return Ok(RepinAnswer::Already);
        }
        if state.ver != op.seen {
            return Ok(RepinAnswer::Conflict { ver: state.ver });
        }
        let thread = self.rows.thread(&info.thread)?.unwrap_or_else(|| Thread::new(info.thread.clone()));
        let until = Seq(thread.next_seq().0 - 1);
        let pinned = Arc::make_mut(&mut info);
        let graph = std::mem::replace(&mut pinned.graph, op.graph);
        pinned.before.insert(0, Pin { graph, until, advances: state.superstep });
        self.rows.put_run_info(pinned)?;
        let before = state.ver;
        state.ver = before.next();
        state.last_op = Some(op.op());
        self.run_event(op.run, &mut state, EventKind::Repinned, 0, op.graph.to_string())?;
        self.rows.put_run_state(op.run, &state)?;
        self.note(Audit {
            at: self.now,
            tenant: info.thread.tenant.clone(),
            actor: op.actor.clone(),
            operation: "migrate".to_owned(),
            run: op.run,
            subject: format!("{graph} {}", op.graph),
            before,
            after: state.ver,
            verdict: "repinned".to_owned(),
            number: 0,
            prior: String::new(),
        })?;
        Ok(RepinAnswer::Repinned { ver: state.ver })
    }
}
