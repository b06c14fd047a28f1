//! A private collector of spans, and what it says it received: `rotel`, whose decoding of OTLP is
//! not ours. What the spans should be is up to tests.

use std::fs::File;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::group::Group;
use crate::{port, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);
const CURE: &str = "run `cargo xtask test`, or set BATON_TEST_VENV to a Python virtual environment with rotel \
                    (python3 -m venv DIR && DIR/bin/pip install rotel)";

/// A running collector.
#[derive(Debug)]
pub struct Collector {
    _group: Group,
    port: u16,
    folder: TempDir,
}

/// A span as the collector understood it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CollectedSpan {
    /// Its name.
    pub name: String,
    /// Its trace, in hexadecimal digits.
    pub trace: String,
    /// Itself.
    pub id: String,
    /// Its parent; empty for a root.
    pub parent: String,
    /// `SPAN_KIND_SERVER`, ….
    pub kind: String,
    /// When it ended, in nanoseconds since 1970.
    pub ended: u64,
    /// What the process says of itself.
    pub resource: Vec<(String, String)>,
    /// Its attributes.
    pub attributes: Vec<(String, String)>,
    /// What it is linked to.
    pub links: Vec<CollectedLink>,
}

/// A link of a span.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CollectedLink {
    /// The other span's trace.
    pub trace: String,
    /// The other span.
    pub id: String,
    /// Its attributes.
    pub attributes: Vec<(String, String)>,
}

impl Collector {
    /// Starts a collector and waits until it takes spans; `telling` lets it say each.
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub fn start(telling: bool) -> anyhow::Result<Self> {
        let environment = PathBuf::from(std::env::var_os("BATON_TEST_VENV").context(CURE)?);
        let (folder, port) = (TempDir::new()?, port::free()?);
        let mut command = Command::new(program(&environment).context(CURE)?);
        command.arg("start").args(["--exporter", "blackhole", "--batch-timeout", "100ms"]);
        command.args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{port}")]);
        command.args(["--otlp-http-endpoint", &format!("127.0.0.1:{}", port::free()?)]);
        if telling {
            command.args(["--debug-log", "traces", "--debug-log-verbosity", "detailed"]);
        }
        let told = File::create(folder.path().join("told"))?;
        command.env("NO_COLOR", "1").stdout(told.try_clone()?).stderr(told).stdin(Stdio::null());
        let group = Group::start(&mut command, "python3-venv", None).context(CURE)?;
        wait_until("the collector takes spans", PATIENCE, || Ok(TcpStream::connect(("127.0.0.1", port)).is_ok()))?;
        Ok(Self { _group: group, port, folder })
    }

    /// Where spans are sent: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it was sent so far.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn spans(&self) -> anyhow::Result<Vec<CollectedSpan>> {
        Ok(read(&std::fs::read_to_string(self.folder.path().join("told"))?))
    }
}

/// The program lies within its package.
fn program(environment: &Path) -> anyhow::Result<PathBuf> {
    let versions = std::fs::read_dir(environment.join("lib"))?.flatten();
    let mut places = versions.map(|version| version.path().join("site-packages/rotel/rotel-agent"));
    places.find(|place| place.is_file()).context("rotel is not installed")
}

/// Spans from the collector's lines: `key : value` below `Span #`, lists of `-> key: Str(value)`.
fn read(text: &str) -> Vec<CollectedSpan> {
    let (mut spans, mut resource) = (Vec::<CollectedSpan>::new(), Vec::new());
    let (mut in_resource, mut in_links) = (false, false);
    for line in text.lines().map(str::trim) {
        if line.starts_with("ResourceSpans #") {
            (resource, in_resource) = (Vec::new(), true);
        } else if line.starts_with("ScopeSpans #") {
            in_resource = false;
        } else if line.starts_with("Span #") {
            spans.push(CollectedSpan { resource: resource.clone(), ..CollectedSpan::default() });
            in_links = false;
        } else if line.starts_with("SpanLink #") {
            in_links = true;
            spans.last_mut().into_iter().for_each(|span| span.links.push(CollectedLink::default()));
        } else if let Some(pair) = line.strip_prefix("-> ").and_then(|rest| rest.split_once(": ")) {
            let pair = (pair.0.to_owned(), plain(pair.1));
            match spans.last_mut() {
                _ if in_resource => resource.push(pair),
                Some(span) if in_links => span.links.last_mut().into_iter().for_each(|link| link.put(pair.clone())),
                Some(span) => span.attributes.push(pair),
                None => {}
            }
        } else if let (Some(span), Some((key, value))) = (spans.last_mut(), line.split_once(':')) {
            span.put(key.trim(), value.trim());
        }
    }
    spans
}

impl CollectedSpan {
    /// An attribute.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.iter().chain(&self.resource).find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn put(&mut self, key: &str, value: &str) {
        let place = match key {
            "Trace ID" => &mut self.trace,
            "Parent ID" => &mut self.parent,
            "ID" => &mut self.id,
            "Name" => &mut self.name,
            "Kind" => &mut self.kind,
            "End time" => {
                self.ended = value.parse().unwrap_or_default();
                return;
            }
            _ => return,
        };
        value.clone_into(place);
    }
}

impl CollectedLink {
    fn put(&mut self, (key, value): (String, String)) {
        match key.as_str() {
            "Trace ID" => self.trace = value,
            "ID" => self.id = value,
            "TraceState" | "DroppedAttributesCount" => {}
            _ => self.attributes.push((key, value)),
        }
    }
}

/// `Str(text)`, `Int(7)`, or as it is.
fn plain(value: &str) -> String {
    let bare = ["Str(", "Int(", "Bool(", "Double("].iter().find_map(|kind| value.strip_prefix(kind));
    bare.and_then(|rest| rest.strip_suffix(')')).unwrap_or(value).to_owned()
}
