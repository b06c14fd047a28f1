//! T17: messages that are garbage, speak of another cluster or tenant, are forged, or are played
//! again, while their job waits and when it is done. None has any effect, no worker minds, and
//! dead letters are read: a job whose message was given back too often runs once all the same.

use std::time::Duration;

use anyhow::Context as _;
use baton_testbed::Rabbit;
use lapin::options::{BasicGetOptions, BasicPublishOptions, BasicRejectOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::{Value, json};

use super::{Given, until};
use crate::chaos::bed::{Bed, BedOptions};
use crate::chaos::ledger;
use crate::chaos::load::{Kind, Wanted, is_over};
use crate::chaos::report::Report;

const QUEUE: &str = "io.normal";
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn play(mut given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T17 garbage, forged and repeated messages");
    // Quorum queues bound how often a message comes back.
    let queue_type = "quorum".to_owned();
    let options = BedOptions { sabotage: given.sabotage, cpu_workers: 1, queue_type, ..BedOptions::default() };
    let mut bed = Bed::start(&options, given.rabbit.take()).await?;
    let api = bed.direct_api()?;
    for graph in Kind::GRAPHS {
        api.apply(graph).await?;
    }
    let connection = Connection::connect(&bed.rabbit.url(&bed.vhost), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    // One true message, taken while nobody else takes any.
    bed.workers[0].process.kill();
    let wanted = Wanted { kind: Kind::Loop, request: "true".to_owned(), size: 2 };
    let run = api.submitted(wanted.kind.graph(), &wanted.input(), &wanted.request).await?;
    let taken = || async { taken(&channel).await };
    let first = until("a message", PATIENCE, taken).await?;
    let returns = worn_out(&channel).await?;
    report.count("times a message was given back until it was a dead letter", returns);
    let again = || async { Ok(self::taken(&channel).await?.filter(|envelope| seq(envelope) > seq(&first))) };
    let envelope = until("the message of a dead letter's job, published again", PATIENCE, again).await?;
    let mut sent = 0;
    for body in bodies(&envelope, 0) {
        sent += publish(&channel, &body).await?;
    }
    bed.workers[0].process.start()?;
    let over = || async { Ok(Some(api.got(&run).await?).filter(is_over)) };
    let ended = until("the end", PATIENCE, over).await?;
    report.violations.extend(wanted.judge(&ended));
    let before = ledger::read(&bed.ledger_folder())?;
    let once = before.values().all(|effect| effect.executions.len() == 1);
    report.expect(once && before.len() == 2, format!("I9: forged messages had an effect: {before:?}"));
    for body in bodies(&envelope, given.pick(20, 1_000)) {
        sent += publish(&channel, &body).await?;
    }
    let empty = || async {
        let left: u64 = bed.rabbit.queues(&bed.vhost)?.into_iter().map(|(_, waiting)| waiting).sum();
        Ok((left == 0).then_some(()))
    };
    if let Err(error) = until("queues and dead letters are empty", PATIENCE, empty).await {
        report.violations.push(format!("I11: {error}: {:?}", bed.rabbit.queues(&bed.vhost)?));
    }
    let after = ledger::read(&bed.ledger_folder())?;
    report.expect(before == after, format!("I10: a message had an effect: {after:?}"));
    // Whoever read all that works as before.
    let again = Wanted { kind: Kind::Fan, request: "afterwards".to_owned(), size: 2 };
    let run = api.submitted(again.kind.graph(), &again.input(), &again.request).await?;
    let over = || async { Ok(Some(api.got(&run).await?).filter(is_over)) };
    let ended = until("a run afterwards", PATIENCE, over).await?;
    report.violations.extend(again.judge(&ended));
    for node in bed.nodes() {
        let name = node.process.name.clone();
        report.expect(node.process.is_running(), format!("{name} ended: {}", node.process.last_words()));
    }
    report.count("messages", sent);
    report.violations.extend(bed.panics());
    Ok((report, Some(bed.into_rabbit())))
}

async fn publish(channel: &Channel, body: &[u8]) -> anyhow::Result<usize> {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default().with_delivery_mode(2));
    channel.basic_publish("baton.jobs".into(), QUEUE.into(), options, body, properties).await?.await?;
    Ok(1)
}

fn seq(envelope: &Value) -> u64 {
    envelope["dispatch_seq"].as_u64().unwrap_or(0)
}

/// Gives the one message back until the broker takes it away; how often it came. One that was
/// not delivered before is the next, published since.
async fn worn_out(channel: &Channel) -> anyhow::Result<usize> {
    for returns in 0..100 {
        let Some(message) = channel.basic_get(QUEUE.into(), BasicGetOptions::default()).await? else {
            return Ok(returns);
        };
        message.delivery.acker.reject(BasicRejectOptions { requeue: true }).await?;
        if returns > 0 && !message.delivery.redelivered {
            return Ok(returns);
        }
        // The queue hears of it a moment later.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    anyhow::bail!("a message came back a hundred times")
}

/// A message of the queue, which is put back.
async fn taken(channel: &Channel) -> anyhow::Result<Option<Value>> {
    let Some(message) = channel.basic_get(QUEUE.into(), BasicGetOptions::default()).await? else { return Ok(None) };
    let envelope = serde_json::from_slice(&message.delivery.data).context("an envelope")?;
    message.delivery.acker.reject(BasicRejectOptions { requeue: true }).await?;
    Ok(Some(envelope))
}

/// What is sent: nothing of it may have an effect.
fn bodies(envelope: &Value, repeated: usize) -> Vec<Vec<u8>> {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut forged = envelope.clone();
        change(&mut forged);
        forged.to_string().into_bytes()
    };
    let job = envelope["job"].as_str().unwrap_or_default();
    let other = job.replace("work#1", "work#7");
    let mut bodies = vec![
        Vec::new(),
        b"garbage".to_vec(),
        vec![0xff; 4_000],
        b"{}".to_vec(),
        b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[".to_vec(),
        with(&|forged| forged["v"] = json!(99)),
        with(&|forged| forged["cluster"] = json!("another")),
        with(&|forged| forged["permit"] = json!("00")),
        with(&|forged| forged["permit"] = Value::Null),
        with(&|forged| forged["digest"] = json!("00000000000000000000000000000000")),
        with(&|forged| forged["tenant"] = json!("somebody")),
        with(&|forged| forged["job"] = json!(other.clone())),
        with(&|forged| forged["class"] = json!("cpu")),
    ];
    bodies.extend((0..repeated).map(|_| envelope.to_string().into_bytes()));
    bodies
}
