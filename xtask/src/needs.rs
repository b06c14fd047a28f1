//! What tests need of the machine beyond Rust and a C compiler: one table, and its installation.
//!
//! Packages are installed by root with apt, and start no services. Anywhere else the exact
//! command is printed instead.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::process;

/// Something the tests start.
struct Need {
    /// A program name to be found in `PATH`, or an absolute path.
    program: &'static str,
    /// Arguments that must succeed, where the program's being there says too little.
    probe: &'static [&'static str],
    /// The Debian and Ubuntu package.
    package: &'static str,
    /// What it is for.
    why: &'static str,
}

const NEEDS: &[Need] = &[
    Need { program: "redis-server", probe: &[], package: "redis-server", why: "the Redis store" },
    Need { program: "redis-cli", probe: &[], package: "redis-tools", why: "looking at Redis from outside" },
    Need {
        program: "/usr/lib/rabbitmq/bin/rabbitmq-server",
        probe: &[],
        package: "rabbitmq-server",
        why: "the RabbitMQ broker",
    },
    Need { program: "faketime", probe: &[], package: "faketime", why: "clocks that are wrong, in fault drills" },
    Need { program: "promtool", probe: &[], package: "prometheus", why: "whether alerts fire" },
    Need { program: "gs", probe: &[], package: "ghostscript", why: "PDFs of a foreign writer" },
    Need {
        program: "python3",
        probe: &["-c", "import ensurepip, venv"],
        package: "python3-venv",
        why: "helpers of the tests",
    },
];

/// Where apt looks whether it may start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

impl Need {
    fn met(&self) -> bool {
        let path = Path::new(self.program);
        let there = if path.is_absolute() { path.exists() } else { in_path(self.program) };
        there && (self.probe.is_empty() || succeeds(self.program, self.probe))
    }
}

/// What the model needs besides.
const MODEL: &[Need] = &[Need { program: "spin", probe: &[], package: "spin", why: "checking the model" }];

/// What the end-to-end test of the compose file needs besides.
const E2E: &[Need] = &[
    Need { program: "/usr/sbin/dockerd", probe: &[], package: "docker.io", why: "a Docker daemon" },
    Need { program: "/usr/bin/docker", probe: &[], package: "docker.io", why: "its client" },
    Need { program: "/usr/bin/docker-compose", probe: &[], package: "docker-compose", why: "the compose file" },
    Need { program: "debootstrap", probe: &[], package: "debootstrap", why: "images that cannot be pulled" },
    Need { program: "iptables", probe: &[], package: "iptables", why: "networks of containers" },
    Need { program: "strip", probe: &[], package: "binutils", why: "images without symbols" },
    Need {
        program: "python3",
        probe: &["-c", "import ensurepip, venv"],
        package: "python3-venv",
        why: "a receiver of spans, and the schema of compose files",
    },
];

/// Installs what tests need and is missing, or says how.
///
/// # Errors
/// When something is missing and cannot be installed here, with the command that does it.
pub(crate) fn for_tests() -> anyhow::Result<()> {
    meet(NEEDS)
}

/// Installs what the model's check needs and is missing, or says how.
///
/// # Errors
/// As [`for_tests`].
pub(crate) fn for_model() -> anyhow::Result<()> {
    meet(MODEL)
}

/// Installs what the end-to-end test of the compose file needs and is missing, or says how.
///
/// # Errors
/// As [`for_tests`]; and where the user may not start a daemon and none answers.
pub(crate) fn for_e2e() -> anyhow::Result<()> {
    meet(E2E)?;
    if !is_root() && !succeeds("/usr/bin/docker", &["-H", "unix:///var/run/docker.sock", "version"]) {
        bail!("containers need root, or a Docker daemon that you may use");
    }
    Ok(())
}

fn meet(needs: &[Need]) -> anyhow::Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !need.met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        println!("missing: {} ({})", need.package, need.why);
    }
    let mut packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    packages.dedup();
    if !(is_root() && in_path("apt-get")) {
        bail!("install what is missing: {}", advice(&packages));
    }
    install(&packages)?;
    let still: Vec<&str> = missing.iter().filter(|need| !need.met()).map(|need| need.package).collect();
    if !still.is_empty() {
        bail!("installed and yet not found: {}", still.join(", "));
    }
    Ok(())
}

fn advice(packages: &[&str]) -> String {
    format!("sudo apt-get install --no-install-recommends {}", packages.join(" "))
}

fn install(packages: &[&str]) -> anyhow::Result<()> {
    let _quiet = NoServices::begin(Path::new(POLICY))?;
    process::run(Command::new("apt-get").args(["update", "-qq"]))?;
    process::run(
        Command::new("apt-get")
            .args(["install", "--yes", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null()),
    )
    .with_context(|| advice(packages))
}

/// Keeps packages from starting services while it lives; a policy that is there stays as it is.
struct NoServices {
    own: Option<PathBuf>,
}

impl NoServices {
    fn begin(policy: &Path) -> anyhow::Result<Self> {
        if policy.exists() {
            return Ok(Self { own: None });
        }
        let name = || policy.display().to_string();
        fs::write(policy, "#!/bin/sh\nexit 101\n").with_context(name)?;
        fs::set_permissions(policy, fs::Permissions::from_mode(0o755)).with_context(name)?;
        Ok(Self { own: Some(policy.to_owned()) })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(policy) = &self.own {
            // Left behind, it would only keep later packages from starting services.
            let _ = fs::remove_file(policy);
        }
    }
}

fn in_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    // Daemons stand in `sbin`, which is not in everybody's path.
    env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).any(|folder| folder.join(program).is_file())
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("Uid:").is_some_and(|ids| ids.split_whitespace().nth(1) == Some("0")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_is_a_need() {
        let need = Need { program: "no-such-program", probe: &[], package: "p", why: "w" };
        assert!(!need.met());
        let probed = Need { program: "sh", probe: &["-c", "exit 1"], package: "p", why: "w" };
        assert!(!probed.met());
        let met = Need { program: "sh", probe: &["-c", "exit 0"], package: "p", why: "w" };
        assert!(met.met());
    }

    #[test]
    fn the_advice_is_a_command_that_can_be_pasted() {
        assert_eq!(advice(&["a", "b"]), "sudo apt-get install --no-install-recommends a b");
    }

    #[test]
    fn services_stay_down_while_packages_are_installed_and_only_then() {
        let policy = env::temp_dir().join(format!("baton-policy-{}", std::process::id()));
        let quiet = NoServices::begin(&policy).expect("written");
        assert_eq!(Command::new(&policy).status().expect("a program").code(), Some(101));
        drop(NoServices::begin(&policy).expect("left as it is"));
        assert!(policy.exists(), "somebody else's policy stays");
        drop(quiet);
        assert!(!policy.exists());
    }
}
