//! The folder of a skill, read: every text in it by its path. What a skill is, and what is
//! wrong with one, is `engine`'s part; it is told of what is no text or too much by a piece.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use baton_engine::spec::{SKILL_FILE_BYTES_MAX, SKILL_FILES_MAX};

/// How deep folders of a skill are looked into.
const DEPTH_MAX: usize = 6;
/// Folders that hold nothing of a skill.
const SKIPPED: [&str; 3] = [".git", "node_modules", "__pycache__"];

/// The files beneath a folder, by the name that the graph has for it and their paths within
/// it; none where there is no such folder. Links that lie in it are not followed.
pub(crate) fn read(folder: &Path, named: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    walk(&folder.join(named), named, 0, &mut found);
    found
}

fn walk(folder: &Path, named: &str, depth: usize, found: &mut BTreeMap<String, String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        // One more than allowed tells that there are too many.
        if found.len() > SKILL_FILES_MAX {
            return;
        }
        let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else { continue };
        let path = format!("{named}/{name}");
        if kind.is_dir() && depth < DEPTH_MAX && !SKIPPED.contains(&name.as_str()) {
            walk(&entry.path(), &path, depth + 1, found);
        } else if kind.is_file() && name != ".DS_Store" {
            found.insert(path, text(&entry.path()));
        }
    }
}

/// A file's text; what it begins with where it is too long, and `"\0"` where it is none.
fn text(path: &Path) -> String {
    let mut bytes = Vec::new();
    let room = SKILL_FILE_BYTES_MAX as u64 + 4;
    let read = File::open(path).and_then(|file| file.take(room).read_to_end(&mut bytes));
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        // A letter may have been cut.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or("\0"),
        Err(_) => "\0",
    };
    if read.is_ok() && !text.contains('\0') { text.to_owned() } else { "\0".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_and_what_is_none_or_too_long_can_be_told() {
        let folder = tempfile::tempdir().unwrap();
        let skill = folder.path().join("skills/s");
        std::fs::create_dir_all(skill.join("references")).unwrap();
        std::fs::create_dir_all(skill.join(".git")).unwrap();
        std::fs::write(skill.join("SKILL.md"), "main").unwrap();
        std::fs::write(skill.join("references/a.md"), "grün").unwrap();
        std::fs::write(skill.join(".git/config"), "x").unwrap();
        std::fs::write(skill.join("logo.png"), [0x89, b'P', 0xff, 0]).unwrap();
        std::fs::write(skill.join("long.md"), "ü".repeat(SKILL_FILE_BYTES_MAX)).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc/hostname", skill.join("link.md")).unwrap();
        let read = read(folder.path(), "skills/s");
        let paths: Vec<_> = read.keys().map(String::as_str).collect();
        assert_eq!(
            paths,
            ["SKILL.md", "logo.png", "long.md", "references/a.md"].map(|path| format!("skills/s/{path}"))
        );
        assert_eq!((read["skills/s/logo.png"].as_str(), read["skills/s/references/a.md"].as_str()), ("\0", "grün"));
        assert!(read["skills/s/long.md"].len() > SKILL_FILE_BYTES_MAX);
        assert!(super::read(folder.path(), "skills/none").is_empty());
    }
}
