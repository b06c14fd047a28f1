//! Opening files beneath the configured folders and nowhere else. On Linux the kernel
//! resolves the path and refuses every way out, links included; elsewhere no link is
//! followed at all. What a file holds is the reader's part.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use baton_common::{ErrorClass, Failure};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// The folders that may be read.
#[derive(Debug, Default)]
pub struct Roots {
    /// As configured, and as the file system spells it.
    folders: Vec<(PathBuf, PathBuf)>,
}

/// A file that was opened beneath a root.
#[derive(Debug)]
pub struct Opened {
    /// Open for reading, at its beginning.
    pub file: File,
    /// Size in bytes.
    pub bytes: u64,
}

impl Roots {
    /// These folders; an empty name is none. One that does not exist yet is looked at again at each call.
    #[must_use]
    pub fn new(folders: &[PathBuf]) -> Self {
        let absolute = |folder: &PathBuf| std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
        let real = |folder: &PathBuf| std::fs::canonicalize(folder).unwrap_or_else(|_| absolute(folder));
        let named = folders.iter().filter(|folder| !folder.as_os_str().is_empty());
        Self { folders: named.map(|folder| (absolute(folder), real(folder))).collect() }
    }

    /// Opens a file for reading. A relative path is looked for beneath each root in turn.
    ///
    /// # Errors
    /// `path_outside_roots` (refused), `file_not_found`, `not_a_file`, `file_unreadable`.
    pub fn open_file(&self, path: &str) -> Result<Opened, Failure> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(self.open(path, flags)?);
        let meta = file.metadata().map_err(|e| unreadable(path, e))?;
        if !meta.is_file() {
            return Err(Failure::invalid("not_a_file", format!("{path} is not a file")));
        }
        Ok(Opened { file, bytes: meta.len() })
    }

    /// Opens a folder for listing.
    pub(crate) fn open_folder(&self, path: &str) -> Result<OwnedFd, Failure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        self.open(path, flags)
    }

    fn open(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Failure> {
        let mut answer = None;
        for (root, beneath) in self.places(path)? {
            let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let opened =
                rustix::fs::open(root, folder, Mode::empty()).and_then(|root| open_beneath(&root, &beneath, flags));
            match opened {
                Ok(file) => return Ok(file),
                Err(Errno::NOENT) => answer = answer.or(Some(Errno::NOENT)),
                Err(errno) => answer = Some(errno),
            }
        }
        Err(answer.map_or_else(|| outside(path), |errno| failure(path, errno)))
    }

    /// Each root that the path may lie in, with the path beneath it.
    fn places(&self, path: &str) -> Result<Vec<(&Path, PathBuf)>, Failure> {
        let named = Path::new(path);
        if named.components().any(|part| part == Component::ParentDir) || path.contains('\0') {
            return Err(outside(path));
        }
        let beneath = |(spelled, real): &'_ (PathBuf, PathBuf)| -> Option<PathBuf> {
            if named.is_relative() {
                return Some(named.to_owned());
            }
            named.strip_prefix(spelled).or_else(|_| named.strip_prefix(real)).ok().map(Path::to_owned)
        };
        Ok(self.folders.iter().filter_map(|pair| Some((pair.1.as_path(), beneath(pair)?))).collect())
    }
}

/// Opens `path` beneath an open folder.
pub(crate) fn open_beneath(folder: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{ResolveFlags, openat2};
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..16 {
            match openat2(folder, path, flags, Mode::empty(), resolve) {
                // The tree changed while it was walked; the kernel asks for another try.
                Err(Errno::AGAIN | Errno::INTR) => {}
                // Kernels before 5.6 and some sandboxes do not know the call.
                Err(Errno::NOSYS | Errno::PERM) => return walk_beneath(folder, path, flags),
                answer => return answer,
            }
        }
    }
    walk_beneath(folder, path, flags)
}

/// Part by part, following no link.
fn walk_beneath(folder: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let parts: Vec<_> = path.components().filter(|part| *part != Component::CurDir).collect();
    let mut at = rustix::fs::openat(folder, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    for (index, part) in parts.iter().enumerate() {
        let Component::Normal(name) = part else { return Err(Errno::XDEV) };
        let last = index + 1 == parts.len();
        let flags = if last { flags } else { OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC };
        at = rustix::fs::openat(&at, *name, flags | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok(at)
}

fn failure(path: &str, errno: Errno) -> Failure {
    match errno {
        Errno::XDEV | Errno::LOOP => outside(path),
        Errno::NOENT => Failure::invalid("file_not_found", format!("there is no {path} beneath the file roots")),
        Errno::NOTDIR => Failure::invalid("not_a_folder", format!("{path} is not a folder")),
        errno => unreadable(path, errno),
    }
}

fn unreadable(path: &str, errno: impl Into<std::io::Error>) -> Failure {
    let error: std::io::Error = errno.into();
    let class = match error.kind() {
        std::io::ErrorKind::PermissionDenied => ErrorClass::Refused,
        _ => ErrorClass::Transient,
    };
    Failure::new(class, "file_unreadable", format!("cannot open {path}: {error}"))
}

fn outside(path: &str) -> Failure {
    Failure::refused(
        "path_outside_roots",
        format!("{path} does not lie beneath a folder that tools may read; name the folder in BATON_FILE_ROOTS"),
    )
}
