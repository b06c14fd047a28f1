//! Single blobs at signed addresses, for whoever has no credentials. Where the addresses come
//! from is the control plane's to decide; they are secrets, and no error holds one.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use reqwest::header::{CONTENT_LENGTH, HeaderValue};

use crate::s3::use_ring;
use crate::{Error, Pieces};

const CONNECT: Duration = Duration::from_secs(5);
/// The longest silence of a service that sends.
const SILENCE: Duration = Duration::from_secs(60);

/// Reaches blobs at signed addresses.
#[derive(Debug, Clone)]
pub struct Remote {
    client: reqwest::Client,
}

impl Remote {
    /// A client that follows no redirect.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> Result<Self, Error> {
        use_ring();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(failed)?;
        Ok(Self { client })
    }

    /// Writes a blob of so many bytes.
    ///
    /// # Errors
    /// When the service does not take it.
    pub async fn put<E>(
        &self,
        address: &str,
        bytes: u64,
        pieces: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    ) -> Result<(), Error>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let request = self.client.put(address).header(CONTENT_LENGTH, HeaderValue::from(bytes));
        let answer = request.body(reqwest::Body::wrap_stream(pieces)).send().await.map_err(failed)?;
        answer.error_for_status().map(|_| ()).map_err(failed)
    }

    /// Reads a blob piece by piece. What it is compared with is the caller's.
    ///
    /// # Errors
    /// When the service does not hand it out.
    pub async fn get(&self, address: &str) -> Result<Pieces, Error> {
        let answer = self.client.get(address).send().await.map_err(failed)?;
        let answer = answer.error_for_status().map_err(failed)?;
        Ok(answer.bytes_stream().map_err(failed).boxed())
    }
}

fn failed(error: reqwest::Error) -> Error {
    Error::Failed { place: "a signed address".to_owned(), source: error.without_url().into() }
}
