//! Rules of the code that compilers do not know: one file each, with a sample that breaks it.
//!
//! A rule says where, what, why and the cure. Rules that need knowledge of types are left to clippy.

mod adapters;
mod functions;
mod layers;
mod machine_paths;
mod protobuf;
mod purity;
mod size;
mod source;
mod unfinished;

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use source::Source;

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    /// The file, from the root of the workspace.
    path: String,
    /// The line, from 1.
    line: usize,
    /// What is wrong.
    what: String,
    /// Why it is.
    why: &'static str,
    /// What to do about it.
    cure: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n    why: {}\n    cure: {}", self.path, self.line, self.what, self.why, self.cure)
    }
}

/// A rule about one source file.
type Rule = fn(&Source) -> Vec<Violation>;

const RULES: &[Rule] = &[
    size::check,
    functions::check,
    purity::check,
    adapters::check,
    protobuf::check,
    unfinished::check,
    machine_paths::check,
];

/// Checks the whole workspace and prints what breaks a rule.
///
/// # Errors
/// When something does.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let mut violations = layers::check(root)?;
    let mut files = 0_usize;
    walk(root, root, &mut |path, text| {
        let source = Source::new(path, text);
        violations.extend(RULES.iter().flat_map(|rule| rule(&source)));
        files += 1;
    })?;
    violations.sort();
    for violation in &violations {
        println!("{violation}");
    }
    if !violations.is_empty() {
        bail!("{} rules broken in {files} files", violations.len());
    }
    println!("tidy: {files} files");
    Ok(())
}

/// Shows each text file that people write to `see`, in a fixed order.
fn walk(root: &Path, folder: &Path, see: &mut impl FnMut(String, String)) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            if !["target", ".git", "node_modules"].contains(&name.as_str()) {
                walk(root, &path, see)?;
            }
        } else if source::is_written(&name) {
            // What is not UTF-8 is not text: a sample document, say.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let relative = path.strip_prefix(root).unwrap_or(&path);
            see(relative.to_string_lossy().into_owned(), text);
        }
    }
    Ok(())
}
