//! A row of stages: each is run, timed and remembered, and a failed one does not stop the next.

use std::time::{Duration, Instant};

/// What became of each stage so far.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    done: Vec<Stage>,
}

#[derive(Debug)]
struct Stage {
    name: &'static str,
    took: Duration,
    passed: bool,
}

impl Stages {
    /// Runs one stage; says why when it fails.
    pub(crate) fn run(&mut self, name: &'static str, work: impl FnOnce() -> anyhow::Result<()>) {
        println!("\n== {name}");
        let begin = Instant::now();
        let outcome = work();
        if let Err(error) = &outcome {
            println!("{name} failed: {error:#}");
        }
        self.done.push(Stage { name, took: begin.elapsed(), passed: outcome.is_ok() });
    }

    /// How many stages failed.
    pub(crate) fn failed(&self) -> u64 {
        self.done.iter().map(|stage| u64::from(!stage.passed)).sum()
    }

    /// Seconds per stage, a line each, and their sum.
    pub(crate) fn table(&self) -> String {
        let mut table = String::from("\nstage        seconds\n");
        for stage in &self.done {
            let mark = if stage.passed { "" } else { "  failed" };
            table += &format!("{:<12} {:>7.1}{mark}\n", stage.name, stage.took.as_secs_f64());
        }
        let sum: Duration = self.done.iter().map(|stage| stage.took).sum();
        table + &format!("{:<12} {:>7.1}\n", "all", sum.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_stage_is_counted_and_the_next_one_runs() {
        let mut stages = Stages::default();
        let mut ran = false;
        stages.run("first", || Ok(()));
        stages.run("second", || Err(anyhow::anyhow!("no")));
        stages.run("third", || {
            ran = true;
            Ok(())
        });
        assert!(ran);
        assert_eq!(stages.failed(), 1);
        let table = stages.table();
        assert!(table.contains("second") && table.contains("failed"), "{table}");
        assert_eq!(table.matches("failed").count(), 1, "{table}");
    }
}
