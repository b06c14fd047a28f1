//! Which source goes before which, and what is said of what is not understood.

use std::path::PathBuf;

use super::*;

fn read(file: &str, environment: &[(&str, &str)]) -> Result<Sources, Error> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Sources::read(Some(("baton.toml", file)), environment)
}

#[test]
fn the_environment_goes_before_the_file() {
    let file = "store = \"sqlite:a\"\ngrace_ms = 5\n[timing]\nlease_ms = 1500\ntick_ms = 12";
    let sources = read(file, &[("BATON_STORE", "memory:"), ("BATON_TIMING_LEASE_MS", "700"), ("PATH", "x")]);
    let sources = sources.expect("known settings");
    assert_eq!(sources.get("BATON_STORE").as_deref(), Some("memory:"));
    assert_eq!(sources.parse::<u64>("BATON_GRACE_MS"), Ok(Some(5)));
    let timings = sources.timings().expect("numbers");
    assert_eq!((timings.lease_ms, timings.tick_ms), (700, 12));
    assert_eq!(timings.hide_ms, Timings::default().hide_ms);
    let defaults = Timings { hide_ms: 7, lease_ms: 7, ..Timings::default() };
    let timings = sources.timings_over(&defaults).expect("numbers");
    assert_eq!((timings.lease_ms, timings.hide_ms), (700, 7));
}

#[test]
fn an_unknown_name_offers_the_nearest_known_one() {
    let nearest = |result: Result<Sources, Error>| match result.map(|_| ()) {
        Err(Error::Unknown { nearest, .. }) => nearest,
        other => panic!("{other:?}"),
    };
    assert_eq!(nearest(read("", &[("BATON_STOER", "x")])).as_deref(), Some("BATON_STORE"));
    assert_eq!(nearest(read("", &[("BATON_TIMING_LEASE", "1")])).as_deref(), Some("BATON_TIMING_LEASE_MS"));
    assert_eq!(nearest(read("grpc_adr = \"x\"", &[])).as_deref(), Some("grpc_addr"));
    assert_eq!(nearest(read("[route.a]", &[])).as_deref(), Some("routes"));
    assert_eq!(nearest(read("[timing]\nlease = 1", &[])).as_deref(), Some("lease_ms"));
    assert_eq!(nearest(read("something_else_entirely = 1", &[])), None);
}

#[test]
fn an_empty_variable_is_unset_and_an_empty_list_of_paths_is_empty() {
    let paths = |file, environment: &[_]| read(file, environment).expect("known").paths("BATON_FILE_ROOTS");
    let two = Some(vec![PathBuf::from("/a,b"), PathBuf::from("/c")]);
    assert_eq!(paths("file_roots = [\"/a,b\", \"/c\"]", &[]), two);
    assert_eq!(paths("file_roots = \"/x\"", &[("BATON_FILE_ROOTS", "/a,b::/c")]), two);
    assert_eq!(paths("file_roots = \"/x\"", &[("BATON_FILE_ROOTS", " ")]), Some(Vec::new()));
    assert_eq!(paths("", &[]), None);
    let sources = read("store = \"memory:\"", &[("BATON_STORE", "")]).expect("known");
    assert_eq!(sources.get("BATON_STORE").as_deref(), Some("memory:"));
}

#[test]
fn a_value_that_is_not_understood_is_not_repeated() {
    let sources = read("", &[("BATON_GRACE_MS", "s3cret"), ("BATON_SWEEP", "maybe")]).expect("known");
    let text = sources.parse::<u64>("BATON_GRACE_MS").expect_err("no number").to_string();
    assert!(text.contains("BATON_GRACE_MS") && !text.contains("s3cret"), "{text}");
    assert!(sources.switch("BATON_SWEEP").is_err());
    assert!(read("= broken", &[]).is_err());
}

#[test]
fn a_check_finds_everything_that_is_wrong_at_once() {
    let file = "stoer = \"memory:\"\ngrace_ms = \"soon\"\n[timing]\nlease_ms = \"x\"\nlaese_ms = 1\n[other]\na = 1";
    let environment = [("BATON_SWEEP", "maybe"), ("BATON_STOER", "x")];
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let sources = Sources::check(Some(("baton.toml", file)), environment);
    assert_eq!(sources.parse::<u64>("BATON_GRACE_MS"), Ok(None));
    assert_eq!(sources.switch("BATON_SWEEP"), Ok(None));
    assert_eq!(sources.timings(), Ok(Timings::default()));
    let refused = sources.or_noted("BATON_GRPC_ADDR", Err::<u8, _>("no address"), || 7);
    assert_eq!(refused, Ok(7));
    sources.warn("BATON_HTTP_ADDR", "odd");
    let wrong: Vec<String> = sources
        .wrong()
        .into_iter()
        .map(|finding| format!("{}: {}", finding.setting.unwrap_or_default(), finding.cause))
        .collect();
    for part in ["BATON_STOER", "stoer", "laese_ms", "other", "BATON_GRACE_MS", "BATON_SWEEP", "BATON_TIMING_LEASE_MS"]
    {
        assert!(wrong.iter().any(|line| line.contains(part)), "{part} in {wrong:#?}");
    }
    assert!(wrong.iter().any(|line| line == "BATON_GRPC_ADDR: no address") && wrong.len() == 8, "{wrong:#?}");
    assert_eq!(sources.odd().len(), 1);
    assert_eq!(sources.asked().into_iter().collect::<Vec<_>>(), ["BATON_GRACE_MS", "BATON_SWEEP"]);
}

#[test]
fn a_check_tells_where_values_come_from() {
    let sources = read("store = \"memory:\"\ngrace_ms = 5\n[timing]\ntick_ms = 1", &[("BATON_STORE", "sqlite:a")]);
    let sources = sources.expect("known");
    assert_eq!(sources.origin("BATON_STORE"), Origin::Environment);
    assert_eq!(sources.origin("BATON_GRACE_MS"), Origin::File);
    assert_eq!(sources.origin("BATON_TIMING_TICK_MS"), Origin::File);
    assert_eq!(sources.origin("BATON_TIMING_LEASE_MS"), Origin::Default);
    assert_eq!(sources.origin("BATON_BROKER"), Origin::Default);
}

#[test]
fn no_mistake_tells_the_secret_it_is_about() {
    let file = |text: &str| Sources::check(Some(("baton.toml", text)), []);
    let read = |text: &str| Sources::read(Some(("baton.toml", text)), []).map(drop);
    // A quotation mark that is missing, and a key in place of a table.
    let broken = "api_key = \"s3cret\ngrace_ms = 1";
    for told in [format!("{:?}", file(broken).wrong()), read(broken).expect_err("broken").to_string()] {
        assert!(!told.contains("s3cret") && told.contains("line 1"), "{told}");
    }
    let sources = file("[secrets]\ntoken = [\"s3cret\"]\nother = 1\n[timing]\ntick_ms = 1");
    let table: Result<BTreeMap<String, u64>, Error> = sources.table("secrets");
    assert!(table.is_ok_and(|table| table.is_empty()) && !format!("{:?}", sources.wrong()).contains("s3cret"));
    let wrong_type = check::told("invalid type: string \"s3\\\", expected cret\", expected u64");
    assert_eq!(wrong_type, "invalid type: string ***, expected u64");
    let sources = Sources::check(None, [("BATON_STORE".to_owned(), "nothing://me:s3cret@h".to_owned())]);
    let _ = sources.or_noted("BATON_STORE", Err::<(), _>("nothing://me:s3cret@h is no store"), || ());
    assert_eq!(sources.wrong()[0].cause, "nothing://***@h is no store");
}
