//! How the RabbitMQ adapter is set up, and reading that from an address.
//!
//! What the settings mean to queues is left to `topology`.

use std::fmt;
use std::str::FromStr;

use lapin::uri::{AMQPScheme, AMQPUri};

use super::certificates::Certificates;
use crate::{DELIVERY_LIMIT, queues_and_lanes};

/// How queues are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueueType {
    /// Replicated over the nodes of a cluster, and safe whatever happens to one of them.
    #[default]
    Quorum,
    /// On one node: faster where there is only one.
    Classic,
}

impl QueueType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Quorum => "quorum",
            Self::Classic => "classic",
        }
    }
}

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// It is not `amqp://` or `amqps://` with host and virtual host.
    #[error("not a RabbitMQ address like amqp://user:password@host:5672,other:5672/vhost: {0}")]
    Address(String),
    /// A parameter has a value it cannot have.
    #[error("parameter {name} of the broker address cannot be `{value}`")]
    Parameter {
        /// The parameter.
        name: String,
        /// What was given.
        value: String,
    },
    /// A file that a parameter names does not read.
    #[error("parameter {name} of the broker address names {path}, which does not read: {cause}")]
    File {
        /// The parameter.
        name: String,
        /// The file.
        path: String,
        /// What is wrong.
        cause: String,
    },
    /// No such parameter.
    #[error(
        "the broker address has no parameter `{0}`; known are queue_type, confirm_timeout_ms, publish_channels, \
         queue_length_max, ca_file, cert_file, key_file, heartbeat, connection_timeout, frame_max, channel_max and auth_mechanism"
    )]
    UnknownParameter(String),
}

/// Settings of the RabbitMQ adapter.
#[derive(Clone, PartialEq, Eq)]
pub struct RabbitOptions {
    /// The same virtual host at each node of a cluster; never empty.
    pub(super) nodes: Vec<AMQPUri>,
    /// For queues that do not exist yet; an existing one stays as it is.
    pub queue_type: QueueType,
    /// Queues beyond io and cpu, such as `cap.gpu`. Consuming from a queue declares it too.
    pub extra_queues: Vec<String>,
    /// How long a publisher waits for the broker's word, in milliseconds.
    pub confirm_timeout_ms: u64,
    /// Batches published at a time, each on a channel of its own.
    pub publish_channels: usize,
    /// Messages of one batch that are unconfirmed at a time.
    pub window: usize,
    /// Messages one queue holds before publishing to it is refused; zero for no bound.
    pub queue_length_max: u32,
    /// How often a message may come back to a quorum queue before it is dead.
    pub delivery_limit: u32,
    /// Whether this process publishes. Without, it opens no connection for it, and `ready`
    /// speaks of consuming.
    pub publishes: bool,
    /// Shown by the broker's tools.
    pub name: String,
    /// Whom `amqps` trusts beside the system, and what it shows.
    pub(super) certificates: Certificates,
}

impl RabbitOptions {
    /// Settings for an address like `amqp://user:password@host:5672/vhost?queue_type=classic`.
    /// The nodes of a cluster stand one after the other: `amqp://user:password@one,two:5673/vhost`.
    ///
    /// # Errors
    /// When the address cannot be used; the password is not in the error.
    pub fn parse(url: &str) -> Result<Self, OptionsError> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let mut options = Self::new();
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !options.certificates.set(name, value)? && !options.set(name, value)? {
                rest.push(pair);
            }
        }
        let rest = rest.join("&");
        options.nodes =
            nodes(address)?.into_iter().map(|node| uri(&format!("{node}?{rest}"))).collect::<Result<_, _>>()?;
        options.certificates.fit(options.tls())?;
        Ok(options)
    }

    /// What all nodes have in common, and the first of them.
    fn uri(&self) -> &AMQPUri {
        &self.nodes[0]
    }

    /// How long a connection may take to be there, in milliseconds.
    pub(super) fn connection_timeout_ms(&self) -> u64 {
        self.uri().query.connection_timeout.unwrap_or(5_000)
    }

    /// The virtual host.
    pub fn vhost(&self) -> &str {
        &self.uri().vhost
    }

    fn new() -> Self {
        Self {
            nodes: vec![AMQPUri::default()],
            queue_type: QueueType::default(),
            extra_queues: Vec::new(),
            confirm_timeout_ms: 5_000,
            publish_channels: 16,
            window: 1_024,
            queue_length_max: 100_000,
            delivery_limit: DELIVERY_LIMIT,
            publishes: true,
            name: "baton".to_owned(),
            certificates: Certificates::default(),
        }
    }

    /// Takes a parameter of ours; says whether it was one.
    fn set(&mut self, name: &str, value: &str) -> Result<bool, OptionsError> {
        let wrong = || OptionsError::Parameter { name: name.to_owned(), value: value.to_owned() };
        match name {
            "queue_type" => {
                self.queue_type = match value {
                    "quorum" => QueueType::Quorum,
                    "classic" => QueueType::Classic,
                    _ => return Err(wrong()),
                }
            }
            "confirm_timeout_ms" => self.confirm_timeout_ms = at_least_one(value).ok_or_else(wrong)?,
            "publish_channels" => self.publish_channels = at_least_one(value).ok_or_else(wrong)?,
            "queue_length_max" => self.queue_length_max = value.parse().map_err(|_| wrong())?,
            "heartbeat" | "connection_timeout" | "frame_max" | "channel_max" | "auth_mechanism" => return Ok(false),
            _ => return Err(OptionsError::UnknownParameter(name.to_owned())),
        }
        Ok(true)
    }

    pub(super) fn tls(&self) -> bool {
        self.uri().scheme == AMQPScheme::AMQPS
    }

    pub(super) fn queues(&self) -> impl Iterator<Item = String> {
        queues_and_lanes().chain(self.extra_queues.clone())
    }
}

/// The address of each node of one that names several hosts.
fn nodes(address: &str) -> Result<Vec<String>, OptionsError> {
    let (before, rest) = address.split_at(address.find("://").map_or(0, |at| at + 3));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    let hosts: Vec<&str> = hosts.split(',').collect();
    if hosts.len() > 1 && hosts.contains(&"") {
        return Err(OptionsError::Address("a host is empty".to_owned()));
    }
    Ok(hosts.into_iter().map(|host| format!("{before}{login}{host}{path}")).collect())
}

fn uri(text: &str) -> Result<AMQPUri, OptionsError> {
    let mut uri = AMQPUri::from_str(text).map_err(OptionsError::Address)?;
    if uri.vhost.is_empty() {
        uri.vhost = "/".to_owned();
    }
    uri.query.heartbeat.get_or_insert(10);
    uri.query.connection_timeout.get_or_insert(5_000);
    Ok(uri)
}

fn at_least_one<T: FromStr + PartialOrd + From<u8>>(value: &str) -> Option<T> {
    value.parse().ok().filter(|number| *number >= T::from(1))
}

impl FromStr for RabbitOptions {
    type Err = OptionsError;

    fn from_str(url: &str) -> Result<Self, OptionsError> {
        Self::parse(url)
    }
}

/// Without user and password.
impl fmt::Debug for RabbitOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = |uri: &AMQPUri| format!("{}:{}", uri.authority.host, uri.authority.port);
        let hosts: Vec<String> = self.nodes.iter().map(host).collect();
        f.debug_struct("RabbitOptions")
            .field("address", &format!("{}/{}", hosts.join(","), self.vhost()))
            .field("queue_type", &self.queue_type)
            .field("extra_queues", &self.extra_queues)
            .field("confirm_timeout_ms", &self.confirm_timeout_ms)
            .field("publishes", &self.publishes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_it_all_and_debug_keeps_the_password() {
        let url = "amqps://ann:s3cret@mq.example:5671/jobs?queue_type=classic&heartbeat=7";
        let options = RabbitOptions::parse(url).unwrap();
        assert!(options.tls() && options.queue_type == QueueType::Classic);
        assert_eq!((options.vhost(), options.uri().query.heartbeat), ("jobs", Some(7)));
        assert!(!format!("{options:?}").contains("s3cret"));
    }

    #[test]
    fn an_address_without_a_virtual_host_means_the_default_one() {
        for url in ["amqp://localhost", "amqp://localhost/", "amqp://localhost/%2f"] {
            let options = RabbitOptions::parse(url).unwrap();
            assert_eq!((options.vhost(), options.uri().query.heartbeat), ("/", Some(10)), "{url}");
        }
    }

    #[test]
    fn the_nodes_of_a_cluster_stand_in_one_address() {
        let options = RabbitOptions::parse("amqp://ann:s3,cr@one,two:5673,127.0.0.1:5674/jobs?heartbeat=3").unwrap();
        let told = format!("{options:?}");
        assert!(told.contains("one:5672,two:5673,127.0.0.1:5674/jobs") && !told.contains("s3"), "{told}");
        assert!(options.nodes.iter().all(|node| node.authority.userinfo.password == "s3,cr" && node.vhost == "jobs"));
        assert!(options.nodes.iter().all(|node| node.query.heartbeat == Some(3)));
        for wrong in ["amqp://one,,two/", "amqp://one,/", "amqp://one:5672,two:x/", "one,two"] {
            assert!(RabbitOptions::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        let error = RabbitOptions::parse("amqp://localhost/?queue_typ=classic").unwrap_err();
        assert_eq!(error, OptionsError::UnknownParameter("queue_typ".to_owned()));
        assert!(RabbitOptions::parse("amqp://localhost/?confirm_timeout_ms=0").is_err());
        assert!(RabbitOptions::parse("redis://localhost/").is_err());
    }

    #[test]
    fn certificates_are_read_where_the_address_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name).display().to_string()
        };
        let (pem, other) = (file("a.pem", "-----BEGIN CERTIFICATE-----"), file("b.pem", "none"));
        let of = |scheme: &str, query: &str| RabbitOptions::parse(&format!("{scheme}://localhost/?{query}")).map(drop);
        assert_eq!(of("amqps", &format!("ca_file={pem}&cert_file={pem}&key_file={pem}&heartbeat=3")), Ok(()));
        let told = |result: Result<(), OptionsError>| result.unwrap_err().to_string();
        assert!(told(of("amqp", &format!("ca_file={pem}"))).contains("use amqps"));
        assert!(told(of("amqps", &format!("cert_file={pem}"))).contains("go together"));
        assert!(told(of("amqps", &format!("ca_file={other}"))).contains("no PEM"));
        assert!(told(of("amqps", "key_file=/nowhere/key.pem")).contains("/nowhere/key.pem"));
    }
}
