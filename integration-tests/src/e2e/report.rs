//! What the test showed: a table of parts, what each told, and what was broken.

use std::fmt::Write as _;
use std::future::Future;
use std::time::{Duration, Instant};

/// One part of the test.
#[derive(Debug)]
struct Part {
    name: &'static str,
    took: Duration,
    told: Vec<String>,
    broken: usize,
}

/// All parts.
#[derive(Debug, Default)]
pub struct Report {
    parts: Vec<Part>,
    violations: Vec<String>,
}

/// What a part tells.
#[derive(Debug, Default)]
pub struct Told {
    /// A line of the table.
    pub lines: Vec<String>,
    /// Promises that were broken.
    pub violations: Vec<String>,
}

impl Told {
    /// One line.
    #[must_use]
    pub fn line(line: impl Into<String>) -> Self {
        Self { lines: vec![line.into()], violations: Vec::new() }
    }

    /// One more line.
    pub fn say(&mut self, line: impl Into<String>) {
        let line = line.into();
        println!("  {line}");
        self.lines.push(line);
    }

    /// Something is broken unless `holds`.
    pub fn expect(&mut self, holds: bool, violation: impl Into<String>) {
        if !holds {
            self.violations.push(violation.into());
        }
    }
}

impl Report {
    /// Does one part, and remembers what it told; whether it came to its end.
    pub async fn part(&mut self, name: &'static str, work: impl Future<Output = anyhow::Result<Told>>) -> bool {
        println!("\n== {name}");
        let began = Instant::now();
        let outcome = work.await;
        let ended = outcome.is_ok();
        let told = outcome.unwrap_or_else(|error| Told {
            lines: vec!["did not come to its end".to_owned()],
            violations: vec![format!("{name}: {error:#}")],
        });
        for violation in &told.violations {
            println!("BROKEN: {violation}");
        }
        let broken = told.violations.len();
        self.parts.push(Part { name, took: began.elapsed(), told: told.lines, broken });
        self.violations.extend(told.violations);
        ended
    }

    /// Something broke outside of the parts.
    pub fn broke(&mut self, violation: String) {
        println!("BROKEN: {violation}");
        self.violations.push(violation);
    }

    /// Whether nothing was broken.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.violations.is_empty()
    }

    /// For people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::from("\npart          seconds\n");
        for part in &self.parts {
            let mark = if part.broken == 0 { "" } else { "  BROKEN" };
            let mut lines = part.told.iter();
            let first = lines.next().map(String::as_str).unwrap_or_default();
            let _ = writeln!(text, "{:<13} {:>7.1}{mark}  {first}", part.name, part.took.as_secs_f64());
            for line in lines {
                let _ = writeln!(text, "{:<23}{line}", "");
            }
        }
        let sum: Duration = self.parts.iter().map(|part| part.took).sum();
        let _ = writeln!(text, "{:<13} {:>7.1}", "all", sum.as_secs_f64());
        match self.violations.len() {
            0 => text += "no promise was broken\n",
            count => {
                let _ = writeln!(text, "{count} broken:");
                for violation in self.violations.iter().take(40) {
                    let _ = writeln!(text, "  {violation}");
                }
            }
        }
        let failed = self.parts.iter().filter(|part| part.broken > 0).count();
        let beside = usize::from(failed == 0 && !self.is_good());
        let _ = writeln!(text, "{} passed, {} failed", self.parts.len() - failed, failed + beside);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_fails_and_a_broken_promise_are_told() {
        let mut report = Report::default();
        assert!(report.part("first", async { Ok(Told::line("fine")) }).await);
        assert!(report.is_good());
        assert!(!report.part("second", async { anyhow::bail!("no daemon") }).await);
        let broken = async {
            let mut told = Told::line("odd");
            told.expect(false, "a run was lost");
            Ok(told)
        };
        assert!(report.part("third", broken).await);
        assert!(!report.is_good());
        let table = report.table();
        assert!(table.contains("second: no daemon") && table.contains("a run was lost"), "{table}");
        assert!(table.ends_with("1 passed, 2 failed\n"), "{table}");
    }
}
