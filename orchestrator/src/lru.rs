//! A bounded map that forgets what was not used for longest. What it holds is a shortcut
//! and never an authority.
//!
//! A use is a number beside the value. Nothing is kept in the order of uses: whoever comes
//! when there is no room makes some, an eighth of all at once.

use std::collections::BTreeMap;

/// At most `capacity` values by key.
#[derive(Debug)]
pub(crate) struct Lru<K, V> {
    capacity: usize,
    uses: u64,
    values: BTreeMap<K, (V, u64)>,
}

impl<K: Ord + Clone, V: Clone> Lru<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, uses: 0, values: BTreeMap::new() }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        let (value, used) = self.values.get_mut(key)?;
        self.uses += 1;
        *used = self.uses;
        Some(value.clone())
    }

    /// All values by key; looking at them is no use of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.values.iter().map(|(key, (value, _))| (key, value))
    }

    pub(crate) fn put(&mut self, key: K, value: V) {
        self.uses += 1;
        self.values.insert(key, (value, self.uses));
        if self.values.len() > self.capacity {
            self.make_room();
        }
    }

    /// Forgets what was not used for longest.
    fn make_room(&mut self) {
        let mut uses: Vec<u64> = self.values.values().map(|(_, used)| *used).collect();
        let (_, last, _) = uses.select_nth_unstable(self.capacity / 8);
        let last = *last;
        self.values.retain(|_, (_, used)| *used > last);
    }

    /// Forgets every key within the range.
    pub(crate) fn remove_range(&mut self, range: std::ops::RangeInclusive<K>) {
        let keys: Vec<K> = self.values.range(range).map(|(key, _)| key.clone()).collect();
        keys.iter().for_each(|key| self.remove(key));
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.values.remove(key);
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
    }

    #[test]
    fn room_is_made_for_many_at_once() {
        let mut lru = Lru::new(80);
        (0..80).for_each(|key| lru.put(key, ()));
        (0..40).for_each(|key| assert!(lru.get(&key).is_some()));
        lru.put(80, ());
        let kept: Vec<i32> = lru.iter().map(|(key, ())| *key).collect();
        assert_eq!(kept, (0..40).chain(51..=80).collect::<Vec<_>>());
        (81..91).for_each(|key| lru.put(key, ()));
        assert_eq!(lru.iter().count(), 80, "nothing is forgotten while there is room");
    }
}
