//! Backups of a server that runs, and bringing one back, as an operator does both
//! (`docs/operations/backup.md`). What was lost by it is for tests to find out.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::{PATIENCE, Redis};
use crate::{port, wait_until};

/// The file of a snapshot, and the folder of the append-only log, in a server's folder and in a backup.
const SNAPSHOT: &str = "dump.rdb";
const LOG: &str = "appendonlydir";

impl Redis {
    /// Takes a snapshot into a folder while the server serves.
    ///
    /// # Errors
    /// When the server does not take it, or it cannot be copied.
    pub fn back_up_snapshot(&self, into: &Path) -> anyhow::Result<()> {
        let before = self.cli(&["lastsave"])?;
        self.cli(&["bgsave"])?;
        wait_until("a snapshot is taken", PATIENCE, || {
            let info = self.cli(&["info", "persistence"])?;
            let done = info.contains("rdb_bgsave_in_progress:0") && info.contains("rdb_saves:");
            anyhow::ensure!(info.contains("rdb_last_bgsave_status:ok"), "the snapshot was not taken: {info}");
            // Of one within the second of the start only its file tells.
            Ok(done && (self.cli(&["lastsave"])? != before || self.folder().join(SNAPSHOT).is_file()))
        })?;
        fs::create_dir_all(into)?;
        fs::copy(self.folder().join(SNAPSHOT), into.join(SNAPSHOT)).context("the snapshot cannot be copied")?;
        Ok(())
    }

    /// Copies the append-only log into a folder while the server serves and writes it. It is
    /// not written anew meanwhile, so that all its files belong together.
    ///
    /// # Errors
    /// When the server does not answer, or a file cannot be copied.
    pub fn back_up_log(&self, into: &Path) -> anyhow::Result<()> {
        let said = self.cli(&["config", "get", "auto-aof-rewrite-percentage"])?;
        let percentage = said.lines().last().context("no such setting")?.to_owned();
        self.cli(&["config", "set", "auto-aof-rewrite-percentage", "0"])?;
        wait_until("the log is not written anew", PATIENCE, || {
            let info = self.cli(&["info", "persistence"])?;
            Ok(info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0"))
        })?;
        let copied = copy(&self.folder().join(LOG), &into.join(LOG));
        self.cli(&["config", "set", "auto-aof-rewrite-percentage", &percentage])?;
        copied
    }

    /// Loses the server with everything it kept.
    ///
    /// # Errors
    /// When its files cannot be removed.
    pub fn lose(&mut self) -> anyhow::Result<()> {
        self.kill();
        for entry in fs::read_dir(self.folder())? {
            let path = entry?.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
        Ok(())
    }

    /// Brings a lost server back from a backup, on the same port. A server with an append-only
    /// log reads no snapshot: one without a log reads it first, where nobody comes, and writes
    /// a log.
    ///
    /// # Errors
    /// When the backup cannot be read.
    pub fn bring_back(&mut self, from: &Path) -> anyhow::Result<()> {
        self.kill();
        if from.join(LOG).is_dir() {
            copy(&from.join(LOG), &self.folder().join(LOG))?;
            return self.run();
        }
        fs::copy(from.join(SNAPSHOT), self.folder().join(SNAPSHOT)).context("no snapshot")?;
        let (port, args) = (self.port, self.options.args.clone());
        self.port = port::free()?;
        self.options.args.extend(["--appendonly".to_owned(), "no".to_owned()]);
        let written = self.run().and_then(|()| {
            self.cli(&["config", "set", "appendonly", "yes"])?;
            wait_until("the log is written", PATIENCE, || {
                let info = self.cli(&["info", "persistence"])?;
                let written = ["aof_enabled:1", "aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"];
                Ok(written.iter().all(|line| info.contains(line)) && info.contains("aof_last_bgrewrite_status:ok"))
            })
        });
        self.kill();
        (self.port, self.options.args) = (port, args);
        written.and_then(|()| self.run())
    }
}

/// Copies a folder with all files in it.
fn copy(from: &Path, into: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(into)?;
    for entry in fs::read_dir(from).with_context(|| format!("no folder {}", from.display()))? {
        let path = entry?.path();
        let name = path.file_name().context("a name")?;
        fs::copy(&path, into.join(name)).with_context(|| format!("{} cannot be copied", path.display()))?;
    }
    Ok(())
}
