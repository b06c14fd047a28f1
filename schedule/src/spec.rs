//! What a person says about a schedule, as YAML or JSON, and its checks.

use baton_common::{ThreadId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::calendar::zone;
use crate::moment::{some_moment, some_span, span};
use crate::{Calendar, Cron, Error};

/// The shortest interval, in milliseconds.
const EVERY_MS_MIN: u64 = 1_000;
/// The longest jitter and the longest catch-up window, in milliseconds.
const JITTER_MS_MAX: u64 = 86_400_000;
const WINDOW_MS_MAX: u64 = 366 * 86_400_000;
/// The most runs that are started in a minute to catch up or fill in.
const PER_MINUTE_MAX: u32 = 6_000;
/// The largest input, in bytes of JSON.
const INPUT_BYTES_MAX: usize = 64 * 1024;
/// What a spec and its catch-up policy may say.
const KEYS: [&str; 13] = [
    "graph",
    "input",
    "cron",
    "every",
    "anchor",
    "zone",
    "start",
    "end",
    "jitter",
    "overlap",
    "catch_up",
    "thread",
    "time_input",
];
const CATCH_UP_KEYS: [&str; 3] = ["policy", "window", "per_minute"];

/// What becomes of a fire while an earlier run of its schedule is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is left out, and counted.
    #[default]
    Skip,
    /// It waits for its turn.
    Queue,
    /// What is under way is cancelled, and it begins when that is over.
    CancelRunning,
    /// It begins beside it.
    Allow,
}

impl Overlap {
    /// Reads a policy's name.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let names = [Self::Skip, Self::Queue, Self::CancelRunning, Self::Allow];
        let found = names.into_iter().find(|overlap| overlap.name() == text);
        let cause = format!("there is no overlap policy {:?}", text.chars().take(40).collect::<String>());
        found.ok_or_else(|| Error::new(cause, "use skip, queue, cancel_running or allow"))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Queue => "queue",
            Self::CancelRunning => "cancel_running",
            Self::Allow => "allow",
        }
    }
}

/// What becomes of fires that nobody was there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUpPolicy {
    /// They are left out.
    Skip,
    /// The last one is made up for.
    #[default]
    Last,
    /// All are made up for.
    All,
}

/// How fires are made up for. Those left out are counted as missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CatchUp {
    /// Which.
    pub policy: CatchUpPolicy,
    /// Only those of so many milliseconds back.
    #[serde(rename = "window", with = "span")]
    pub window_ms: u64,
    /// At most so many in a minute.
    pub per_minute: u32,
}

impl Default for CatchUp {
    fn default() -> Self {
        Self { policy: CatchUpPolicy::default(), window_ms: 3_600_000, per_minute: 60 }
    }
}

/// A schedule as a person says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The graph to run, by `name` or `name@version`.
    pub graph: String,
    /// Its input.
    #[serde(default)]
    pub input: Map<String, Value>,
    /// When, as a cron expression. This or `every`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// How often, in milliseconds.
    #[serde(default, rename = "every", skip_serializing_if = "Option::is_none", with = "some_span")]
    pub every_ms: Option<u64>,
    /// A moment that the interval meets; the Unix epoch otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "some_moment")]
    pub anchor: Option<Timestamp>,
    /// The time zone of the cron expression; UTC otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Not before then.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "some_moment")]
    pub start: Option<Timestamp>,
    /// Before then only.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "some_moment")]
    pub end: Option<Timestamp>,
    /// Each fire begins up to so many milliseconds late: how many follows from its id.
    #[serde(default, rename = "jitter", skip_serializing_if = "Option::is_none", with = "some_span")]
    pub jitter_ms: Option<u64>,
    /// While an earlier run is under way.
    #[serde(default)]
    pub overlap: Overlap,
    /// When nobody was there.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// The thread of all its runs; one each otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
    /// The input that is given the fire's nominal time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_input: Option<String>,
}

impl Spec {
    /// Reads what a person wrote, and checks it.
    ///
    /// # Errors
    /// When it says something unknown, contradicts itself or goes beyond a bound.
    pub fn read(value: Value) -> Result<Self, Error> {
        unknown(&value, &KEYS, "a schedule")?;
        if let Some(catch_up) = value.get("catch_up") {
            unknown(catch_up, &CATCH_UP_KEYS, "catch_up")?;
        }
        let spec: Self = serde_json::from_value(value)
            .map_err(|error| Error::new(error.to_string(), "see docs/schedules.md for what a schedule says"))?;
        spec.check()?;
        Ok(spec)
    }

    fn check(&self) -> Result<(), Error> {
        self.calendar()?;
        let bound = |ms: u64, max: u64, what: &str| {
            let cure = || format!("at most {}", crate::print_span(max));
            (ms <= max).then_some(()).ok_or_else(|| Error::new(format!("{what} is too long"), cure()))
        };
        bound(self.jitter_ms.unwrap_or(0), JITTER_MS_MAX, "jitter")?;
        bound(self.catch_up.window_ms, WINDOW_MS_MAX, "the catch-up window")?;
        check_per_minute(self.catch_up.per_minute)?;
        if self.graph.is_empty() || self.graph.len() > 256 {
            return Err(Error::new("a schedule names a graph", "say `graph: NAME` or `graph: NAME@VERSION`"));
        }
        if self.time_input.as_ref().is_some_and(|name| self.input.contains_key(name)) {
            return Err(Error::new("time_input names an input that is given", "give it another name"));
        }
        let bytes = serde_json::to_string(&self.input).map_or(0, |text| text.len());
        if bytes > INPUT_BYTES_MAX {
            let cause = format!("the input has {bytes} bytes, more than {INPUT_BYTES_MAX}");
            return Err(Error::new(cause, "pass large values as files"));
        }
        match (self.start, self.end) {
            (Some(start), Some(end)) if end <= start => Err(Error::new("end is not after start", "turn them round")),
            _ => Ok(()),
        }
    }

    /// Its moments.
    ///
    /// # Errors
    /// When it says no time, or one that cannot be read.
    pub fn calendar(&self) -> Result<Calendar, Error> {
        let cure = "say `cron: \"0 9 * * mon-fri\"` or `every: 15m`";
        let calendar = match (&self.cron, self.every_ms) {
            (Some(_), Some(_)) => return Err(Error::new("a schedule has cron or every, not both", cure)),
            (None, None) => return Err(Error::new("a schedule has neither cron nor every", cure)),
            (Some(_), None) if self.anchor.is_some() => {
                return Err(Error::new("cron has no anchor", "leave it out, or say `every`"));
            }
            (Some(text), None) => Calendar::cron(Cron::parse(text)?, zone(self.zone.as_deref().unwrap_or("UTC"))?),
            (None, Some(_)) if self.zone.is_some() => {
                return Err(Error::new("an interval has no time zone", "leave zone out, or say `cron`"));
            }
            (None, Some(ms)) if ms < EVERY_MS_MIN || ms % 1_000 > 0 => {
                return Err(Error::new("every is no whole number of seconds", "say `every: 30s` or longer"));
            }
            (None, Some(ms)) => {
                let anchor = self.anchor.unwrap_or_default();
                if anchor.0 % 1_000 != 0 {
                    return Err(Error::new("anchor is no whole second", "leave its fraction out"));
                }
                Calendar::every(ms, anchor)
            }
        };
        Ok(calendar.within(self.start, self.end))
    }

    /// Its JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

pub(crate) fn check_per_minute(per_minute: u32) -> Result<(), Error> {
    let fits = (1..=PER_MINUTE_MAX).contains(&per_minute);
    fits.then_some(()).ok_or_else(|| {
        Error::new(format!("per_minute {per_minute} is out of bounds"), format!("use 1 to {PER_MINUTE_MAX}"))
    })
}

fn unknown(value: &Value, known: &[&str], what: &str) -> Result<(), Error> {
    let Some(object) = value.as_object() else {
        return Err(Error::new(format!("{what} is no object"), "see docs/schedules.md"));
    };
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => {
            let key: String = key.chars().take(40).collect();
            Err(Error::new(format!("{what} has no {key:?}"), format!("it has {}", known.join(", "))))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_spec_reads_back() {
        let value = json!({
            "graph": "digest@1a2b", "input": {"topic": "x"}, "cron": "0 30 2 * * *", "zone": "Europe/Berlin",
            "start": "2026-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z", "jitter": "30s", "overlap": "queue",
            "catch_up": {"policy": "all", "window": "2h", "per_minute": 10}, "thread": "nightly", "time_input": "due"
        });
        let spec = Spec::read(value.clone()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(spec.to_json(), value);
        let short = Spec::read(json!({"graph": "g", "every": "90s"})).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((short.overlap, short.catch_up.policy), (Overlap::Skip, CatchUpPolicy::Last));
        assert_eq!(short.catch_up.window_ms, 3_600_000);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        let table = [
            (json!({"graph": "g"}), "neither cron nor every"),
            (json!({"graph": "g", "cron": "@daily", "every": "1h"}), "not both"),
            (json!({"graph": "g", "cron": "@daily", "zone": "Mars/Olympus"}), "no time zone"),
            (json!({"graph": "g", "cron": "@daily", "zone": "../../etc/passwd"}), "no time zone"),
            (json!({"graph": "g", "cron": "@daily", "anchor": "2026-01-01T00:00:00Z"}), "no anchor"),
            (json!({"graph": "g", "every": "1h", "zone": "UTC"}), "no time zone"),
            (json!({"graph": "g", "every": "500ms"}), "whole number of seconds"),
            (json!({"graph": "g", "every": "1h", "crom": "x"}), "has no \"crom\""),
            (json!({"graph": "g", "every": "1h", "catch_up": {"windw": "1h"}}), "has no \"windw\""),
            (json!({"graph": "g", "every": "1h", "catch_up": {"per_minute": 0}}), "out of bounds"),
            (json!({"graph": "g", "every": "1h", "overlap": "drop"}), "unknown variant"),
            (json!({"graph": "", "every": "1h"}), "names a graph"),
            (json!({"graph": "g", "every": "1h", "input": {"t": 1}, "time_input": "t"}), "is given"),
            (
                json!({"graph": "g", "every": "1h", "start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}),
                "end",
            ),
            (json!([]), "no object"),
        ];
        for (value, cause) in table {
            let error = Spec::read(value.clone()).err().map_or_else(String::new, |error| error.cause);
            assert!(error.contains(cause), "{value}: {error}");
        }
    }
}
