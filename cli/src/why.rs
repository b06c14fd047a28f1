//! Why a run does not end just now, for people: what waits, since when and until when, and what
//! may be done about it. The answer itself is the server's.

use baton_proto::v1;
use serde_json::{Value, json};

use crate::output::{ago, duration, now_ms};
use crate::paint::{Paint, plain};

/// Kinds that somebody should look at.
const URGENT: [&str; 6] = ["parked", "later_program", "unroutable", "no_worker", "broker", "outcome_unknown"];
/// Kinds that wait for a person.
const ASKING: [&str; 3] = ["question", "backoff", "quota"];

/// One reason for programs.
pub(crate) fn json(wait: &v1::Wait) -> Value {
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    json!({
        "code": wait.code, "node": wait.node, "text": wait.text, "item": wait.item, "count": wait.count,
        "since_ms": wait.since_ms, "until_ms": wait.until_ms, "cure": wait.cure, "run": some(&wait.run_id),
        "worker": wait.worker,
    })
}

/// All of them, a line each, with what may be done below it.
pub(crate) fn text(waits: &[v1::Wait], paint: Paint) -> String {
    let widths = |of: fn(&v1::Wait) -> usize| waits.iter().map(of).max().unwrap_or(0);
    let code_width = widths(|wait| wait.code.len());
    let place_width = widths(|wait| place(wait).chars().count());
    let mut text = format!("\n{}\n", paint.dim("WAITS"));
    for wait in waits {
        let code = coloured(&wait.code, format!("{:code_width$}", wait.code), paint);
        let times = times(wait, now_ms());
        let times = if times.is_empty() { times } else { format!("  {}", paint.dim(times)) };
        let line = format!("{code}  {:place_width$}  {}{times}", place(wait), plain(&wait.text));
        text += line.trim_end();
        text.push('\n');
        if !wait.cure.is_empty() {
            let indent = " ".repeat(code_width + 2 + place_width + 2);
            text += &format!("{indent}{} {}\n", paint.cyan("→"), plain(&wait.cure));
        }
    }
    text
}

/// The first of them in one line, and how many more there are.
pub(crate) fn line(waits: &[v1::Wait], paint: Paint) -> String {
    let Some(first) = waits.first() else { return String::new() };
    let place = place(first);
    let place = if place.is_empty() { place } else { format!("{place}: ") };
    let code = coloured(&first.code, first.code.clone(), paint);
    let mut text = format!("{code}  {place}{}", plain(&first.text));
    let times = times(first, now_ms());
    if !times.is_empty() {
        text += &format!(", {times}");
    }
    if waits.len() > 1 {
        text += &paint.dim(format!(" (and {} more)", waits.len() - 1));
    }
    text
}

fn coloured(code: &str, text: String, paint: Paint) -> String {
    if URGENT.contains(&code) {
        paint.red(text)
    } else if ASKING.contains(&code) {
        paint.yellow(text)
    } else {
        paint.cyan(text)
    }
}

fn place(wait: &v1::Wait) -> String {
    match wait.item {
        Some(item) => format!("{}[{item}]", wait.node),
        None => wait.node.clone(),
    }
}

/// `since 3 min 2 s ago, for 12.0 s more`.
fn times(wait: &v1::Wait, now_ms: i64) -> String {
    let since = wait.since_ms.map(|at| format!("since {}", ago(at)));
    let until = wait.until_ms.map(|at| match u64::try_from(at - now_ms) {
        Ok(left) => format!("in {}", duration(left)),
        Err(_) => format!("{} late", duration(at.abs_diff(now_ms))),
    });
    let until = until.map(|until| match wait.code.as_str() {
        "backoff" | "time" | "pause" | "quota" => format!("goes on {until}"),
        "claimed" => format!("lease ends {until}"),
        "question" | "signal" => format!("expires {until}"),
        _ => format!("ends {until}"),
    });
    since.into_iter().chain(until).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(code: &str, node: &str, text: &str) -> v1::Wait {
        v1::Wait { code: code.into(), node: node.into(), text: text.into(), ..v1::Wait::default() }
    }

    #[test]
    fn a_listing_tells_the_first_and_counts_the_rest() {
        let waits = [wait("no_worker", "a", "nobody"), wait("claimed", "b", "a worker")];
        assert_eq!(line(&waits, Paint::none()), "no_worker  a: nobody (and 1 more)");
        assert_eq!(line(&[], Paint::none()), "");
    }

    #[test]
    fn what_may_be_done_stands_below() {
        let waits = [v1::Wait { cure: "do it".into(), item: Some(3), ..wait("parked", "a", "stuck") }];
        assert_eq!(text(&waits, Paint::none()), "\nWAITS\nparked  a[3]  stuck\n              → do it\n");
    }

    #[test]
    fn a_time_that_is_over_is_late() {
        let late = v1::Wait { until_ms: Some(1_000), ..wait("claimed", "a", "x") };
        assert_eq!(times(&late, 3_500), "lease ends 2.5 s late");
        let next = v1::Wait { until_ms: Some(6_000), ..wait("backoff", "a", "x") };
        assert_eq!(times(&next, 3_500), "goes on in 2.5 s");
    }
}
