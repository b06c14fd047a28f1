//! Private Redis and RabbitMQ servers, and what is beside them, for tests, demos and benchmarks: on free ports, in
//! folders of their own, gone when their handle is dropped or its process dies.
//!
//! Plain blocking calls without a runtime, so that any test can use them. What is tested
//! against the servers is left to the crates that speak to them.

mod authority;
mod cluster;
mod collector;
mod group;
mod port;
mod proxy;
mod rabbit;
mod redis;
mod s3;
mod sentinel;
mod wait;

pub use self::authority::{Authority, Validity};
pub use self::cluster::RedisCluster;
pub use self::collector::{CollectedLink, CollectedSpan, Collector};
pub use self::port::free as free_port;
pub use self::proxy::{Proxy, Way};
pub use self::rabbit::{Rabbit, RabbitOptions};
pub use self::redis::{Redis, RedisOptions, aof_len};
pub use self::s3::S3;
pub use self::sentinel::{SentinelOptions, Sentinels};
pub use self::wait::wait_until;
