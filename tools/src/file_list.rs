//! `file.list`: the files beneath a folder, by path. Links that lead out are left out;
//! links to folders are not entered, so that no circle is walked. Reads no file.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use baton_common::Failure;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use rustix::fs::{Dir, FileType, OFlags};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::roots::{Roots, open_beneath};
use crate::{Call, IoTool, args, media};

/// The most files one call lists.
pub const FILES_MAX: usize = 10_000;
/// How many folders deep a call looks.
pub const DEPTH_MAX: usize = 16;

/// Lists files beneath the configured roots.
pub struct FileList {
    roots: Arc<Roots>,
}

impl FileList {
    /// Lists beneath these roots.
    #[must_use]
    pub fn new(roots: Arc<Roots>) -> Self {
        Self { roots }
    }
}

#[derive(Deserialize)]
struct Args {
    folder: String,
    #[serde(default)]
    extensions: Vec<String>,
}

#[derive(Serialize)]
struct Listed {
    path: String,
    name: String,
    bytes: u64,
    media_type: &'static str,
}

#[async_trait]
impl IoTool for FileList {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "file.list".to_owned(),
            major: 1,
            class: QueueClass::Io,
            effect: Effect::Pure,
            description: "Lists the files beneath a folder, sorted by path".to_owned(),
            args_schema: json!({
                "type": "object",
                "properties": {
                    "folder": { "type": "string", "minLength": 1, "maxLength": 4096 },
                    "extensions": { "type": "array", "items": { "type": "string", "minLength": 1, "maxLength": 32 } }
                },
                "required": ["folder"],
                "additionalProperties": false
            }),
        }
    }

    async fn call(&self, args: Value, _call: &Call) -> Result<Value, Failure> {
        let args: Args = args::parse(args)?;
        let roots = self.roots.clone();
        let files = args::blocking(move || list(&roots, &args)).await?;
        Ok(json!({ "files": files }))
    }
}

fn list(roots: &Roots, args: &Args) -> Result<Vec<Listed>, Failure> {
    let top = roots.open_folder(&args.folder)?;
    let mut found = BTreeMap::new();
    walk(&top, Path::new(""), 0, &mut found).map_err(|error| match error {
        Stop::Failed(errno) => Failure::transient("folder_unreadable", format!("cannot list {}: {errno}", args.folder)),
        Stop::TooMany => Failure::invalid(
            "too_many_files",
            format!("{} holds more than {FILES_MAX} files; name a folder within it", args.folder),
        ),
    })?;
    let wanted: Vec<String> =
        args.extensions.iter().map(|text| text.trim_start_matches('.').to_ascii_lowercase()).collect();
    let files = found.into_iter().filter(|(name, _)| {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        wanted.is_empty() || extension.is_some_and(|extension| wanted.contains(&extension))
    });
    let place = |name: &str| match args.folder.trim_end_matches('/') {
        "." => name.to_owned(),
        folder => format!("{folder}/{name}"),
    };
    Ok(files
        .map(|(name, bytes)| Listed { path: place(&name), media_type: media::of_name(&name), name, bytes })
        .collect())
}

enum Stop {
    Failed(rustix::io::Errno),
    TooMany,
}

impl From<rustix::io::Errno> for Stop {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Failed(errno)
    }
}

/// Collects name and size of the files in `folder`, a path beneath `top`. What vanishes or
/// cannot be opened meanwhile is left out; names that are not UTF-8 are, too.
fn walk(top: &OwnedFd, folder: &Path, depth: usize, found: &mut BTreeMap<String, u64>) -> Result<(), Stop> {
    let listing = open_beneath(top, folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)?;
    let mut folders: Vec<PathBuf> = Vec::new();
    for entry in Dir::read_from(&listing)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if name == "." || name == ".." || name.starts_with('.') {
            continue;
        }
        let path = folder.join(name);
        let link = entry.file_type() == FileType::Symlink;
        // Opened as a place only, so that no pipe or device is touched.
        let flags = if cfg!(target_os = "linux") { OFlags::PATH } else { OFlags::RDONLY | OFlags::NONBLOCK };
        let Ok(place) = open_beneath(top, &path, flags | OFlags::CLOEXEC) else { continue };
        let Ok(stat) = rustix::fs::fstat(&place) else { continue };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if !link && depth < DEPTH_MAX => folders.push(path),
            FileType::RegularFile => {
                if found.len() == FILES_MAX {
                    return Err(Stop::TooMany);
                }
                let Some(name) = path.to_str() else { continue };
                found.insert(name.to_owned(), u64::try_from(stat.st_size).unwrap_or(0));
            }
            _ => {}
        }
    }
    for folder in folders {
        match walk(top, &folder, depth + 1, found) {
            Err(Stop::TooMany) => return Err(Stop::TooMany),
            Ok(()) | Err(Stop::Failed(_)) => {}
        }
    }
    Ok(())
}
