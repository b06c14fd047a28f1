//! Taking connections, in the clear or over TLS, within bounds: so many at a time, so long
//! for a handshake, so long for the first words. What is spoken then is up to the servers.

mod certificates;
mod connection;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

pub use certificates::{Certificates, Error, TlsFiles};
pub(crate) use connection::Connection;

/// Connections at a time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 4_096;
/// Handshakes at a time; more wait to be accepted.
const HANDSHAKES_MAX: usize = 256;
/// How long a handshake may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// After a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// A bound port, and how it is spoken to.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Arc<Certificates>>,
    handshake_within: Duration,
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, tls: None, handshake_within: HANDSHAKE_WITHIN }
    }
}

impl Listener {
    /// Speaks TLS with these certificates, where there are some.
    #[must_use]
    pub fn over(self, tls: Option<Arc<Certificates>>) -> Self {
        Self { tls, ..self }
    }

    /// Connections that are ready to be served.
    pub(crate) fn incoming(self) -> Incoming {
        Incoming {
            listener: self,
            slots: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            handshakes: JoinSet::new(),
            greeting: None,
        }
    }
}

/// How a protocol begins: so many bytes, within so long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Greeting {
    pub(crate) bytes: usize,
    pub(crate) within: Duration,
}

/// Connections one after another. Handshakes end with it.
pub(crate) struct Incoming {
    listener: Listener,
    slots: Arc<Semaphore>,
    handshakes: JoinSet<Option<Connection>>,
    greeting: Option<Greeting>,
}

impl Incoming {
    /// Whoever has not said this much by then is cut off.
    pub(crate) fn greeted(self, greeting: Greeting) -> Self {
        Self { greeting: Some(greeting), ..self }
    }

    /// The next connection. May be dropped at any time.
    pub(crate) async fn next(&mut self) -> Connection {
        loop {
            let free = self.handshakes.len() < HANDSHAKES_MAX;
            let (stream, slot) = tokio::select! {
                Some(done) = self.handshakes.join_next() => match done {
                    Ok(Some(connection)) => return connection,
                    _ => continue,
                },
                accepted = accept(&self.listener.tcp, &self.slots), if free => match accepted {
                    Some(accepted) => accepted,
                    None => continue,
                },
            };
            let Some(tls) = &self.listener.tls else {
                return Connection::plain(stream, slot, self.greeting);
            };
            let peer = stream.peer_addr().map(|peer| peer.ip().to_string()).unwrap_or_default();
            let (config, greeting, within) = (tls.current(), self.greeting, self.listener.handshake_within);
            self.handshakes.spawn(async move {
                match timeout(within, TlsAcceptor::from(config).accept(stream)).await {
                    Ok(Ok(stream)) => Some(Connection::tls(stream, slot, greeting)),
                    Ok(Err(error)) => {
                        tracing::info!(%error, %peer, "tls handshake failed");
                        None
                    }
                    Err(_) => {
                        tracing::info!(%peer, "tls handshake took too long");
                        None
                    }
                }
            });
        }
    }
}

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, slot))
        }
        Err(error) => {
            tracing::warn!(%error, "connection not accepted");
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}
