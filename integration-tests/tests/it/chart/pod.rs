//! A container of a rendered pod as a process of this machine: its variables with what Secrets
//! hold, its volumes as folders, its command. What stands for the servers of the cluster it was
//! rendered for is told by the test; its probes are asked by `kubelet`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use baton_integration_tests::cluster::program;
use baton_testbed::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::helm::{list, text};
use super::kubelet;
use super::servers::Content;

const PATIENCE: Duration = Duration::from_secs(60);

/// What a pod finds in its cluster.
pub(super) struct Surroundings {
    pub(super) secrets: BTreeMap<String, Content>,
    pub(super) maps: BTreeMap<String, Content>,
    /// Where servers and services are by the rendered text, and where they are.
    pub(super) places: Vec<(String, String)>,
    /// Who vouches for certificates.
    pub(super) roots: PathBuf,
}

/// One container of a pod. It ends when this is dropped.
pub(super) struct Program {
    container: Value,
    variables: BTreeMap<String, String>,
    roots: PathBuf,
    /// How long it may take to end once it is told to.
    grace: Duration,
    folder: TempDir,
    child: Option<Child>,
}

impl Program {
    /// Makes everything ready for a container of that pod.
    pub(super) fn staged(spec: &Value, container: &Value, around: &Surroundings) -> Self {
        let folder = tempfile::Builder::new().prefix("baton-pod-").tempdir().unwrap();
        let mounts = mounts(spec, container, around, folder.path());
        Self {
            container: container.clone(),
            variables: variables(container, around, &mounts),
            roots: around.roots.clone(),
            grace: grace(spec, container),
            folder,
            child: None,
        }
    }

    /// Starts its program and leaves it running.
    pub(super) fn start(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut command = self.command(&self.words());
        self.child = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    }

    /// Tells its program to end, which it does well and within its grace period.
    pub(super) fn end(&mut self) {
        let child = self.child.as_mut().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        wait_until("it ends", self.grace, || Ok(child.try_wait()?.is_some())).unwrap();
        let status = child.wait().unwrap();
        assert!(status.success(), "{}: {status}", self.container["image"]);
    }

    /// Runs its program to the end.
    pub(super) fn run(&self) -> Output {
        self.run_as(&self.words())
    }

    /// Runs another command line in its place.
    pub(super) fn run_as(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Waits until each of its probes is green, in the order in which they count.
    pub(super) fn await_green(&mut self) {
        for name in ["startupProbe", "readinessProbe", "livenessProbe"] {
            let probe = self.container[name].clone();
            assert!(probe.is_object(), "no {name}: {}", self.container);
            let mut last = String::new();
            let green = wait_until(name, PATIENCE, || {
                let ended = self.child.as_mut().map(Child::try_wait).transpose()?.flatten();
                anyhow::ensure!(ended.is_none(), "it ended by itself: {ended:?}");
                last = self.probe(&probe).err().map(|error| format!("{error:#}")).unwrap_or_default();
                Ok(last.is_empty())
            });
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(green.is_ok(), "{}: {green:?}: {last}\n{}", self.container["image"], log());
        }
    }

    /// Waits until it tells Prometheus something, at the port that a monitor names.
    pub(super) fn await_metrics(&self) {
        let said = |name: &str| self.variables.get(name).map(String::as_str);
        let is_worker = said("BATON_METRICS_ADDR").is_some();
        let tls = said("BATON_TLS_CERT").is_some() && !is_worker;
        let shown = said("BATON_TLS_CLIENT_CERT").zip(said("BATON_TLS_CLIENT_KEY"));
        let caller = tls.then_some(kubelet::Caller { roots: &self.roots, shown });
        let mut last = String::new();
        let told = wait_until("metrics", PATIENCE, || {
            let page = kubelet::page(&self.container, if is_worker { "metrics" } else { "http" }, "/metrics", caller);
            last = page.unwrap_or_else(|error| format!("{error:#}"));
            Ok(last.contains("\nbaton_pool_size{"))
        });
        assert!(told.is_ok(), "{}: {last}", self.container["image"]);
    }

    fn probe(&self, probe: &Value) -> anyhow::Result<()> {
        let Some(command) = probe["exec"].get("command") else {
            return kubelet::ask(probe, &self.container, &self.roots);
        };
        let output = self.run_as(&list(command).iter().map(text).collect::<Vec<_>>());
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    fn words(&self) -> Vec<&str> {
        list(&self.container["command"]).iter().chain(list(&self.container["args"])).map(text).collect()
    }

    /// A command line with the container's variables and no others.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program(words[0]).unwrap());
        command.args(&words[1..]).env_clear().envs(&self.variables).current_dir(self.folder.path());
        command.stdin(Stdio::null());
        command
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What is left of the pod's grace period behind the sleep before its end.
fn grace(spec: &Value, container: &Value) -> Duration {
    let slept = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap_or_default();
    Duration::from_secs(spec["terminationGracePeriodSeconds"].as_u64().unwrap_or(30) - slept)
}

/// The variables, as the kubelet makes them: a name in `$(…)` stands for one before.
fn variables(container: &Value, around: &Surroundings, mounts: &[(String, PathBuf)]) -> BTreeMap<String, String> {
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    for variable in list(&container["env"]) {
        let name = text(&variable["name"]);
        let value = match variable["valueFrom"].get("secretKeyRef") {
            Some(of) => key_of(around, text(&of["name"]), text(&of["key"])),
            None => told.iter().fold(text(&variable["value"]).to_owned(), |value, (known, its)| {
                value.replace(&format!("$({known})"), its)
            }),
        };
        assert!(!value.contains("$("), "{name} names a variable that does not come before it: {value}");
        assert!(told.insert(name.to_owned(), value).is_none(), "{name} stands there twice");
    }
    told.into_iter().map(|(name, value)| (name, here(&value, around, mounts))).collect()
}

fn key_of(around: &Surroundings, secret: &str, key: &str) -> String {
    let found = around.secrets.get(secret).and_then(|keys| keys.get(key));
    found.unwrap_or_else(|| panic!("nobody made the key {key} of the Secret {secret}")).clone()
}

/// A value with this machine's places and folders.
fn here(value: &str, around: &Surroundings, mounts: &[(String, PathBuf)]) -> String {
    let value = around.places.iter().fold(value.to_owned(), |value, (there, here)| value.replace(there, here));
    // A folder of this machine may look like a mounted one, so they come in all at once.
    let mark = |number: usize| format!("\u{1}{number}\u{2}");
    let marked = mounts.iter().enumerate();
    let marked = marked.fold(value, |value, (number, (path, _))| value.replace(path.as_str(), &mark(number)));
    let folders = mounts.iter().enumerate();
    folders.fold(marked, |value, (number, (_, folder))| value.replace(&mark(number), &folder.display().to_string()))
}

/// What is mounted where, the longest paths first, each in a folder of its own.
fn mounts(spec: &Value, container: &Value, around: &Surroundings, folder: &Path) -> Vec<(String, PathBuf)> {
    let mut mounts = Vec::new();
    for mount in list(&container["volumeMounts"]) {
        let volume = list(&spec["volumes"]).iter().find(|volume| volume["name"] == mount["name"]);
        let volume = volume.unwrap_or_else(|| panic!("{mount} has no volume"));
        let place = folder.join(text(&mount["name"]));
        fs::create_dir_all(&place).unwrap();
        fill(&place, volume, around);
        mounts.push((text(&mount["mountPath"]).to_owned(), place));
    }
    mounts.retain(|(path, _)| path != "/tmp");
    mounts.sort_by_key(|(path, _)| Reverse(path.len()));
    mounts
}

/// Puts what a Secret or a ConfigMap holds into a folder; others are empty.
fn fill(place: &Path, volume: &Value, around: &Surroundings) {
    let (source, content) = match (volume.get("secret"), volume.get("configMap")) {
        (Some(secret), _) => (secret, around.secrets.get(text(&secret["secretName"]))),
        (None, Some(map)) => (map, around.maps.get(text(&map["name"]))),
        (None, None) => return,
    };
    let content = content.unwrap_or_else(|| panic!("nobody made what {volume} names"));
    let items: Vec<(&str, &str)> = match source.get("items") {
        Some(items) => list(items).iter().map(|item| (text(&item["key"]), text(&item["path"]))).collect(),
        None => content.keys().map(|key| (key.as_str(), key.as_str())).collect(),
    };
    for (key, path) in items {
        let text = content.get(key).unwrap_or_else(|| panic!("{volume} holds no {key}"));
        fs::write(place.join(path), text).unwrap();
    }
}
