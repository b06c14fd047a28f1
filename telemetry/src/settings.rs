//! Where every program finds its settings: the environment, and `baton.toml` in the folder
//! it was started in unless another file is named. What they mean is left to the program.

use std::path::{Path, PathBuf};

use baton_common::sources::{self, Sources};

/// Names the settings file.
const VARIABLE: &str = "BATON_CONFIG";

/// The settings file where none is named; it need not be there.
const FILE: &str = "baton.toml";

/// Why settings could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file that was named is not there, or may not be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// They were read and are not understood.
    #[error(transparent)]
    NotUnderstood(#[from] sources::Error),
}

/// The settings of this environment and of the file: the one that is named, the one that
/// `BATON_CONFIG` names, or `baton.toml` if there is one.
///
/// # Errors
/// When the file cannot be read, or something in it or in the environment is unknown.
pub fn read(named: Option<&Path>, environment: impl IntoIterator<Item = (String, String)>) -> Result<Sources, Error> {
    let environment: Vec<(String, String)> = environment.into_iter().collect();
    let file = file(named, &environment)?;
    Ok(Sources::read(file.as_ref().map(|(place, text)| (place.as_str(), text.as_str())), environment)?)
}

/// The same for a check: what is wrong is noted, and does as if it had not been said.
pub fn check(named: Option<&Path>, environment: impl IntoIterator<Item = (String, String)>) -> Sources {
    let environment: Vec<(String, String)> = environment.into_iter().collect();
    let (file, unreadable) = match file(named, &environment) {
        Ok(file) => (file, None),
        Err(error) => (None, Some(error)),
    };
    let sources = Sources::check(file.as_ref().map(|(place, text)| (place.as_str(), text.as_str())), environment);
    if let Some(error) = unreadable {
        let cause = std::error::Error::source(&error).map(|source| format!("{error}: {source}"));
        // In a check nothing is refused.
        let _ = sources.or_noted(VARIABLE, Err(cause.unwrap_or_default()), || ());
    }
    sources
}

/// Whether a log filter is written as one.
///
/// # Errors
/// When it is not.
pub fn check_filter(text: &str) -> Result<(), crate::Error> {
    crate::filter::for_logs(text).map(drop)
}

/// The file that is to be read, by its place, and its text.
fn file(named: Option<&Path>, environment: &[(String, String)]) -> Result<Option<(String, String)>, Error> {
    let told = environment.iter().find(|(name, value)| name == VARIABLE && !value.is_empty());
    let named = named.map(Path::to_owned).or_else(|| told.map(|(_, path)| PathBuf::from(path)));
    let path = named.or_else(|| Some(PathBuf::from(FILE)).filter(|path| path.is_file()));
    let text = |path: PathBuf| match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(source) => Err(Error::Unreadable { path, source }),
    };
    path.map(text).transpose()
}

/// The variables of this process, as far as they are text.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_named_must_be_there_and_is_named_by_its_mistakes() {
        let folder = std::env::temp_dir().join(format!("baton-settings-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("own.toml");
        let variable = || vec![(VARIABLE.to_owned(), file.display().to_string())];
        let missing = read(None, variable()).err().expect("no such file");
        assert!(matches!(missing, Error::Unreadable { .. }), "{missing}");
        std::fs::write(&file, "stoer = \"memory:\"").expect("written");
        let unknown = read(None, variable()).err().expect("an unknown name").to_string();
        assert!(unknown.contains("own.toml") && unknown.contains("did you mean store"), "{unknown}");
        std::fs::write(&file, "store = \"memory:\"").expect("written");
        let sources = read(Some(&file), []).expect("understood");
        assert_eq!(sources.get("BATON_STORE").as_deref(), Some("memory:"));
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
