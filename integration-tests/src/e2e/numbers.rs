//! What the processes and Prometheus tell: pages of `/metrics`, and whether every metric that the
//! alert rules and the dashboards name has moved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::settings::Settings;

/// What a process has by its settings, and keeps: it is the sum over all processes that takes other
/// values, as they come and go.
const BY_SETTINGS: [&str; 2] = ["baton_pool_size", "baton_worker_slots"];

/// Fetches a page from this machine.
///
/// # Errors
/// When nobody answers, or not with 200.
pub async fn get(port: u16, path: &str) -> anyhow::Result<String> {
    asked(port, &format!("GET {path}"), "", "").await
}

/// Asks a server of this machine, with more headers and a body.
///
/// # Errors
/// When nobody answers, or does not say that it is done.
pub async fn asked(port: u16, what: &str, headers: &str, body: &str) -> anyhow::Result<String> {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        // The older version has no chunks.
        let begin = format!("{what} HTTP/1.0\r\nhost: localhost\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        stream.write_all((begin + body).as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        anyhow::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = tokio::time::timeout(Duration::from_secs(10), ask).await.context("no answer")??;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer of HTTP")?;
    let first = head.lines().next().unwrap_or_default();
    let done = first.split(' ').nth(1).is_some_and(|code| code.starts_with('2'));
    ensure!(done, "{what}: {first} {body}");
    Ok(body.to_owned())
}

/// Series that both orchestrators tell, with their values.
///
/// # Errors
/// When one does not answer.
pub async fn pages(settings: &Settings) -> anyhow::Result<BTreeMap<String, String>> {
    let mut series = BTreeMap::new();
    for name in ["HTTP_PORT_1", "HTTP_PORT_2"] {
        let page = get(settings.port(name), "/metrics").await.with_context(|| name.to_owned())?;
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        series.extend(lines.filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((format!("{name} {series}"), value.to_owned()))
        }));
    }
    Ok(series)
}

/// The names of metrics that alert rules and dashboards speak of.
///
/// # Errors
/// When a file cannot be read.
pub fn named(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut files = vec![root.join("deploy/prometheus/rules.yml")];
    for board in std::fs::read_dir(root.join("deploy/grafana/dashboards"))? {
        files.push(board?.path());
    }
    let mut names = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        names.extend(words.filter(|word| word.starts_with("baton_")).map(str::to_owned));
    }
    Ok(names)
}

/// Those of the names of which no series took two values since Prometheus looks, or no sum of
/// series where they are settings. A counter that is above 0 has moved: what nothing happened to has
/// no series.
///
/// # Errors
/// When Prometheus does not answer.
pub async fn unmoved(settings: &Settings, names: &BTreeSet<String>) -> anyhow::Result<Vec<String>> {
    let mut still = Vec::new();
    for name in names {
        let path = format!("/api/v1/query?query={}", encoded(&asks(name)));
        let answer: Value = serde_json::from_str(&get(settings.port("PROMETHEUS_PORT"), &path).await?)?;
        let empty = Vec::new();
        let series = answer["data"]["result"].as_array().unwrap_or(&empty);
        if !series.iter().any(|one| values(one) > 1 || is_counter(name) && highest(one) > 0.0) {
            still.push(format!("{name} ({} series)", series.len()));
        }
    }
    Ok(still)
}

/// What Prometheus is asked about a metric: its series, as they were scraped.
fn asks(name: &str) -> String {
    if BY_SETTINGS.contains(&name) { format!("sum without (instance) ({name})[3h:5s]") } else { format!("{name}[3h]") }
}

/// Text as it stands in an address.
fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// How many values a series took.
fn values(series: &Value) -> usize {
    let samples = series["values"].as_array().map(Vec::as_slice).unwrap_or_default();
    samples.iter().filter_map(|sample| sample[1].as_str()).collect::<BTreeSet<_>>().len()
}

fn is_counter(name: &str) -> bool {
    ["_total", "_bucket", "_sum", "_count"].iter().any(|end| name.ends_with(end))
}

fn highest(series: &Value) -> f64 {
    let samples = series["values"].as_array().map(Vec::as_slice).unwrap_or_default();
    let values = samples.iter().filter_map(|sample| sample[1].as_str()?.parse::<f64>().ok());
    values.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_series_has_moved_when_it_took_two_values() {
        assert_eq!(values(&json!({"values": [[1, "3"], [2, "3"]]})), 1);
        assert_eq!(values(&json!({"values": [[1, "3"], [2, "4"], [3, "3"]]})), 2);
        assert_eq!(values(&json!({})), 0);
        assert!(highest(&json!({"values": [[1, "3"], [2, "0"]]})) > 2.0);
        assert!(is_counter("baton_jobs_total") && !is_counter("baton_runs"));
    }

    #[test]
    fn rules_and_dashboards_name_metrics() {
        let names = named(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        assert!(names.contains("baton_runs") && names.len() > 20, "{names:?}");
        for name in BY_SETTINGS {
            assert!(names.contains(name), "{name} is not named any more");
        }
    }

    #[test]
    fn what_settings_say_is_summed_over_processes() {
        assert_eq!(encoded(&asks("baton_runs")), "baton_runs%5B3h%5D");
        let slots = "sum%20without%20%28instance%29%20%28baton_worker_slots%29%5B3h%3A5s%5D";
        assert_eq!(encoded(&asks("baton_worker_slots")), slots);
    }
}
