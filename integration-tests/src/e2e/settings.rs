//! What the compose file is told in a test: the example of its settings as its reader fills it in,
//! and then names of images, build arguments and free ports. That nothing else differs from what
//! ships is checked on the resolved files, line by line.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use baton_testbed::free_port;

/// Variables of published ports.
const PORTS: [&str; 8] = [
    "GRPC_PORT_1",
    "GRPC_PORT_2",
    "HTTP_PORT_1",
    "HTTP_PORT_2",
    "RABBITMQ_MANAGEMENT_PORT",
    "JAEGER_PORT",
    "PROMETHEUS_PORT",
    "GRAFANA_PORT",
];

/// Build arguments, and the keys beneath which images are named.
const NAMES: [&str; 6] = ["image", "BASE_IMAGE", "BUILD_IMAGE", "BINARIES", "HOST_BINARIES", "REVISION"];

/// The settings of a test.
#[derive(Debug, Clone)]
pub struct Settings {
    /// As a reader of the tour has them, with the two lines of observability.
    pub shipped: String,
    /// The same with stand-ins and free ports.
    pub used: String,
    ports: BTreeMap<&'static str, u16>,
    /// The owner's key.
    pub key: String,
    /// The password of the broker's user.
    pub broker: String,
}

impl Settings {
    /// Made of `.env.example` and `standins/env` in the repository at `root`.
    ///
    /// # Errors
    /// When a file cannot be read, or no port is free.
    pub fn made(root: &Path, more: &[(&str, &str)]) -> anyhow::Result<Self> {
        let read = |path: &str| std::fs::read_to_string(root.join(path)).with_context(|| path.to_owned());
        let example = read("deploy/.env.example")?;
        let mut count = 0;
        let lines = example.lines().map(|line| {
            count += 1;
            let observing = ["#COMPOSE_PROFILES=", "#OTEL_EXPORTER_OTLP_ENDPOINT="];
            let line = if observing.iter().any(|begin| line.starts_with(begin)) { &line[1..] } else { line };
            line.replace("change-me", &format!("{:032x}", rand::random::<u128>() | count))
        });
        let shipped = lines.collect::<Vec<_>>().join("\n") + "\n";
        let secret = |name: &str| {
            let found = shipped.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            found.with_context(|| name.to_owned())
        };
        let (key, broker) = (secret("BATON_API_KEY=")?, secret("RABBITMQ_PASSWORD=")?);
        let ports =
            PORTS.into_iter().map(|name| Ok((name, free_port()?))).collect::<anyhow::Result<BTreeMap<_, _>>>()?;
        let mut used = shipped.clone() + &read("integration-tests/standins/env")?;
        for (name, value) in more {
            used += &format!("{name}={value}\n");
        }
        for (name, port) in &ports {
            used += &format!("{name}={port}\n");
        }
        Ok(Self { shipped, used, ports, key, broker })
    }

    /// A published port of this machine.
    #[must_use]
    pub fn port(&self, name: &str) -> u16 {
        self.ports.get(name).copied().unwrap_or_default()
    }

    /// Where the orchestrators answer.
    #[must_use]
    pub fn orchestrators(&self) -> Vec<String> {
        ["GRPC_PORT_1", "GRPC_PORT_2"].iter().map(|name| format!("http://127.0.0.1:{}", self.port(name))).collect()
    }
}

/// How the resolved file of a test differs from the shipped one beyond names of images, build
/// arguments and ports of this machine.
#[must_use]
pub fn differences(shipped: &str, used: &str) -> Vec<String> {
    let (shipped, used): (Vec<&str>, Vec<&str>) = (shipped.lines().collect(), used.lines().collect());
    if shipped.len() != used.len() {
        return vec![format!("{} lines and {} lines", shipped.len(), used.len())];
    }
    let pairs = shipped.into_iter().zip(used).filter(|(one, other)| one != other && !may_differ(one, other));
    pairs.map(|(one, other)| format!("{} became {}", one.trim(), other.trim())).collect()
}

fn may_differ(one: &str, other: &str) -> bool {
    let named = |line: &str| line.trim().split_once(':').map(|(key, _)| key.to_owned());
    if named(one).is_some_and(|key| NAMES.contains(&key.as_str())) {
        return named(one) == named(other);
    }
    // `- 127.0.0.1:7420:7420/tcp`: the last part is the container's.
    let published = |line: &str| {
        let address = line.trim().strip_prefix("- 127.0.0.1:")?.to_owned();
        address.split_once(':').map(|(_, inner)| inner.to_owned())
    };
    published(one).is_some() && published(one) == published(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str =
        "services:\n  redis:\n    image: redis:7\n    ports:\n    - 127.0.0.1:1:6379/tcp\n    user: '1'\n";

    #[test]
    fn images_and_ports_may_differ_and_nothing_else() {
        let check = |used: &str| differences(SHIPPED, used);
        assert!(check(SHIPPED).is_empty());
        let fine = SHIPPED.replace("redis:7", "standin/redis").replace(":1:", ":4000:");
        assert!(check(&fine).is_empty(), "{:?}", check(&fine));
        assert_eq!(check(&SHIPPED.replace("'1'", "'2'")), ["user: '1' became user: '2'"]);
        assert_eq!(check(&SHIPPED.replace(":6379/", ":6380/")).len(), 1);
        assert_eq!(check(&SHIPPED.replace("127.0.0.1", "0.0.0.0")).len(), 1);
        assert_eq!(check(&format!("{SHIPPED}    read_only: true\n")).len(), 1);
    }

    #[test]
    fn the_example_is_filled_in_and_every_port_is_told() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let settings = Settings::made(&root, &[("IMAGE_PREFIX", "trial")]).unwrap();
        assert!(!settings.shipped.contains("change-me"));
        assert!(settings.shipped.contains("\nCOMPOSE_PROFILES=observability\n"));
        assert_eq!(settings.key.len(), 32);
        assert!(settings.used.contains("\nIMAGE_PREFIX=trial\n"));
        for port in PORTS {
            assert!(settings.used.contains(&format!("\n{port}={}\n", settings.port(port))), "{port}");
        }
    }
}
