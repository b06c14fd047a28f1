//! What may be set: every setting and every table of `baton.toml`, described once, so that
//! what is known, what is documented and what is read cannot differ.
//!
//! Where values come from is `sources`'; what they mean is left to those who ask for them.

mod settings;
mod tables;

pub use settings::SETTINGS;
pub use tables::{Key, TABLES, Table};

/// A program that listens to settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// `baton-orchestrator`.
    Orchestrator,
    /// `baton-worker-io`, `baton-worker-cpu`, and workers of a team's own.
    Worker,
    /// `baton`: what asks a server, and the cluster within `run` and `dev`.
    Cli,
}

impl Program {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Orchestrator, Self::Worker, Self::Cli];

    /// Its name in commands and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Orchestrator => "orchestrator",
            Self::Worker => "worker",
            Self::Cli => "cli",
        }
    }
}

/// What settings are about, in the order of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Where things are.
    Places,
    /// Who comes in, and what is shown on the wire.
    Identity,
    /// How much, and for how long.
    Bounds,
    /// What a worker takes and does.
    Work,
    /// What is told, and where the file lies.
    Process,
    /// Fault drills and tests.
    Drills,
}

impl Topic {
    /// Each of them.
    pub const ALL: [Self; 6] = [Self::Places, Self::Identity, Self::Bounds, Self::Work, Self::Process, Self::Drills];

    /// Its heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Places => "Where things are",
            Self::Identity => "Keys and certificates",
            Self::Bounds => "How much, and for how long",
            Self::Work => "What a worker takes and does",
            Self::Process => "The process",
            Self::Drills => "Fault drills",
        }
    }
}

/// What a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Some text.
    Text,
    /// Some text that nobody is to see.
    Secret,
    /// An address with a scheme, or several; it may hold a password.
    Url,
    /// An IP address and a port.
    Listen,
    /// The same, or `off`.
    ListenOrOff,
    /// A file.
    File,
    /// A folder.
    Folder,
    /// Folders, separated as in a search path.
    Folders,
    /// Names, separated by commas.
    Names,
    /// `1` or `0`.
    Switch,
    /// A whole number of milliseconds.
    Milliseconds,
    /// A whole number of bytes.
    Bytes,
    /// A whole number up to 100.
    Percent,
    /// A number from 0 to 1.
    Share,
    /// A whole number.
    Count,
}

impl Takes {
    /// How it is told.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Secret => "a secret",
            Self::Url => "an address",
            Self::Listen => "IP address and port",
            Self::ListenOrOff => "IP address and port, or `off`",
            Self::File => "a file",
            Self::Folder => "a folder",
            Self::Folders => "folders, with colons between",
            Self::Names => "names, with commas between",
            Self::Switch => "1 or 0",
            Self::Milliseconds => "milliseconds",
            Self::Bytes => "bytes",
            Self::Percent => "percent",
            Self::Share => "a share, from 0 to 1",
            Self::Count => "a number",
        }
    }
}

/// What holds where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// This value, as if it had been written.
    Value(&'static str),
    /// Something that depends: on the program, the machine or another setting.
    Words(&'static str),
    /// Nothing.
    Nothing,
}

impl Otherwise {
    /// How it is told.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Value(text) | Self::Words(text) => text,
            Self::Nothing => "",
        }
    }
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name in the environment; that in the file is the same without `BATON_`, in small letters.
    pub name: &'static str,
    /// What it is about.
    pub topic: Topic,
    /// Who listens to it.
    pub of: &'static [Program],
    /// What it takes.
    pub takes: Takes,
    /// What holds without it.
    pub otherwise: Otherwise,
    /// What it does, in a sentence.
    pub help: &'static str,
}

impl Setting {
    /// The setting of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Whether nobody is to see its value.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.takes == Takes::Secret
    }

    /// Its value as it may be shown: no secret, no password, no option that nobody knows.
    #[must_use]
    pub fn shown(&self, value: &str) -> String {
        match self.takes {
            Takes::Secret => HIDDEN.to_owned(),
            Takes::Url => shown_address(value),
            _ => value.to_owned(),
        }
    }
}

/// What stands in place of what nobody is to see.
pub const HIDDEN: &str = "***";

/// Options of addresses that hold no secret.
const OPEN_OPTIONS: [&str; 15] = [
    "auth_mechanism",
    "ca_file",
    "cert_file",
    "channel_max",
    "confirm_timeout_ms",
    "connection_timeout",
    "db",
    "endpoint",
    "frame_max",
    "heartbeat",
    "key_file",
    "publish_channels",
    "queue_length_max",
    "queue_type",
    "region",
];

/// An address without login and without options that may hold a secret. Hides too much
/// rather than too little where it is not written well.
fn shown_address(address: &str) -> String {
    let (place, options) = address.split_once('?').map_or((address, None), |(place, rest)| (place, Some(rest)));
    // A password with a question mark in it tears the address apart.
    let torn = options
        .is_some_and(|options| options.split('&').filter(|option| option.contains('@')).any(|option| !is_open(option)));
    let mut shown = match (place.split_once("://"), place.rsplit_once('@')) {
        (Some((scheme, _)), _) if torn => format!("{scheme}://{HIDDEN}"),
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{HIDDEN}@{rest}"),
        (None, Some((_, rest))) => format!("{HIDDEN}@{rest}"),
        (_, None) => place.to_owned(),
    };
    for (place, option) in options.into_iter().flat_map(|options| options.split('&')).enumerate() {
        shown.push(if place == 0 { '?' } else { '&' });
        match option.split_once('=') {
            _ if is_open(option) => shown.push_str(option),
            Some((name, _)) if !torn => shown.push_str(&format!("{name}={HIDDEN}")),
            _ => shown.push_str(HIDDEN),
        }
    }
    shown
}

fn is_open(option: &str) -> bool {
    option.split_once('=').is_some_and(|(name, _)| OPEN_OPTIONS.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_described_once_and_in_full() {
        for pair in SETTINGS.windows(2) {
            assert!(pair[0].topic <= pair[1].topic, "{} stands in another topic", pair[1].name);
        }
        for (place, setting) in SETTINGS.iter().enumerate() {
            assert!(setting.name.starts_with("BATON_") && !setting.of.is_empty(), "{}", setting.name);
            assert!(setting.help.len() > 10 && !setting.help.ends_with('.'), "{}", setting.name);
            assert!(SETTINGS[..place].iter().all(|other| other.name != setting.name), "{} twice", setting.name);
            assert!(!setting.is_secret() || setting.otherwise == Otherwise::Nothing, "{}", setting.name);
            let timed = setting.name.ends_with("_MS") || setting.name.ends_with("_MS_MAX");
            assert_eq!(timed, setting.takes == Takes::Milliseconds, "{}", setting.name);
        }
        assert!(TABLES.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn an_address_is_shown_without_what_opens_it() {
        let shown = |text: &str| Setting::of_name("BATON_STORE").expect("known").shown(text);
        assert_eq!(shown("redis://127.0.0.1:6379"), "redis://127.0.0.1:6379");
        assert_eq!(shown("rediss://me:pa@ss/w@h/0?ca_file=/a&db=1"), "rediss://***@h/0?ca_file=/a&db=1");
        assert_eq!(shown("redis+sentinel://a,b/m?sentinel_password=x"), "redis+sentinel://a,b/m?sentinel_password=***");
        assert_eq!(shown("amqp://u:p@one,two:1/%2f?queue_type=classic"), "amqp://***@one,two:1/%2f?queue_type=classic");
        assert_eq!(shown("http://a,http://u:p@b"), "http://***@b");
        assert_eq!(shown("sqlite:data"), "sqlite:data");
        for torn in ["redis://:se?cret@h/0", "redis://:se?c=ret@h/0", "redis://u:x?cret&a=b@h", "se@cret@h?secret"] {
            assert!(!shown(torn).contains("cret"), "{}", shown(torn));
        }
    }
}
