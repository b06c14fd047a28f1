//! What happened when, as lines while it happens and as a picture at the end.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use baton_integration_tests::grpc::Happened;

use crate::claims;

/// Columns of the picture.
const WIDTH: i64 = 50;

/// What this program did, beside what the run tells of itself.
pub(crate) struct Timeline {
    started: Instant,
    /// A letter and its moment, in milliseconds since 1970.
    marks: Vec<(char, i64)>,
}

impl Timeline {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), marks: Vec::new() }
    }

    /// Tells something.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        println!("{:>7} ms  {}", self.started.elapsed().as_millis(), text.as_ref());
    }

    /// Tells something that the picture shows as a letter.
    pub(crate) fn mark(&mut self, letter: char, text: impl AsRef<str>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.marks.push((letter, i64::try_from(now.as_millis()).unwrap_or(i64::MAX)));
        self.note(text);
    }

    /// What each node took, as a bar on one scale, under the moments of what was done to it.
    pub(crate) fn print_nodes(&self, events: &[Happened]) {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return };
        let span = (last.at_ms - first.at_ms).max(1);
        let column = |at_ms: i64| usize::try_from((at_ms - first.at_ms) * WIDTH / span).unwrap_or(0);
        let mut above: Vec<char> = Vec::new();
        for (letter, at_ms) in &self.marks {
            // Two in one column stand beside one another.
            let place = column(*at_ms).max(above.len());
            above.resize(place, ' ');
            above.push(*letter);
        }
        println!("{:<12} {}", "", above.into_iter().collect::<String>());
        let mut shown: Vec<&str> = Vec::new();
        for group in events.iter().map(|event| event.group.as_str()).filter(|group| !group.is_empty()) {
            if shown.contains(&group) {
                continue;
            }
            shown.push(group);
            let of = |kind: &'static str| events.iter().filter(move |event| event.group == group && event.kind == kind);
            let begin = of("opened").map(|event| event.at_ms).next().unwrap_or(first.at_ms);
            let end = of("closed").map(|event| event.at_ms).next().unwrap_or(last.at_ms);
            let bar = format!("{}{}", " ".repeat(column(begin)), "█".repeat((column(end) - column(begin)).max(1)));
            let lost = of("lease_expired").count();
            let lost = if lost > 0 { format!(", {lost} lost and claimed again") } else { String::new() };
            println!("{group:<12} {bar:<52} {:>6} ms, {} claims{lost}", end - begin, of("claimed").count());
        }
        println!("{:<12} o, w: an orchestrator, a worker killed; r, b: Redis, RabbitMQ killed and restarted\n", "");
    }
}

/// What was interrupted and who took it up again; how many were.
pub(crate) fn print_interrupted(
    events: &[Happened],
    interrupted: &[Happened],
    workers: &BTreeMap<String, String>,
) -> usize {
    let name = |claim: &Happened| workers.get(&claim.text).cloned().unwrap_or_else(|| claim.text.clone());
    let mut again = 0;
    println!("interrupted      held by              fence  claimed again by     fence  after");
    for lost in interrupted {
        let next = events.iter().find(|event| {
            event.kind == "claimed" && event.seq > lost.seq && (&event.group, event.index) == (&lost.group, lost.index)
        });
        let (by, fence, after) = match next {
            Some(next) => {
                again += 1;
                (name(next), next.number.to_string(), format!("{} ms", next.at_ms - lost.at_ms))
            }
            None => ("nobody".to_owned(), String::new(), String::new()),
        };
        println!("{:<16} {:<20} {:>5}  {by:<20} {fence:>5}  {after}", claims::name(lost), name(lost), lost.number);
    }
    println!();
    again
}
