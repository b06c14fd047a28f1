//! RESERVE and SETTLE: who may make a named result, and what it was.

use baton_common::records::{KeyRow, KeyState};
use baton_common::transition::{Reserve, ReserveAnswer, Settle};

use super::{Machine, Outcome};

/// Keys whose time is over that one operation removes at most.
const REMOVED_MAX: u32 = 32;

impl Machine<'_> {
    pub(super) fn reserve(&mut self, op: &Reserve) -> Outcome<ReserveAnswer> {
        self.remove_old_keys()?;
        let known = self.rows.key_row(&op.name)?.filter(|known| known.until > self.now);
        match known {
            Some(KeyRow { state: KeyState::Done(outcome), .. }) => return Ok(ReserveAnswer::Done(outcome)),
            Some(KeyRow { state: KeyState::Reserved(job), until }) if job != op.job => {
                return Ok(ReserveAnswer::Busy(until));
            }
            _ => {}
        }
        if !op.name.cache {
            let row = KeyRow { state: KeyState::Reserved(op.job.clone()), until: self.now.plus_ms(op.lease_ms) };
            self.rows.put_key_row(&op.name, &row)?;
        }
        Ok(ReserveAnswer::Free)
    }

    pub(super) fn settle(&mut self, op: &Settle) -> Outcome<bool> {
        self.remove_old_keys()?;
        let known = self.rows.key_row(&op.name)?.filter(|known| known.until > self.now);
        let done = known.as_ref().is_some_and(|known| matches!(known.state, KeyState::Done(_)));
        let held = known.is_some_and(|known| known.state == KeyState::Reserved(op.job.clone()));
        match &op.outcome {
            // The first result counts; a cache takes the newest.
            Some(_) if done && !op.name.cache => Ok(false),
            Some(outcome) => {
                let row = KeyRow { state: KeyState::Done(outcome.clone()), until: self.now.plus_ms(op.keep_ms) };
                self.rows.put_key_row(&op.name, &row)?;
                Ok(true)
            }
            None if held => {
                self.rows.delete_key_row(&op.name)?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    fn remove_old_keys(&mut self) -> Outcome<()> {
        for name in self.rows.keys_until(self.now, REMOVED_MAX)? {
            self.rows.delete_key_row(&name)?;
        }
        Ok(())
    }
}
