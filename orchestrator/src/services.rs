//! What the edges work with, gRPC and HTTP alike. How a call looks on a wire is theirs.

use std::sync::Arc;

use baton_control::ControlPlane;
use tokio_util::sync::CancellationToken;

use crate::Orchestrator;
use crate::auth::Auth;

/// What the services work with. Clones share it.
#[derive(Clone)]
pub struct Services {
    /// Serves callers and operators.
    pub orchestrator: Orchestrator,
    /// Serves workers.
    pub plane: Arc<dyn ControlPlane>,
    /// Knows who calls.
    pub auth: Arc<Auth>,
    /// Ends streams, and then the servers.
    pub shutdown: CancellationToken,
}
