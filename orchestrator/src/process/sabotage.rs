//! `BATON_SABOTAGE`: an orchestrator without one of the checks that keep the hand-over whole,
//! so that a fault drill can show that it would notice. `BATON_READER`: one that takes itself
//! for an older or a later program. No release can be started so.

use baton_common::sources::{Error, Sources};
#[cfg(debug_assertions)]
use baton_store::machine::Guard;
use baton_store::machine::Guards;

const VARIABLE: &str = "BATON_SABOTAGE";
const READER_VARIABLE: &str = "BATON_READER";

/// What is left to an orchestrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Drill {
    /// Which checks of the store hold.
    pub(super) guards: Guards,
    /// Whether it sweeps.
    pub(super) sweep: bool,
}

impl Default for Drill {
    fn default() -> Self {
        Self { guards: Guards::default(), sweep: true }
    }
}

/// Reads the setting; nothing is missing where it is not there.
///
/// # Errors
/// When it names nothing that can be taken away, or this is a release.
pub(super) fn read(sources: &Sources) -> Result<Drill, Error> {
    match sources.get(VARIABLE) {
        None => Ok(Drill::default()),
        Some(name) => without(&name).map_err(|cause| Error::Value { name: VARIABLE.to_owned(), cause }),
    }
}

/// The version of records that this program is told to read; nothing where it is not told.
///
/// # Errors
/// When it is no version, or this is a release.
pub(super) fn reader(sources: &Sources) -> Result<Option<u32>, Error> {
    let told: Option<u32> = sources.parse(READER_VARIABLE)?;
    if told.is_some() && !cfg!(debug_assertions) {
        let cause = "this is a release, which knows its version".to_owned();
        return Err(Error::Value { name: READER_VARIABLE.to_owned(), cause });
    }
    Ok(told)
}

#[cfg(debug_assertions)]
fn without(name: &str) -> Result<Drill, String> {
    let guard = match name {
        "no-sweep" => return Ok(Drill { guards: Guards::default(), sweep: false }),
        "no-cas" => Guard::Version,
        "no-ready" => Guard::Ready,
        "no-dedup" => Guard::Dedup,
        "no-digest" => Guard::Digest,
        "no-fence" => Guard::Fence,
        _ => return Err("it is one of no-cas, no-ready, no-sweep, no-dedup, no-digest, no-fence".to_owned()),
    };
    tracing::warn!(without = name, "a drill: this orchestrator loses and doubles work");
    Ok(Drill { guards: Guards::without(guard), sweep: true })
}

#[cfg(not(debug_assertions))]
fn without(_name: &str) -> Result<Drill, String> {
    Err("this is a release, which never does without a check".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drill(name: Option<&str>) -> Result<Drill, Error> {
        let environment = name.map(|name| (VARIABLE.to_owned(), name.to_owned()));
        read(&Sources::read(None, environment).unwrap())
    }

    #[test]
    fn without_the_setting_nothing_is_missing() {
        assert_eq!(drill(None), Ok(Drill { guards: Guards::default(), sweep: true }));
    }

    #[cfg(debug_assertions)]
    #[test]
    fn a_drill_does_without_one_check() {
        for name in ["no-cas", "no-ready", "no-dedup", "no-digest", "no-fence"] {
            let drill = drill(Some(name)).unwrap();
            assert!(drill.sweep && drill.guards != Guards::default(), "{name}");
        }
        assert_eq!(drill(Some("no-sweep")), Ok(Drill { guards: Guards::default(), sweep: false }));
        assert!(drill(Some("no-cat")).unwrap_err().to_string().contains("no-cas"));
    }

    #[test]
    fn only_a_drill_is_told_its_version() {
        let told = |version: Option<&str>| {
            let environment = version.map(|version| (READER_VARIABLE.to_owned(), version.to_owned()));
            reader(&Sources::read(None, environment).unwrap())
        };
        assert_eq!(told(None), Ok(None));
        assert!(told(Some("new")).is_err());
        assert_eq!(told(Some("2")).ok(), cfg!(debug_assertions).then_some(Some(2)));
    }

    #[cfg(not(debug_assertions))]
    #[test]
    fn a_release_refuses_to_do_without_a_check() {
        assert!(drill(Some("no-cas")).is_err());
    }
}
