//! The scripts: one per transition, each the shared parts it needs and its own body.
//!
//! They are loaded at the start and again when the server has forgotten them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use baton_common::records::SIGNALS_MAX;
use baton_common::settings::Timings;
use baton_common::transition::{CLOSED_BYTES_MAX, NARROW_TASKS_MAX, PRUNED_MAX};
use baton_common::{Partition, Timestamp};
use futures_util::future::join_all;
use redis::{Cmd, Pipeline, RedisError, cmd};

use super::RedisOptions;
use super::fault::{fault, forgotten};
use super::keys;
use super::link::Links;
use super::sabotage::guarded;
use crate::Error;
use crate::machine::bodies;

macro_rules! part {
    ($name:literal) => {
        include_str!(concat!("lua/", $name, ".lua"))
    };
}

macro_rules! scripts {
    ($($name:ident = $label:literal: $($part:literal)*;)*) => {
        /// The scripts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Script { $($name,)* }

        const ALL: &[(&str, &[&str])] = &[$(($label, &[part!("base"), $(part!($part),)* part!($label)]),)*];
    };
}

scripts! {
    Submit = "submit": "rows" "beside" "questions" "waits" "withdraw" "tail" "rest" "stopping" "audit" "retention";
    Stage = "stage": "rows" "staged";
    Advance = "advance": "rows" "order" "staged" "open";
    AdvanceMore = "advance": "rows" "order" "beside" "questions" "asking" "waits" "withdraw" "tail" "rest" "stopping"
        "begin" "release" "needs" "closing" "staged" "open" "threads" "ending" "parent";
    Mark = "mark": "rows";
    Claim = "claim": "rows";
    ClaimMore = "claim": "rows" "beside" "questions" "asking" "waits" "withdraw" "tail" "rest" "stopping" "begin"
        "release" "needs" "closing" "lost";
    Renew = "renew": "rows";
    Record = "record": "rows" "tail" "release" "closing" "requeue";
    RecordMore = "record": "rows" "beside" "questions" "asking" "waits" "withdraw" "tail" "rest" "stopping" "begin"
        "release" "needs" "closing" "requeue" "lost";
    Expire = "expire": "rows" "beside" "questions" "asking" "waits" "withdraw" "tail" "rest" "stopping" "begin"
        "release" "needs" "closing" "requeue" "lost";
    Answer = "answer": "rows" "beside" "questions" "asking" "waits" "withdraw" "tail" "rest" "stopping" "begin"
        "release" "needs" "closing" "requeue" "pause" "audit" "settle";
    Cancel = "cancel": "rows" "beside" "questions" "waits" "withdraw" "tail" "rest" "stopping" "audit";
    Force = "force": "rows" "beside" "questions" "waits" "withdraw" "tail" "rest" "stopping";
    Fire = "fire": "rows" "beside" "questions" "asking" "waits" "withdraw" "tail" "rest" "stopping" "begin" "release"
        "needs" "closing" "requeue" "pause" "settle";
    Signal = "signal": "rows" "signals" "audit";
    Deliver = "deliver": "rows" "beside" "questions" "asking" "waits" "withdraw" "tail" "rest" "stopping" "begin"
        "release" "needs" "closing" "signals";
    Heard = "heard": "rows";
    Edit = "edit": "rows" "audit";
    Retry = "retry": "rows" "beside" "questions" "asking" "waits" "withdraw" "tail" "rest" "stopping" "begin"
        "release" "needs" "closing" "staged" "threads" "ending" "audit" "retention";
    Repin = "repin": "rows" "audit";
    Reserve = "reserve": "keys";
    Settle = "settle_key": "keys";
    KeepSchedule = "keep_schedule": "audit";
    PopDue = "pop_due": "rows";
    Extend = "extend": "rows";
    Park = "park": "rows";
    Unpark = "unpark": "rows" "audit";
    Dead = "dead": "rows" "beside" "questions" "asking" "waits" "withdraw" "tail" "rest" "stopping" "begin" "release"
        "needs" "closing" "requeue" "audit";
    Republish = "republish": "rows";
    Recheck = "recheck": "rows";
    Gc = "gc": "rows" "staged" "retention";
    Prune = "prune": "rows" "retention";
    Setback = "setback": "rows" "audit";
    Lease = "lease":;
    Meter = "meter":;
}

/// The scripts as loaded into a server, and how often each was called.
pub(super) struct Scripts {
    loaded: Vec<Loaded>,
    /// Whether each call names a key that never exists. See [`Scripts::command`].
    guarded: bool,
}

struct Loaded {
    name: &'static str,
    text: String,
    sha: String,
    calls: AtomicU64,
}

impl Scripts {
    /// Loads all of them.
    pub(super) async fn load(links: &Links, options: &RedisOptions) -> Result<Self, Error> {
        let head = constants(&options.timings, options);
        let mut loaded = Vec::with_capacity(ALL.len());
        for (name, parts) in ALL {
            let text = inline(&guarded(head.clone() + &parts.concat(), options.guards));
            let sha = links.command(Partition(0), cmd("SCRIPT").arg("LOAD").arg(&text)).await?;
            loaded.push(Loaded { name, text, sha, calls: AtomicU64::new(0) });
        }
        Ok(Self { loaded, guarded: links.clustered() })
    }

    /// How often each transition's scripts were called.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for script in &self.loaded {
            *counts.entry(script.name).or_default() += script.calls.load(Ordering::Relaxed);
        }
        counts
    }

    /// Calls a script on a partition.
    pub(super) async fn call(
        &self,
        links: &Links,
        script: Script,
        partition: Partition,
        command: &[u8],
        at: Option<Timestamp>,
    ) -> Result<Vec<u8>, Error> {
        let call = self.command(script, partition, command, at);
        match links.try_command(partition, &call).await {
            Err(error) if forgotten(&error) => {
                self.load_again(links, partition, script).await?;
                links.command(partition, &call).await
            }
            reply => reply.map_err(|error| fault(&error)),
        }
    }

    /// Calls a script on keys outside partitions, which all begin with `tag`.
    pub(super) async fn call_beside(
        &self,
        links: &Links,
        script: Script,
        tag: &str,
        command: &[u8],
        at: Option<Timestamp>,
    ) -> Result<Vec<u8>, Error> {
        let (call, any) = (self.command_at(script, tag, command, at), Partition(0));
        match links.try_command(any, &call).await {
            Err(error) if forgotten(&error) => {
                self.load_again(links, any, script).await?;
                links.command(any, &call).await
            }
            reply => reply.map_err(|error| fault(&error)),
        }
    }

    /// Calls a script on several partitions in one go over one connection.
    pub(super) async fn call_each(
        &self,
        links: &Links,
        script: Script,
        calls: &[(Partition, Vec<u8>)],
    ) -> Result<Vec<Vec<u8>>, Error> {
        let Some((first, _)) = calls.first() else { return Ok(Vec::new()) };
        if links.clustered() {
            // Some of their nodes may have the script and others not.
            let calls = calls.iter().map(|(partition, command)| self.call(links, script, *partition, command, None));
            return join_all(calls).await.into_iter().collect();
        }
        let mut pipeline = Pipeline::with_capacity(calls.len());
        for (partition, command) in calls {
            pipeline.add_command(self.command(script, *partition, command, None));
        }
        // A script that is missing is missing for each of them: nothing was done.
        let reply: Result<_, RedisError> = links.try_pipeline(*first, &pipeline).await;
        match reply {
            Err(error) if forgotten(&error) => {
                self.load_again(links, *first, script).await?;
                links.pipeline(*first, &pipeline).await
            }
            reply => reply.map_err(|error| fault(&error)),
        }
    }

    /// In a cluster a second key goes along that never exists. While a slot moves from one node
    /// to another its keys are here and there, and a script would see a part of them: with a
    /// missing key among several, both nodes refuse the call whole until the slot has arrived.
    fn command(&self, script: Script, partition: Partition, command: &[u8], at: Option<Timestamp>) -> Cmd {
        self.command_at(script, &keys::tag(partition), command, at)
    }

    fn command_at(&self, script: Script, tag: &str, command: &[u8], at: Option<Timestamp>) -> Cmd {
        let script = &self.loaded[script as usize];
        script.calls.fetch_add(1, Ordering::Relaxed);
        let mut call = cmd("EVALSHA");
        call.arg(&script.sha).arg(1 + usize::from(self.guarded)).arg(tag);
        if self.guarded {
            call.arg(keys::nothing(tag));
        }
        call.arg(command);
        if let Some(at) = at {
            call.arg(at.0);
        }
        call
    }

    async fn load_again(&self, links: &Links, partition: Partition, script: Script) -> Result<(), Error> {
        let text = &self.loaded[script as usize].text;
        links.command::<String>(partition, cmd("SCRIPT").arg("LOAD").arg(text)).await.map(drop)
    }
}

/// Puts constants in the place of their names, `local NAME, OTHER = 1, 2` in a line of its own.
/// A local that functions refer to costs each of them a reference in each call of a script.
fn inline(text: &str) -> String {
    let mut values = BTreeMap::new();
    let mut inlined = String::with_capacity(text.len());
    for line in text.lines() {
        if let Some(constants) = constants_of(line) {
            values.extend(constants);
            continue;
        }
        let mut rest = line;
        while let Some(start) = rest.find(is_word) {
            let word = &rest[start..];
            let end = word.find(|letter| !is_word(letter)).unwrap_or(word.len());
            inlined.push_str(&rest[..start]);
            inlined.push_str(values.get(&word[..end]).copied().unwrap_or(&word[..end]));
            rest = &word[end..];
        }
        inlined.push_str(rest);
        inlined.push('\n');
    }
    inlined
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// The names and numbers of a line that declares constants.
fn constants_of(line: &str) -> Option<Vec<(&str, &str)>> {
    let (names, numbers) = line.strip_prefix("local ")?.split_once(" = ")?;
    let name = |word: &&str| word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    let (names, numbers): (Vec<_>, Vec<_>) = (names.split(", ").collect(), numbers.split(", ").collect());
    let constants = names.len() == numbers.len() && names.iter().all(name) && numbers.iter().all(number);
    constants.then(|| names.into_iter().zip(numbers).collect())
}

/// Settings as constants: a script's text is its configuration.
fn constants(timings: &Timings, options: &RedisOptions) -> String {
    let list = [
        ("READY_AFTER_MS", timings.ready_after_ms),
        ("PUBLISH_AFTER_MS", timings.publish_after_ms),
        ("CHECK_AFTER_MS", timings.check_after_ms),
        ("CANCEL_AFTER_MS", timings.cancel_after_ms),
        ("HIDE_MS", timings.hide_ms),
        ("RETENTION_MS", timings.retention_ms),
        ("THREAD_RETENTION_MS", timings.thread_retention_ms),
        ("INFRA_BACKOFF_MS", timings.infra_backoff_ms),
        ("INFRA_ATTEMPTS_MAX", u64::from(timings.infra_attempts_max)),
        ("EVENTS_MAX", u64::from(options.events_max)),
        ("AUDIT_RETENTION_MS", options.audit_retention_ms),
        ("NARROW_TASKS_MAX", u64::from(NARROW_TASKS_MAX)),
        ("KEYS_REMOVED_MAX", 32),
        ("PRUNED_MAX", PRUNED_MAX),
        ("SHARE_MAX", u64::from(timings.share_max.max(1))),
        ("SIGNALS_MAX", u64::from(SIGNALS_MAX)),
        ("CLOSED_BYTES_MAX", u64::try_from(CLOSED_BYTES_MAX).unwrap_or(u64::MAX)),
    ];
    let mut text = list.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "local {name} = {value}");
        text
    });
    let _ = writeln!(text, "local WORKER_LOST = [==[{}]==]", bodies::worker_lost());
    let _ = writeln!(text, "local DEPENDENCY_FAILED = [==[{}]==]", bodies::dependency_failed());
    text
}

#[cfg(test)]
mod tests {
    use super::inline;

    #[test]
    fn constants_stand_where_their_names_stood() {
        let text = "local ONE, TWO = 1, 2\nlocal list = { ONE, TWO_MORE }\nlocal R, B = {}, {}\nreturn TWO";
        assert_eq!(inline(text), "local list = { 1, TWO_MORE }\nlocal R, B = {}, {}\nreturn 2\n");
    }
}
