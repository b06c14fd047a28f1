//! Progress over Redis: one channel for each run that somebody watches. It has connections of
//! its own, so that no script ever waits behind it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use baton_common::Partition;
use baton_common::ids::RunId;
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use redis::aio::PubSubSink;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::fault::fault;
use super::link::{CONNECT_TIMEOUT, Links};
use super::tail::Tail;
use super::wire::Wire;
use crate::{Error, Live};

/// What may be under way, either way, before more is dropped.
const UNDER_WAY_MAX: usize = 1_024;
/// What is sent in one go.
const BATCH_MAX: usize = 64;
/// After a connection that broke.
const PAUSE: Duration = Duration::from_millis(200);

/// Progress over one server; its tasks end with it.
pub(super) struct RedisLive {
    /// Names this process, which need not hear itself.
    me: String,
    shown: mpsc::Sender<(RunId, String)>,
    wanted: Arc<Wanted>,
    heard: tokio::sync::Mutex<mpsc::Receiver<(RunId, String)>>,
    changed: tokio::sync::Mutex<mpsc::Receiver<RunId>>,
    tasks: [AbortHandle; 3],
}

/// The runs that are watched here.
#[derive(Default)]
pub(super) struct Wanted {
    runs: Mutex<BTreeSet<RunId>>,
    changed: Notify,
    /// The same, for who follows events.
    pub(super) tailed: Notify,
}

impl Wanted {
    pub(super) fn wants(&self, run: RunId) -> bool {
        self.runs.lock().contains(&run)
    }

    pub(super) fn partitions(&self) -> BTreeSet<Partition> {
        self.runs.lock().iter().map(|run| run.partition).collect()
    }

    pub(super) fn runs_of(&self, partition: Partition) -> Vec<RunId> {
        self.runs.lock().iter().copied().filter(|run| run.partition == partition).collect()
    }

    fn change(&self) {
        self.changed.notify_one();
        self.tailed.notify_one();
    }
}

impl RedisLive {
    /// Begins; must be called within a runtime.
    pub(super) fn start(links: &Arc<Links>, cluster: &str) -> Self {
        let (shown, to_show) = mpsc::channel(UNDER_WAY_MAX);
        let (hear, heard) = mpsc::channel(UNDER_WAY_MAX);
        let (me, wanted) = (uuid::Uuid::new_v4().simple().to_string(), Arc::<Wanted>::default());
        let prefix = format!("baton:{cluster}:live:");
        let (tell, changed) = mpsc::channel(UNDER_WAY_MAX);
        let (me_too, watched, prefixed) = (me.clone(), wanted.clone(), prefix.clone());
        let listener = Listener { links: links.clone(), prefix: prefixed, me: me_too, wanted: watched, hear };
        let tail = Tail::new(links.clone(), wanted.clone(), tell);
        let tasks = [
            tokio::spawn(show(links.clone(), prefix, to_show)).abort_handle(),
            tokio::spawn(listener.listen()).abort_handle(),
            tokio::spawn(tail.follow()).abort_handle(),
        ];
        let (heard, changed) = (tokio::sync::Mutex::new(heard), tokio::sync::Mutex::new(changed));
        Self { me, shown, wanted, heard, changed, tasks }
    }

    /// Ends the tasks.
    pub(super) fn stop(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for RedisLive {
    fn drop(&mut self) {
        self.stop();
    }
}

#[async_trait]
impl Live for RedisLive {
    fn show(&self, run: RunId, text: String) {
        // Full means that too much is under way: this is what may be lost.
        let _ = self.shown.try_send((run, format!("{}{text}", self.me)));
    }

    fn listen(&self, run: RunId) {
        if self.wanted.runs.lock().insert(run) {
            self.wanted.change();
        }
    }

    fn leave(&self, run: RunId) {
        if self.wanted.runs.lock().remove(&run) {
            self.wanted.change();
        }
    }

    async fn heard(&self) -> Option<(RunId, String)> {
        self.heard.lock().await.recv().await
    }

    async fn changed(&self) -> Option<RunId> {
        self.changed.lock().await.recv().await
    }
}

/// Sends what is shown; what cannot be sent is lost.
async fn show(links: Arc<Links>, prefix: String, mut shown: mpsc::Receiver<(RunId, String)>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    let mut link = None;
    while shown.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let mut pipeline = redis::pipe();
        for (run, text) in batch.drain(..) {
            pipeline.publish(format!("{prefix}{run}"), text);
        }
        link = match send(&links, link, &pipeline).await {
            Ok(link) => Some(link),
            Err(error) => {
                tracing::debug!(%error, "progress not shown elsewhere");
                None
            }
        };
    }
}

/// Sends over a connection, a new one where the last broke.
async fn send(links: &Links, link: Option<Wire>, pipeline: &redis::Pipeline) -> Result<Wire, Error> {
    let link = match link {
        Some(link) => link,
        None => links.beside().await?,
    };
    let sent = link.send_all("", pipeline).await;
    sent.map(|_| link).map_err(|error| fault(&error))
}

struct Listener {
    links: Arc<Links>,
    prefix: String,
    me: String,
    wanted: Arc<Wanted>,
    hear: mpsc::Sender<(RunId, String)>,
}

impl Listener {
    /// Listens, over one connection after another. Without anybody who watches there is none.
    async fn listen(self) {
        loop {
            while self.wanted.runs.lock().is_empty() {
                self.wanted.changed.notified().await;
            }
            match timeout(CONNECT_TIMEOUT, self.connect()).await {
                Ok(Ok(connection)) => {
                    let (sink, messages) = connection.split();
                    if let Err(error) = self.serve(sink, messages).await {
                        tracing::debug!(%error, "progress of others not heard");
                    }
                }
                Ok(Err(error)) => tracing::debug!(%error, "progress of others not heard"),
                Err(_) => tracing::debug!("progress of others not heard in time"),
            }
            sleep(PAUSE).await;
        }
    }

    async fn connect(&self) -> Result<redis::aio::PubSub, Error> {
        let client = self.links.client(Partition(0)).await?;
        client.get_async_pubsub().await.map_err(|error| fault(&error))
    }

    /// Hears until the connection breaks.
    async fn serve(&self, mut sink: PubSubSink, messages: redis::aio::PubSubStream) -> Result<(), redis::RedisError> {
        let mut messages = messages;
        let mut subscribed = BTreeSet::new();
        loop {
            let wanted = self.wanted.runs.lock().clone();
            for run in wanted.difference(&subscribed) {
                sink.subscribe(self.channel(*run)).await?;
            }
            for run in subscribed.difference(&wanted) {
                sink.unsubscribe(self.channel(*run)).await?;
            }
            subscribed = wanted;
            loop {
                tokio::select! {
                    () = self.wanted.changed.notified() => break,
                    message = messages.next() => match message {
                        Some(message) => self.take(&message),
                        None => return Ok(()),
                    },
                }
            }
        }
    }

    fn channel(&self, run: RunId) -> String {
        format!("{}{run}", self.prefix)
    }

    fn take(&self, message: &redis::Msg) {
        let run = message.get_channel_name().strip_prefix(&self.prefix).and_then(|run| run.parse().ok());
        let (Some(run), Ok(text)) = (run, message.get_payload::<String>()) else { return };
        match text.split_at_checked(self.me.len()) {
            Some((from, text)) if from != self.me => _ = self.hear.try_send((run, text.to_owned())),
            _ => {}
        }
    }
}
