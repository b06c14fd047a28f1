//! What `fuzz/` throws bytes at: everything that reads what Redis holds.

use baton_common::{Partition, RunId};

use super::pack::Fields;
use super::{history, replies, rows, words};

/// Reads the bytes as each kind of row; the first byte chooses, so that the search learns
/// each by itself.
pub fn rows(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    match first % 10 {
        0 => drop(words::whole(bytes)),
        1 => drop(rows::state_row(bytes)),
        2 => drop(rows::group_row(bytes)),
        3 => drop(rows::terms(bytes)),
        4 => drop(rows::needs(bytes)),
        5 => drop(rows::signal(1, bytes)),
        6 => drop((history::set_back(bytes), history::origin(bytes))),
        7 => drop(super::schedules::row(bytes)),
        8 => {
            let Ok(mut fields) = Fields::of(bytes) else { return };
            drop(replies::pop_due(Partition(1), &mut fields));
        }
        _ => {
            let run = RunId { partition: Partition(1), uuid: uuid::Uuid::nil() };
            drop(rows::interrupt(run, "n#1/0", bytes, String::new()));
        }
    }
}
