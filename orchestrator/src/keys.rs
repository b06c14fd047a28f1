//! Permits and job tokens: what lets a worker claim a job, and what proves that it holds one.
//!
//! Both are keyed BLAKE3 over length-prefixed fields. A token carries its tenant, and the
//! graph's version where its run was submitted with another, so that checking it and knowing
//! what its job means reads no record.

use baton_common::tool::QueueClass;
use baton_common::{Digest, Fence, GraphHash, Hasher, JobId, TenantId};
use subtle::ConstantTimeEq;

use crate::quotas::Taken;

/// What a token says beside which attempt it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Whose job it is.
    pub(crate) tenant: TenantId,
    /// [`baton_common::records::GroupInfo::graph`] of its group.
    pub(crate) graph: Option<GraphHash>,
    /// What the attempt took of quotas.
    pub(crate) taken: Vec<Taken>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.graph {
            Some(graph) => write!(f, "{}@{graph}", self.tenant)?,
            None => self.tenant.fmt(f)?,
        }
        self.taken.iter().try_for_each(|taken| write!(f, "|{taken}"))
    }
}

/// Seals and checks.
#[derive(Clone)]
pub(crate) struct Keys {
    key: [u8; 32],
}

impl Keys {
    pub(crate) fn new(secret: Option<&str>, cluster: &str) -> Self {
        Self { key: blake3::derive_key("baton cluster secret v1", secret.unwrap_or(cluster).as_bytes()) }
    }

    /// Lets an authenticated worker of the class claim that job.
    pub(crate) fn permit(&self, job: &JobId, digest: Digest, class: QueueClass, tenant: &TenantId) -> String {
        self.permit_seal(job, digest, class, tenant).text()
    }

    fn permit_seal(&self, job: &JobId, digest: Digest, class: QueueClass, tenant: &TenantId) -> Digest {
        let seal = Hasher::keyed(&self.key).field("permit").text(job).field(digest.digits());
        seal.field(class.name()).field(tenant.as_str()).finish()
    }

    pub(crate) fn permits(
        &self,
        permit: &str,
        job: &JobId,
        digest: Digest,
        class: QueueClass,
        tenant: &TenantId,
    ) -> bool {
        same(permit, self.permit_seal(job, digest, class, tenant))
    }

    /// Proves that its bearer holds that attempt at the job.
    pub(crate) fn token(&self, job: &JobId, fence: Fence, holder: &Holder) -> String {
        let says = holder.to_string();
        let mut token = self.token_seal(job, fence, &says).text();
        token.reserve_exact(1 + says.len());
        token.push('.');
        token.push_str(&says);
        token
    }

    fn token_seal(&self, job: &JobId, fence: Fence, says: &str) -> Digest {
        Hasher::keyed(&self.key).field("token").text(job).text(&fence).field(says).finish()
    }

    /// What a token says of its bearer, if it is one for that attempt.
    pub(crate) fn holder(&self, token: &str, job: &JobId, fence: Fence) -> Option<Holder> {
        let (seal, says) = token.split_once('.')?;
        if !same(seal, self.token_seal(job, fence, says)) {
            return None;
        }
        let mut parts = says.split('|');
        let whose = parts.next()?;
        let taken = parts.map(Taken::parse).collect::<Option<_>>()?;
        Some(match whose.split_once('@') {
            Some((tenant, graph)) => {
                Holder { tenant: TenantId::parse(tenant).ok()?, graph: Some(graph.parse().ok()?), taken }
            }
            None => Holder { tenant: TenantId::parse(whose).ok()?, graph: None, taken },
        })
    }

    /// Shows that an item of an operation was previewed.
    pub(crate) fn item(&self, says: &[String]) -> String {
        self.item_seal(says).text()
    }

    fn item_seal(&self, says: &[String]) -> Digest {
        says.iter().fold(Hasher::keyed(&self.key).field("item"), Hasher::field).finish()
    }

    pub(crate) fn is_item(&self, seal: &str, says: &[String]) -> bool {
        same(seal, self.item_seal(says))
    }
}

fn same(given: &str, seal: Digest) -> bool {
    given.as_bytes().ct_eq(&seal.digits()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(index: u32) -> JobId {
        format!("001-6ba7b810-9dad-11d1-80b4-00c04fd430c8/0/a#1/{index}").parse().unwrap()
    }

    #[test]
    fn a_token_opens_its_own_attempt_only() {
        let keys = Keys::new(Some("s"), "c");
        let tenant = TenantId::parse("t.1").unwrap();
        let holder = Holder { tenant: tenant.clone(), graph: None, taken: Vec::new() };
        let token = keys.token(&job(1), Fence(2), &holder);
        assert_eq!(keys.holder(&token, &job(1), Fence(2)), Some(holder));
        let moved = Holder { tenant, graph: Some(GraphHash(Digest::of("second"))), taken: Vec::new() };
        let other = keys.token(&job(1), Fence(2), &moved);
        assert_eq!(keys.holder(&other, &job(1), Fence(2)), Some(moved));
        let (unmoved, _) = other.split_once('@').unwrap();
        assert_eq!(keys.holder(unmoved, &job(1), Fence(2)), None);
        let taken = ["nab", "t01"].into_iter().filter_map(Taken::parse).collect();
        let limited = Holder { tenant: TenantId::local(), graph: None, taken };
        let limited_token = keys.token(&job(1), Fence(2), &limited);
        assert_eq!(keys.holder(&limited_token, &job(1), Fence(2)), Some(limited));
        assert_eq!(keys.holder(limited_token.trim_end_matches("|t01"), &job(1), Fence(2)), None);
        assert_eq!(keys.holder(&token, &job(1), Fence(3)), None);
        assert_eq!(keys.holder(&token, &job(2), Fence(2)), None);
        assert_eq!(keys.holder(&token.replace("t.1", "t.2"), &job(1), Fence(2)), None);
        assert_eq!(Keys::new(Some("other"), "c").holder(&token, &job(1), Fence(2)), None);
    }

    #[test]
    fn a_permit_names_class_and_tenant() {
        let keys = Keys::new(None, "c");
        let (digest, tenant) = (Digest::of("x"), TenantId::local());
        let permit = keys.permit(&job(0), digest, QueueClass::Io, &tenant);
        assert!(keys.permits(&permit, &job(0), digest, QueueClass::Io, &tenant));
        assert!(!keys.permits(&permit, &job(0), digest, QueueClass::Cpu, &tenant));
        assert!(!keys.permits(&permit, &job(0), Digest::of("y"), QueueClass::Io, &tenant));
    }
}
