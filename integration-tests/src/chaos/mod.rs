//! Fault drills on real servers and processes: a load whose outcome is known, a nemesis that
//! kills, stops, cuts and forgets, a ledger of effects, and a judge who looks at everything
//! afterwards.
//!
//! [`soak`] tries everything at once; scenarios try one thing on purpose. The protocol itself
//! is tried in virtual time by the simulator, far more often and without servers.

mod aof;
pub mod api;
pub mod bed;
mod clock;
pub mod events;
pub mod fault;
pub mod guard;
pub mod history;
pub mod judge;
pub mod ledger;
pub mod load;
pub mod nemesis;
mod people;
pub mod recovery;
pub mod report;
pub mod rig;
pub mod sabotage;
pub mod scenario;
pub mod skew;
pub mod soak;
