//! The floor: plays a recorded run again and again, transition by transition and message by
//! message, each as soon as the one before is answered. It decides nothing.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use baton_broker::{Broker, Consumer, Delivery, Published};
use baton_common::RunId;
use baton_common::commit::Commit;
use baton_common::transition::{AdvanceAnswer, ClaimVerdict, Op, RecordVerdict, Reply, SubmitAnswer};
use baton_store::Store;
use parking_lot::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::tape::Tape;

/// Runs under way, each in a slot.
struct Slots {
    tape: Arc<Tape>,
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    slots: Vec<Slot>,
}

struct Slot {
    run: Mutex<Option<RunId>>,
    done: Sender<()>,
}

/// Plays `runs` runs at once, one after another in each slot, until `stop`; turns under way
/// are played to their end. As many messages are under way as a worker has slots.
pub(super) async fn play(
    tape: Arc<Tape>,
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    (runs, slots_at_once): (usize, u16),
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (slots, dones): (Vec<Slot>, Vec<Receiver<()>>) = (0..runs)
        .map(|_| {
            let (done, hears) = channel(1);
            (Slot { run: Mutex::new(None), done }, hears)
        })
        .unzip();
    let queue = tape.turns().first().context("a turn")?.message.queue.to_string();
    let consumer = broker.consume(&[queue], slots_at_once).await?;
    let slots = Arc::new(Slots { tape, store, broker, slots });
    let mut players = JoinSet::new();
    for (number, done) in dones.into_iter().enumerate() {
        players.spawn(slots.clone().run(number, done, stop.clone()));
    }
    let hands = slots.work(consumer);
    let played = async {
        while let Some(player) = players.join_next().await {
            player??;
        }
        Ok(())
    };
    // Whichever fails first ends the other.
    tokio::select! {
        worked = hands => worked,
        played = played => played,
    }
}

impl Slots {
    /// What the control plane does.
    async fn run(self: Arc<Self>, slot: usize, mut done: Receiver<()>, stop: CancellationToken) -> anyhow::Result<()> {
        while !stop.is_cancelled() {
            let (run, submit) = self.tape.again();
            *self.slots[slot].run.lock() = Some(run);
            match self.store.apply(Op::Submit(Box::new(submit))).await? {
                Reply::Submit(SubmitAnswer::Accepted) => {}
                other => bail!("SUBMIT answered {other:?}"),
            }
            for (number, turn) in self.tape.turns().iter().enumerate() {
                self.advance(turn.advance(run)).await?;
                let sent = self.broker.publish(vec![turn.message(slot, number)]).await;
                anyhow::ensure!(sent == [Published::Confirmed], "publish answered {sent:?}");
                done.recv().await.context("nobody works")?;
                if stop.is_cancelled() {
                    return Ok(());
                }
            }
            self.advance(self.tape.end(run)).await?;
        }
        Ok(())
    }

    async fn advance(&self, commit: Commit) -> anyhow::Result<()> {
        match self.store.apply(Op::Advance(commit.into())).await? {
            Reply::Advance(AdvanceAnswer::Advanced { .. }) => Ok(()),
            other => bail!("ADVANCE answered {other:?}"),
        }
    }

    /// What the worker does.
    async fn work(self: Arc<Self>, mut consumer: Box<dyn Consumer>) -> anyhow::Result<()> {
        let mut jobs = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                Some(job) = jobs.join_next() => job??,
                delivery = consumer.next() => drop(jobs.spawn(self.clone().job(delivery?))),
            }
        }
    }

    async fn job(self: Arc<Self>, delivery: Box<dyn Delivery>) -> anyhow::Result<()> {
        let text = String::from_utf8_lossy(delivery.body()).into_owned();
        let mut words = text.split(' ');
        let mut number = || -> anyhow::Result<usize> { Ok(words.next().context("a number")?.parse()?) };
        let (slot, turn) = (&self.slots[number()?], &self.tape.turns()[number()?]);
        let run = slot.run.lock().context("a run")?;
        match self.store.apply(Op::Claim(turn.claim(run))).await? {
            Reply::Claim(ClaimVerdict::Granted(_)) => {}
            other => bail!("CLAIM answered {other:?}"),
        }
        delivery.ack().await?;
        match self.store.apply(Op::Record(Box::new(turn.record(run)))).await? {
            Reply::Record(RecordVerdict::Ok(_)) => {}
            other => bail!("RECORD answered {other:?}"),
        }
        slot.done.send(()).await.context("the run ended")
    }
}
