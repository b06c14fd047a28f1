//! Where the program listens: addresses as they are written in settings, and told once
//! they are bound.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;

/// Where gRPC is served unless settings say otherwise.
pub const GRPC_ADDR: &str = "127.0.0.1:7420";
/// Where HTTP is served unless settings say otherwise.
pub const HTTP_ADDR: &str = "127.0.0.1:7421";
/// In place of an address: it is not served.
const OFF: &str = "off";

/// The address of that setting. `localhost` is spelt out: names are not looked up, so that
/// what is bound is what is said.
///
/// # Errors
/// When it is no IP address and port.
pub fn address(setting: &str, text: &str) -> anyhow::Result<SocketAddr> {
    let spelt = text.replacen("localhost:", "127.0.0.1:", 1);
    match spelt.parse() {
        Ok(address) => Ok(address),
        Err(_) => bail!("{setting} is an IP address and a port, such as {GRPC_ADDR}"),
    }
}

/// Where HTTP is served; `None` where it is `off`. Who lets the system choose the port of
/// gRPC has several programs on one machine, so this port is chosen too.
///
/// # Errors
/// When it is neither `off` nor an address.
pub fn http_address(text: Option<&str>, grpc: SocketAddr) -> anyhow::Result<Option<SocketAddr>> {
    match text {
        Some(OFF) => Ok(None),
        Some(text) => address("BATON_HTTP_ADDR", text).map(Some),
        None if grpc.port() == 0 => Ok(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))),
        None => address("BATON_HTTP_ADDR", HTTP_ADDR).map(Some),
    }
}

/// Listens there.
///
/// # Errors
/// When the address is taken, or is none of this machine.
pub async fn listen(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}: choose another {setting}"))
}

/// Writes the bound addresses to files for programs that wait for them: gRPC's to `file`,
/// and before that HTTP's to a file of that name with `.http` behind it.
///
/// # Errors
/// When a file cannot be written.
pub fn tell(file: &Path, grpc: SocketAddr, http: Option<SocketAddr>) -> anyhow::Result<()> {
    if let Some(http) = http {
        write(&with_suffix(file, ".http"), http)?;
    }
    write(file, grpc)
}

fn write(file: &Path, address: SocketAddr) -> anyhow::Result<()> {
    let unfinished = with_suffix(file, ".new");
    std::fs::write(&unfinished, address.to_string())
        .and_then(|()| std::fs::rename(&unfinished, file))
        .with_context(|| format!("the address cannot be written to {}", file.display()))
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_served_beside_grpc_unless_it_is_off() {
        let grpc = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let http = |text, grpc| http_address(text, grpc).expect("understood").map(|address| address.to_string());
        assert_eq!(http(None, grpc("127.0.0.1:7420")).as_deref(), Some(HTTP_ADDR));
        assert_eq!(http(None, grpc("0.0.0.0:0")).as_deref(), Some("127.0.0.1:0"));
        assert_eq!(http(Some("localhost:1"), grpc("127.0.0.1:0")).as_deref(), Some("127.0.0.1:1"));
        assert_eq!(http(Some("off"), grpc("127.0.0.1:0")), None);
        assert!(http_address(Some("7421"), grpc("127.0.0.1:0")).is_err());
    }
}
