//! The parent's side: starts the child, takes its answer within limits and makes sure that
//! it and all it started are gone, however it ends.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use baton_common::Failure;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::Settings;
use crate::child::{ARGUMENT, Answer, Reading, Task};
use crate::roots::Opened;

/// How many bytes of a dying child's last words are looked at.
const LAST_WORDS_MAX: u64 = 8 * 1024;

/// Why there is no reading.
#[derive(Debug)]
pub enum Stop {
    /// The document, or what its reader made of it.
    Failed(Failure),
    /// The caller did not want to wait any longer.
    Cancelled,
}

/// Reads one document in a child process. Ends early when `cancelled` does.
///
/// # Errors
/// When the document cannot be read; its process is gone in every case.
pub async fn read(
    settings: &Settings,
    name: &str,
    document: Opened,
    drills: bool,
    cancelled: impl Future<Output = ()>,
) -> Result<Reading, Stop> {
    let bytes = document.bytes;
    if bytes > settings.bytes_max {
        let message = format!("{name} has {bytes} bytes, more than the {} that are read", settings.bytes_max);
        return Err(Stop::Failed(Failure::invalid("document_too_large", message)));
    }
    let task = Task {
        name: name.to_owned(),
        bytes,
        memory_bytes_max: settings.memory_for(bytes),
        cpu_seconds_max: settings.cpu_seconds_max,
        drills,
    };
    let child = start(settings, &task, document.file).map_err(|e| {
        Stop::Failed(Failure::transient("document_reader_missing", format!("cannot start the document reader: {e}")))
    })?;
    let mut child = Leash::new(child);
    let time = Duration::from_millis(settings.time_ms_max);
    let ended = tokio::select! {
        heard = hear(&mut child.child, settings.text_bytes_max) => Ended::Spoke(heard),
        () = tokio::time::sleep(time) => Ended::TooLate,
        () = cancelled => Ended::Cancelled,
    };
    let status = child.end().await;
    match ended {
        Ended::Spoke(heard) => judge(settings, &task, &heard, status).map_err(Stop::Failed),
        Ended::TooLate => Err(Stop::Failed(timeout(name, settings.time_ms_max))),
        Ended::Cancelled => Err(Stop::Cancelled),
    }
}

/// What ended the wait for a child.
enum Ended {
    Spoke(Heard),
    TooLate,
    Cancelled,
}

fn start(settings: &Settings, task: &Task, document: File) -> std::io::Result<Child> {
    Command::new(settings.program()?)
        .args(&settings.args)
        .arg(ARGUMENT)
        .arg(serde_json::to_string(task)?)
        .env_clear()
        .env("RAYON_NUM_THREADS", "1")
        // An allocator that takes a GiB of addresses before it is asked for one leaves the limit no meaning.
        .env("MIMALLOC_ARENA_RESERVE", "0")
        .current_dir("/")
        .stdin(Stdio::from(document))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// A child whose whole process group is killed when this is dropped.
struct Leash {
    child: Child,
    group: Option<Pid>,
}

impl Leash {
    fn new(child: Child) -> Self {
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Self { child, group }
    }

    /// Kills what is left of the group, then waits for the child. The group is killed
    /// first: until it is waited for, its number cannot be another's. A process that ended
    /// by itself keeps its own status.
    async fn end(&mut self) -> Option<ExitStatus> {
        self.kill();
        self.child.wait().await.ok()
    }

    fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            // It may be gone already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What came out of the child.
struct Heard {
    answer: Vec<u8>,
    last_words: String,
}

async fn hear(child: &mut Child, bytes_max: u64) -> Heard {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (answer, last_words) = tokio::join!(up_to(out, bytes_max.saturating_add(1)), up_to(err, LAST_WORDS_MAX));
    Heard { answer, last_words: String::from_utf8_lossy(&last_words).into_owned() }
}

async fn up_to(pipe: Option<impl AsyncRead + Unpin>, bytes_max: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // A pipe that breaks ends what was heard; the judgement follows from that.
        let _ = pipe.take(bytes_max).read_to_end(&mut bytes).await;
    }
    bytes
}

fn judge(settings: &Settings, task: &Task, heard: &Heard, status: Option<ExitStatus>) -> Result<Reading, Failure> {
    let name = &task.name;
    if heard.answer.len() as u64 > settings.text_bytes_max {
        let message = format!("{name} holds more than {} bytes of text", settings.text_bytes_max);
        return Err(Failure::invalid("document_too_large", message));
    }
    match serde_json::from_slice(&heard.answer) {
        Ok(Answer::Read(reading)) => return Ok(reading),
        Ok(Answer::Failed { code, message }) => return Err(Failure::invalid(code, format!("{name}: {message}"))),
        Err(_) => {}
    }
    if heard.last_words.contains("memory allocation of") {
        let megabytes = task.memory_bytes_max / (1024 * 1024);
        let message = format!("reading {name} takes more than {megabytes} MiB of memory");
        return Err(Failure::invalid("document_too_large", message));
    }
    let signal = status.and_then(|status| status.signal());
    if signal == Some(Signal::XCPU.as_raw()) {
        return Err(timeout(name, settings.cpu_seconds_max.saturating_mul(1000)));
    }
    let how = match (signal, status.and_then(|status| status.code())) {
        _ if heard.last_words.contains("overflowed its stack") => "it is nested too deeply".to_owned(),
        (Some(signal), _) => format!("ended by signal {signal}"),
        (None, Some(code)) => format!("ended with code {code} and no answer"),
        (None, None) => "ended without an answer".to_owned(),
    };
    Err(Failure::invalid("document_crashed", format!("{name} crashed its reader: {how}")))
}

fn timeout(name: &str, ms: u64) -> Failure {
    Failure::invalid("document_timeout", format!("{name} could not be read within {ms} ms"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged(answer: Vec<u8>, last_words: &str) -> Result<Reading, Failure> {
        let settings = Settings { text_bytes_max: 10_000, ..Settings::default() };
        let task =
            Task { name: "a.pdf".to_owned(), bytes: 1, memory_bytes_max: 1 << 30, cpu_seconds_max: 1, drills: false };
        judge(&settings, &task, &Heard { answer, last_words: last_words.to_owned() }, None)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_the_child_says_is_a_reading_or_a_failure(
            junk in prop::collection::vec(any::<u8>(), 0..300),
            place in any::<prop::sample::Index>(),
            bits in any::<u8>(),
            last_words in "\\PC{0,80}",
        ) {
            prop_assert!(judged(junk, &last_words).is_err());
            let reading = Reading { media_type: "text/plain".to_owned(), pages: Vec::new(), damaged_pages: vec![3] };
            let mut damaged = serde_json::to_vec(&Answer::Read(reading.clone())).unwrap();
            prop_assert_eq!(judged(damaged.clone(), &last_words).ok(), Some(reading));
            let place = place.index(damaged.len());
            damaged[place] ^= bits;
            let _ = judged(damaged, &last_words);
        }
    }

    #[test]
    fn an_answer_that_is_too_long_or_too_deep_is_none() {
        assert_eq!(judged(vec![b' '; 10_001], "").unwrap_err().code, "document_too_large");
        assert_eq!(judged(vec![b'['; 9_000], "").unwrap_err().code, "document_crashed");
    }
}
