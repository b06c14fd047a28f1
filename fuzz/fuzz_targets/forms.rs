//! Whatever stands in place of a message, a row or a name, it is read or refused, and what
//! was read is written and read again as the same.
#![no_main]

use baton_common::commit::{Input, Question, RunEnd};
use baton_common::job::{Envelope, Grant, Outcome};
use baton_common::records::{Checkpoint, Event, GroupInfo, Interrupt, RunInfo, RunState, Task, Thread};
use baton_common::{BlobRef, JobId, NodePath, RunId};
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn read<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    if let Ok(form) = serde_json::from_slice::<T>(bytes) {
        let written = serde_json::to_vec(&form).expect("what was read is written");
        let again: T = serde_json::from_slice(&written).expect("what was written is read");
        assert_eq!(serde_json::to_vec(&again).expect("written"), written);
    }
}

fuzz_target!(|bytes: &[u8]| {
    // The first byte chooses, so that the search learns each form by itself.
    let Some((first, bytes)) = bytes.split_first() else { return };
    match first % 16 {
        0 => read::<Envelope>(bytes),
        1 => read::<Grant>(bytes),
        2 => read::<Outcome>(bytes),
        3 => read::<Input>(bytes),
        4 => read::<Question>(bytes),
        5 => read::<RunEnd>(bytes),
        6 => read::<Thread>(bytes),
        7 => read::<RunInfo>(bytes),
        8 => read::<RunState>(bytes),
        9 => read::<GroupInfo>(bytes),
        10 => read::<Task>(bytes),
        11 => read::<Interrupt>(bytes),
        12 => read::<Checkpoint>(bytes),
        13 => read::<Event>(bytes),
        14 => read::<BlobRef>(bytes),
        _ => {
            let Ok(text) = std::str::from_utf8(bytes) else { return };
            let _ = (text.parse::<RunId>(), NodePath::parse(text));
            if let Ok(job) = text.parse::<JobId>() {
                assert_eq!(job.to_string().parse::<JobId>().ok(), Some(job));
            }
        }
    }
});
