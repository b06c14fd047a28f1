//! The items of a map: their names, and which of them each needs.

use std::collections::{BTreeMap, BTreeSet};

use baton_common::Failure;
use serde_json::Value;

use super::types::name_of;
use crate::expr::Scope;
use crate::graph::ForEach;

/// The items of a map.
#[derive(Debug, Default)]
pub(super) struct Items {
    /// In order.
    pub(super) list: Vec<Value>,
    /// Their names, with `by`.
    pub(super) keys: Option<Vec<String>>,
    /// With `after`, by item: what it needs, by name. Empty for other maps.
    pub(super) needs: Vec<BTreeMap<String, u32>>,
}

impl Items {
    /// The items a node runs for.
    ///
    /// # Errors
    /// When an expression fails or gives something else; `duplicate_key`,
    /// `unknown_dependency` or `dependency_cycle`.
    pub(super) fn of(each: &ForEach, scope: &Scope<'_>) -> Result<Self, Failure> {
        let list = match each.list.eval(scope)? {
            Value::Array(items) => items,
            other => {
                let why = format!("`for_each: {}` gives {}, not a list", each.list.text(), name_of(&other));
                return Err(Failure::invalid("type_mismatch", why));
            }
        };
        if u32::try_from(list.len()).is_err() {
            return Err(Failure::invalid("too_many_items", format!("{} items", list.len())));
        }
        let mut items = Self { list, keys: None, needs: Vec::new() };
        items.keys = items.named(each, scope)?;
        items.needs = items.needing(each, scope)?;
        Ok(items)
    }

    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.list.len()).unwrap_or(u32::MAX)
    }

    /// An item's scope.
    pub(super) fn scope<'a>(&'a self, each: &'a ForEach, index: u32, scope: &Scope<'a>) -> Scope<'a> {
        Scope { item: self.list.get(index as usize).map(|item| (each.item_name.as_str(), item)), ..*scope }
    }

    /// An item's name, with `by`.
    pub(super) fn key(&self, index: u32) -> Option<&str> {
        self.keys.as_ref().and_then(|keys| keys.get(index as usize)).map(String::as_str)
    }

    /// What an item needs, by name.
    pub(super) fn needs(&self, index: u32) -> Option<&BTreeMap<String, u32>> {
        self.needs.get(index as usize).filter(|needs| !needs.is_empty())
    }

    /// What an item sees as `deps`: what those it needs kept, where that is known.
    pub(super) fn deps(&self, each: &ForEach, index: u32, kept: impl Fn(u32) -> Option<Value>) -> Option<Value> {
        each.after.as_ref()?;
        let needs = self.needs(index).into_iter().flatten();
        Some(Value::Object(needs.filter_map(|(name, need)| Some((name.clone(), kept(*need)?))).collect()))
    }

    /// How messages name an item.
    pub(super) fn label(&self, index: u32) -> String {
        match self.key(index) {
            Some(key) => format!("item {index} ({key})"),
            None => format!("item {index}"),
        }
    }

    /// All of them, each behind what it needs, lower ones first.
    pub(super) fn order(&self) -> Vec<u32> {
        if self.needs.is_empty() { (0..self.len()).collect() } else { self.sorted() }
    }

    /// These in the order in which they are taken back: the highest first, but none before
    /// those that need it.
    pub(super) fn backwards(&self, chosen: &BTreeSet<u32>) -> Vec<u32> {
        if self.needs.is_empty() {
            return chosen.iter().rev().copied().collect();
        }
        let needs = |index: &u32| self.needs(*index).into_iter().flat_map(BTreeMap::values);
        let mut needed_by: BTreeMap<u32, u32> = BTreeMap::new();
        for need in chosen.iter().flat_map(needs) {
            *needed_by.entry(*need).or_default() += 1;
        }
        let mut free: BTreeSet<u32> = chosen.iter().filter(|index| !needed_by.contains_key(index)).copied().collect();
        let mut order = Vec::with_capacity(chosen.len());
        while let Some(index) = free.pop_last() {
            order.push(index);
            for need in needs(&index) {
                if let Some(count) = needed_by.get_mut(need) {
                    *count -= 1;
                    if *count == 0 && chosen.contains(need) {
                        free.insert(*need);
                    }
                }
            }
        }
        order
    }

    fn named(&self, each: &ForEach, scope: &Scope<'_>) -> Result<Option<Vec<String>>, Failure> {
        let Some(by) = &each.by else { return Ok(None) };
        let mut keys = Vec::with_capacity(self.list.len());
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for index in 0..self.len() {
            let key = match by.eval(&self.scope(each, index, scope)) {
                Ok(Value::String(key)) => key,
                Ok(other) => {
                    let why = format!("`by: {}` gives {}, not a string", by.text(), name_of(&other));
                    return Err(of_item(&self.label(index), Failure::invalid("type_mismatch", why)));
                }
                Err(failure) => return Err(of_item(&self.label(index), failure)),
            };
            if let Some(first) = seen.insert(key.clone(), index) {
                let why = format!("items {first} and {index} are both named {key}");
                return Err(Failure::invalid("duplicate_key", why));
            }
            keys.push(key);
        }
        Ok(Some(keys))
    }

    fn needing(&self, each: &ForEach, scope: &Scope<'_>) -> Result<Vec<BTreeMap<String, u32>>, Failure> {
        let Some(after) = &each.after else { return Ok(Vec::new()) };
        let name = |index: u32| self.key(index).map_or_else(|| index.to_string(), str::to_owned);
        let numbers: BTreeMap<String, u32> = (0..self.len()).map(|index| (name(index), index)).collect();
        let mut needs = Vec::with_capacity(self.list.len());
        for index in 0..self.len() {
            let named = after.eval(&self.scope(each, index, scope));
            let named =
                named.and_then(|named| names(after.text(), named)).map_err(|f| of_item(&self.label(index), f))?;
            let mut found = BTreeMap::new();
            for one in named {
                let Some(number) = numbers.get(&one) else {
                    let why = format!("{} needs {one}, which is no item", self.label(index));
                    return Err(Failure::invalid("unknown_dependency", why));
                };
                found.insert(one, *number);
            }
            needs.push(found);
        }
        let whole = Self { list: Vec::new(), keys: None, needs };
        let sorted: BTreeSet<u32> = whole.sorted().into_iter().collect();
        if let Some(index) = (0..self.len()).find(|index| !sorted.contains(index)) {
            let why = format!("{} needs itself, by way of what it needs", self.label(index));
            return Err(Failure::invalid("dependency_cycle", why));
        }
        Ok(whole.needs)
    }

    /// The items of `needs`, each behind what it needs; those that need themselves are left out.
    fn sorted(&self) -> Vec<u32> {
        let mut dependents: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let mut unmet: Vec<usize> = Vec::with_capacity(self.needs.len());
        let mut free = BTreeSet::new();
        for (index, needs) in (0_u32..).zip(&self.needs) {
            // Two names never mean one item, so each need counts once.
            unmet.push(needs.len());
            needs.values().for_each(|need| dependents.entry(*need).or_default().push(index));
            if needs.is_empty() {
                free.insert(index);
            }
        }
        let mut order = Vec::with_capacity(self.needs.len());
        while let Some(index) = free.pop_first() {
            order.push(index);
            for dependent in dependents.remove(&index).unwrap_or_default() {
                if let Some(count) = unmet.get_mut(dependent as usize) {
                    *count -= 1;
                    if *count == 0 {
                        free.insert(dependent);
                    }
                }
            }
        }
        order
    }
}

fn names(text: &str, value: Value) -> Result<Vec<String>, Failure> {
    let wrong = |found: &Value| {
        let why = format!("`after: {text}` gives {}, not a list of names", name_of(found));
        Failure::invalid("type_mismatch", why)
    };
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(names) => names
            .into_iter()
            .map(|name| match name {
                Value::String(name) => Ok(name),
                other => Err(wrong(&other)),
            })
            .collect(),
        other => Err(wrong(&other)),
    }
}

/// A failure that names its item.
pub(super) fn of_item(label: &str, failure: Failure) -> Failure {
    Failure { message: format!("{label}: {}", failure.message), ..failure }
}

/// What an item fails with when one that it needs failed.
pub(super) fn dependency_failed() -> Failure {
    Failure::permanent("dependency_failed", "an item it needs did not succeed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(needs: &[&[u32]]) -> Items {
        let named = |needs: &&[u32]| needs.iter().map(|need| (need.to_string(), *need)).collect();
        Items { list: vec![Value::Null; needs.len()], keys: None, needs: needs.iter().map(named).collect() }
    }

    #[test]
    fn items_follow_what_they_need() {
        assert_eq!(items(&[&[2], &[], &[1], &[]]).order(), [1, 2, 0, 3]);
    }

    #[test]
    fn items_are_taken_back_before_what_they_need() {
        let all = |items: &Items| items.backwards(&(0..items.len()).collect());
        assert_eq!(all(&items(&[&[2], &[], &[1], &[]])), [3, 0, 2, 1]);
        assert_eq!(items(&[&[2], &[], &[1], &[]]).backwards(&BTreeSet::from([1, 2])), [2, 1]);
        assert_eq!(all(&Items { needs: Vec::new(), ..items(&[&[], &[], &[]]) }), [2, 1, 0]);
    }
}
