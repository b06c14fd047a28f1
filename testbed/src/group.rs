//! Child processes with all their children, in a process group that ends with its handle.
//!
//! A drop ends the group, and a small guard process does when this process dies without
//! dropping anything: a `static` never drops, and nobody survives a `kill -9`.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};

/// Waits for the end of its input, which comes when the process that held it is gone.
const GUARD: &str = r#"cat >/dev/null; kill -s KILL -- "-$1"; [ -z "$2" ] || rm -rf -- "$2""#;

/// A running process group.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Child,
    guard: Child,
}

impl Group {
    /// Starts `command` as the leader of a new group. `folder` is removed should this
    /// process die before it ends the group.
    pub(crate) fn start(command: &mut Command, package: &str, folder: Option<&Path>) -> anyhow::Result<Self> {
        let leader = match command.stdin(Stdio::null()).process_group(0).spawn() {
            Ok(leader) => leader,
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
                "{} is missing: install it with `apt-get install {package}`",
                command.get_program().to_string_lossy()
            ),
            Err(error) => return Err(error).with_context(|| format!("cannot start {:?}", command.get_program())),
        };
        match guard(leader.id(), folder) {
            Ok(guard) => Ok(Self { leader, guard }),
            Err(error) => {
                end(&leader);
                Err(error).context("cannot start the guard of a server")
            }
        }
    }

    /// Process id of the leader.
    pub(crate) fn id(&self) -> u32 {
        self.leader.id()
    }

    /// How the leader ended, if it did.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.leader.try_wait()?)
    }

    /// Ends every process of the group at once, without giving it a say.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Sends a signal to every process of the group, such as stop and continue.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill_process_group(pid(&self.leader).context("no process id")?, signal)?)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // First the guard, so that it never ends a stranger that was given the same number.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        end(&self.leader);
        let _ = self.leader.wait();
    }
}

fn guard(group: u32, folder: Option<&Path>) -> io::Result<Child> {
    Command::new("sh")
        .args(["-c", GUARD, "guard", &group.to_string()])
        .arg(folder.unwrap_or(Path::new("")))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

fn end(leader: &Child) {
    if let Some(pid) = pid(leader) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}
