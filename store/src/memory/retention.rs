//! Who needs what of threads, in memory.

use baton_common::{Seq, ThreadKey};

use super::rows::PartitionRows;
use crate::machine::{Outcome, RetentionRows};

impl RetentionRows for PartitionRows {
    fn first_held(&mut self, key: &ThreadKey) -> Outcome<Option<Seq>> {
        let from = (key.clone(), String::new());
        Ok(self.held.range(from..).take_while(|((of, _), _)| of == key).map(|(_, seq)| *seq).min())
    }

    fn held(&mut self, key: &ThreadKey, holder: &str) -> Outcome<Option<Seq>> {
        Ok(self.held.get(&(key.clone(), holder.to_owned())).copied())
    }

    fn put_held(&mut self, key: &ThreadKey, holder: &str, seq: Seq) -> Outcome<()> {
        self.wrote(None);
        self.held.insert((key.clone(), holder.to_owned()), seq);
        Ok(())
    }

    fn delete_held(&mut self, key: &ThreadKey, holder: &str) -> Outcome<()> {
        self.wrote(None);
        self.held.remove(&(key.clone(), holder.to_owned()));
        Ok(())
    }

    fn delete_checkpoints(&mut self, key: &ThreadKey, from: Seq, below: Seq) -> Outcome<()> {
        self.wrote(None);
        self.checkpoints.retain(|(of, seq), _| of != key || *seq < from || *seq >= below);
        Ok(())
    }

    fn delete_thread(&mut self, key: &ThreadKey) -> Outcome<()> {
        self.wrote(None);
        self.threads.remove(key);
        self.checkpoints.retain(|(of, _), _| of != key);
        self.segments.retain(|(of, _, _), _| of != key);
        self.signals.retain(|(of, _), _| of != key);
        self.held.retain(|(of, _), _| of != key);
        Ok(())
    }
}
