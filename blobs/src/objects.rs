//! The adapters: a folder, memory, and services that speak S3, all through one object store
//! interface; the promises stand in [`crate::store`].

use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use baton_common::{TenantId, Timestamp};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::{Path, PathPart};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};

use crate::parts::Parts;
use crate::store::{Access, Pieces, Upload};
use crate::{BlobStore, Entry, Error, Key, s3};

/// Blobs as objects, each tenant beneath a prefix of its own.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    folder: Option<Arc<LocalFileSystem>>,
    signing: Option<Arc<s3::Signing>>,
}

/// Opens the store that a setting names: `file:DIR`, `memory:` or
/// `s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME]`, whose credentials stand in the
/// environment as AWS names them.
///
/// # Errors
/// When the setting names another kind of store or is not well formed, or the folder cannot
/// be made. A service that cannot be reached is told by the first call.
pub fn open(url: &str) -> Result<Objects, Error> {
    match url.split_once(':') {
        Some(("memory", "")) => Ok(Objects::memory()),
        Some(("file", folder)) if !folder.is_empty() => {
            let folder = folder.strip_prefix("//").filter(|rest| rest.starts_with('/')).unwrap_or(folder);
            Objects::folder(FilePath::new(folder))
        }
        Some(("s3", _)) => s3::open(url),
        _ => Err(Error::UnknownStore(url.to_owned())),
    }
}

impl Objects {
    /// Blobs in memory, for tests and the simulator; gone with the process.
    #[must_use]
    pub fn memory() -> Self {
        Self { store: Arc::new(InMemory::new()), folder: None, signing: None }
    }

    /// Blobs as files beneath a folder, which is made if it is missing.
    ///
    /// # Errors
    /// When the folder cannot be made or opened.
    pub fn folder(folder: &FilePath) -> Result<Self, Error> {
        let place = folder.display().to_string();
        std::fs::create_dir_all(folder).map_err(|e| Error::Failed { place: place.clone(), source: e.into() })?;
        let files = LocalFileSystem::new_with_prefix(folder)
            .map_err(|e| Error::Failed { place, source: e.into() })?
            .with_fsync(true)
            .with_automatic_cleanup(false);
        let files = Arc::new(files);
        Ok(Self { store: files.clone(), folder: Some(files), signing: None })
    }

    /// Blobs as objects of a service.
    pub(crate) fn remote(store: Arc<dyn ObjectStore>, signing: s3::Signing) -> Self {
        Self { store, folder: None, signing: Some(Arc::new(signing)) }
    }

    async fn read(&self, tenant: &TenantId, key: &Key, range: Option<Range<u64>>) -> Result<Bytes, Error> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let found = self.store.get_opts(&place(tenant, key), options).await.map_err(|e| failed(key, e))?;
        found.bytes().await.map_err(|e| failed(key, e))
    }
}

#[async_trait]
impl BlobStore for Objects {
    async fn put(&self, tenant: &TenantId, key: &Key, bytes: Bytes) -> Result<(), Error> {
        self.store.put(&place(tenant, key), bytes.into()).await.map_err(|e| failed(key, e))?;
        Ok(())
    }

    async fn get(&self, tenant: &TenantId, key: &Key) -> Result<Bytes, Error> {
        self.read(tenant, key, None).await
    }

    async fn get_range(&self, tenant: &TenantId, key: &Key, range: Range<u64>) -> Result<Bytes, Error> {
        let size = self.size(tenant, key).await?.ok_or_else(|| Error::NotFound(key.clone()))?;
        let range = range.start.min(size)..range.end.min(size);
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        self.read(tenant, key, Some(range)).await
    }

    async fn stream(&self, tenant: &TenantId, key: &Key) -> Result<Pieces, Error> {
        let found = self.store.get(&place(tenant, key)).await.map_err(|e| failed(key, e))?;
        let key = key.clone();
        Ok(found.into_stream().map_err(move |e| failed(&key, e)).boxed())
    }

    async fn upload(&self, tenant: &TenantId, key: &Key) -> Result<Box<dyn Upload>, Error> {
        Ok(Box::new(Parts::new(self.store.clone(), place(tenant, key), key.clone())))
    }

    async fn entry(&self, tenant: &TenantId, key: &Key) -> Result<Option<Entry>, Error> {
        match self.store.head(&place(tenant, key)).await {
            Ok(meta) => Ok(Some(Entry { key: key.clone(), bytes: meta.size, modified: moment(&meta) })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(key, error)),
        }
    }

    async fn list(&self, tenant: &TenantId, folder: Option<&Key>) -> Result<Vec<Entry>, Error> {
        let mut entries: Vec<Entry> = self.each(tenant, folder).try_collect().await?;
        entries.sort();
        Ok(entries)
    }

    fn each(&self, tenant: &TenantId, folder: Option<&Key>) -> BoxStream<'static, Result<Entry, Error>> {
        let area = area(tenant);
        let prefix = folder.map_or_else(|| Path::from_iter([area]), |key| place(tenant, key));
        let listing = self.store.list(Some(&prefix));
        let entry = move |meta: object_store::Result<ObjectMeta>| {
            let meta = meta.map_err(|e| Error::Failed { place: prefix.to_string(), source: e.into() })?;
            let text = meta.location.parts().skip(1).map(|part| written(part.as_ref())).collect::<Vec<_>>().join("/");
            Ok(Entry { key: Key::parse(&text)?, bytes: meta.size, modified: moment(&meta) })
        };
        listing.map(entry).boxed()
    }

    async fn tenants(&self) -> Result<Vec<TenantId>, Error> {
        let found = self.store.list_with_delimiter(None).await;
        let found = found.map_err(|e| Error::Failed { place: "the whole".to_owned(), source: e.into() })?;
        let names =
            found.common_prefixes.iter().filter_map(|path| path.parts().next_back().map(|part| written(part.as_ref())));
        Ok(names.filter_map(|name| TenantId::parse(name.strip_prefix("t-")?).ok()).collect())
    }

    async fn signed(
        &self,
        tenant: &TenantId,
        key: &Key,
        access: Access,
        within: Duration,
    ) -> Result<Option<String>, Error> {
        let Some(signing) = &self.signing else { return Ok(None) };
        signing.address(&place(tenant, key), access, within).await.map(Some).map_err(|e| failed(key, e))
    }

    async fn delete(&self, tenant: &TenantId, key: &Key) -> Result<(), Error> {
        match self.store.delete(&place(tenant, key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(key, error)),
        }
    }

    fn file(&self, tenant: &TenantId, key: &Key) -> Option<PathBuf> {
        self.folder.as_ref()?.path_to_filesystem(&place(tenant, key)).ok()
    }
}

/// A tenant's prefix. The mark before the name keeps a tenant called `..` in its place.
fn area(tenant: &TenantId) -> PathPart<'static> {
    PathPart::from(format!("t-{tenant}"))
}

fn place(tenant: &TenantId, key: &Key) -> Path {
    let parts = key.as_str().split('/').map(|part| PathPart::from(part.to_owned()));
    Path::from_iter(std::iter::once(area(tenant)).chain(parts))
}

/// Undoes the escapes that the object store's paths carry.
fn written(part: &str) -> String {
    let bytes = part.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| part.get(at + 1..at + 3)).flatten();
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn moment(meta: &ObjectMeta) -> Timestamp {
    Timestamp(meta.last_modified.timestamp_millis())
}

pub(crate) fn failed(key: &Key, error: object_store::Error) -> Error {
    match error {
        object_store::Error::NotFound { .. } => Error::NotFound(key.clone()),
        error => Error::Failed { place: key.to_string(), source: error.into() },
    }
}

#[cfg(test)]
mod tests {
    use baton_testbed::S3;

    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    fn key(text: &str) -> Key {
        Key::parse(text).unwrap()
    }

    async fn check(test: impl AsyncFn(Objects)) {
        let folder = tempfile::tempdir().unwrap();
        test(Objects::folder(&folder.path().join("blobs")).unwrap()).await;
        test(Objects::memory()).await;
        let server = S3::start("blobs").unwrap();
        test(s3::testing(&format!("s3://blobs/of/baton?endpoint={}", server.url()))).await;
    }

    #[tokio::test]
    async fn what_was_put_is_read_back_whole_and_in_parts() {
        check(async |store| {
            let (who, at) = (tenant("a"), key("x/y.bin"));
            store.put(&who, &at, Bytes::from_static(b"first")).await.unwrap();
            store.put(&who, &at, Bytes::from_static(b"0123456789")).await.unwrap();
            assert_eq!(store.get(&who, &at).await.unwrap(), "0123456789");
            assert_eq!(store.get_range(&who, &at, 2..5).await.unwrap(), "234");
            assert_eq!(store.get_range(&who, &at, 8..50).await.unwrap(), "89");
            assert_eq!(store.get_range(&who, &at, 50..60).await.unwrap(), "");
            let pieces: Vec<Bytes> = store.stream(&who, &at).await.unwrap().try_collect().await.unwrap();
            assert_eq!(pieces.concat(), b"0123456789");
            assert_eq!(store.size(&who, &at).await.unwrap(), Some(10));
            store.delete(&who, &at).await.unwrap();
            store.delete(&who, &at).await.unwrap();
            assert!(matches!(store.get(&who, &at).await, Err(Error::NotFound(_))));
            assert!(matches!(store.get_range(&who, &at, 0..1).await, Err(Error::NotFound(_))));
            assert_eq!(store.size(&who, &at).await.unwrap(), None);
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_written_in_pieces_is_seen_when_it_is_finished() {
        check(async |store| {
            let (who, at) = (tenant("a"), key("values/x"));
            for pieces in [0_usize, 1, 40] {
                let mut upload = store.upload(&who, &at).await.unwrap();
                for piece in 0..pieces {
                    upload.write(Bytes::from(vec![u8::try_from(piece).unwrap(); 500_000])).await.unwrap();
                }
                assert_ne!(store.size(&who, &at).await.unwrap(), Some(500_000 * pieces as u64));
                upload.finish().await.unwrap();
                let found = store.get(&who, &at).await.unwrap();
                assert_eq!(found.len(), 500_000 * pieces);
                assert!(found.chunks(500_000).enumerate().all(|(piece, bytes)| usize::from(bytes[0]) == piece));
            }
            let mut dropped = store.upload(&who, &key("values/y")).await.unwrap();
            dropped.write(Bytes::from(vec![0; 20_000_000])).await.unwrap();
            dropped.abort().await;
            let found: Vec<Entry> = store.each(&who, None).try_collect().await.unwrap();
            assert_eq!(found.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["values/x"]);
            assert_eq!(store.tenants().await.unwrap(), [who]);
        })
        .await;
    }

    #[tokio::test]
    async fn tenants_cannot_reach_each_other() {
        check(async |store| {
            let names = ["a", "a.b", "..", ".", "a-b"];
            for name in names {
                store.put(&tenant(name), &key("k"), Bytes::from(name)).await.unwrap();
            }
            for name in names {
                assert_eq!(store.get(&tenant(name), &key("k")).await.unwrap(), name);
                assert_eq!(store.list(&tenant(name), None).await.unwrap().len(), 1);
            }
            store.delete(&tenant("a"), &key("k")).await.unwrap();
            assert_eq!(store.get(&tenant("a-b"), &key("k")).await.unwrap(), "a-b");
        })
        .await;
    }

    #[tokio::test]
    async fn a_listing_is_sorted_and_keeps_odd_names() {
        check(async |store| {
            let who = tenant("a");
            for name in ["run/b 1.md", "run/Größe#2.md", "run/a/%2e%2e", "run2/c", "run/*?.txt"] {
                store.put(&who, &key(name), Bytes::from_static(b"x")).await.unwrap();
            }
            let found = store.list(&who, Some(&key("run"))).await.unwrap();
            let names: Vec<&str> = found.iter().map(|entry| entry.key.as_str()).collect();
            assert_eq!(names, ["run/*?.txt", "run/Größe#2.md", "run/a/%2e%2e", "run/b 1.md"]);
            for entry in &found {
                assert_eq!(store.get(&who, &entry.key).await.unwrap(), "x");
            }
            assert!(store.list(&who, Some(&key("nothing"))).await.unwrap().is_empty());
        })
        .await;
    }

    #[tokio::test]
    async fn a_folder_is_opened_again_with_what_it_held() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file:{}", folder.path().join("b").display());
        open(&url).unwrap().put(&tenant("a"), &key("k"), Bytes::from_static(b"v")).await.unwrap();
        let again = open(&url).unwrap();
        assert_eq!(again.get(&tenant("a"), &key("k")).await.unwrap(), "v");
        let file = again.file(&tenant("a"), &key("k")).unwrap();
        assert_eq!(std::fs::read(file).unwrap(), b"v");
    }

    #[test]
    fn an_unknown_store_is_refused_with_the_known_ones() {
        for url in ["gs://bucket", "file:", "", "memory:x", "folder"] {
            let message = open(url).unwrap_err().to_string();
            assert!(message.contains("file:DIR, s3://BUCKET or memory:"), "{message}");
        }
    }
}
