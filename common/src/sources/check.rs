//! Checking settings: what would end a program's start is noted instead, so that one reading
//! by the program's own functions finds everything that is wrong.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;

use super::names::key;
use super::{Error, Sources, TIMING};
use crate::reference::{HIDDEN, SETTINGS, Setting, Takes};

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// The environment.
    Environment,
    /// The settings file.
    File,
    /// Nobody said anything.
    Default,
}

impl Origin {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        }
    }
}

/// Something that is wrong, or odd.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The setting or table it is about, where it is about one.
    pub setting: Option<String>,
    /// What is the matter; never a secret.
    pub cause: String,
}

/// What a check found so far.
#[derive(Debug, Default)]
pub(super) struct Notes {
    wrong: Vec<Finding>,
    odd: Vec<Finding>,
    asked: BTreeSet<String>,
}

/// Shared by the clones of checked sources.
pub(super) type Shared = Option<Arc<Mutex<Notes>>>;

impl Sources {
    /// The same as [`read`](Self::read), for a check: what is wrong is noted, and does as if
    /// it had not been said.
    pub fn check(file: Option<(&str, &str)>, environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut sources = Self { notes: Some(Arc::default()), ..Self::default() };
        // In a check nothing is refused.
        let _ = sources.take(file, environment);
        sources
    }

    /// The result; in a check an error is noted under that name, and `instead` taken.
    ///
    /// # Errors
    /// As the result, but for a check.
    pub fn or_noted<T, E: Display>(
        &self,
        name: &str,
        result: Result<T, E>,
        instead: impl FnOnce() -> T,
    ) -> Result<T, E> {
        match (result, self.notes()) {
            (Err(error), Some(mut notes)) => {
                let cause = self.cleaned(&error.to_string());
                notes.wrong.push(Finding { setting: Some(name.to_owned()), cause });
                drop(notes);
                Ok(instead())
            }
            (result, _) => result,
        }
    }

    /// Refuses; in a check this is noted and goes on.
    pub(super) fn refuse(&self, error: Error) -> Result<(), Error> {
        self.settled(Err(error), || ())
    }

    /// The result; in a check an error is noted under its own setting, and `instead` taken.
    ///
    /// # Errors
    /// As the result, but for a check.
    pub fn settled<T>(&self, result: Result<T, Error>, instead: impl FnOnce() -> T) -> Result<T, Error> {
        let (error, mut notes) = match (result, self.notes()) {
            (Err(error), Some(notes)) => (error, notes),
            (result, _) => return result,
        };
        let (setting, cause) = match error {
            Error::Value { name, cause } => (Some(name), cause),
            Error::Unknown { .. } | Error::File { .. } => (None, error.to_string()),
        };
        notes.wrong.push(Finding { setting, cause: self.cleaned(&cause) });
        drop(notes);
        Ok(instead())
    }

    /// Notes something that ends nothing. Outside of a check nobody hears of it.
    pub fn warn(&self, name: &str, cause: impl Display) {
        if let Some(mut notes) = self.notes() {
            let cause = self.cleaned(&cause.to_string());
            notes.odd.push(Finding { setting: Some(name.to_owned()), cause });
        }
    }

    /// Everything that was found wrong, once each, in order.
    #[must_use]
    pub fn wrong(&self) -> Vec<Finding> {
        self.notes().map(|notes| once(&notes.wrong)).unwrap_or_default()
    }

    /// Everything that was found odd.
    #[must_use]
    pub fn odd(&self) -> Vec<Finding> {
        self.notes().map(|notes| once(&notes.odd)).unwrap_or_default()
    }

    /// The settings that were asked for in a check, by their names in the environment.
    #[must_use]
    pub fn asked(&self) -> BTreeSet<String> {
        self.notes().map(|notes| notes.asked.clone()).unwrap_or_default()
    }

    /// Where the value of a setting comes from, flags aside.
    #[must_use]
    pub fn origin(&self, name: &str) -> Origin {
        let takes_nothing = Setting::of_name(name).is_some_and(|setting| setting.takes == Takes::Folders);
        let written = match name.strip_prefix(TIMING) {
            Some(timing) => self.file.get("timing").and_then(|table| table.get(timing.to_ascii_lowercase())),
            None => self.file.get(&key(name)),
        };
        if self.said(name).is_some() || (takes_nothing && self.environment.contains_key(name)) {
            Origin::Environment
        } else if written.is_some() {
            Origin::File
        } else {
            Origin::Default
        }
    }

    /// The file that was read.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        Some(self.place.as_str()).filter(|place| !place.is_empty())
    }

    /// The tables of the file.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.file.iter().filter(|(_, value)| value.is_table()).map(|(name, _)| name.as_str())
    }

    pub(super) fn ask(&self, name: &str) {
        debug_assert!(super::names::is_known(name), "{name} is described nowhere, so nobody can set it");
        if let Some(mut notes) = self.notes() {
            notes.asked.insert(name.to_owned());
        }
    }

    /// The file as one type, where a mistake was found in it: each of its parts by itself, so
    /// that every part with a mistake is told, and the others are taken.
    pub(super) fn parts<T: DeserializeOwned + Default>(&self, whole: Error) -> T {
        let known = self.wrong().len();
        let mut sound = toml::Table::new();
        for (name, value) in &self.file {
            let members = value.as_table().filter(|table| table.values().all(toml::Value::is_table));
            let Some(members) = members else {
                self.part::<T>(&mut sound, &format!("[{name}]"), name, None, value);
                continue;
            };
            for (member, value) in members {
                self.part::<T>(&mut sound, &format!("[{name}.{member}]"), name, Some(member), value);
            }
        }
        if self.wrong().len() == known {
            let _ = self.refuse(whole);
        }
        sound.try_into().unwrap_or_default()
    }

    fn part<T: DeserializeOwned>(
        &self,
        sound: &mut toml::Table,
        place: &str,
        name: &str,
        member: Option<&str>,
        value: &toml::Value,
    ) {
        let mut alone = toml::Table::new();
        put(&mut alone, name, member, value);
        match alone.try_into::<T>() {
            Ok(_) => put(sound, name, member, value),
            Err(error) => {
                let _ = self.refuse(Error::Value { name: place.to_owned(), cause: told(error.message()) });
            }
        }
    }

    /// Without any secret that was set: whoever reads it may be anybody.
    fn cleaned(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for setting in SETTINGS.iter().filter(|setting| matches!(setting.takes, Takes::Secret | Takes::Url)) {
            let written = || self.file.get(&key(setting.name)).and_then(toml::Value::as_str);
            let Some(value) = self.said(setting.name).or_else(written).map(str::trim) else { continue };
            if !value.is_empty() {
                text = text.replace(value, &setting.shown(value));
            }
        }
        text
    }

    fn notes(&self) -> Option<MutexGuard<'_, Notes>> {
        self.notes.as_ref().map(|notes| notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn put(table: &mut toml::Table, name: &str, member: Option<&str>, value: &toml::Value) {
    match member {
        None => drop(table.insert(name.to_owned(), value.clone())),
        Some(member) => {
            let entry = table.entry(name.to_owned()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            if let toml::Value::Table(members) = entry {
                members.insert(member.to_owned(), value.clone());
            }
        }
    }
}

fn once(findings: &[Finding]) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    findings.iter().filter(|finding| seen.insert(*finding)).cloned().collect()
}

/// A mistake in a file by its place, without the line it stands in, which may hold a secret.
pub(super) fn placed(error: &toml::de::Error, text: &str) -> String {
    let said = told(error.message());
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else { return said };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}: {said}")
}

/// What a reader says of a value, without the value.
pub(super) fn told(message: &str) -> String {
    let message = message.trim_end();
    for kind in ["string \"", "unknown variant `"] {
        let quote = if kind.ends_with('"') { "\", expected" } else { "`, expected" };
        if let Some(start) = message.find(kind)
            && let Some(end) = message[start..].rfind(quote).map(|end| start + end)
        {
            let (kind, rest) = (kind.trim_end_matches(['"', '`', ' ']), &message[end + 1..]);
            return format!("{}{kind} {HIDDEN}{rest}", &message[..start]);
        }
    }
    message.to_owned()
}
