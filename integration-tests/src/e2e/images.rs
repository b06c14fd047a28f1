//! Images that stand in for those that cannot be pulled: a file system by debootstrap, and on top of
//! it what `integration-tests/standins` describes. What was made once is kept by the daemon.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::Command;

use super::docker::{Docker, said};

/// The release that images are made of; ours are built for its C library.
const RELEASE: &str = "bookworm";
/// The label that tells what a stand-in was made of.
const LABEL: &str = "baton.standin";
/// The image that compiles.
pub const RUST: &str = "standin/rust";
/// In the order in which the classic builder makes them.
const TARGETS: [&str; 6] = ["redis", "rabbitmq", "runtime", "grafana", "prometheus", "jaeger"];
/// The authorities that programs of this machine trust.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Where stand-ins are made of what.
pub struct Standins<'a> {
    /// The daemon.
    pub docker: &'a Docker,
    /// The repository.
    pub root: &'a Path,
    /// Kept over tests.
    pub cache: &'a Path,
    /// Written by this test.
    pub folder: &'a Path,
    /// The receiver of spans.
    pub receiver: &'a Path,
}

impl Standins<'_> {
    /// Makes those that are missing or were made of something else: how many.
    ///
    /// # Errors
    /// When one cannot be made.
    pub async fn make(&self) -> anyhow::Result<usize> {
        let context = self.context()?;
        let wanted = self.digest(&context)?;
        let mut made = 0;
        if !self.is_there("base", RELEASE).await {
            self.base().await?;
            made += 1;
        }
        for target in TARGETS {
            if self.is_there(target, &wanted).await {
                continue;
            }
            self.stage(target, &context, &wanted).await?;
            made += 1;
        }
        Ok(made)
    }

    async fn stage(&self, target: &str, context: &Path, wanted: &str) -> anyhow::Result<()> {
        println!("making standin/{target}");
        let label = format!("{LABEL}={wanted}");
        let (tag, context) = (format!("standin/{target}"), context.display().to_string());
        let build = ["build", "--target", target, "--label", &label, "--tag", &tag, &context];
        let build = async { self.docker.docker(&build).await };
        tokio::time::timeout(Duration::from_secs(900), build).await.with_context(|| tag.clone())??;
        Ok(())
    }

    /// Makes the image that compiles, of the toolchain of this machine.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn compiler(&self, toolchain: &Path) -> anyhow::Result<()> {
        let context = self.context()?;
        std::fs::copy(AUTHORITIES, context.join("ca-certificates.crt")).context(AUTHORITIES)?;
        self.stage("compiler", &context, &self.digest(&context)?).await?;
        println!("making {RUST}");
        let file = self.root.join("integration-tests/standins/rust.Dockerfile").display().to_string();
        let toolchain = toolchain.display().to_string();
        self.docker.docker(&["build", "--file", &file, "--tag", RUST, &toolchain]).await.map(drop)
    }

    async fn is_there(&self, name: &str, wanted: &str) -> bool {
        let format = format!("{{{{index .Config.Labels \"{LABEL}\"}}}}");
        let image = format!("standin/{name}");
        self.docker.docker(&["image", "inspect", "--format", &format, &image]).await.is_ok_and(|found| found == wanted)
    }

    /// The folder that images are built from, with the receiver in it.
    fn context(&self) -> anyhow::Result<PathBuf> {
        let context = self.folder.join("standins");
        std::fs::create_dir_all(&context)?;
        for name in ["Dockerfile", "jaeger.sh"] {
            let file = self.root.join("integration-tests/standins").join(name);
            std::fs::copy(&file, context.join(name)).with_context(|| file.display().to_string())?;
        }
        std::fs::copy(self.receiver, context.join("rotel-agent")).context("the receiver of spans")?;
        Ok(context)
    }

    fn digest(&self, context: &Path) -> anyhow::Result<String> {
        let mut hasher = DefaultHasher::new();
        for name in ["Dockerfile", "jaeger.sh"] {
            std::fs::read(context.join(name))?.hash(&mut hasher);
        }
        std::fs::metadata(self.receiver)?.len().hash(&mut hasher);
        Ok(format!("{:016x}", hasher.finish()))
    }

    /// The file system of a small Debian, kept as an archive.
    async fn base(&self) -> anyhow::Result<()> {
        let archive = self.cache.join(format!("{RELEASE}.tar"));
        if !archive.exists() {
            println!("making a small Debian; it is kept for the next time");
            let tree = tempfile::Builder::new().prefix("debian-").tempdir_in(self.cache)?;
            let mut bootstrap = Command::new("debootstrap");
            bootstrap.args(["--variant=minbase", RELEASE]).arg(tree.path()).kill_on_drop(true);
            said(&mut bootstrap).await?;
            let partial = archive.with_extension("partial");
            let mut pack = Command::new("tar");
            pack.arg("-C").arg(tree.path()).args(["--exclude=./var/cache/apt/archives/*.deb", "-cf"]);
            said(pack.arg(&partial).arg(".").kill_on_drop(true)).await?;
            std::fs::rename(&partial, &archive)?;
        }
        let label = format!("LABEL {LABEL}={RELEASE}");
        let archive = archive.display().to_string();
        self.docker.docker(&["import", "--change", &label, &archive, "standin/base"]).await?;
        Ok(())
    }
}
