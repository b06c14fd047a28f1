//! Who is not known is refused before a byte of the message is read, so that only callers
//! with a key can make this server gather large ones. What a known caller may do is asked
//! again by each call.

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;

use super::server::bearer;
use super::status;
use crate::Services;

/// Paths of our own calls; health and reflection ask for no key.
const OURS: &str = "/baton.v1.";

/// The same routes, behind the door.
pub(super) fn before(routes: Routes, services: Services) -> Routes {
    routes.prepare().into_axum_router().layer(from_fn_with_state(services, admit)).into()
}

async fn admit(State(services): State<Services>, mut request: Request, next: Next) -> Response {
    if request.uri().path().starts_with(OURS) {
        let metadata = MetadataMap::from_headers(std::mem::take(request.headers_mut()));
        if let Err(error) = services.auth.known(bearer(&metadata)).await {
            return status::of_auth(error).into_http();
        }
        *request.headers_mut() = metadata.into_headers();
    }
    next.run(request).await
}
