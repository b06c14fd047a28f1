//! Where settings come from: flags before environment before `baton.toml` before defaults.
//!
//! Every setting has one name: `BATON_GRPC_ADDR` in the environment is `grpc_addr` in the
//! file and `--grpc-addr` as a flag. A name nobody knows is an error that offers the
//! nearest one. What a value means is left to those who ask for it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use crate::settings::Timings;

/// Every setting of every program, so that programs can share an environment and a file.
pub const KNOWN: &[&str] = &[
    "BATON_ADDR_FILE",
    "BATON_ADMISSION_FILL_PERCENT",
    "BATON_ADVANCES_MAX",
    "BATON_API_KEY",
    "BATON_ARCHIVE_MS",
    "BATON_BACKLOG_MAX",
    "BATON_BACKOFF_MS_MAX",
    "BATON_BLOBS",
    "BATON_BLOB_BYTES_MAX",
    "BATON_BLOB_GRACE_MS",
    "BATON_BLOB_SWEEP_MS",
    "BATON_BROKER",
    "BATON_CALL_TIMEOUT_MS",
    "BATON_CLUSTER_SECRET",
    "BATON_CONFIG",
    "BATON_CONNECTION_AGE_MS",
    "BATON_CPU_NICE",
    "BATON_DATA_DIR",
    "BATON_DEBUG_DIR",
    "BATON_DEBUG_TOOLS",
    "BATON_DRAIN_MS",
    "BATON_FAIL",
    "BATON_FILE_ROOTS",
    "BATON_GRACE_MS",
    "BATON_GRPC_ADDR",
    "BATON_HTTP_ADDR",
    "BATON_LANE_SHARE",
    "BATON_LOG",
    "BATON_METRICS_ADDR",
    "BATON_ORCHESTRATOR",
    "BATON_QUEUES",
    "BATON_QUEUES_ONLY",
    "BATON_READER",
    "BATON_SABOTAGE",
    "BATON_SLOTS",
    "BATON_STORE",
    "BATON_SWEEP",
    "BATON_TLS_CA",
    "BATON_TLS_CERT",
    "BATON_TLS_CLIENT_CA",
    "BATON_TLS_CLIENT_CERT",
    "BATON_TLS_CLIENT_KEY",
    "BATON_TLS_KEY",
    "BATON_TLS_NAME",
    "BATON_TRACE_RATIO",
    "BATON_WATCHES_MAX",
    "BATON_WORKER_KEY",
];

/// Tables of `baton.toml` with names of the operator's own, or read by their owners.
pub const TABLES: &[&str] =
    &["documents", "egress", "files", "prices", "providers", "routes", "secrets", "slack", "timing", "webhooks"];

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
        for (name, value) in environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)) {
            if !is_known(&name) {
                let known = KNOWN
                    .iter()
                    .map(|name| (*name).to_owned())
                    .chain(timing_names().map(|name| TIMING.to_owned() + &name.to_uppercase()));
                return Err(unknown(&name, "the environment", known));
            }
            sources.environment.insert(name, value);
        }
        if let Some((place, text)) = file {
            sources.file = toml::from_str(text).map_err(|error| Error::File {
                place: place.to_owned(),
                cause: error.to_string().trim_end().to_owned(),
            })?;
            sources.check_file(place)?;
            (sources.place, sources.text) = (place.to_owned(), text.to_owned());
        }
        Ok(sources)
    }

    /// The text of a setting by its environment name, without white space around it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
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
        let refused = |error: T::Err| Error::Value { name: name.to_owned(), cause: error.to_string() };
        text.parse().map(Some).map_err(refused)
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
            Some(_) => Err(Error::Value { name: name.to_owned(), cause: "write 1 or 0".to_owned() }),
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
            let number: u64 = text
                .trim()
                .parse()
                .map_err(|_| Error::Value { name: variable, cause: "write a whole number".to_owned() })?;
            timings[&name] = number.into();
        }
        serde_json::from_value(timings)
            .map_err(|error| Error::Value { name: format!("{TIMING}*"), cause: error.to_string() })
    }

    /// A table of the file, as its owner reads it; the default where there is none.
    ///
    /// # Errors
    /// When it holds something its owner does not know.
    pub fn table<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, Error> {
        let Some(table) = self.file.get(name) else { return Ok(T::default()) };
        let refused =
            |error: toml::de::Error| Error::Value { name: format!("[{name}]"), cause: error.message().to_owned() };
        table.clone().try_into().map_err(refused)
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
            cause: error.to_string().trim_end().to_owned(),
        };
        toml::from_str(&self.text).map_err(refused)
    }

    fn check_file(&self, place: &str) -> Result<(), Error> {
        for (name, value) in &self.file {
            let known = if value.is_table() {
                TABLES.contains(&name.as_str())
            } else {
                KNOWN.iter().any(|known| key(known) == *name)
            };
            if !known {
                let names = KNOWN.iter().map(|known| key(known)).chain(TABLES.iter().map(|table| (*table).to_owned()));
                return Err(unknown(name, place, names));
            }
        }
        let timing = self.file.get("timing").and_then(toml::Value::as_table);
        for name in timing.into_iter().flat_map(toml::Table::keys) {
            if !timing_names().any(|known| known == *name) {
                return Err(unknown(name, &format!("[timing] of {place}"), timing_names()));
            }
        }
        Ok(())
    }
}

fn is_known(name: &str) -> bool {
    let timing = name.strip_prefix(TIMING).map(str::to_ascii_lowercase);
    KNOWN.contains(&name)
        || name.starts_with(TESTS)
        || timing.is_some_and(|timing| timing_names().any(|name| name == timing))
}

/// The names of the timings, as they stand in their type.
fn timing_names() -> impl Iterator<Item = String> {
    let timings = serde_json::to_value(Timings::default()).unwrap_or_default();
    timings.as_object().cloned().unwrap_or_default().into_iter().map(|(name, _)| name)
}

/// A setting's name in the file.
fn key(name: &str) -> String {
    name.trim_start_matches(PREFIX).to_ascii_lowercase()
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

fn unknown(name: &str, place: &str, known: impl Iterator<Item = String>) -> Error {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, environment: &[(&str, &str)]) -> Result<Sources, Error> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Sources::read(Some(("baton.toml", file)), environment)
    }

    #[test]
    fn the_environment_goes_before_the_file() {
        let file = "store = \"sqlite:a\"\ngrace_ms = 5\n[timing]\nlease_ms = 1500\ntick_ms = 12";
        let sources = read(file, &[("BATON_STORE", "memory:"), ("BATON_TIMING_LEASE_MS", "700"), ("PATH", "x")]);
        let sources = sources.expect("known settings");
        assert_eq!(sources.get("BATON_STORE").as_deref(), Some("memory:"));
        assert_eq!(sources.parse::<u64>("BATON_GRACE_MS"), Ok(Some(5)));
        let timings = sources.timings().expect("numbers");
        assert_eq!((timings.lease_ms, timings.tick_ms), (700, 12));
        assert_eq!(timings.hide_ms, Timings::default().hide_ms);
        let defaults = Timings { hide_ms: 7, lease_ms: 7, ..Timings::default() };
        let timings = sources.timings_over(&defaults).expect("numbers");
        assert_eq!((timings.lease_ms, timings.hide_ms), (700, 7));
    }

    /// A name that a program asks for and nobody knows is refused where an operator says it.
    #[test]
    fn whatever_a_program_asks_for_is_known() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let planes = ["orchestrator/src/process/options.rs", "worker/src/options.rs", "control/src/grpc/trust.rs"];
        let mut asked = 0;
        for file in planes {
            let text = std::fs::read_to_string(root.join(file)).expect("a file of this workspace");
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            for name in text.split('"').filter(|word| word.starts_with(PREFIX)) {
                assert!(KNOWN.contains(&name), "{file} asks for {name}");
                asked += 1;
            }
        }
        assert!(asked > 20, "only {asked} are asked for");
    }

    #[test]
    fn an_unknown_name_offers_the_nearest_known_one() {
        let nearest = |result: Result<Sources, Error>| match result.map(|_| ()) {
            Err(Error::Unknown { nearest, .. }) => nearest,
            other => panic!("{other:?}"),
        };
        assert_eq!(nearest(read("", &[("BATON_STOER", "x")])).as_deref(), Some("BATON_STORE"));
        assert_eq!(nearest(read("", &[("BATON_TIMING_LEASE", "1")])).as_deref(), Some("BATON_TIMING_LEASE_MS"));
        assert_eq!(nearest(read("grpc_adr = \"x\"", &[])).as_deref(), Some("grpc_addr"));
        assert_eq!(nearest(read("[route.a]", &[])).as_deref(), Some("routes"));
        assert_eq!(nearest(read("[timing]\nlease = 1", &[])).as_deref(), Some("lease_ms"));
        assert_eq!(nearest(read("something_else_entirely = 1", &[])), None);
    }

    #[test]
    fn an_empty_variable_is_unset_and_an_empty_list_of_paths_is_empty() {
        let paths = |file, environment: &[_]| read(file, environment).expect("known").paths("BATON_FILE_ROOTS");
        let two = Some(vec![PathBuf::from("/a,b"), PathBuf::from("/c")]);
        assert_eq!(paths("file_roots = [\"/a,b\", \"/c\"]", &[]), two);
        assert_eq!(paths("file_roots = \"/x\"", &[("BATON_FILE_ROOTS", "/a,b::/c")]), two);
        assert_eq!(paths("file_roots = \"/x\"", &[("BATON_FILE_ROOTS", " ")]), Some(Vec::new()));
        assert_eq!(paths("", &[]), None);
        let sources = read("store = \"memory:\"", &[("BATON_STORE", "")]).expect("known");
        assert_eq!(sources.get("BATON_STORE").as_deref(), Some("memory:"));
    }

    #[test]
    fn a_value_that_is_not_understood_is_not_repeated() {
        let sources = read("", &[("BATON_GRACE_MS", "s3cret"), ("BATON_SWEEP", "maybe")]).expect("known");
        let text = sources.parse::<u64>("BATON_GRACE_MS").expect_err("no number").to_string();
        assert!(text.contains("BATON_GRACE_MS") && !text.contains("s3cret"), "{text}");
        assert!(sources.switch("BATON_SWEEP").is_err());
        assert!(read("= broken", &[]).is_err());
    }
}
