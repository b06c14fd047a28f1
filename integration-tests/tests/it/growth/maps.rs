//! A map of 10,000 through both planes: each of its jobs costs what one of 100 does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use baton_broker::{Broker, Consumer, Depth, Error, Message, Published};
use baton_common::settings::Timings;
use baton_integration_tests::bench::Planes;
use baton_orchestrator::api::{Caller, GraphRef, GraphSource, SubmitRequest};
use baton_orchestrator::{Settings, wiring};
use baton_store::Store;
use baton_testbed::{Redis, RedisOptions};
use serde_json::json;

use crate::rig::{Meter, PATIENCE, writes};

const FAN: &str = "
baton: 1
graph: fan
input: { list: array }
output: { sum: state.sum }
state: { sum: integer }
start: each
nodes:
  each:
    for_each: { in: input.list, keep: output.n }
    max_parallel: 50
    tool: { name: debug.echo, args: { n: '{{ item }}' } }
    save: { sum: size(output) }
    then: end
";

/// A broker that counts what is published.
struct Counting {
    broker: Arc<dyn Broker>,
    messages: AtomicU64,
    bytes: AtomicU64,
}

#[async_trait]
impl Broker for Counting {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Published> {
        self.messages.fetch_add(messages.len() as u64, Ordering::Relaxed);
        let bytes: usize = messages.iter().map(|message| message.id.len() + message.body.len()).sum();
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.broker.publish(messages).await
    }

    async fn consume(&self, queues: &[String], prefetch: u16) -> Result<Box<dyn Consumer>, Error> {
        self.broker.consume(queues, prefetch).await
    }

    async fn consume_dead(&self) -> Result<Box<dyn Consumer>, Error> {
        self.broker.consume_dead().await
    }

    async fn depth(&self, queue: &str) -> Result<Option<Depth>, Error> {
        self.broker.depth(queue).await
    }

    fn incarnation(&self) -> u64 {
        self.broker.incarnation()
    }

    fn ready(&self) -> bool {
        self.broker.ready()
    }

    async fn close(&self) {
        self.broker.close().await;
    }
}

/// What each job costs: of the store, of the broker, and of the server behind the store.
#[derive(Debug, Clone, Copy)]
struct Cost {
    calls: f64,
    bytes: f64,
    messages: f64,
    message_bytes: f64,
    commands: f64,
    log: f64,
}

/// What each job of a map of so many costs.
async fn cost_of_each(count: usize, redis: Option<&Redis>) -> Cost {
    let timings = Timings::default();
    let url = redis.map_or_else(|| "memory:".to_owned(), Redis::url);
    let meter = Meter::new(wiring::store(&url, &timings).await.unwrap());
    let broker = wiring::broker("memory:").unwrap();
    let broker = Arc::new(Counting { broker, messages: AtomicU64::new(0), bytes: AtomicU64::new(0) });
    let settings = Settings { timings, lease_partitions: false, broker_forgets: true, ..Settings::default() };
    let store: Arc<dyn Store> = meter.clone();
    let planes = Planes::start(store, broker.clone(), settings).await.unwrap();
    let source = GraphSource { text: FAN.to_owned(), name: "fan.yaml".to_owned(), ..GraphSource::default() };
    let request = SubmitRequest {
        graph: GraphRef::Source(source),
        // All as long as each other.
        input: json!({ "list": (100_000..100_000 + count).collect::<Vec<_>>() }),
        request_id: None,
        thread: None,
        traceparent: None,
        record: false,
    };
    let of_server = || redis.map_or((0, 0), |redis| (writes(redis), redis.aof_len().unwrap()));
    let (before, (commands, log)) = (meter.sum(), of_server());
    let run = planes.orchestrator.submit(&Caller::local(), request).await.unwrap().run;
    let ended = async {
        loop {
            let view = planes.orchestrator.get(&Caller::local(), run).await.unwrap();
            if view.summary.status.is_terminal() {
                return view;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let view = tokio::time::timeout(PATIENCE, ended).await.unwrap();
    assert_eq!(view.output, Some(json!({ "sum": count })));
    let sum = meter.sum();
    assert_eq!(meter.counts()["Record"].calls, count as u64, "each ran once");
    planes.stop().await.unwrap();
    let (all_commands, all_log) = of_server();
    let each = |sum: u64| sum as f64 / count as f64;
    Cost {
        calls: each(sum.calls - before.calls),
        bytes: each(sum.bytes - before.bytes),
        messages: each(broker.messages.load(Ordering::Relaxed)),
        message_bytes: each(broker.bytes.load(Ordering::Relaxed)),
        commands: each(all_commands - commands),
        log: each(all_log - log),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_ten_thousand_costs_what_one_of_a_hundred_does() {
    let server = Redis::start(RedisOptions::default()).unwrap();
    for redis in [None, Some(&server)] {
        let (small, large) = (cost_of_each(100, redis).await, cost_of_each(10_000, redis).await);
        println!("a job of 100 {small:.1?}, of 10,000 {large:.1?}");
        let pairs = [
            (small.calls, large.calls),
            (small.bytes, large.bytes),
            (small.messages, large.messages),
            (small.message_bytes, large.message_bytes),
            (small.commands, large.commands),
            (small.log, large.log),
        ];
        assert!(pairs.iter().all(|(small, large)| *large <= small * 1.25), "{small:?} {large:?}");
    }
}
