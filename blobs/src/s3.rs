//! Buckets of services that speak S3: which one, where, and with whose credentials.
//!
//! What lies in them and how it is read is `objects`'.

use std::sync::{Arc, Once};
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::signer::{Method, Signer as _};
use object_store::{ObjectStore, RetryConfig};
use url::Url;

use crate::store::Access;
use crate::{Error, Objects};

/// Whoever waits for a blob has a time limit of its own and asks again.
const RETRIES: usize = 3;
const RETRIES_WITHIN: Duration = Duration::from_secs(20);

/// Opens a bucket, or a prefix of it. Credentials come from the environment: access keys, a
/// web identity, a container's or an instance's role, by the names that AWS gives them.
pub(crate) fn open(setting: &str) -> Result<Objects, Error> {
    opened(setting, AmazonS3Builder::from_env())
}

fn opened(setting: &str, builder: AmazonS3Builder) -> Result<Objects, Error> {
    use_ring();
    let place = Place::parse(setting)?;
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: RETRIES_WITHIN, ..RetryConfig::default() };
    let mut builder = builder.with_bucket_name(&place.bucket).with_allow_http(place.plain).with_retry(retry);
    if let Some(endpoint) = place.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = place.region {
        builder = builder.with_region(region);
    }
    let store = Arc::new(builder.build().map_err(|error| Error::Setting(error.to_string()))?);
    let signing = Signing { store: store.clone(), prefix: place.prefix.clone() };
    let store: Arc<dyn ObjectStore> = match place.prefix {
        Some(prefix) => Arc::new(PrefixStore::new(store, prefix)),
        None => store,
    };
    Ok(Objects::remote(store, signing))
}

/// Makes addresses that carry leave to reach one object.
#[derive(Debug)]
pub(crate) struct Signing {
    store: Arc<AmazonS3>,
    prefix: Option<Path>,
}

impl Signing {
    /// The address of the object at that place beneath the prefix.
    pub(crate) async fn address(
        &self,
        place: &Path,
        access: Access,
        within: Duration,
    ) -> Result<String, object_store::Error> {
        let method = match access {
            Access::Read => Method::GET,
            Access::Write => Method::PUT,
        };
        let whole = match &self.prefix {
            Some(prefix) => prefix.parts().chain(place.parts()).collect(),
            None => place.clone(),
        };
        Ok(self.store.signed_url(method, &whole, within).await?.into())
    }
}

/// Where blobs lie.
#[derive(Debug, PartialEq)]
struct Place {
    bucket: String,
    prefix: Option<Path>,
    endpoint: Option<String>,
    region: Option<String>,
    /// Whether the endpoint is called without TLS.
    plain: bool,
}

impl Place {
    /// The message of an error never holds the setting, which may hold what nobody should see.
    fn parse(setting: &str) -> Result<Self, Error> {
        let wrong = |cause: &str| Error::Setting(format!("{cause}: s3://BUCKET/PREFIX?endpoint=URL&region=NAME"));
        let url = Url::parse(setting).map_err(|error| wrong(&error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("credentials stand in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, not here"));
        }
        let bucket = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it names no bucket"))?;
        if url.port().is_some() || url.fragment().is_some() {
            return Err(wrong("a server's address is its endpoint"));
        }
        let prefix = Path::from_url_path(url.path()).map_err(|_| wrong("its prefix is no path"))?;
        let (mut endpoint, mut region) = (None, None);
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "endpoint" => endpoint = Some(value.trim_end_matches('/').to_owned()),
                "region" => region = Some(value.into_owned()),
                other => return Err(wrong(&format!("{other} is not known here"))),
            }
        }
        let scheme = endpoint.as_deref().map(Url::parse).transpose();
        let plain = match scheme.map_err(|_| wrong("its endpoint is no URL"))?.as_ref().map(Url::scheme) {
            None | Some("https") => false,
            Some("http") => true,
            Some(_) => return Err(wrong("its endpoint is called by http or https")),
        };
        let prefix = (!prefix.as_ref().is_empty()).then_some(prefix);
        Ok(Self { bucket: bucket.to_owned(), prefix, endpoint, region, plain })
    }
}

/// The one TLS provider of this project, unless the process chose before.
pub(crate) fn use_ring() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A bucket of a test server, which takes any credentials.
#[cfg(test)]
pub(crate) fn testing(setting: &str) -> Objects {
    let builder = AmazonS3Builder::new().with_access_key_id("test").with_secret_access_key("test");
    opened(setting, builder).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_names_bucket_prefix_endpoint_and_region() {
        let place = Place::parse("s3://files/of/baton?endpoint=http://127.0.0.1:9000/&region=eu-north-1").unwrap();
        let expected = Place {
            bucket: "files".to_owned(),
            prefix: Some(Path::from("of/baton")),
            endpoint: Some("http://127.0.0.1:9000".to_owned()),
            region: Some("eu-north-1".to_owned()),
            plain: true,
        };
        assert_eq!(place, expected);
        let place = Place::parse("s3://files").unwrap();
        assert_eq!((place.prefix, place.endpoint, place.plain), (None, None, false));
    }

    #[test]
    fn a_setting_that_is_wrong_says_what_is_and_keeps_credentials_to_itself() {
        for (setting, cause) in [
            ("s3://", "names no bucket"),
            ("s3://host:9000/bucket", "is its endpoint"),
            ("s3://files?endpont=http://x", "endpont is not known"),
            ("s3://files?endpoint=ftp://x", "by http or https"),
            ("s3://files?endpoint=x", "is no URL"),
            ("s3://key:canary@files", "not here"),
        ] {
            let message = open(setting).unwrap_err().to_string();
            assert!(message.contains(cause), "{setting}: {message}");
            assert!(!message.contains("canary"), "{message}");
        }
    }
}
