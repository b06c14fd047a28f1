//! Asks Helm itself, by a small Python program that holds it: what values files come to, and what
//! is wrong with them. What is to be thought of that is left to the tests.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

const CURE: &str = "run `cargo xtask test`, or set BATON_TEST_VENV to a Python virtual environment with Helm \
                    (python3 -m venv DIR && DIR/bin/pip install helm-python-sdk kubernetes-validate)";

/// The versions of Kubernetes whose schemas objects are checked against: the oldest that the
/// chart says it runs on, and others up to the latest that is known.
const KUBERNETES: [&str; 3] = ["1.30", "1.34", "1.37"];

/// The chart's folder.
pub(super) fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/baton")
}

/// Values files of a folder of the chart, sorted.
pub(super) fn values_files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(chart().join(folder)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(!files.is_empty(), "{folder} holds no values");
    files
}

/// A file's name without its ending.
pub(super) fn stem(file: &Path) -> String {
    file.file_stem().unwrap().to_string_lossy().into_owned()
}

/// What Helm makes of each file.
pub(super) fn rendered(files: &[PathBuf]) -> Vec<Value> {
    ask(files.iter().map(|file| request(file, &json!({}), &[])).collect())
}

/// What it makes of each file in `ci`, linted and checked: `findings` names everything that is
/// wrong. It is asked once for all tests.
pub(super) fn shipped() -> &'static [(PathBuf, Value)] {
    static SHIPPED: OnceLock<Vec<(PathBuf, Value)>> = OnceLock::new();
    SHIPPED.get_or_init(|| {
        let files = values_files("ci");
        let answers = ask(files.iter().map(|file| request(file, &json!({}), &KUBERNETES)).collect());
        files.into_iter().zip(answers).collect()
    })
}

/// The objects that each file comes to with other values over its own.
pub(super) fn objects_over(files: &[(PathBuf, Value)]) -> Vec<Vec<Value>> {
    let answers = ask(files.iter().map(|(file, over)| request(file, over, &[])).collect());
    answers.iter().map(|answer| objects(answer).to_vec()).collect()
}

/// The objects of an answer.
pub(super) fn objects(answer: &Value) -> &[Value] {
    assert!(answer["complaint"].is_null(), "{}", answer["complaint"]);
    list(&answer["documents"])
}

/// The items of a list; none where there is no list.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text that must be there.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn request(file: &Path, over: &Value, check: &[&str]) -> Value {
    json!({ "chart": chart(), "values": file, "over": over, "check": check })
}

fn ask(requests: Vec<Value>) -> Vec<Value> {
    let environment = PathBuf::from(std::env::var_os("BATON_TEST_VENV").unwrap_or_else(|| panic!("{CURE}")));
    let mut python = Command::new(environment.join("bin/python"))
        .args(["-c", include_str!("helm.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{error}: {CURE}"));
    let count = requests.len();
    // Taken out and dropped, so that the program sees the end of what it reads.
    python.stdin.take().unwrap().write_all(Value::Array(requests).to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{CURE}");
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), count);
    answers
}
