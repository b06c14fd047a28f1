//! A connection that several callers share: to one server, rebuilt by itself; to the primary
//! that sentinels named, never rebuilt, since its address may be another's by then; or to all
//! nodes of a cluster.

use redis::aio::{ConnectionLike, ConnectionManager, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::{Arg, Cmd, Pipeline, RedisFuture, RedisResult, Value};

use futures_util::future::join_all;

/// A connection; clones share it.
#[derive(Clone)]
pub(super) enum Wire {
    /// To one server.
    Managed(ConnectionManager),
    /// To a primary as long as it is one.
    Plain(MultiplexedConnection),
    /// To the nodes of a cluster.
    Cluster(ClusterConnection),
}

impl ConnectionLike for Wire {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Managed(wire) => wire.req_packed_command(cmd),
            Self::Plain(wire) => wire.req_packed_command(cmd),
            Self::Cluster(wire) => wire.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Managed(wire) => wire.req_packed_commands(pipeline, offset, count),
            Self::Plain(wire) => wire.req_packed_commands(pipeline, offset, count),
            Self::Cluster(wire) => wire.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Managed(wire) => wire.get_db(),
            Self::Plain(wire) => wire.get_db(),
            Self::Cluster(wire) => wire.get_db(),
        }
    }
}

impl Wire {
    /// Makes a command. One without a key goes to the node of `tag`, the hash tag it is about.
    pub(super) async fn send(&self, tag: &str, command: &Cmd) -> RedisResult<Value> {
        let answer = match self.clone() {
            Self::Cluster(mut wire) if is_keyless(command) => {
                let node = SingleNodeRoutingInfo::SpecificNode(Route::with_key(tag, SlotAddr::Master));
                wire.route_command(command.clone(), RoutingInfo::SingleNode(node)).await
            }
            mut wire => wire.req_packed_command(command).await,
        };
        answer?.extract_error()
    }

    /// Makes several, and answers all of them. In a cluster each finds its own node.
    pub(super) async fn send_all(&self, tag: &str, pipeline: &Pipeline) -> RedisResult<Vec<Value>> {
        match self.clone() {
            Self::Cluster(_) => {
                let sent = pipeline.cmd_iter().map(|command| self.send(tag, command));
                join_all(sent).await.into_iter().collect()
            }
            mut wire => pipeline.query_async(&mut wire).await,
        }
    }

    /// Makes a command on each server that takes writes.
    pub(super) async fn everywhere(&self, command: &Cmd) -> RedisResult<Vec<Value>> {
        match self.clone() {
            Self::Cluster(mut wire) => {
                let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
                Ok(match wire.route_command(command.clone(), all).await?.extract_error()? {
                    Value::Map(answers) => answers.into_iter().map(|(_, answer)| answer).collect(),
                    one => vec![one],
                })
            }
            mut wire => Ok(vec![wire.req_packed_command(command).await?.extract_error()?]),
        }
    }
}

/// Whether a command is about a node as a whole.
fn is_keyless(command: &Cmd) -> bool {
    match command.args_iter().next() {
        Some(Arg::Simple(name)) => [b"TIME".as_slice(), b"SCAN", b"CLUSTER"].contains(&name),
        _ => false,
    }
}
