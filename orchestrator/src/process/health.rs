//! The probe: asks a serving orchestrator whether it is well.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail};
use baton_control::grpc::{Endpoints, Trust};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const LIMIT: Duration = Duration::from_secs(3);

/// Ends well when the orchestrator that listens on `address` serves, or where only its life is
/// asked for, when it answers.
pub(super) async fn probe(
    address: SocketAddr,
    tls: bool,
    trust: &Trust,
    key: Option<&str>,
    live: bool,
) -> anyhow::Result<()> {
    let (address, scheme) = (reachable(address), if tls { "https" } else { "http" });
    let (_, carrier) = Endpoints::trusting(&format!("{scheme}://{address}"), key, trust)?.current();
    let mut client = HealthClient::new(carrier);
    let asked = tokio::time::timeout(LIMIT, client.check(HealthCheckRequest { service: String::new() })).await;
    let status = asked
        .with_context(|| format!("{address} did not answer within {} s", LIMIT.as_secs()))?
        .with_context(|| format!("nobody serves at {address}"))?
        .into_inner()
        .status();
    if live {
        println!("alive");
        return Ok(());
    }
    if status != ServingStatus::Serving {
        bail!("{address} does not serve: {}", status.as_str_name().to_lowercase());
    }
    println!("serving");
    Ok(())
}

/// Who listens everywhere is asked on this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
