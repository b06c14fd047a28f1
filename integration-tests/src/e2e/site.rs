//! The cluster of `deploy/docker-compose.yml` as an operator handles it: up, scaled, struck, healthy
//! again, down. The file is used as it is; its settings are in `settings`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::docker::{Docker, said, tail};
use super::settings::Settings;

/// The project's name: nobody's own volumes are beneath it.
pub const PROJECT: &str = "baton-e2e";
/// How long containers may take until all are healthy.
const HEALTHY: Duration = Duration::from_secs(240);

/// The cluster.
pub struct Site<'a> {
    docker: &'a Docker,
    /// The repository.
    root: PathBuf,
    /// The settings of `used`.
    file: PathBuf,
}

impl<'a> Site<'a> {
    /// A cluster that is not up yet; its settings are written to `folder`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn new(
        docker: &'a Docker,
        root: &std::path::Path,
        folder: &std::path::Path,
        used: &Settings,
    ) -> anyhow::Result<Self> {
        let file = folder.join("used.env");
        std::fs::write(&file, &used.used)?;
        std::fs::write(folder.join("shipped.env"), &used.shipped)?;
        Ok(Self { docker, root: root.to_owned(), file })
    }

    /// Runs Compose to its end: what it printed.
    ///
    /// # Errors
    /// When it failed.
    pub async fn compose(&self, arguments: &[&str]) -> anyhow::Result<String> {
        said(&mut self.composing(&self.file.display().to_string(), arguments)).await
    }

    fn composing(&self, settings: &str, arguments: &[&str]) -> tokio::process::Command {
        let file = self.root.join("deploy/docker-compose.yml").display().to_string();
        let mut all = vec!["--project-name", PROJECT, "--file", &file, "--env-file", settings];
        all.extend(arguments);
        let mut command = self.docker.compose(&all);
        command.current_dir(self.root.join("deploy"));
        command
    }

    /// The resolved file: with the settings of a reader, and with those of the test.
    ///
    /// # Errors
    /// When Compose refuses it.
    pub async fn resolved(&self) -> anyhow::Result<(String, String)> {
        let shipped = self.file.with_file_name("shipped.env").display().to_string();
        Ok((said(&mut self.composing(&shipped, &["config"])).await?, self.compose(&["config"]).await?))
    }

    /// The `baton` command within the cluster.
    ///
    /// # Errors
    /// When it failed.
    pub async fn baton(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut all = vec!["run", "--rm", "-T", "cli"];
        all.extend(arguments);
        self.compose(&all).await
    }

    /// Containers of a service, or of all.
    ///
    /// # Errors
    /// When nobody tells them.
    pub async fn containers(&self, service: Option<&str>) -> anyhow::Result<Vec<String>> {
        let mut arguments = vec!["ps", "--quiet"];
        arguments.extend(service);
        let ids = self.compose(&arguments).await?;
        Ok(ids.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    /// The first container of a service.
    ///
    /// # Errors
    /// When it has none.
    pub async fn container(&self, service: &str) -> anyhow::Result<String> {
        self.containers(Some(service)).await?.into_iter().next().with_context(|| format!("{service} has no container"))
    }

    /// Waits until every container is healthy.
    ///
    /// # Errors
    /// When one is not in time, with its last words.
    pub async fn healthy(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + HEALTHY;
        let containers = self.containers(None).await?;
        ensure!(!containers.is_empty(), "no container is there");
        let mut asked = vec!["inspect", "--format", "{{.Name}} {{.State.Status}} {{.State.Health.Status}}"];
        asked.extend(containers.iter().map(String::as_str));
        loop {
            let told = self.docker.docker(&asked).await?;
            let Some(sick) = told.lines().find(|line| !line.ends_with(" running healthy")) else { return Ok(()) };
            if Instant::now() > deadline {
                let name = sick.split(' ').next().unwrap_or_default().trim_start_matches('/');
                bail!("{sick}:\n{}", self.log(name, 20).await);
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// The last lines that a container printed.
    pub async fn log(&self, container: &str, lines: usize) -> String {
        let count = lines.to_string();
        let asked = self.docker.command(&["logs", "--tail", &count, container]).output().await;
        asked.map_or_else(
            |error| error.to_string(),
            |output| {
                let both = [output.stdout, output.stderr].concat();
                tail(&String::from_utf8_lossy(&both), lines)
            },
        )
    }

    /// All that a container printed so far.
    ///
    /// # Errors
    /// When nobody tells it.
    pub async fn printed(&self, service: &str) -> anyhow::Result<String> {
        let container = self.container(service).await?;
        let output = self.docker.command(&["logs", &container]).output().await?;
        Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    /// Kills the first container of a service, as SIGKILL does: which one that was.
    ///
    /// # Errors
    /// When the daemon does not.
    pub async fn kill(&self, service: &str) -> anyhow::Result<String> {
        let container = self.container(service).await?;
        self.docker.docker(&["kill", "--signal", "KILL", &container]).await?;
        Ok(container)
    }

    /// Starts a killed container again.
    ///
    /// # Errors
    /// When the daemon does not.
    pub async fn start(&self, container: &str) -> anyhow::Result<()> {
        self.docker.docker(&["start", container]).await.map(drop)
    }

    /// Bytes of the image of a service of ours above its base.
    ///
    /// # Errors
    /// When there is no such image.
    pub async fn above_base(&self, service: &str) -> anyhow::Result<u64> {
        let image = format!("{PROJECT}/{service}:local");
        let size = |image: &str| {
            let image = image.to_owned();
            async move {
                let told = self.docker.docker(&["image", "inspect", "--format", "{{.Size}}", &image]).await?;
                told.parse::<u64>().context("a size")
            }
        };
        Ok(size(&image).await?.saturating_sub(size("standin/runtime").await?))
    }

    /// Fires every alert of the rules, with Prometheus's own tool.
    ///
    /// # Errors
    /// When a rule does not do as its test says.
    pub async fn rules(&self) -> anyhow::Result<String> {
        let volume = format!("{}:/rules:ro", self.root.join("deploy/prometheus").display());
        let tool = ["run", "--rm", "--network", "none", "--volume", &volume, "--entrypoint", "promtool"];
        let mut all = tool.to_vec();
        all.extend(["standin/prometheus", "test", "rules", "/rules/rules.test.yml"]);
        self.docker.docker(&all).await
    }

    /// Takes everything down, what was stored as well.
    ///
    /// # Errors
    /// When something is left.
    pub async fn down(&self) -> anyhow::Result<()> {
        self.compose(&["down", "--volumes", "--remove-orphans", "--timeout", "5"]).await?;
        let left = self.containers(None).await?;
        ensure!(left.is_empty(), "containers are left: {left:?}");
        Ok(())
    }
}
