//! How many runs a tenant watches at once: a watch takes a seat and gives it back with its
//! end. Nobody waits for a seat.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::TenantId;
use parking_lot::Mutex;

/// The seats of one process.
#[derive(Default)]
pub(crate) struct Seats(Arc<Mutex<BTreeMap<TenantId, usize>>>);

/// A taken seat.
pub(crate) struct Seat {
    seats: Arc<Mutex<BTreeMap<TenantId, usize>>>,
    tenant: TenantId,
}

impl Seats {
    /// A seat for the tenant, unless it has that many.
    pub(crate) fn take(&self, tenant: &TenantId, max: usize) -> Option<Seat> {
        let mut taken = self.0.lock();
        let count = taken.get(tenant).copied().unwrap_or(0);
        if count >= max {
            return None;
        }
        taken.insert(tenant.clone(), count + 1);
        Some(Seat { seats: self.0.clone(), tenant: tenant.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        match taken.get_mut(&self.tenant) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_comes_back_and_tenants_do_not_sit_on_each_others() {
        let (seats, [one, two]) = (Seats::default(), ["a", "b"].map(|name| TenantId::parse(name).unwrap()));
        let (first, second) = (seats.take(&one, 2), seats.take(&one, 2));
        assert!(first.is_some() && second.is_some() && seats.take(&one, 2).is_none());
        assert!(seats.take(&two, 2).is_some());
        drop(first);
        assert!(seats.take(&one, 2).is_some());
        drop(second);
        assert!(seats.0.lock().is_empty());
    }
}
