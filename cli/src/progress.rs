//! A run as it goes on, on standard error: a line per node, a bar per fan-out. Bars on a
//! terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use baton_proto::v1::{Event, Live};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::output::duration;
use crate::paint::{Paint, plain};

const TICK: Duration = Duration::from_millis(100);

/// Shows events.
pub(crate) struct Progress {
    paint: Paint,
    bars: Option<MultiProgress>,
    groups: BTreeMap<String, Group>,
    width: usize,
}

struct Group {
    node: String,
    tool: String,
    count: u64,
    opened_at: i64,
    ok: u64,
    failed: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let bars = stderr().is_terminal().then(MultiProgress::new);
        Self { paint: Paint::stderr(), bars, groups: BTreeMap::new(), width: 12 }
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, event: &Event) {
        match event.kind.as_str() {
            "opened" => self.opened(event),
            "recorded" => self.recorded(event),
            "closed" => self.closed(event),
            "asked" => self.say(self.paint.yellow("?"), event, "asks"),
            "answered" => self.say(self.paint.cyan("·"), event, &event.text),
            "waits" => self.waits(event),
            "lease_expired" => self.say(self.paint.yellow("!"), event, "its worker was lost"),
            "parked" => self.say(self.paint.red("!"), event, &format!("stuck: {}", event.text)),
            "cancelling" => self.say(self.paint.yellow("!"), event, "is being cancelled"),
            _ => {}
        }
    }

    /// Shows what a job says of itself, where there is a line for it.
    pub(crate) fn live(&self, live: &Live) {
        let group = live.job.rsplit('/').nth(1).unwrap_or_default();
        let body: Value = serde_json::from_str(&live.body_json).unwrap_or_default();
        if let (Some(Group { bar: Some(bar), .. }), Some(message)) = (self.groups.get(group), body["message"].as_str())
        {
            bar.set_message(plain(message));
        }
    }

    /// One line above the bars.
    pub(crate) fn line(&self, text: &str) {
        match &self.bars {
            // A line that cannot be shown is no reason to stop.
            Some(bars) => drop(bars.println(text)),
            None => eprintln!("{text}"),
        }
    }

    /// Takes the bars away while `ask` has the terminal.
    pub(crate) fn suspend<T>(&self, ask: impl FnOnce() -> T) -> T {
        match &self.bars {
            Some(bars) => bars.suspend(ask),
            None => ask(),
        }
    }

    /// Takes the bars away for good.
    pub(crate) fn finish(&mut self) {
        for group in self.groups.values_mut() {
            if let Some(bar) = group.bar.take() {
                bar.finish_and_clear();
            }
        }
    }

    fn opened(&mut self, event: &Event) {
        let node = event.group.rsplit_once('#').map_or(event.group.as_str(), |(node, _)| node).to_owned();
        self.width = self.width.max(node.chars().count());
        let mut group = Group {
            tool: event.text.clone(),
            count: event.number,
            opened_at: event.at_ms,
            ok: 0,
            failed: 0,
            bar: None,
            node,
        };
        if !group.tool.is_empty() {
            self.begin(&mut group);
        }
        self.groups.insert(event.group.clone(), group);
    }

    /// Shows that a group is at work.
    fn begin(&self, group: &mut Group) {
        match &self.bars {
            Some(bars) => group.bar = Some(self.bar(bars, group)),
            None => eprintln!("  {:width$}  {}", group.node, work(group), width = self.width),
        }
    }

    /// A task that waits: for a time, for a signal, or for a run of its own.
    fn waits(&mut self, event: &Event) {
        match event.text.split_once(' ') {
            Some(("signal", name)) => {
                self.say(self.paint.cyan("·"), event, &format!("waits for the signal {name}"));
            }
            None if event.text == "time" => self.say(self.paint.cyan("·"), event, "waits for its time"),
            None if event.text != "job" => {
                let Some(mut group) = self.groups.remove(&event.group) else { return };
                if group.tool.is_empty() {
                    group.tool = "graph".to_owned();
                    self.begin(&mut group);
                }
                self.groups.insert(event.group.clone(), group);
            }
            _ => {}
        }
    }

    fn recorded(&mut self, event: &Event) {
        if let Some(group) = self.groups.get_mut(&event.group) {
            match event.text.as_str() {
                "ok" => group.ok += 1,
                // What a group cancels at once is one event.
                "cancelled" if event.index.is_none() => group.failed += event.number,
                "failed" | "cancelled" => group.failed += 1,
                _ => {}
            }
            if let Some(bar) = &group.bar {
                bar.set_position(group.ok + group.failed);
            }
        }
        if event.text == "retry" {
            self.say(self.paint.yellow("↻"), event, "tries again");
        }
    }

    fn closed(&mut self, event: &Event) {
        let Some(group) = self.groups.remove(&event.group) else { return };
        if let (Some(bars), Some(bar)) = (&self.bars, &group.bar) {
            bar.disable_steady_tick();
            bars.remove(bar);
        }
        if group.tool.is_empty() {
            return;
        }
        let took = duration(u64::try_from(event.at_ms - group.opened_at).unwrap_or(0));
        let missing = group.count.saturating_sub(event.number);
        let (mark, done) = match (missing, group.count) {
            (0, 1) => (self.paint.green("✓"), String::new()),
            (0, count) => (self.paint.green("✓"), format!("{count} done  ")),
            (1, 1) => (self.paint.red("✗"), "failed  ".to_owned()),
            (missing, count) => (self.paint.yellow("✓"), format!("{} of {count} done  ", count - missing)),
        };
        let about = self.paint.dim(format!("{}  {took}", group.tool));
        self.line(&format!("{mark} {:width$}  {done}{about}", group.node, width = self.width));
    }

    fn say(&self, mark: String, event: &Event, what: &str) {
        let node = event.group.rsplit_once('#').map_or(event.group.as_str(), |(node, _)| node);
        let many = self.groups.get(&event.group).is_some_and(|group| group.count > 1);
        let node = match event.index {
            Some(index) if many => format!("{node}[{index}]"),
            _ => node.to_owned(),
        };
        self.line(&format!("{mark} {node:width$}  {}", plain(what), width = self.width));
    }

    fn bar(&self, bars: &MultiProgress, group: &Group) -> ProgressBar {
        // Added before it is drawn for the first time: else it would leave a line of its own.
        let bar = bars.add(ProgressBar::new(group.count));
        bar.set_prefix(format!("{:width$}", group.node, width = self.width));
        let template = if group.count > 1 {
            "{spinner:.cyan} {prefix}  {bar:28.cyan/black.bright} {pos}/{len}  {msg:.dim}"
        } else {
            "{spinner:.cyan} {prefix}  {msg:.dim}  {elapsed:.dim}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸━").tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
        }
        bar.set_message(group.tool.clone());
        bar.enable_steady_tick(TICK);
        bar
    }
}

fn work(group: &Group) -> String {
    if group.count == 1 { group.tool.clone() } else { format!("{} × {}", group.count, group.tool) }
}
