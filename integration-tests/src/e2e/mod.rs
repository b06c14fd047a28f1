//! The cluster of `deploy/docker-compose.yml` tried whole, in containers: brought up as it ships,
//! used from outside, struck, judged and taken down.
//!
//! Programs, packages and the receiver of spans are there already: that is up to `cargo xtask e2e`.

pub mod broker;
pub mod docker;
pub mod drill;
pub mod images;
pub mod judge;
pub mod kind;
pub mod load;
pub mod numbers;
pub mod people;
pub mod report;
pub mod settings;
pub mod site;
pub mod spans;
pub mod tour;

use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::chaos::api::Api;
use broker::Broker;
use docker::{Docker, said};
use images::Standins;
use kind::Kind;
pub use report::Report;
use report::Told;
use settings::Settings;
use site::Site;

/// What our images may have above their base, in bytes, where they are built for release.
const ABOVE_BASE_MAX: u64 = 40 << 20;

/// What is tried.
#[derive(Debug, Clone)]
pub struct Options {
    /// The repository.
    pub root: PathBuf,
    /// Kept over tests: the images of the daemon, a small Debian.
    pub cache: PathBuf,
    /// Written by this test.
    pub folder: PathBuf,
    /// The receiver of spans.
    pub receiver: PathBuf,
    /// `check-jsonschema`.
    pub schema_check: PathBuf,
    /// Rust, where our images are compiled in Docker.
    pub toolchain: Option<PathBuf>,
    /// The short form.
    pub quick: bool,
    /// Whether images have what is shipped, and not what tests are built of.
    pub release: bool,
}

/// Tries it all, unless it is called off; what was started is taken down in any case.
pub async fn compose(options: &Options, over: CancellationToken) -> Report {
    let mut report = Report::default();
    let mut docker = None;
    let daemon = async {
        let started = Docker::start(&options.cache).await?;
        let told = started.told().await.map(Told::line);
        docker = Some(started);
        told
    };
    report.part("daemon", daemon).await;
    let Some(docker) = docker else { return report };
    match Ground::new(options, &docker) {
        Ok(ground) => ground.tried(&mut report, over).await,
        Err(error) => report.broke(format!("settings: {error:#}")),
    }
    if let Err(error) = docker.stop().await {
        report.broke(format!("{error:#}"));
    }
    report
}

/// What the parts of the test stand on.
struct Ground<'a> {
    options: &'a Options,
    docker: &'a Docker,
    settings: Settings,
    site: Site<'a>,
}

impl<'a> Ground<'a> {
    fn new(options: &'a Options, docker: &'a Docker) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&options.folder)?;
        let mut more = vec![("IMAGE_PREFIX", site::PROJECT)];
        if options.toolchain.is_some() {
            more.extend([("BINARIES", "source"), ("BUILD_IMAGE", images::RUST)]);
        }
        let settings = Settings::made(&options.root, &more)?;
        let site = Site::new(docker, &options.root, &options.folder, &settings)?;
        Ok(Self { options, docker, settings, site })
    }

    /// All parts; the last one takes everything down, whatever became of the others.
    async fn tried(&self, report: &mut Report, over: CancellationToken) {
        if over.run_until_cancelled(self.parts(report)).await.is_none() {
            report.broke("called off".to_owned());
        }
        if !report.is_good() {
            self.keep_logs().await;
        }
        report.part("down", async { self.site.down().await.map(|()| Told::line("nothing is left")) }).await;
    }

    async fn parts(&self, report: &mut Report) {
        let there = report.part("images", self.standins()).await
            && report.part("file", self.file()).await
            && report.part("build", self.build()).await
            && report.part("up", self.up()).await;
        if !there {
            return;
        }
        report.part("alerts", async { Ok(Told::line(self.site.rules().await?.replace('\n', ", "))) }).await;
        if let Err(error) = self.used(report).await {
            report.broke(format!("{error:#}"));
        }
    }

    async fn used(&self, report: &mut Report) -> anyhow::Result<()> {
        let (quick, root) = (self.options.quick, &self.options.root);
        let api = Api::with_key(&self.settings.orchestrators(), &self.settings.key)?;
        for graph in Kind::GRAPHS {
            api.apply(graph).await?;
        }
        let before = numbers::pages(&self.settings).await?;
        report.part("tour", tour::tour(&self.site, &api, root, if quick { 8 } else { 24 })).await;
        report.part("trace", tour::trace(&self.site, &api)).await;
        let chosen = |all: &[&'static str], more: &[&'static str]| {
            let more = if quick { &[] } else { more };
            [all, more].concat()
        };
        let broker = Broker::new(&self.settings);
        let victims = chosen(&drill::VICTIMS, &drill::MORE_VICTIMS);
        report.part("kills", drill::kills(&self.site, &api, &broker, &victims)).await;
        let services = chosen(&drill::SERVICES, &drill::MORE_SERVICES);
        report.part("restarts", drill::restarts(&self.site, &api, &services)).await;
        report.part("metrics", self.metrics(before)).await;
        Ok(())
    }

    async fn standins(&self) -> anyhow::Result<Told> {
        let Options { root, cache, folder, receiver, .. } = self.options;
        let standins = Standins { docker: self.docker, root, cache, folder, receiver };
        let made = standins.make().await?;
        if let Some(toolchain) = &self.options.toolchain {
            standins.compiler(toolchain).await?;
        }
        Ok(Told::line(format!("{made} stand-ins made")))
    }

    /// That the file is valid, and used as it ships.
    async fn file(&self) -> anyhow::Result<Told> {
        let mut check = Command::new(&self.options.schema_check);
        check.args(["--builtin-schema", "vendor.compose-spec", "deploy/docker-compose.yml"]);
        said(check.current_dir(&self.options.root).kill_on_drop(true)).await?;
        let (shipped, used) = self.site.resolved().await?;
        let mut told = Told::line(format!(
            "fits the schema; {} resolved lines, of which {} name images, build arguments or ports of this machine",
            used.lines().count(),
            shipped.lines().zip(used.lines()).filter(|(one, other)| one != other).count(),
        ));
        let differences = settings::differences(&shipped, &used);
        told.violations = differences.into_iter().map(|one| format!("the file is not what ships: {one}")).collect();
        Ok(told)
    }

    async fn build(&self) -> anyhow::Result<Told> {
        let mut told = Told::default();
        self.site.compose(&["build", "orchestrator-1", "worker-io", "worker-cpu", "cli"]).await?;
        for service in ["orchestrator", "worker-io", "worker-cpu", "cli"] {
            let bytes = self.site.above_base(service).await?;
            told.say(format!("{service} is {:.1} MB above its base", bytes as f64 / f64::from(1 << 20)));
            let bound = self.options.release && matches!(service, "orchestrator" | "worker-io");
            told.expect(!bound || bytes <= ABOVE_BASE_MAX, format!("the image of {service} is too large"));
        }
        Ok(told)
    }

    async fn up(&self) -> anyhow::Result<Told> {
        // What an earlier test left, had it no time to take it down.
        self.site.down().await?;
        self.site.compose(&["up", "--detach", "--no-build"]).await?;
        self.site.healthy().await?;
        Ok(Told::line(format!("{} containers are healthy", self.site.containers(None).await?.len())))
    }

    async fn metrics(&self, before: std::collections::BTreeMap<String, String>) -> anyhow::Result<Told> {
        let after = numbers::pages(&self.settings).await?;
        let moved = after.iter().filter(|(series, value)| before.get(*series) != Some(value)).count();
        let mut told = Told::line(format!("{} series of the orchestrators, {moved} of them moved", after.len()));
        let named = numbers::named(&self.options.root)?;
        let still = numbers::unmoved(&self.settings, &named).await?;
        told.say(format!(
            "{} metrics that alerts and dashboards name, {} of them moved",
            named.len(),
            named.len() - still.len()
        ));
        told.violations = still.into_iter().map(|one| format!("no series of {one} took two values")).collect();
        Ok(told)
    }

    /// What the containers printed, for who looks for the cause.
    async fn keep_logs(&self) {
        let folder = self.options.folder.join("logs");
        if std::fs::create_dir_all(&folder).is_err() {
            return;
        }
        for container in self.site.containers(None).await.unwrap_or_default() {
            let name = self.docker.docker(&["inspect", "--format", "{{.Name}}", &container]).await.unwrap_or_default();
            let log = self.site.log(&container, 5_000).await;
            let file = folder.join(format!("{}.log", name.trim_start_matches('/')));
            // They are a help; that they cannot be kept is no failure of its own.
            let _ = std::fs::write(file, log);
        }
        println!("logs of the containers are in {}", folder.display());
    }
}

/// Where `cargo xtask` leaves what a test writes.
#[must_use]
pub fn folder(root: &Path) -> PathBuf {
    root.join("target/e2e")
}
