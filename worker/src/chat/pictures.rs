//! The pictures of a chat: files of the run, files beneath the file roots, or results that
//! lie in blobs, each known by its first bytes and sent whole.

use std::io::Read as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use baton_common::{BlobRef, Failure};
use baton_inference::Part;
use baton_tools::Call;
use baton_tools::roots::Roots;
use bytes::Bytes;
use serde_json::Value;

/// Bytes of all pictures of one call.
const BYTES_MAX: u64 = 20 * 1024 * 1024;
/// Pictures of one call.
const COUNT_MAX: usize = 32;

/// Where a picture lies.
enum Place {
    /// A file of the run, else one beneath the roots.
    Path(String),
    Blob(BlobRef),
}

/// The pictures, in their order.
///
/// # Errors
/// When one is not there, may not be read, or is none; or all are too large.
pub(super) async fn read(given: Vec<Value>, roots: &Arc<Roots>, call: &Call) -> Result<Vec<Part>, Failure> {
    if given.len() > COUNT_MAX {
        return Err(Failure::invalid("image_too_large", format!("a chat shows at most {COUNT_MAX} pictures")));
    }
    let places: Vec<(Place, String)> = given.iter().map(place).collect::<Result<_, _>>()?;
    let named = places.iter().any(|(place, _)| matches!(place, Place::Path(_)));
    let own = if named { call.blobs.artifacts().await? } else { Vec::new() };
    let mut room = BYTES_MAX;
    let mut parts = Vec::with_capacity(places.len());
    for (place, name) in places {
        let blob = match &place {
            Place::Blob(blob) => Some(blob),
            Place::Path(path) => own.iter().find(|artifact| artifact.path == *path).map(|artifact| &artifact.blob),
        };
        let bytes = match (blob, &place) {
            (Some(blob), _) if blob.bytes > room => return Err(too_large(&name)),
            (Some(blob), _) | (None, Place::Blob(blob)) => call.blobs.get(blob).await?,
            (None, Place::Path(path)) => file(path.clone(), roots.clone(), room).await?,
        };
        room = room.checked_sub(bytes.len() as u64).ok_or_else(|| too_large(&name))?;
        parts.push(part(&bytes, &name)?);
    }
    Ok(parts)
}

/// A path, an object with one, or a reference to a blob.
fn place(given: &Value) -> Result<(Place, String), Failure> {
    let blob = given.get("$blob").and_then(|blob| serde_json::from_value::<BlobRef>(blob.clone()).ok());
    let path = given.as_str().or_else(|| given.get("path")?.as_str());
    match (blob, path) {
        (Some(blob), _) => Ok((Place::Blob(blob), "a picture in a blob".to_owned())),
        (None, Some(path)) if !path.is_empty() => Ok((Place::Path(path.to_owned()), path.to_owned())),
        _ => Err(Failure::invalid("bad_arguments", "images are a list of paths or of results of tools")),
    }
}

async fn file(path: String, roots: Arc<Roots>, room: u64) -> Result<Bytes, Failure> {
    let read = move || {
        let opened = roots.open_file(&path)?;
        if opened.bytes > room {
            return Err(too_large(&path));
        }
        let mut bytes = Vec::new();
        let unreadable = |error| Failure::transient("file_unreadable", format!("cannot read {path}: {error}"));
        opened.file.take(room + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(Bytes::from(bytes))
    };
    let ended = |error| Failure::permanent("file_unreadable", format!("reading a picture failed: {error}"));
    tokio::task::spawn_blocking(read).await.map_err(ended)?
}

fn part(bytes: &[u8], name: &str) -> Result<Part, Failure> {
    let media_type = media_type(bytes).ok_or_else(|| {
        Failure::invalid("image_invalid", format!("{name} is no picture that models read: PNG, JPEG, GIF or WebP"))
    })?;
    let url = format!("data:{media_type};base64,{}", STANDARD.encode(bytes));
    Ok(Part::Image { media_type: media_type.to_owned(), url })
}

/// What the first bytes say it is, whatever its name does.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

fn too_large(name: &str) -> Failure {
    let whole = BYTES_MAX / (1024 * 1024);
    Failure::invalid("image_too_large", format!("{name} makes the pictures of this chat larger than {whole} MiB"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PNG: &[u8] = &[0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 7];

    fn png() -> Part {
        Part::Image { media_type: "image/png".to_owned(), url: "data:image/png;base64,iVBORw0KGgoH".to_owned() }
    }

    #[tokio::test]
    async fn pictures_are_found_in_the_run_beneath_the_roots_and_in_blobs() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("of-root.txt"), PNG).unwrap();
        std::fs::write(folder.path().join("both.png"), "none").unwrap();
        let roots = Arc::new(Roots::new(&[folder.path().to_owned()]));
        let call = baton_tools::testing::call();
        for path in ["of-run.png", "both.png"] {
            call.blobs.put_artifact(path, "image/png", PNG.into()).await.unwrap();
        }
        let blob = call.blobs.put("image/png", PNG.into()).await.unwrap();
        let given =
            vec![json!("of-run.png"), json!("both.png"), json!({"path": "of-root.txt"}), json!({"$blob": blob})];
        assert_eq!(read(given, &roots, &call).await.unwrap(), [png(), png(), png(), png()]);
    }

    #[tokio::test]
    async fn what_is_no_picture_too_large_or_elsewhere_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("page.png"), "<html>").unwrap();
        let large = std::fs::File::create(folder.path().join("large.png")).unwrap();
        large.set_len(BYTES_MAX + 1).unwrap();
        let roots = Arc::new(Roots::new(&[folder.path().to_owned()]));
        let call = baton_tools::testing::call();
        let code = async |given: Value| read(vec![given], &roots, &call).await.unwrap_err().code;
        assert_eq!(code(json!("page.png")).await, "image_invalid");
        assert_eq!(code(json!("large.png")).await, "image_too_large");
        assert_eq!(code(json!("../page.png")).await, "path_outside_roots");
        assert_eq!(code(json!("/etc/hostname")).await, "path_outside_roots");
        assert_eq!(code(json!("none.png")).await, "file_not_found");
        assert_eq!(code(json!(7)).await, "bad_arguments");
        let many = vec![json!("page.png"); COUNT_MAX + 1];
        assert_eq!(read(many, &roots, &call).await.unwrap_err().code, "image_too_large");
    }

    #[test]
    fn a_picture_is_known_by_its_first_bytes() {
        assert_eq!(media_type(&[0xff, 0xd8, 0xff, 0xe0]), Some("image/jpeg"));
        assert_eq!(media_type(b"GIF89a.."), Some("image/gif"));
        assert_eq!(media_type(b"RIFF1234WEBPVP8 "), Some("image/webp"));
        assert_eq!(media_type(b"RIFF1234WAVE"), None);
        assert_eq!(media_type(b"<svg"), None);
        assert_eq!(media_type(b""), None);
    }
}
