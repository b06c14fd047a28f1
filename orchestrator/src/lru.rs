//! A bounded map that forgets what was not used for longest. What it holds is a shortcut
//! and never an authority.

use std::collections::BTreeMap;

/// At most `capacity` values by key.
#[derive(Debug)]
pub(crate) struct Lru<K, V> {
    capacity: usize,
    uses: u64,
    values: BTreeMap<K, (V, u64)>,
    by_use: BTreeMap<u64, K>,
}

impl<K: Ord + Clone, V: Clone> Lru<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, uses: 0, values: BTreeMap::new(), by_use: BTreeMap::new() }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        let (value, used) = self.values.get_mut(key)?;
        if *used != self.uses {
            self.by_use.remove(used);
            self.uses += 1;
            *used = self.uses;
            self.by_use.insert(self.uses, key.clone());
        }
        Some(value.clone())
    }

    /// All values by key; looking at them is no use of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.values.iter().map(|(key, (value, _))| (key, value))
    }

    pub(crate) fn put(&mut self, key: K, value: V) {
        self.uses += 1;
        if let Some((_, used)) = self.values.insert(key.clone(), (value, self.uses)) {
            self.by_use.remove(&used);
        }
        self.by_use.insert(self.uses, key);
        if self.values.len() > self.capacity
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.values.remove(&oldest);
        }
    }

    /// Forgets every key within the range.
    pub(crate) fn remove_range(&mut self, range: std::ops::RangeInclusive<K>) {
        let keys: Vec<K> = self.values.range(range).map(|(key, _)| key.clone()).collect();
        for key in keys {
            if let Some((_, used)) = self.values.remove(&key) {
                self.by_use.remove(&used);
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some((_, used)) = self.values.remove(key) {
            self.by_use.remove(&used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_used_goes_first() {
        let mut lru = Lru::new(2);
        lru.put(1, "a");
        lru.put(2, "b");
        assert_eq!(lru.get(&1), Some("a"));
        lru.put(3, "c");
        assert_eq!((lru.get(&1), lru.get(&2), lru.get(&3)), (Some("a"), None, Some("c")));
        lru.remove_range(2..=9);
        assert_eq!((lru.get(&1), lru.get(&3)), (Some("a"), None));
        assert_eq!(lru.by_use.len(), lru.values.len());
    }
}
