//! What is due of a schedule, as tables. The code is in `look`, `range` and `start`.

use baton_common::{Actor, RunId, TenantId, ThreadId, ThreadKey, Timestamp};
use serde_json::{Value, json};

use crate::{Kind, Overlap, Range, Record, Rules, Spec, Verdict, parse_moment, print_moment};

const RULES: Rules = Rules { late_ms: 60_000, poll_ms: 1_000 };

fn at(text: &str) -> Timestamp {
    parse_moment(&format!("2026-01-01T{text}Z")).unwrap_or_else(|error| panic!("{error}"))
}

fn spec(value: Value) -> Spec {
    Spec::read(value).unwrap_or_else(|error| panic!("{error}"))
}

fn record(value: Value) -> Record {
    Record::new(TenantId::local(), "s".to_owned(), spec(value), Actor::local(), at("00:00:00"))
}

fn run(number: u64) -> RunId {
    let thread = ThreadId::parse(&number.to_string()).unwrap_or_else(|error| panic!("{error}"));
    let request = crate::request_id("s", "x").unwrap_or_else(|error| panic!("{}", error.cause));
    RunId::for_submit(&ThreadKey { tenant: TenantId::local(), thread }, Some(&request))
}

impl Record {
    fn looked(&mut self, now: &str) -> &mut Self {
        self.look(at(now), RULES).unwrap_or_else(|error| panic!("{error}"));
        self
    }

    fn keys(&self) -> Vec<String> {
        self.pending.iter().map(|fire| fire.key["2026-01-01T".len()..].to_owned()).collect()
    }

    /// Begins what may and starts it; the keys of these.
    fn started(&mut self, now: &str) -> Vec<String> {
        self.begin(at(now));
        let begun: Vec<String> = self.begun(at(now)).map(|fire| fire.key.clone()).collect();
        for key in &begun {
            let number = u64::try_from(self.recent.len()).unwrap_or(0);
            self.settle(key, Verdict::Started(run(number)), at(now));
        }
        begun
    }
}

#[test]
fn what_is_on_time_fires_once_however_often_it_is_looked_at() {
    let mut record = record(json!({"graph": "g", "every": "30s"}));
    assert_eq!(record.looked("00:00:29").keys(), Vec::<String>::new());
    assert_eq!(record.looked("00:01:05").keys(), ["00:00:30Z", "00:01:00Z"]);
    assert_eq!(record.looked("00:01:05").keys(), ["00:00:30Z", "00:01:00Z"]);
    assert_eq!(record.looked("00:00:40").mark, at("00:01:05"), "a clock that falls decides nothing");
    assert_eq!(record.pending[0].kind, Kind::OnTime);
}

#[test]
fn an_outage_is_made_up_for_by_the_policy() {
    // Every minute, looked at last at 00:00:00, and again at 03:00:30.
    let outage = |policy: &str, window: &str| {
        let catch_up = json!({"policy": policy, "window": window, "per_minute": 6000});
        let mut record = record(json!({"graph": "g", "cron": "* * * * *", "overlap": "allow", "catch_up": catch_up}));
        let mut fires = Vec::new();
        record.looked("03:00:30");
        for _ in 0..200 {
            fires.extend(record.started("03:00:30"));
            record.ranges.iter_mut().for_each(|range| range.next_at = at("03:00:30"));
            record.looked("03:00:30");
        }
        (fires, record.counts.missed)
    };
    let (fires, missed) = outage("skip", "1h");
    assert_eq!((fires.as_slice(), missed), (["2026-01-01T03:00:00Z".to_owned()].as_slice(), 179));
    let (fires, missed) = outage("last", "1h");
    assert_eq!((fires.as_slice(), missed), (["2026-01-01T03:00:00Z".to_owned()].as_slice(), 179));
    let (mut fires, missed) = outage("all", "1h");
    fires.sort();
    let expected: Vec<String> =
        (121..=180).map(|minute| print_moment(at("00:00:00").plus_ms(minute * 60_000))).collect();
    assert_eq!((fires, missed), (expected, 120));
}

#[test]
fn the_last_late_one_is_made_up_for_where_none_is_on_time() {
    let mut record = record(json!({"graph": "g", "cron": "*/10 * * * *"}));
    assert_eq!(record.looked("00:35:00").keys(), ["00:30:00Z"]);
    assert_eq!((record.pending[0].kind, record.counts.missed), (Kind::CatchUp, 2));
    let mut old = record_of_daily();
    old.look(parse_moment("2026-01-03T12:00:00Z").unwrap_or_default(), RULES).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((old.pending.len(), old.counts.missed), (0, 2), "the window is an hour");
}

fn record_of_daily() -> Record {
    record(json!({"graph": "g", "cron": "@daily"}))
}

#[test]
fn catching_up_keeps_its_pace_and_holds_up_nobody_on_time() {
    let catch_up = json!({"policy": "all", "window": "1h", "per_minute": 60});
    let mut record = record(json!({"graph": "g", "every": "10s", "overlap": "allow", "catch_up": catch_up}));
    record.looked("00:10:00");
    // Six on time, and the first of what is late.
    let first = record.started("00:10:00");
    assert_eq!(first.len(), 6 + 1, "{first:?}");
    let mut made_up = 0;
    for second in 1..=60 {
        let now = print_moment(at("00:10:00").plus_ms(second * 1_000));
        let now = &now["2026-01-01T".len()..now.len() - 1];
        record.looked(now);
        made_up += record.started(now).iter().filter(|key| key.as_str() < "2026-01-01T00:09:00Z").count();
    }
    assert!((52..=54).contains(&(made_up + 1)), "{made_up}");
    assert_eq!(record.counts.missed, 0);
    assert!(record.ranges.is_empty());
    assert_eq!(record.counts.started, 60 + 6);
}

#[test]
fn overlap_policies_say_what_waits() {
    let busy = |overlap: &str| {
        let mut record = record(json!({"graph": "g", "every": "10s", "overlap": overlap}));
        assert_eq!(record.looked("00:00:10").started("00:00:10").len(), 1);
        let cancel = record.looked("00:00:20").begin(at("00:00:20"));
        (record, cancel)
    };
    let (record, cancel) = busy("skip");
    assert_eq!((record.pending.len(), record.counts.skipped, cancel.len()), (0, 1, 0));
    assert_eq!(record.recent[0].verdict, Verdict::Overlap);
    let (mut record, cancel) = busy("queue");
    assert_eq!((record.pending.len(), cancel.len()), (1, 0));
    assert_eq!(record.due(at("00:00:20"), RULES), Ok(Some(at("00:00:21"))));
    record.looked("00:00:30").close(|_| true);
    assert_eq!(record.started("00:00:30"), ["2026-01-01T00:00:20Z"], "one at a time, in order");
    let (mut record, cancel) = busy("cancel_running");
    assert_eq!((record.pending.len(), cancel), (1, vec![run(0)]));
    record.looked("00:00:30").begin(at("00:00:30"));
    assert_eq!((record.keys(), record.counts.skipped), (vec!["00:00:30Z".to_owned()], 1));
    record.close(|_| true);
    assert_eq!(record.started("00:00:30"), ["2026-01-01T00:00:30Z"]);
    let (record, _) = busy("allow");
    assert!(record.pending[0].begun);
}

#[test]
fn an_edit_neither_loses_a_fire_nor_makes_one_twice() {
    let mut record = record(json!({"graph": "g", "cron": "*/10 * * * * *"}));
    record.looked("00:00:25");
    let edited = spec(json!({"graph": "g", "cron": "*/5 * * * * *"}));
    record.edit(edited, Actor::local(), at("00:00:25"));
    assert_eq!(record.version, 2);
    assert_eq!(record.looked("00:00:36").keys(), ["00:00:10Z", "00:00:20Z", "00:00:30Z", "00:00:35Z"]);
}

#[test]
fn a_pause_leaves_out_and_counts() {
    let mut record = record(json!({"graph": "g", "every": "10s", "overlap": "allow"}));
    record.paused = Some(crate::Paused { at: at("00:00:00"), by: Actor::local(), note: String::new() });
    assert_eq!(record.looked("00:00:30").keys(), Vec::<String>::new());
    assert_eq!(record.due(at("00:00:30"), RULES), Ok(None));
    record.ask("now", None, at("00:00:31"));
    assert_eq!(record.started("00:00:31"), ["run:now"], "what is asked for goes on");
    record.resume(at("00:00:35")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((record.counts.paused, record.looked("00:00:40").keys()), (3, vec!["00:00:40Z".to_owned()]));
}

#[test]
fn a_backfill_names_the_fires_of_its_range() {
    let mut record = record(json!({"graph": "g", "cron": "0 * * * *"}));
    record.looked("12:00:00");
    record.pending.clear();
    let calendar = record.spec.calendar().unwrap_or_else(|error| panic!("{error}"));
    let asked = |until: &str, again| Range {
        name: "fix".to_owned(),
        after: at("03:00:00"),
        until: at(until),
        overlap: Some(Overlap::Allow),
        per_minute: 600,
        again,
        next_at: at("00:00:00"),
    };
    let error = Range::backfill(asked("13:00:00", false), &calendar, at("12:00:00"));
    assert!(error.is_err(), "it lies ahead");
    let range = Range::backfill(asked("05:59:59", true), &calendar, at("12:00:00"));
    record.ranges.push(range.unwrap_or_else(|error| panic!("{error}")));
    let mut keys = Vec::new();
    for ms in [0, 100, 200, 300] {
        let now = at("12:00:00").plus_ms(ms);
        record.look(now, RULES).unwrap_or_else(|error| panic!("{error}"));
        keys.extend(record.pending.drain(..).map(|fire| fire.key));
    }
    let expected = ["03", "04", "05"].map(|hour| format!("2026-01-01T{hour}:00:00Z~fix"));
    assert_eq!(keys, expected);
    assert!(record.ranges.is_empty());
}
