//! How long threads live, and PRUNE: what nobody needs of a thread goes.
//!
//! Whoever needs a thread that outlives its runs holds a state of it: each of its runs that are
//! not removed the one its turn began with, each fork the last one it shares. States from the
//! first that is held on can be read, since a checkpoint that does not follow the one numbered
//! before it is a full one, and so the way from each back to a full one has no gaps. A thread
//! that nobody holds and nobody runs on goes when its time is over.

use baton_common::records::{DueKey, Lasting, SetBack, Thread};
use baton_common::transition::{PRUNED_MAX, Prune, PruneAnswer};
use baton_common::{RunId, Seq, ThreadKey, Timestamp};

use super::{Machine, Outcome};

/// Who needs what of the threads of one partition, inside one atomic write.
pub trait RetentionRows {
    /// The first state of a thread that somebody holds.
    fn first_held(&mut self, key: &ThreadKey) -> Outcome<Option<Seq>>;
    /// The state of a thread that this one holds.
    fn held(&mut self, key: &ThreadKey, holder: &str) -> Outcome<Option<Seq>>;
    /// Holds a state of a thread.
    fn put_held(&mut self, key: &ThreadKey, holder: &str, seq: Seq) -> Outcome<()>;
    /// Holds it no longer.
    fn delete_held(&mut self, key: &ThreadKey, holder: &str) -> Outcome<()>;
    /// Removes checkpoints of a thread, from one to before another.
    fn delete_checkpoints(&mut self, key: &ThreadKey, from: Seq, below: Seq) -> Outcome<()>;
    /// Removes a thread with its checkpoints, pieces and signals, and who held what of it.
    fn delete_thread(&mut self, key: &ThreadKey) -> Outcome<()>;
}

/// The name a run holds states by.
pub(super) fn by_run(run: RunId) -> String {
    run.uuid.simple().to_string()
}

/// Threads that share a state, each with the one it shares it from.
pub(super) type Shares = Vec<(ThreadKey, ThreadKey)>;

impl Machine<'_> {
    /// Holds for a run that was accepted what its thread begins with for it. `known`: the
    /// thread was there before.
    pub(super) fn hold_turn(&mut self, thread: &mut Thread, run: RunId, known: bool, lasting: bool) -> Outcome<()> {
        match thread.lasting {
            None if known => return Ok(()),
            None if !lasting => {
                thread.lasting = Some(Lasting::WithRun(run));
                return Ok(());
            }
            None | Some(Lasting::Beyond) => {}
            Some(Lasting::WithRun(first)) => {
                if let Some(state) = self.rows.run_state(first)? {
                    self.rows.put_held(&thread.key, &by_run(first), state.base)?;
                }
            }
        }
        thread.lasting = Some(Lasting::Beyond);
        self.rows.put_held(&thread.key, &by_run(run), thread.head)
    }

    /// Holds for a run what its thread's state is as its turn comes.
    pub(super) fn hold_anew(&mut self, thread: &Thread, run: RunId) -> Outcome<()> {
        match thread.lasting {
            Some(Lasting::Beyond) => self.rows.put_held(&thread.key, &by_run(run), thread.head),
            _ => Ok(()),
        }
    }

    /// Holds an earlier state for a run that goes on from there.
    pub(super) fn hold_back(&mut self, key: &ThreadKey, run: RunId, back: &SetBack) -> Outcome<()> {
        let held = self.rows.held(key, &by_run(run))?;
        if held.is_some_and(|held| back.seq < held) {
            self.rows.put_held(key, &by_run(run), back.seq)?;
        }
        Ok(())
    }

    /// Who shares a thread's state of that seq from whom; nothing where it was removed.
    pub(super) fn shares(&mut self, thread: &Thread, seq: Seq) -> Outcome<Option<Shares>> {
        let mut shares = Vec::new();
        let mut of = thread.clone();
        while let Some(origin) = of.origin.as_ref().filter(|origin| seq <= origin.seq) {
            let Some(next) = self.rows.thread(&origin.thread)? else { return Ok(None) };
            shares.push((of.key.clone(), next.key.clone()));
            of = next;
        }
        Ok((seq == Seq(0) || seq >= of.pruned).then_some(shares))
    }

    /// Holds a state for those who share it.
    pub(super) fn hold_shares(&mut self, shares: &Shares, seq: Seq) -> Outcome<()> {
        for (holder, of) in shares {
            let holder = holder.to_string();
            if self.rows.held(of, &holder)?.is_none_or(|held| seq < held) {
                self.rows.put_held(of, &holder, seq)?;
            }
        }
        Ok(())
    }

    /// What a run that is removed leaves behind: its thread goes with it, or later, or loses
    /// what nobody needs.
    pub(super) fn let_go(&mut self, key: &ThreadKey, run: RunId, ended_at: Option<Timestamp>) -> Outcome<()> {
        let Some(mut thread) = self.rows.thread(key)? else { return Ok(()) };
        let Some(lasting) = thread.lasting else { return Ok(()) };
        let beyond = lasting == Lasting::Beyond;
        let until = match ended_at {
            Some(at) if beyond => self.now.max(at.plus_ms(self.timings.thread_retention_ms)),
            _ => self.now,
        };
        let until = thread.until.map_or(until, |known| until.max(known));
        self.rows.delete_held(key, &by_run(run))?;
        let free = self.is_free(&thread)?;
        if free && until <= self.now {
            return self.remove_thread(&thread);
        }
        thread.until = Some(until);
        self.rows.put_thread(thread.clone())?;
        if free || beyond {
            self.rows.put_due(&DueKey::thread(key), if free { until } else { self.now })?;
        }
        Ok(())
    }

    /// Whether nobody runs on a thread and nobody holds a state of it.
    fn is_free(&mut self, thread: &Thread) -> Outcome<bool> {
        Ok(thread.active.is_none() && thread.queue.is_empty() && self.rows.first_held(&thread.key)?.is_none())
    }

    fn remove_thread(&mut self, thread: &Thread) -> Outcome<()> {
        self.rows.delete_thread(&thread.key)?;
        self.rows.delete_due(&DueKey::thread(&thread.key))?;
        if let Some(origin) = &thread.origin {
            self.rows.delete_held(&origin.thread, &thread.key.to_string())?;
            self.rows.put_due(&DueKey::thread(&origin.thread), self.now)?;
        }
        Ok(())
    }

    pub(super) fn prune(&mut self, op: &Prune) -> Outcome<PruneAnswer> {
        let entry = DueKey::thread(&op.thread);
        let Some(mut thread) = self.rows.thread(&op.thread)? else {
            self.rows.delete_due(&entry)?;
            return Ok(PruneAnswer::Gone);
        };
        if thread.lasting.is_some() && self.is_free(&thread)? {
            let until = thread.until.unwrap_or(self.now);
            if until <= self.now {
                self.remove_thread(&thread)?;
                return Ok(PruneAnswer::Gone);
            }
            self.rows.put_due(&entry, until)?;
            return Ok(PruneAnswer::Kept);
        }
        let from = thread.first_own().max(thread.pruned);
        let Some(bound) = self.first_needed(&thread)?.filter(|bound| from < *bound) else {
            self.rows.delete_due(&entry)?;
            return Ok(PruneAnswer::Kept);
        };
        let Some(below) = op.below.filter(|below| *below <= bound) else {
            return Ok(PruneAnswer::May { from, bound });
        };
        let end = below.min(Seq(from.0 + PRUNED_MAX));
        if from < end {
            self.rows.delete_checkpoints(&op.thread, from, end)?;
            thread.pruned = end;
            self.rows.put_thread(thread.clone())?;
        }
        let more = end < below;
        if more {
            self.rows.put_due(&entry, self.now)?;
        } else {
            self.rows.delete_due(&entry)?;
        }
        Ok(PruneAnswer::Pruned { more })
    }

    /// The first state of a thread that somebody needs; nothing where that is not known.
    fn first_needed(&mut self, thread: &Thread) -> Outcome<Option<Seq>> {
        let Some(Lasting::Beyond) = thread.lasting else { return Ok(None) };
        if let Some(active) = thread.active
            && self.rows.held(&thread.key, &by_run(active))?.is_none()
        {
            // An earlier program accepted it.
            return Ok(None);
        }
        let held = self.rows.first_held(&thread.key)?;
        let back = thread.set_back.as_ref().map(|back| back.seq);
        Ok([held, back].into_iter().flatten().chain([thread.head]).min())
    }
}
