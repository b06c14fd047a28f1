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

use crate::api::{ApiError, Caller, ErrorKind};

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
    /// The key was made for a time that is over.
    #[error("the API key has expired")]
    Expired,
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
    /// Whether it is the key of the settings, or nobody needs one.
    owner: bool,
}

/// Knows who calls.
pub struct Auth {
    store: Arc<dyn Store>,
    required: bool,
    configured: Option<Digest>,
    /// A key of the settings that workers come with, and nothing else.
    of_workers: Option<Digest>,
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
        let configured = configured.map(hash);
        Self { store, required, configured, of_workers: None, believed: Mutex::default() }
    }

    /// The same with a key that lets workers in, from the settings: so that an installation need not
    /// make one first. It has the scope `work` alone.
    #[must_use]
    pub fn with_worker_key(self, key: Option<&str>) -> Self {
        Self { of_workers: key.map(hash), ..self }
    }

    /// Who calls with that key, if it has the scope.
    ///
    /// # Errors
    /// When a key is asked for and missing, unknown or not allowed to do this.
    pub async fn caller(&self, key: Option<&str>, scope: Scope) -> Result<Caller, Error> {
        let identity = self.identify(key).await?;
        if identity.scopes.contains(&scope) { Ok(identity.caller) } else { Err(Error::Scope(scope)) }
    }

    /// Whether anybody calls with that key.
    ///
    /// # Errors
    /// When a key is asked for and missing or unknown.
    pub async fn known(&self, key: Option<&str>) -> Result<(), Error> {
        self.identify(key).await.map(|_| ())
    }

    /// Whose a new key would be: the owner of the server, with the key of its settings, makes
    /// the first key of each tenant; everybody else makes keys of their own.
    ///
    /// # Errors
    /// When the caller may not make a key for that tenant.
    pub async fn maker(
        &self,
        key: Option<&str>,
        caller: Caller,
        tenant: Option<&TenantId>,
    ) -> Result<Caller, ApiError> {
        let Some(tenant) = tenant.filter(|tenant| **tenant != caller.tenant) else { return Ok(caller) };
        if self.identify(key).await?.owner {
            return Ok(Caller { tenant: tenant.clone(), ..caller });
        }
        let cause = format!("this key makes keys of the tenant {} only", caller.tenant);
        let cure = "leave the tenant out, or ask who has the key of the server's settings";
        Err(ApiError::new(ErrorKind::Denied, "foreign_tenant", cause, cure))
    }

    /// Makes a key for the caller's tenant: its record and its text, which is told once.
    ///
    /// # Errors
    /// When the store or the system's randomness fails, or no scope is asked for.
    pub async fn create(&self, caller: &Caller, actor: Actor, scopes: &[Scope]) -> Result<(ApiKey, String), ApiError> {
        self.create_for(caller, actor, scopes, None).await
    }

    /// The same for a time, in milliseconds.
    ///
    /// # Errors
    /// When the store or the system's randomness fails, no scope is asked for, or no time.
    pub async fn create_for(
        &self,
        caller: &Caller,
        actor: Actor,
        scopes: &[Scope],
        ttl_ms: Option<u64>,
    ) -> Result<(ApiKey, String), ApiError> {
        if ttl_ms == Some(0) {
            let cause = "a key for no time can do nothing";
            return Err(ApiError::invalid("malformed_request", cause, "leave its time out, or name one"));
        }
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
        let now = self.store.now().await?;
        let key = ApiKey {
            id,
            hash: hash(&text),
            tenant: caller.tenant.clone(),
            actor,
            scopes: names.into_iter().map(str::to_owned).collect(),
            created_at: now,
            expires_at: ttl_ms.map(|ttl| now.plus_ms(ttl)),
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
        if self.of_workers == Some(hash) {
            return Ok(Identity { scopes: [Scope::Work].into(), owner: false, ..local() });
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
        // Believed for a while like any other: it ends within that of its time.
        if let Some(end) = found.expires_at
            && self.store.now().await.map_err(ApiError::from)? >= end
        {
            self.believed.lock().identities.remove(&hash);
            return Err(Error::Expired);
        }
        let identity = Identity {
            caller: Caller { tenant: found.tenant, actor: found.actor, trace: None },
            scopes: found.scopes.iter().filter_map(|name| Scope::from_name(name)).collect(),
            owner: false,
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
        if self.required || self.configured.is_some() || self.of_workers.is_some() {
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

/// The scopes of these names.
///
/// # Errors
/// When there is none of such a name.
pub fn scopes(names: &[String]) -> Result<Vec<Scope>, ApiError> {
    let scope = |name: &String| {
        Scope::from_name(name).ok_or_else(|| {
            let known = Scope::ALL.map(Scope::name).join(", ");
            let cause = format!("there is no scope {name:?}");
            ApiError::invalid("unknown_scope", cause, format!("use some of {known}"))
        })
    };
    names.iter().map(scope).collect()
}

/// Whether a server may listen there: beyond this machine only with keys.
#[must_use]
pub fn may_listen(address: SocketAddr, keys: bool) -> bool {
    keys || address.ip().is_loopback()
}

fn local() -> Identity {
    Identity { caller: Caller::local(), scopes: Scope::ALL.into(), owner: true }
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
    async fn the_workers_key_of_the_settings_lets_workers_in_and_nobody_else() {
        let auth = auth(None, false).with_worker_key(Some("for workers"));
        assert_eq!(auth.caller(None, Scope::Read).await, Err(Error::Missing));
        assert!(auth.caller(Some("for workers"), Scope::Work).await.is_ok());
        for scope in Scope::ALL.into_iter().filter(|scope| *scope != Scope::Work) {
            assert_eq!(auth.caller(Some("for workers"), scope).await, Err(Error::Scope(scope)));
        }
        let other = TenantId::parse("other").expect("a tenant");
        assert!(auth.maker(Some("for workers"), Caller::local(), Some(&other)).await.is_err());
    }

    #[tokio::test]
    async fn a_revoked_key_opens_nothing_and_only_its_tenant_can_revoke_it() {
        let auth = auth(Some("boot"), false);
        let owner = auth.caller(Some("boot"), Scope::Operate).await.expect("the configured key");
        let (key, text) = auth.create(&owner, Actor::local(), &[Scope::Work]).await.expect("a key");
        let stranger = Caller { tenant: TenantId::parse("other").expect("a tenant"), ..Caller::local() };
        assert_eq!(auth.revoke(&stranger, &key.id).await, Ok(false));
        assert!(auth.caller(Some(&text), Scope::Work).await.is_ok());
        assert_eq!(auth.revoke(&owner, &key.id).await, Ok(true));
        assert_eq!(auth.caller(Some(&text), Scope::Work).await, Err(Error::Unknown));
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_for_a_time_ends_with_it() {
        let auth = auth(Some("boot"), false);
        let owner = auth.caller(Some("boot"), Scope::Operate).await.expect("the configured key");
        let (key, text) = auth.create_for(&owner, Actor::local(), &[Scope::Read], Some(1)).await.expect("a key");
        assert_eq!(key.expires_at, Some(key.created_at.plus_ms(1)));
        let began = std::time::Instant::now();
        while auth.caller(Some(&text), Scope::Read).await != Err(Error::Expired) {
            assert!(began.elapsed() < Duration::from_secs(20), "it never ends");
            tokio::time::advance(BELIEVED).await;
        }
        let nothing = auth.create_for(&owner, Actor::local(), &[Scope::Read], Some(0)).await;
        assert_eq!(nothing.map_err(|error| error.code).err().as_deref(), Some("malformed_request"));
    }

    #[tokio::test]
    async fn only_the_owner_of_the_server_makes_keys_for_other_tenants() {
        let auth = auth(Some("boot"), false);
        let owner = auth.caller(Some("boot"), Scope::Operate).await.expect("the configured key");
        let other = TenantId::parse("other").expect("a tenant");
        let theirs = auth.maker(Some("boot"), owner.clone(), Some(&other)).await.expect("the owner may");
        assert_eq!(theirs.tenant, other);
        let (_, text) = auth.create(&theirs, Actor::local(), &Scope::ALL).await.expect("a key");
        let stranger = auth.caller(Some(&text), Scope::Operate).await.expect("a caller");
        let refused = auth.maker(Some(&text), stranger.clone(), Some(&owner.tenant)).await;
        assert_eq!(refused.map_err(|error| error.code).err().as_deref(), Some("foreign_tenant"));
        assert_eq!(auth.maker(Some(&text), stranger.clone(), None).await.map(|own| own.tenant), Ok(other));
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
