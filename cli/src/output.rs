//! What commands print: one JSON value on standard output, or text for people. Progress
//! goes to standard error and lives in `progress`.

use std::io::Write;

use serde_json::Value;

use crate::exit::{Exit, Failed};
use crate::paint::{Paint, plain};
use crate::problems;

/// How a command speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Prints the value for programs, or calls for the text for people.
    pub(crate) fn result(self, value: &Value, text: impl FnOnce(Paint) -> String) {
        if self.json { line(&pretty(value)) } else { line(text(Paint::stdout()).trim_end_matches('\n')) }
    }

    /// Tells an error and how the command ends with it.
    pub(crate) fn failed(self, failed: &Failed, sources: &[problems::Source]) -> Exit {
        if self.json {
            line(&pretty(&failed.json()));
        } else if failed.problems.is_empty() {
            let paint = Paint::stderr();
            eprintln!("{} {}", paint.red(paint.bold("error:")), plain(&failed.cause));
            if !failed.cure.is_empty() {
                eprintln!("{}  {}", paint.cyan("help:"), plain(&failed.cure));
            }
            if failed.code != "failed" {
                eprintln!("{}", paint.dim(format!("code:  {}", failed.code)));
            }
        } else {
            let what = if failed.code == "invalid_test" { "test file" } else { "graph" };
            eprint!("{}", problems::draw(what, &failed.problems, sources, Paint::stderr()));
        }
        failed.exit
    }
}

impl Output {
    /// Tells people what is odd about a graph.
    pub(crate) fn notes(self, notes: &[baton_proto::v1::Problem], sources: &[problems::Source]) {
        if !self.json {
            eprint!("{}", problems::draw_notes(notes, sources, Paint::stderr()));
        }
    }
}

/// A table with as much room as its columns need.
pub(crate) fn table(paint: Paint, heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| seen(&row[column])).max().unwrap_or(0);
        cells.max(heads[column].chars().count())
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let mut text = String::new();
    let mut put = |cells: Vec<String>| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - seen(cell).min(*width))));
        text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    };
    put(heads.iter().map(|head| paint.dim(head)).collect());
    rows.iter().for_each(|row| put(row.clone()));
    text
}

/// Characters that take room: colours take none.
fn seen(text: &str) -> usize {
    let mut count = 0;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.by_ref().find(|letter| *letter == 'm');
        } else {
            count += 1;
        }
    }
    count
}

/// How long ago, or how long, in the two largest units.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
        3_600_000..86_400_000 => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
        _ => format!("{} d {} h", ms / 86_400_000, ms % 86_400_000 / 3_600_000),
    }
}

/// A moment as it lies behind us.
pub(crate) fn ago(at_ms: i64) -> String {
    format!("{} ago", duration(u64::try_from(now_ms().saturating_sub(at_ms)).unwrap_or(0)))
}

/// How long it is until then.
pub(crate) fn until(at_ms: i64) -> String {
    match u64::try_from(at_ms.saturating_sub(now_ms())) {
        Ok(left) if left > 0 => format!("in {}", duration(left)),
        _ => "over".to_owned(),
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// Bytes in a unit that people read.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_024 => format!("{count} B"),
        1_024..1_048_576 => format!("{}.{} KiB", count >> 10, ((count & 0x3ff) * 10) >> 10),
        _ => format!("{}.{} MiB", count >> 20, (((count >> 10) & 0x3ff) * 10) >> 10),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// A reader that went away is no error of ours.
fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_whatever_their_colours() {
        let rows =
            [vec!["\u{1b}[32mok\u{1b}[0m".to_owned(), "a".to_owned()], vec!["failed".to_owned(), "b".to_owned()]];
        let text = table(Paint::stdout(), &["s", "name"], &rows);
        assert_eq!(text, "s       name\n\u{1b}[32mok\u{1b}[0m      a\nfailed  b\n");
    }

    #[test]
    fn times_and_sizes_read_well() {
        assert_eq!(
            [duration(7), duration(1_250), duration(61_000), duration(7_260_000)],
            ["7 ms", "1.2 s", "1 min 1 s", "2 h 1 min"]
        );
        assert_eq!([bytes(5), bytes(1_536), bytes(3 << 20)], ["5 B", "1.5 KiB", "3.0 MiB"]);
    }
}
