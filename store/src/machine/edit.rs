//! EDIT: a state of a thread that no run made.

use baton_common::Version;
use baton_common::records::{Audit, EventKind};
use baton_common::transition::{Edit, EditAnswer};

use super::{Machine, Outcome, nobody};

impl Machine<'_> {
    pub(super) fn edit(&mut self, op: &Edit) -> Outcome<EditAnswer> {
        let checkpoint = &op.checkpoint;
        let Some(mut thread) = self.rows.thread(&op.thread)? else { return Ok(EditAnswer::Unknown) };
        let head = thread.head;
        let known = self.rows.checkpoint(&op.thread, head)?;
        if known.is_some_and(|known| known.hash == checkpoint.hash && known.parent == checkpoint.parent) {
            return Ok(EditAnswer::Already);
        }
        if checkpoint.parent != head || checkpoint.seq <= head {
            return Ok(EditAnswer::Conflict { head });
        }
        self.keep_checkpoint(&mut thread, checkpoint)?;
        for segment in &op.segments {
            self.rows.put_segment(&op.thread, segment)?;
        }
        self.rows.put_thread(thread.clone())?;
        let run = thread.active.unwrap_or_else(|| nobody(op.thread.partition()));
        let (mut before, mut after) = (Version(0), Version(0));
        let state = self.rows.run_state(run)?;
        let ver = state.as_ref().map(|state| state.ver.next());
        if let Some(mut state) = state {
            (before, after) = (state.ver, state.ver.next());
            state.ver = after;
            state.head = checkpoint.seq;
            self.run_event(run, &mut state, EventKind::Edited, checkpoint.seq.0, "")?;
            self.rows.put_run_state(run, &state)?;
        }
        self.note(Audit {
            at: self.now,
            tenant: op.thread.tenant.clone(),
            actor: op.actor.clone(),
            operation: "edit".to_owned(),
            run,
            subject: format!("{}#{}", op.thread.thread, checkpoint.seq),
            before,
            after,
            verdict: "edited".to_owned(),
            number: 0,
            prior: String::new(),
        })?;
        Ok(EditAnswer::Edited { ver })
    }
}
