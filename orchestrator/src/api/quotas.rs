//! Quotas: set by operators, looked at by whom they are about.
//!
//! The installation's own tenant sets quotas for everybody, another tenant for itself.

use baton_common::records::{Beyond, Quota, QuotaLimit, QuotaScope, Work};
use baton_common::{Digest, TenantId};
use baton_store::{MeterAct, MeterSeen, Metered};

use super::{ApiError, Caller};
use crate::orchestrator::{Inner, Orchestrator};

/// Quotas of one owner.
const QUOTAS_MAX: usize = 100;
const NAME_CHARS_MAX: usize = 64;

/// A quota as a caller wants it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuotaRequest {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub scope: QuotaScope,
    /// [`QuotaLimit`] as text.
    pub limit: String,
    /// `wait`, `refuse` or nothing for the first.
    pub beyond: String,
}

/// A quota and what is used of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaView {
    /// The quota.
    pub quota: Quota,
    /// Whether the caller may change it.
    pub own: bool,
    /// What is used, as far as one meter says it.
    pub seen: Option<MeterSeen>,
}

impl Orchestrator {
    /// Sets a quota. What it counted so far counts on.
    ///
    /// # Errors
    /// When it says nothing that can be held to, or the store does not answer.
    pub async fn set_quota(&self, caller: &Caller, request: QuotaRequest) -> Result<QuotaView, ApiError> {
        let inner = &self.inner;
        let name = checked_name(request.name)?;
        let limit: QuotaLimit =
            request.limit.parse().map_err(|error| invalid(format!("{error}"), "write the limit as one of these"))?;
        let beyond = match request.beyond.as_str() {
            "" | "wait" => Beyond::Wait,
            "refuse" => Beyond::Refuse,
            other => return Err(invalid(format!("{other:?} is neither wait nor refuse"), "write wait or refuse")),
        };
        let scope = checked_scope(caller, request.scope, limit)?;
        let known = inner.store.quotas().await?;
        let before = known.iter().find(|quota| quota.owner == caller.tenant && quota.name == name);
        if before.is_none() && known.iter().filter(|quota| quota.owner == caller.tenant).count() >= QUOTAS_MAX {
            return Err(invalid(format!("there are {QUOTAS_MAX} quotas already"), "delete one first"));
        }
        let set_at = inner.store.now().await?;
        let serial = before.filter(|before| kind(&before.limit) == kind(&limit)).map(|before| before.serial.clone());
        let serial = serial.unwrap_or_else(|| {
            Digest::of(format!("{}/{name}/{set_at}/{}", caller.tenant, u128::from_be_bytes(inner.seeded_bytes())))
                .to_string()
        });
        let quota = Quota { owner: caller.tenant.clone(), name, scope, limit, beyond, serial, set_at };
        inner.store.put_quota(quota.clone()).await?;
        inner.learn_quotas().await?;
        inner.shown(caller, quota).await
    }

    /// Quotas that the caller's tenant set or that are about it, its own first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn quotas(&self, caller: &Caller) -> Result<Vec<QuotaView>, ApiError> {
        let mut quotas = self.inner.store.quotas().await?;
        quotas.retain(|quota| is_about(quota, &caller.tenant));
        quotas.sort_by_key(|quota| (quota.owner != caller.tenant, quota.name.clone()));
        let mut shown = Vec::with_capacity(quotas.len());
        for quota in quotas {
            shown.push(self.inner.shown(caller, quota).await?);
        }
        Ok(shown)
    }

    /// One of them.
    ///
    /// # Errors
    /// When there is none of that name, or the store does not answer.
    pub async fn quota(&self, caller: &Caller, name: &str) -> Result<QuotaView, ApiError> {
        let found = self.quotas(caller).await?.into_iter().find(|shown| shown.quota.name == name);
        found.ok_or_else(|| ApiError::not_found("quota", name.chars().take(NAME_CHARS_MAX).collect::<String>()))
    }

    /// Deletes a quota of the caller's tenant.
    ///
    /// # Errors
    /// When there is none of that name, or the store does not answer.
    pub async fn delete_quota(&self, caller: &Caller, name: &str) -> Result<(), ApiError> {
        if !self.inner.store.remove_quota(&caller.tenant, name).await? {
            return Err(ApiError::not_found("quota", name.chars().take(NAME_CHARS_MAX).collect::<String>()));
        }
        self.inner.learn_quotas().await?;
        Ok(())
    }
}

impl Inner {
    /// A quota with what is used of it: of the caller's own share, where each has one.
    async fn shown(&self, caller: &Caller, quota: Quota) -> Result<QuotaView, ApiError> {
        let own = quota.owner == caller.tenant;
        let named = |part: &Option<String>| part.clone().filter(|part| part != "*");
        let (tool, route, key) = (named(&quota.scope.tool), named(&quota.scope.route), named(&quota.scope.key));
        let tenant = named(&quota.scope.tenant).unwrap_or_else(|| caller.tenant.to_string());
        let key = key.unwrap_or_else(|| caller.actor.to_string());
        let work = Work { tenant: &tenant, tool: tool.as_deref(), route: route.as_deref(), key: &key };
        let mut seen = None;
        if let Some(meter) = quota.meter(work) {
            let look = MeterAct::Look { waiter: None, holders: 0, beyond: 0 };
            if let Metered::Seen(found) = self.store.meter(&meter, look, None).await? {
                seen = Some(found);
            }
        }
        Ok(QuotaView { quota, own, seen })
    }
}

fn is_about(quota: &Quota, tenant: &TenantId) -> bool {
    let named = quota.scope.tenant.as_deref().is_none_or(|named| named == "*" || named == tenant.as_str());
    quota.owner == *tenant || (quota.owner == TenantId::local() && named)
}

fn checked_name(name: String) -> Result<String, ApiError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(plain) {
        let cause = "a quota's name has 1 to 64 letters, digits, dots and dashes";
        return Err(invalid(cause.to_owned(), "give it such a name"));
    }
    Ok(name)
}

/// A tenant other than the installation's sets quotas for itself only.
fn checked_scope(caller: &Caller, mut scope: QuotaScope, limit: QuotaLimit) -> Result<QuotaScope, ApiError> {
    for part in [&mut scope.tenant, &mut scope.tool, &mut scope.route, &mut scope.key] {
        *part = part.take().filter(|text| !text.is_empty());
        if part.as_ref().is_some_and(|text| text.len() > 128) {
            return Err(invalid("a name in its scope is too long".to_owned(), "name what there is"));
        }
    }
    if caller.tenant != TenantId::local() {
        let own = caller.tenant.as_str();
        if let Some(other) = scope.tenant.as_deref().filter(|tenant| *tenant != own && *tenant != "*") {
            let cause = format!("tenant {other} is not yours");
            return Err(invalid(cause, "leave the tenant out: the quota is about your own"));
        }
        scope.tenant = Some(own.to_owned());
    }
    if matches!(limit, QuotaLimit::Runs { .. }) && (scope.tool.is_some() || scope.route.is_some()) {
        let cause = "runs are counted by tenant and key only".to_owned();
        return Err(invalid(cause, "leave tool and route out"));
    }
    Ok(scope)
}

fn invalid(cause: String, cure: &str) -> ApiError {
    ApiError::invalid("invalid_quota", cause, cure)
}

fn kind(limit: &QuotaLimit) -> String {
    let text = limit.to_string();
    text.split(' ').next().unwrap_or_default().to_owned()
}
