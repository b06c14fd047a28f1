//! Where settings come from: flags before environment before `baton.toml` before defaults.
//!
//! Every setting has one name: `BATON_GRPC_ADDR` in the environment is `grpc_addr` in the
//! file and `--grpc-addr` as a flag. A name nobody knows is an error that offers the
//! nearest one. What a value means is left to those who ask for it.

mod check;
mod names;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use crate::reference::{SETTINGS, Setting, TABLES};
use crate::settings::Timings;

pub use check::{Finding, Origin};
pub use names::nearest;
use names::{is_known, key, timing_names, unknown, variables};

const PREFIX: &str = "BATON_";
const TIMING: &str = "BATON_TIMING_";
const TESTS: &str = "BATON_TEST_";

/// A setting that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody knows that name.
    #[error("unknown setting {name} in {place}{}", hint(.nearest.as_deref()))]
    Unknown {
        /// The name as it was written.
        name: String,
        /// Where it was written.
        place: String,
        /// The known name that looks most like it.
        nearest: Option<String>,
    },
    /// Its value is not what the setting takes. The value itself may be a secret and is
    /// not repeated.
    #[error("setting {name} is not understood: {cause}")]
    Value {
        /// The setting.
        name: String,
        /// What is wrong.
        cause: String,
    },
    /// The file is no TOML.
    #[error("{place} is not understood: {cause}")]
    File {
        /// Which file.
        place: String,
        /// What is wrong with it.
        cause: String,
    },
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

/// What environment and file say; flags come before, defaults behind.
#[derive(Clone, Default)]
pub struct Sources {
    environment: BTreeMap<String, String>,
    file: toml::Table,
    place: String,
    text: String,
    notes: check::Shared,
}

impl Sources {
    /// Settings of the file's text, named by its place, and of the environment, of which
    /// only `BATON_` variables are looked at.
    ///
    /// # Errors
    /// When the file is no TOML, or a name is unknown.
    pub fn read(
        file: Option<(&str, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let mut sources = Self::default();
        sources.take(file, environment)?;
        Ok(sources)
    }

    fn take(
        &mut self,
        file: Option<(&str, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), Error> {
        for (name, value) in environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)) {
            if is_known(&name) {
                self.environment.insert(name, value);
            } else {
                self.refuse(unknown(&name, "the environment", variables()))?;
            }
        }
        let Some((place, text)) = file else { return Ok(()) };
        place.clone_into(&mut self.place);
        let read = toml::from_str(text)
            .map_err(|error| Error::File { place: place.to_owned(), cause: check::placed(&error, text) });
        if let Some(file) = self.settled(read.map(Some), || None)? {
            self.file = file;
            self.check_file(place)?;
            text.clone_into(&mut self.text);
        }
        Ok(())
    }

    /// The text of a setting by its environment name, without white space around it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        self.ask(name);
        let text = self.said(name).map(str::to_owned).or_else(|| text_of(self.file.get(&key(name))?))?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// What the environment says, unless it is empty.
    fn said(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|text| !text.trim().is_empty())
    }

    /// A list of paths: in the environment as a search path is written, in the file as an
    /// array or the same. An empty variable is an empty list, so that it can take away what
    /// the file names.
    #[must_use]
    pub fn paths(&self, name: &str) -> Option<Vec<PathBuf>> {
        self.ask(name);
        let split = |text: &str| std::env::split_paths(text.trim()).collect::<Vec<_>>();
        let written = || match self.file.get(&key(name))? {
            toml::Value::Array(items) => Some(items.iter().filter_map(text_of).map(PathBuf::from).collect()),
            other => text_of(other).map(|text| split(&text)),
        };
        let paths: Vec<PathBuf> = self.environment.get(name).map(|text| split(text)).or_else(written)?;
        Some(paths.into_iter().filter(|path| !path.as_os_str().is_empty()).collect())
    }

    /// A setting of some type.
    ///
    /// # Errors
    /// When its text is none of that type.
    pub fn parse<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Error> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let takes = Setting::of_name(name).map_or("", |setting| setting.takes.text());
        let refused =
            |error: T::Err| Error::Value { name: name.to_owned(), cause: format!("{error}; it takes {takes}") };
        self.settled(text.parse().map(Some).map_err(refused), || None)
    }

    /// A switch: `1`, `true`, `yes`, `on` or their opposites; off where nothing is said.
    ///
    /// # Errors
    /// When its text is neither.
    pub fn switch(&self, name: &str) -> Result<Option<bool>, Error> {
        match self.get(name).map(|text| text.to_ascii_lowercase()).as_deref() {
            None => Ok(None),
            Some("1" | "true" | "yes" | "on") => Ok(Some(true)),
            Some("0" | "false" | "no" | "off") => Ok(Some(false)),
            Some(_) => {
                let refused = Error::Value { name: name.to_owned(), cause: "write 1 or 0".to_owned() };
                self.settled(Err(refused), || None)
            }
        }
    }

    /// The timings of the hand-over: `BATON_TIMING_LEASE_MS`, or `lease_ms` in `[timing]`.
    ///
    /// # Errors
    /// When one is no number.
    pub fn timings(&self) -> Result<Timings, Error> {
        self.timings_over(&Timings::default())
    }

    /// The same where other timings stand behind what is said.
    ///
    /// # Errors
    /// When one is no number.
    pub fn timings_over(&self, defaults: &Timings) -> Result<Timings, Error> {
        let mut timings = serde_json::to_value(defaults).unwrap_or_default();
        for name in timing_names() {
            let variable = TIMING.to_owned() + &name.to_uppercase();
            let written = self.file.get("timing").and_then(|table| text_of(table.get(&name)?));
            let Some(text) = self.said(&variable).map(str::to_owned).or(written) else { continue };
            let number = text.trim().parse::<u64>().map(Some);
            let number = number.map_err(|_| Error::Value { name: variable, cause: "write a whole number".to_owned() });
            if let Some(number) = self.settled(number, || None)? {
                timings[&name] = number.into();
            }
        }
        let timings = serde_json::from_value(timings)
            .map_err(|error| Error::Value { name: format!("{TIMING}*"), cause: error.to_string() });
        self.settled(timings, || defaults.clone())
    }

    /// A table of the file, as its owner reads it; the default where there is none.
    ///
    /// # Errors
    /// When it holds something its owner does not know.
    pub fn table<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, Error> {
        let Some(table) = self.file.get(name) else { return Ok(T::default()) };
        let refused =
            |error: toml::de::Error| Error::Value { name: format!("[{name}]"), cause: check::told(error.message()) };
        self.settled(table.clone().try_into().map_err(refused), T::default)
    }

    /// The whole file as one type, so that a mistake is told with its line; the default
    /// where there is no file.
    ///
    /// # Errors
    /// When a table holds something its owner does not know.
    pub fn whole<T: DeserializeOwned + Default>(&self) -> Result<T, Error> {
        if self.text.is_empty() {
            return Ok(T::default());
        }
        let refused = |error: toml::de::Error| Error::File {
            place: self.place.clone(),
            cause: check::placed(&error, &self.text),
        };
        match toml::from_str(&self.text) {
            Err(error) if self.notes.is_some() => Ok(self.parts(refused(error))),
            read => read.map_err(refused),
        }
    }

    fn check_file(&self, place: &str) -> Result<(), Error> {
        let keys = || SETTINGS.iter().map(|setting| key(setting.name));
        let tables = || TABLES.iter().map(|table| table.name.to_owned());
        for (name, value) in &self.file {
            let known = if value.is_table() {
                tables().any(|known| known == *name)
            } else {
                keys().any(|known| known == *name)
            };
            if !known {
                self.refuse(unknown(name, place, keys().chain(tables())))?;
            }
        }
        let timing = self.file.get("timing").and_then(toml::Value::as_table);
        for name in timing.into_iter().flat_map(toml::Table::keys) {
            if !timing_names().any(|known| known == *name) {
                self.refuse(unknown(name, &format!("[timing] of {place}"), timing_names()))?;
            }
        }
        Ok(())
    }
}

fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Array(items) => Some(items.iter().filter_map(text_of).collect::<Vec<_>>().join(",")),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(switch) => Some(switch.to_string()),
        toml::Value::Datetime(time) => Some(time.to_string()),
        toml::Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests;
