//! Settings that are right and settings that are not, told before any program starts.

use serde_json::Value;

use crate::baton::Baton;

const SECRETS: [&str; 4] = ["canary-key-17", "canary-pass-23", "canary-table-42", "canary-torn-58"];

fn setting<'v>(report: &'v Value, program: &str, name: &str) -> &'v Value {
    let settings = report["programs"][program]["settings"].as_array().expect("settings");
    settings.iter().find(|setting| setting["name"] == name).unwrap_or_else(|| panic!("no {name} of {program}"))
}

fn causes(report: &Value, program: &str) -> String {
    report["programs"][program]["wrong"].to_string()
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_no_secret_is() {
    let file = "grpc_adr = \"127.0.0.1:1\"\ngrace_ms = \"soon\"\nslots = 3\n[providers]\nopenai = \"canary-table-42\"\n\
                [routes.writer]\ncandidates = [\"nobody/m\"]\n[timing]\nlease_ms = 9000\n";
    let baton = Baton::new()
        .with("BATON_STORE", "redis://me:canary-pass-23@127.0.0.1:1/0")
        .with("BATON_API_KEY", "canary-key-17")
        .with("BATON_TLS_CERT", "gone.pem")
        .with("BATON_STOER", "canary-torn-58");
    baton.write("own.toml", file);
    let ended = baton.run(&["config", "check", "--config", "own.toml", "--json"]);
    let text = baton.run(&["config", "check", "--config", "own.toml"]);
    for secret in SECRETS {
        for told in [&ended.stdout, &ended.stderr, &text.stdout, &text.stderr] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
    }
    assert_eq!(text.code, Some(2), "{text:#?}");
    let report = ended.json(2);
    assert_eq!(report["ok"], false);
    for program in ["orchestrator", "worker", "cli"] {
        let wrong = causes(&report, program);
        for part in ["did you mean BATON_STORE?", "did you mean grpc_addr?"] {
            assert!(wrong.contains(part), "{part} of {program} in {wrong}");
        }
    }
    for (program, part) in [
        ("orchestrator", "BATON_GRACE_MS"),
        ("orchestrator", "BATON_TLS_CERT is set and BATON_TLS_KEY is not"),
        ("cli", "BATON_TLS_CERT is set and BATON_TLS_KEY is not"),
        ("worker", "[routes.writer]"),
        ("worker", "[providers]"),
    ] {
        assert!(causes(&report, program).contains(part), "{part} in {}", causes(&report, program));
    }
    let from = |program, name| setting(&report, program, name)["from"].as_str().expect("text").to_owned();
    assert_eq!(from("orchestrator", "BATON_STORE"), "environment");
    assert_eq!(from("orchestrator", "BATON_TIMING_LEASE_MS"), "file");
    assert_eq!(from("orchestrator", "BATON_BROKER"), "default");
    assert_eq!(from("worker", "BATON_SLOTS"), "file");
    assert_eq!(from("cli", "BATON_CONFIG"), "flag");
    assert_eq!(setting(&report, "orchestrator", "BATON_API_KEY")["value"], "***");
    assert_eq!(setting(&report, "orchestrator", "BATON_STORE")["value"], "redis://***@127.0.0.1:1/0");
}

#[test]
fn what_is_right_is_told_with_where_it_comes_from() {
    let baton = Baton::new().with("BATON_SLOTS", "4").with("BATON_DEBUG_DIR", ".");
    let words = ["config", "check", "--for", "worker", "--json", "--", "--slots", "8"];
    let report = baton.run(&words).json(0);
    assert_eq!(report["ok"], true);
    let slots = setting(&report, "worker", "BATON_SLOTS");
    assert_eq!((&slots["value"], &slots["from"]), (&"8".into(), &"flag".into()));
    assert_eq!(report["programs"].as_object().map(serde_json::Map::len), Some(1));
    let text = baton.run(&["config", "check", "--for", "worker"]);
    assert!(text.code == Some(0) && text.stdout.contains("nothing is wrong"), "{text:#?}");
    let unknown = baton.run(&["config", "check", "--for", "worker", "--json", "--", "--slot", "8"]).json(2);
    assert_eq!(unknown["error"]["code"], "invalid_setting");
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_nothing_is_made() {
    let baton = Baton::new();
    let report = baton.run(&["config", "check", "--for", "orchestrator", "--config", "none.toml", "--json"]).json(2);
    assert!(causes(&report, "orchestrator").contains("none.toml"), "{report}");
    assert!(!baton.path("data").exists() && !baton.path(".baton").exists(), "a check makes no folder");
}

#[test]
fn the_reference_is_printed_for_people_and_for_programs() {
    let baton = Baton::new();
    let text = baton.run(&["config", "--reference"]);
    assert!(text.code == Some(0) && text.stdout.contains("| `BATON_STORE` |"), "{text:#?}");
    let reference = baton.run(&["config", "--reference", "--json"]).json(0);
    let settings = reference["settings"].as_array().expect("settings");
    let key = settings.iter().find(|setting| setting["name"] == "BATON_API_KEY").expect("the key");
    assert_eq!((&key["secret"], &key["flag_of"]), (&true.into(), &Value::Array(Vec::new())));
}
