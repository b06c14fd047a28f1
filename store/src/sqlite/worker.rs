//! A thread that owns one connection. The writer's takes what waits, up to a bound, into
//! one transaction: one sync to the disk serves them all.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use baton_common::Timestamp;
use baton_common::settings::Timings;
use baton_common::transition::{Op, Reply};
use baton_telemetry::metrics;
use parking_lot::Mutex;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::rows::{SqlRows, fault};
use crate::Error;
use crate::machine::{self, Context, Guards};

/// Transitions that share one sync.
const BATCH_MAX: usize = 256;
/// Requests that may wait; more wait at their senders.
const QUEUE_MAX: usize = 4_096;

type Task = Box<dyn FnOnce(&Connection) + Send>;

enum Request {
    Apply { op: Box<Op>, now: Option<Timestamp>, reply: oneshot::Sender<Result<Reply, Error>> },
    Run(Task),
    Stop(oneshot::Sender<()>),
}

/// A connection and the thread that owns it.
pub(super) struct Thread {
    requests: SyncSender<Request>,
    joined: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Thread {
    pub(super) fn start(name: &str, connection: Connection, timings: Timings) -> Result<Self, Error> {
        let (requests, waiting) = sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || serve(connection, &timings, &waiting))
            .map_err(|error| Error::Unavailable(format!("no thread: {error}")))?;
        Ok(Self { requests, joined: Mutex::new(Some(thread)) })
    }

    pub(super) async fn apply(&self, op: Op, now: Option<Timestamp>) -> Result<Reply, Error> {
        let (reply, answer) = oneshot::channel();
        measured(async {
            self.send(Request::Apply { op: Box::new(op), now, reply })?;
            answer.await.map_err(|_| closed())?
        })
        .await
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        measured(async {
            self.send(Request::Run(Box::new(move |connection| drop(reply.send(task(connection))))))?;
            answer.await.map_err(|_| closed())?
        })
        .await
    }

    pub(super) async fn stop(&self) {
        let (reply, stopped) = oneshot::channel();
        if self.send(Request::Stop(reply)).is_ok() {
            let _ = stopped.await;
        }
        let thread = self.joined.lock().take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// The queue is far longer than what callers keep under way; when it is full all the
    /// same, the caller is told to come back.
    fn send(&self, request: Request) -> Result<(), Error> {
        self.requests.try_send(request).map_err(|error| match error {
            std::sync::mpsc::TrySendError::Full(_) => Error::Unavailable("too much waits to be written".to_owned()),
            std::sync::mpsc::TrySendError::Disconnected(_) => closed(),
        })
    }
}

/// Tells how long a call took, with its wait for its turn.
async fn measured<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let began = Instant::now();
    let answer = call.await;
    let metrics = metrics::store();
    metrics.round_trip.observe(metrics::seconds(began.elapsed()));
    if answer.is_err() {
        metrics.errors.inc();
    }
    answer
}

fn closed() -> Error {
    Error::Unavailable("the store is closed".to_owned())
}

/// The clock of the machine this runs on.
pub(super) fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn serve(mut connection: Connection, timings: &Timings, waiting: &Receiver<Request>) {
    let mut last = stored_clock(&connection);
    while let Ok(first) = waiting.recv() {
        let mut applies = Vec::new();
        let mut tasks: Vec<Task> = Vec::new();
        let mut stop = None;
        for request in std::iter::once(first).chain(waiting.try_iter()) {
            match request {
                Request::Apply { op, now, reply } => applies.push((op, now, reply)),
                Request::Run(task) => tasks.push(task),
                Request::Stop(reply) => stop = Some(reply),
            }
            if applies.len() >= BATCH_MAX || stop.is_some() {
                break;
            }
        }
        if !applies.is_empty() {
            last = last.max(clock());
            let replies = apply_all(&mut connection, timings, last, &applies);
            for ((_, _, reply), answer) in applies.into_iter().zip(replies) {
                let _ = reply.send(answer);
            }
        }
        for task in tasks {
            task(&connection);
        }
        if let Some(reply) = stop {
            drop(connection);
            let _ = reply.send(());
            return;
        }
    }
}

type Waiting = (Box<Op>, Option<Timestamp>, oneshot::Sender<Result<Reply, Error>>);

/// Makes the transitions in one transaction. When it does not commit, nothing of them is
/// there, and all are told so; one that is broken fails alone.
fn apply_all(
    connection: &mut Connection,
    timings: &Timings,
    clock: Timestamp,
    applies: &[Waiting],
) -> Vec<Result<Reply, Error>> {
    match apply_together(connection, timings, clock, applies) {
        Ok(replies) => replies.into_iter().map(Ok).collect(),
        Err(Error::Broken(_)) if applies.len() > 1 => {
            applies.iter().flat_map(|one| apply_all(connection, timings, clock, std::slice::from_ref(one))).collect()
        }
        Err(error) => applies.iter().map(|_| Err(error.clone())).collect(),
    }
}

fn apply_together(
    connection: &mut Connection,
    timings: &Timings,
    clock: Timestamp,
    applies: &[Waiting],
) -> Result<Vec<Reply>, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let mut replies = Vec::with_capacity(applies.len());
    for (op, now, _) in applies {
        let mut rows = SqlRows { connection: &transaction, partition: op.partition() };
        let now = now.unwrap_or(clock);
        let context = Context { now, timings, guards: Guards::default() };
        replies.push(machine::apply(&mut rows, context, op)?);
    }
    let sql = "INSERT INTO meta (name, value) VALUES ('clock', ?1)
               ON CONFLICT (name) DO UPDATE SET value = ?1";
    transaction.prepare_cached(sql).and_then(|mut it| it.execute([clock.0.to_string()])).map_err(fault)?;
    transaction.commit().map_err(fault)?;
    Ok(replies)
}

fn stored_clock(connection: &Connection) -> Timestamp {
    let stored = connection.query_row("SELECT value FROM meta WHERE name = 'clock'", [], |row| row.get::<_, String>(0));
    Timestamp(stored.ok().and_then(|text| text.parse().ok()).unwrap_or(0))
}
