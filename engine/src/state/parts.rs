//! Parts of a run's input that channels hold: one value each, however many channels hold it
//! and however often they are written. A shortcut, which says nothing of a state.

use std::sync::{Arc, Mutex, PoisonError};

use baton_common::Shared;
use serde_json::Value;

use crate::expr::Path;

/// Parts of one input, by their paths. Clones share them, and all are equal.
#[derive(Clone, Default)]
pub struct Parts(Arc<Mutex<Vec<(Path, Shared)>>>);

impl Parts {
    /// The part at that path, which is `value`.
    pub(crate) fn part(&self, path: &Path, value: &Value) -> Shared {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, part)) = parts.iter().find(|(known, _)| known == path) {
            return part.clone();
        }
        let part = Shared::from(value.clone());
        parts.push((path.clone(), part.clone()));
        part
    }
}

impl PartialEq for Parts {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}
