//! Names of settings: which are known, how they are written in the file, and which known one
//! looks most like an unknown.

use super::{Error, PREFIX, TESTS, TIMING};
use crate::reference::{SETTINGS, Setting};
use crate::settings::Timings;

/// Whether a variable of that name is a setting.
pub(super) fn is_known(name: &str) -> bool {
    let timing = name.strip_prefix(TIMING).map(str::to_ascii_lowercase);
    Setting::of_name(name).is_some()
        || name.starts_with(TESTS)
        || timing.is_some_and(|timing| timing_names().any(|name| name == timing))
}

/// The names of the timings, as they stand in their type.
pub(super) fn timing_names() -> impl Iterator<Item = String> {
    Timings::KEYS.iter().map(|key| key.name.to_owned())
}

/// Each variable.
pub(super) fn variables() -> impl Iterator<Item = String> {
    let timings = timing_names().map(|name| TIMING.to_owned() + &name.to_uppercase());
    SETTINGS.iter().map(|setting| setting.name.to_owned()).chain(timings)
}

/// A setting's name in the file.
pub(super) fn key(name: &str) -> String {
    name.trim_start_matches(PREFIX).to_ascii_lowercase()
}

pub(super) fn unknown(name: &str, place: &str, known: impl Iterator<Item = String>) -> Error {
    let known: Vec<String> = known.collect();
    let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
    Error::Unknown { name: name.to_owned(), place: place.to_owned(), nearest }
}

/// The known name that looks most like `name`, if one does.
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let known = known.into_iter().map(|known| (distance(known, name), known)).min();
    known.filter(|(far, _)| *far <= 2 + name.len() / 3).map(|(_, known)| known)
}

/// Letters to add, drop or change until one text is the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, letter) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], above + 1);
        for (place, other) in right.iter().enumerate() {
            let change = diagonal + usize::from(letter != *other);
            diagonal = row[place + 1];
            row[place + 1] = change.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[right.len()]
}
