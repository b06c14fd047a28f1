//! Permits and job tokens: what lets a worker claim a job, and what proves that it holds one.
//!
//! Both are keyed BLAKE3 over length-prefixed fields. A token carries its tenant, so that
//! checking it reads no record.

use baton_common::tool::QueueClass;
use baton_common::{Digest, Fence, JobId, TenantId};
use subtle::ConstantTimeEq;

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
        self.seal(&["permit", &job.to_string(), &digest.to_string(), class.name(), tenant.as_str()])
    }

    pub(crate) fn permits(
        &self,
        permit: &str,
        job: &JobId,
        digest: Digest,
        class: QueueClass,
        tenant: &TenantId,
    ) -> bool {
        same(permit, &self.permit(job, digest, class, tenant))
    }

    /// Proves that its bearer holds that attempt at the job.
    pub(crate) fn token(&self, job: &JobId, fence: Fence, tenant: &TenantId) -> String {
        let seal = self.seal(&["token", &job.to_string(), &fence.to_string(), tenant.as_str()]);
        format!("{seal}.{tenant}")
    }

    /// The tenant of a token, if it is one for that attempt.
    pub(crate) fn holder(&self, token: &str, job: &JobId, fence: Fence) -> Option<TenantId> {
        let (_, tenant) = token.split_once('.')?;
        let tenant = TenantId::parse(tenant).ok()?;
        same(token, &self.token(job, fence, &tenant)).then_some(tenant)
    }

    fn seal(&self, fields: &[&str]) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for field in fields {
            hasher.update(&(field.len() as u64).to_le_bytes());
            hasher.update(field.as_bytes());
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Digest(bytes).to_string()
    }
}

fn same(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
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
        let token = keys.token(&job(1), Fence(2), &tenant);
        assert_eq!(keys.holder(&token, &job(1), Fence(2)), Some(tenant.clone()));
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
