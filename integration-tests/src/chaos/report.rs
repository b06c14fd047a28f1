//! What a drill showed, as a table for people and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::fault::{COMPONENTS, Strike};
use super::recovery::{self, Row};

/// What a drill showed.
#[derive(Debug, Default)]
pub struct Report {
    /// What was tried: `T1, seed 4, 300 s`.
    pub title: String,
    /// A row for each kind of fault.
    pub rows: BTreeMap<String, Row>,
    /// Kills by kind of component.
    pub kills: BTreeMap<String, usize>,
    /// Counts worth telling, in order.
    pub counts: Vec<(String, usize)>,
    /// Promises that were broken.
    pub violations: Vec<String>,
    /// What else was seen: figures of a scenario.
    pub notes: Vec<String>,
}

impl Report {
    /// An empty one.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Counts the kills.
    pub fn count_kills(&mut self, strikes: &[Strike]) {
        for component in COMPONENTS {
            let kills = strikes.iter().filter(|strike| strike.fault.kills() == Some(component)).count();
            self.kills.insert(component.to_owned(), kills);
        }
    }

    /// A promise was broken unless `holds`.
    pub fn expect(&mut self, holds: bool, violation: impl Into<String>) {
        if !holds {
            self.violations.push(violation.into());
        }
    }

    /// Remembers a figure.
    pub fn count(&mut self, name: &str, count: usize) {
        self.counts.push((name.to_owned(), count));
    }

    /// For people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("\n{}\n", self.title);
        if !self.rows.is_empty() {
            text += "\nfault                                         injected   runs   lost  doubled  recovery ms: p50      max\n";
        }
        for (name, row) in &self.rows {
            let (p50, max) = row
                .p50_and_max()
                .map_or_else(|| ("–".to_owned(), "–".to_owned()), |(p50, max)| (p50.to_string(), max.to_string()));
            let Row { injected, runs, lost, doubled, .. } = row;
            let _ = writeln!(text, "{name:<46}{injected:>8}{runs:>7}{lost:>7}{doubled:>9}{p50:>18}{max:>9}");
        }
        if !self.kills.is_empty() {
            let kills: Vec<String> = self.kills.iter().map(|(name, count)| format!("{name} {count}")).collect();
            let _ = writeln!(text, "\nkills: {} ({})", self.kills.values().sum::<usize>(), kills.join(", "));
        }
        for (name, count) in &self.counts {
            let _ = writeln!(text, "{name}: {count}");
        }
        for note in recovery::slow(&self.rows).iter().chain(&self.notes) {
            let _ = writeln!(text, "{note}");
        }
        match self.violations.len() {
            0 => text += "no promise was broken\n",
            count => {
                let _ = writeln!(text, "{count} promises were broken:");
                for violation in self.violations.iter().take(40) {
                    let _ = writeln!(text, "  {violation}");
                }
            }
        }
        text
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|(name, row)| {
            let (p50, max) = row.p50_and_max().unzip();
            let Row { injected, runs, lost, doubled, .. } = row;
            let row = json!({"injected": injected, "runs": runs, "lost": lost, "doubled": doubled,
                "recovery_ms": {"p50": p50, "max": max}});
            (name.clone(), row)
        });
        json!({
            "title": self.title,
            "faults": rows.collect::<serde_json::Map<_, _>>(),
            "kills": self.kills,
            "counts": self.counts.iter().cloned().collect::<BTreeMap<_, _>>(),
            "slow": recovery::slow(&self.rows),
            "notes": self.notes,
            "violations": self.violations,
        })
    }
}
