//! Who calls, and what they may do: API keys, of which only hashes are kept.
//!
//! Without a key in the store and in the settings every caller is `local` and may do
//! everything; such a server never listens beyond this machine. Tenant and actor come
//! from here alone. How a key travels is up to the edges.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use baton_common::{Actor, Digest, Hasher, TenantId};
use baton_store::{ApiKey, Store};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::api::{ApiError, Caller};

/// What a key was found to be is believed this long: a revoked key ends within it.
const BELIEVED: Duration = Duration::from_secs(5);
const REMEMBERED_MAX: usize = 4_096;

/// What a key may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Start and cancel runs, apply graphs.
    Submit,
    /// Look at runs, graphs and files.
    Read,
    /// Answer questions.
    Answer,
    /// Look at workers, queues and audit; migrate runs; make and revoke keys.
    Operate,
    /// Claim jobs and bring results.
    Work,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [Self::Submit, Self::Read, Self::Answer, Self::Operate, Self::Work];

    /// The name in listings and requests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Read => "read",
            Self::Answer => "answer",
            Self::Operate => "operate",
            Self::Work => "work",
        }
    }

    /// The scope of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// Why a call is not let through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No key came with the call.
    #[error("this server asks for an API key")]
    Missing,
    /// The key is not known, or not any more.
    #[error("the API key is not known")]
    Unknown,
    /// The key does not have the scope.
    #[error("the API key lacks the scope {}", .0.name())]
    Scope(Scope),
    /// Keys could not be read.
    #[error(transparent)]
    Failed(#[from] ApiError),
}

/// A known caller and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    caller: Caller,
    scopes: BTreeSet<Scope>,
}

/// Knows who calls.
pub struct Auth {
    store: Arc<dyn Store>,
    required: bool,
    configured: Option<Digest>,
    believed: Mutex<Believed>,
}

#[derive(Default)]
struct Believed {
    /// Whether the store holds keys; never forgotten once it does.
    keys_exist: Option<(Instant, bool)>,
    identities: BTreeMap<Digest, (Instant, Identity)>,
}

impl Auth {
    /// Reads keys from `store`. `configured` is a key of the tenant `local` with every
    /// scope, from the settings; `required` asks for a key even while there is none.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, configured: Option<&str>, required: bool) -> Self {
        Self { store, required, configured: configured.map(hash), believed: Mutex::default() }
    }

    /// Who calls with that key, if it has the scope.
    ///
    /// # Errors
    /// When a key is asked for and missing, unknown or not allowed to do this.
    pub async fn caller(&self, key: Option<&str>, scope: Scope) -> Result<Caller, Error> {
        let identity = self.identify(key).await?;
        if identity.scopes.contains(&scope) { Ok(identity.caller) } else { Err(Error::Scope(scope)) }
    }

    /// Makes a key for the caller's tenant: its record and its text, which is told once.
    ///
    /// # Errors
    /// When the store or the system's randomness fails, or no scope is asked for.
    pub async fn create(&self, caller: &Caller, actor: Actor, scopes: &[Scope]) -> Result<(ApiKey, String), ApiError> {
        if scopes.is_empty() {
            return Err(ApiError::invalid(
                "no_scope",
                "a key without a scope can do nothing",
                "name at least one scope",
            ));
        }
        let mut bytes = [0; 28];
        getrandom::fill(&mut bytes).map_err(ApiError::internal)?;
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let id = hex(&bytes[..4]);
        let text = format!("baton_{id}_{}", hex(&bytes[4..]));
        let names: BTreeSet<&str> = scopes.iter().map(|scope| scope.name()).collect();
        let key = ApiKey {
            id,
            hash: hash(&text),
            tenant: caller.tenant.clone(),
            actor,
            scopes: names.into_iter().map(str::to_owned).collect(),
            created_at: self.store.now().await?,
        };
        self.store.put_api_key(key.clone()).await?;
        self.believed.lock().keys_exist = Some((Instant::now(), true));
        Ok((key, text))
    }

    /// Keys of the caller's tenant.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<ApiKey>, ApiError> {
        let keys = self.store.api_keys().await?;
        Ok(keys.into_iter().filter(|key| key.tenant == caller.tenant).collect())
    }

    /// Ends a key of the caller's tenant; whether there was one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn revoke(&self, caller: &Caller, id: &str) -> Result<bool, ApiError> {
        if !self.list(caller).await?.iter().any(|key| key.id == id) {
            return Ok(false);
        }
        let removed = self.store.remove_api_key(id).await?;
        self.believed.lock().identities.clear();
        Ok(removed)
    }

    async fn identify(&self, key: Option<&str>) -> Result<Identity, Error> {
        let Some(key) = key else {
            return if self.keys_exist().await? { Err(Error::Missing) } else { Ok(local()) };
        };
        let hash = hash(key);
        if self.configured == Some(hash) {
            return Ok(local());
        }
        if let Some((at, identity)) = self.believed.lock().identities.get(&hash)
            && at.elapsed() < BELIEVED
        {
            return Ok(identity.clone());
        }
        let found = self.store.api_key(hash).await.map_err(ApiError::from)?;
        let Some(found) = found else {
            self.believed.lock().identities.remove(&hash);
            return if self.keys_exist().await? { Err(Error::Unknown) } else { Ok(local()) };
        };
        let identity = Identity {
            caller: Caller { tenant: found.tenant, actor: found.actor },
            scopes: found.scopes.iter().filter_map(|name| Scope::from_name(name)).collect(),
        };
        let mut believed = self.believed.lock();
        if believed.identities.len() >= REMEMBERED_MAX {
            believed.identities.clear();
        }
        believed.identities.insert(hash, (Instant::now(), identity.clone()));
        Ok(identity)
    }

    /// Whether callers need a key.
    async fn keys_exist(&self) -> Result<bool, Error> {
        if self.required || self.configured.is_some() {
            return Ok(true);
        }
        if let Some((at, exist)) = self.believed.lock().keys_exist
            && (exist || at.elapsed() < BELIEVED)
        {
            return Ok(exist);
        }
        let exist = !self.store.api_keys().await.map_err(ApiError::from)?.is_empty();
        self.believed.lock().keys_exist = Some((Instant::now(), exist));
        Ok(exist)
    }
}

/// Whether a server may listen there: beyond this machine only with keys.
#[must_use]
pub fn may_listen(address: SocketAddr, keys: bool) -> bool {
    keys || address.ip().is_loopback()
}

fn local() -> Identity {
    Identity { caller: Caller { tenant: TenantId::local(), actor: Actor::local() }, scopes: Scope::ALL.into() }
}

/// Keys have 192 random bits: a plain hash is enough, and looking one up by it tells nothing.
fn hash(key: &str) -> Digest {
    Hasher::new().field("api key").field(key).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_store::memory::MemoryStore;

    fn auth(configured: Option<&str>, required: bool) -> Auth {
        Auth::new(Arc::new(MemoryStore::new(baton_common::settings::Timings::default())), configured, required)
    }

    #[tokio::test]
    async fn without_keys_everybody_is_local_and_with_keys_nobody_is() {
        let auth = auth(None, false);
        assert_eq!(auth.caller(None, Scope::Operate).await, Ok(Caller::local()));
        assert_eq!(auth.caller(Some("left over"), Scope::Read).await, Ok(Caller::local()));
        let actor = Actor::parse("ann@example.org").expect("an actor");
        let (_, text) = auth.create(&Caller::local(), actor.clone(), &[Scope::Read]).await.expect("a key");
        assert_eq!(auth.caller(None, Scope::Read).await, Err(Error::Missing));
        assert_eq!(auth.caller(Some("guess"), Scope::Read).await, Err(Error::Unknown));
        assert_eq!(auth.caller(Some(&text), Scope::Read).await.map(|caller| caller.actor), Ok(actor));
        for scope in [Scope::Submit, Scope::Answer, Scope::Operate, Scope::Work] {
            assert_eq!(auth.caller(Some(&text), scope).await, Err(Error::Scope(scope)));
        }
    }

    #[tokio::test]
    async fn a_revoked_key_opens_nothing_and_only_its_tenant_can_revoke_it() {
        let auth = auth(Some("boot"), false);
        let owner = auth.caller(Some("boot"), Scope::Operate).await.expect("the configured key");
        let (key, text) = auth.create(&owner, Actor::local(), &[Scope::Work]).await.expect("a key");
        let stranger = Caller { tenant: TenantId::parse("other").expect("a tenant"), actor: Actor::local() };
        assert_eq!(auth.revoke(&stranger, &key.id).await, Ok(false));
        assert!(auth.caller(Some(&text), Scope::Work).await.is_ok());
        assert_eq!(auth.revoke(&owner, &key.id).await, Ok(true));
        assert_eq!(auth.caller(Some(&text), Scope::Work).await, Err(Error::Unknown));
    }

    #[tokio::test]
    async fn a_server_that_requires_keys_asks_even_while_there_are_none() {
        assert_eq!(auth(None, true).caller(None, Scope::Read).await, Err(Error::Missing));
    }

    #[test]
    fn only_keys_open_the_way_beyond_this_machine() {
        let address = |text: &str| text.parse().expect("an address");
        assert!(may_listen(address("127.0.0.1:0"), false) && may_listen(address("[::1]:1"), false));
        assert!(!may_listen(address("0.0.0.0:1"), false) && !may_listen(address("[::]:1"), false));
        assert!(may_listen(address("0.0.0.0:1"), true));
    }
}
