//! Whatever is read in place of a message, a row or a settings file, it is read or refused:
//! never a panic, and what was read is written and read again as the same. Texts begin as the
//! golden ones beside this file. `BATON_FUZZ_CASES=200000` makes a long search of it.

use baton_common::commit::{Input, Question, RunEnd};
use baton_common::job::{Envelope, Grant, Outcome};
use baton_common::records::{Checkpoint, Event, GroupInfo, Interrupt, RunInfo, RunState, Task, Thread};
use baton_common::sources::Sources;
use baton_common::{Actor, BlobRef, JobId, NodePath, RequestId, RunId, TenantId, ThreadId};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn cases() -> u32 {
    std::env::var("BATON_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000)
}

/// Whether it was read; then it is written and read again.
fn read<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> bool {
    let Ok(form) = serde_json::from_slice::<T>(bytes) else { return false };
    let written = serde_json::to_vec(&form).unwrap();
    let again: T = serde_json::from_slice(&written)
        .unwrap_or_else(|error| panic!("{error}: {form}", form = String::from_utf8_lossy(&written)));
    assert_eq!(serde_json::to_vec(&again).unwrap(), written);
    true
}

/// A form's name, its reader, and what it looks like.
type Form = (&'static str, fn(&[u8]) -> bool, &'static str);

/// Every form that comes from outside or from a store.
const FORMS: [Form; 15] = [
    ("envelope", read::<Envelope>, include_str!("v1-envelope.jsonl")),
    ("grant", read::<Grant>, include_str!("v1-grant.jsonl")),
    ("outcome", read::<Outcome>, include_str!("v1-outcome.jsonl")),
    ("input", read::<Input>, include_str!("v1-input.jsonl")),
    ("question", read::<Question>, include_str!("v1-question.jsonl")),
    ("end", read::<RunEnd>, include_str!("v1-end.jsonl")),
    ("thread", read::<Thread>, include_str!("v1-thread.jsonl")),
    ("run info", read::<RunInfo>, include_str!("v1-run-info.jsonl")),
    ("run state", read::<RunState>, include_str!("v1-run-state.jsonl")),
    ("group info", read::<GroupInfo>, include_str!("v1-group-info.jsonl")),
    ("task", read::<Task>, include_str!("v1-task.jsonl")),
    ("interrupt", read::<Interrupt>, include_str!("v1-interrupt.jsonl")),
    ("checkpoint", read::<Checkpoint>, include_str!("v1-checkpoint.jsonl")),
    ("event", read::<Event>, include_str!("v1-event.jsonl")),
    (
        "blob reference",
        read::<BlobRef>,
        r#"{"key":"values/ab/x","bytes":1,"digest":"00000000000000000000000000000000","media_type":"text/plain"}"#,
    ),
];

/// A change at a place, as a share of the length.
#[derive(Debug, Clone)]
enum Change {
    Flip(f64, u8),
    Cut(f64, usize),
    Put(f64, &'static [u8]),
    Repeat(f64, usize, usize),
}

const WORDS: [&[u8]; 16] = [
    b"null",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"\"\"",
    b"{}",
    b"[]",
    b"[[[[[[[[",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"true",
    b",",
    b"}",
    b"\"v\":1,",
    b"9007199254740993",
];

fn change() -> impl Strategy<Value = Change> {
    let place = 0.0..1.0;
    prop_oneof![
        (place.clone(), any::<u8>()).prop_map(|(place, bits)| Change::Flip(place, bits)),
        (place.clone(), 1..40_usize).prop_map(|(place, count)| Change::Cut(place, count)),
        (place.clone(), prop::sample::select(WORDS.to_vec())).prop_map(|(place, word)| Change::Put(place, word)),
        (place, 1..20_usize, 1..200_usize).prop_map(|(place, count, times)| Change::Repeat(place, count, times)),
    ]
}

fn changed(text: &str, changes: &[Change]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for change in changes {
        let at = |place: f64, bytes: &[u8]| ((bytes.len() as f64) * place) as usize;
        match *change {
            Change::Flip(place, bits) => {
                let at = at(place, &bytes);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Change::Cut(place, count) => {
                let start = at(place, &bytes);
                let end = (start + count).min(bytes.len());
                bytes.drain(start..end);
            }
            Change::Put(place, word) => {
                let at = at(place, &bytes);
                bytes.splice(at..at, word.iter().copied());
            }
            Change::Repeat(place, count, times) => {
                let start = at(place, &bytes);
                let piece = bytes[start..(start + count).min(bytes.len())].repeat(times);
                bytes.splice(start..start, piece);
            }
        }
    }
    bytes
}

fn lines(text: &'static str) -> Vec<&'static str> {
    text.lines().filter(|line| !line.is_empty()).collect()
}

#[test]
fn every_golden_text_is_read() {
    for (name, read, text) in FORMS {
        assert!(lines(text).iter().all(|line| read(line.as_bytes())), "{name}");
    }
}

#[test]
fn a_deep_text_is_refused_and_takes_no_stack() {
    for (name, read, _) in FORMS {
        for piece in ["[", "{\"a\":", "{\"inline\":["] {
            assert!(!read(piece.repeat(200_000).as_bytes()), "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_form_is_it_is_read_or_refused(
        form in 0..FORMS.len(),
        line in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        let (_, read, text) = FORMS[form];
        let lines = lines(text);
        read(&changed(lines[line.index(lines.len())], &changes));
    }

    #[test]
    fn whatever_a_name_is_it_is_read_or_refused(text in "\\PC{0,60}|[0-9a-f#/:.@-]{0,60}") {
        let _ = (text.parse::<RunId>(), text.parse::<JobId>());
        let _ = (TenantId::parse(&text), ThreadId::parse(&text), RequestId::parse(&text));
        let _ = (Actor::parse(&text), NodePath::parse(&text));
        if let Ok(job) = text.parse::<JobId>() {
            prop_assert_eq!(job.to_string().parse::<JobId>().ok(), Some(job));
        }
    }

    #[test]
    fn whatever_a_settings_file_is_it_is_read_or_refused(
        text in "\\PC{0,200}|(\\[(secrets|routes|timing|egress)\\]\n)?([a-z_]{1,10} = (\"[a-z:]{0,9}\"|[0-9]{1,25}|\\[[0-9,]{0,9}\\])\n){0,6}",
    ) {
        if let Ok(sources) = Sources::read(Some(("baton.toml", &text)), []) {
            let _ = (sources.timings(), sources.switch("BATON_SWEEP"), sources.paths("BATON_FILE_ROOTS"));
            let _ = sources.parse::<u64>("BATON_GRACE_MS");
        }
    }
}
