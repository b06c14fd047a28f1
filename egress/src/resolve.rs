//! From a name to the addresses that a connection may go to. The connector asks here once
//! per connection and uses the answer itself, so that no second look-up can differ.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address;

/// Finds the addresses of a name.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// All addresses of the name, in the order they are to be tried.
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The operating system's way of finding addresses.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// The name has no address that the policy lets through.
#[derive(Debug, thiserror::Error)]
#[error("{name} lies at {address}, {place}")]
pub(crate) struct Refused {
    /// The name.
    pub(crate) name: String,
    /// The first of its addresses.
    pub(crate) address: IpAddr,
    /// What lies there.
    pub(crate) place: &'static str,
}

/// The name has no address at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot find an address of {0}")]
pub(crate) struct Unknown(pub(crate) String);

/// What the connector asks.
pub(crate) struct Resolver {
    /// Who finds the addresses.
    pub(crate) lookup: Arc<dyn Lookup>,
    /// Whether addresses that are not public are left out.
    pub(crate) public_only: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, public_only) = (self.lookup.clone(), self.public_only);
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found = lookup.addresses(&name).await.map_err(|_| Unknown(name.clone()))?;
            let addresses = if public_only { passing(&name, found)? } else { found };
            if addresses.is_empty() {
                return Err(Unknown(name).into());
            }
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// Those of a name's addresses that are public.
fn passing(name: &str, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, Refused> {
    let mut refused = None;
    let mut addresses = Vec::with_capacity(found.len());
    for address in found {
        match address::objection(address) {
            None => addresses.push(address),
            Some(place) => refused = refused.or(Some(Refused { name: name.to_owned(), address, place })),
        }
    }
    match refused {
        Some(refused) if addresses.is_empty() => Err(refused),
        _ => Ok(addresses),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_addresses_only_public_ones_are_connected_to() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let mixed = addresses(&["127.0.0.1", "1.1.1.1", "::ffff:10.0.0.1", "2606:4700::1111"]);
        assert_eq!(passing("x", mixed).unwrap(), addresses(&["1.1.1.1", "2606:4700::1111"]));
        let refused = passing("x", addresses(&["10.0.0.1", "169.254.169.254"])).unwrap_err();
        assert_eq!(refused.to_string(), "x lies at 10.0.0.1, a private network");
    }
}
