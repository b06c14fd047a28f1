//! Every example, run by the real program as `docs/examples.md` says, and what makes it the
//! example it is. That the language holds in every order of events is shown elsewhere.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::baton::{Baton, Ended, Server, example, root, until};

/// Runs an example where users do, in the repository, with the settings beside it if any.
fn command(baton: &Baton, words: &[&str], name: &str) -> Command {
    let path = format!("examples/{name}");
    let mut all = vec![words[0], &path];
    let settings = Path::new(&path).with_file_name("baton.toml").display().to_string();
    if name.contains('/') {
        all.extend(["--config", &settings]);
    }
    all.extend(["--json"].iter().chain(&words[1..]));
    let mut command = baton.command(&all);
    command.current_dir(root());
    command
}

#[track_caller]
fn run(baton: &Baton, name: &str, input: &Value, words: &[&str], code: i32) -> Value {
    let input = input.to_string();
    let words = [&["run", "--input", &input], words].concat();
    Ended::of(&mut command(baton, &words, name)).json(code)
}

/// What a file of the run holds.
#[track_caller]
fn artifact(run: &Value, path: &str) -> String {
    let all = run["artifacts"].as_array().expect("artifacts");
    let one = all.iter().find(|one| one["path"] == path).unwrap_or_else(|| panic!("no {path}: {all:?}"));
    std::fs::read_to_string(one["file"].as_str().expect("a file")).expect("its text")
}

/// When a job was claimed and when it was done, in milliseconds.
#[track_caller]
fn job(run: &Value, name: &str) -> (i64, i64) {
    let all = run["jobs"].as_array().expect("jobs");
    let job = all.iter().find(|job| job["job"] == name).unwrap_or_else(|| panic!("no {name}: {all:?}"));
    let at = |list: &Value| list[0]["at_ms"].as_i64().expect("a time");
    (at(&job["claims"]), at(&job["resumes"]))
}

/// An embedded server that stays up, and commands that ask it.
struct Asking<'b> {
    baton: &'b Baton,
    server: Server,
}

impl<'b> Asking<'b> {
    fn new(baton: &'b Baton) -> Self {
        Self { baton, server: baton.dev() }
    }

    #[track_caller]
    fn ask(&self, words: &[&str]) -> Value {
        self.baton.run(&[words, &["--json", "--orchestrator", &self.server.address]].concat()).json(0)
    }

    /// Starts a run of an example.
    #[track_caller]
    fn submit(&self, name: &str, input: &Value) -> String {
        self.ask(&["graph", "apply", &example(&format!("{name}.yaml"))]);
        let submitted = self.ask(&["submit", name, "--input", &input.to_string()]);
        submitted["run"].as_str().expect("a run").to_owned()
    }

    /// The run, once it stands there.
    #[track_caller]
    fn once(&self, run: &str, status: &str) -> Value {
        let mut seen = Value::Null;
        until(status, || {
            seen = self.ask(&["get", run]);
            seen["status"] == status
        });
        seen
    }
}

#[test]
fn every_example_is_valid_and_told_of() {
    let told = std::fs::read_to_string(root().join("docs/examples.md")).expect("the page");
    let (mut folders, mut graphs) = (vec![root().join("examples")], 0);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                let others = ["documents", "schedules", "target"];
                if !others.into_iter().any(|other| path.ends_with(other)) {
                    folders.push(path);
                }
            } else if path.to_str().is_some_and(|path| path.ends_with(".yaml") && !path.ends_with(".test.yaml")) {
                let ended = Baton::new().run(&["graph", "validate", &path.display().to_string()]);
                assert_eq!(ended.code, Some(0), "{}: {ended:#?}", path.display());
                let name = path.strip_prefix(root()).expect("within").display().to_string();
                assert!(told.contains(&format!("../{name})")), "docs/examples.md has no link to {name}");
                graphs += 1;
            }
        }
    }
    assert!(graphs >= 16, "{graphs}");
}

#[test]
fn hello_greets() {
    let run = run(&Baton::new(), "hello.yaml", &json!({"name": "Ada"}), &[], 0);
    assert_eq!(run["output"], json!({"greeting": "Hello, Ada!"}));
}

#[test]
fn loop_counts_down() {
    let run = run(&Baton::new(), "loop.yaml", &json!({"from": 4}), &[], 0);
    assert_eq!(run["output"]["counted"], json!([4, 3, 2, 1]));
}

#[test]
fn fan_out_gathers_both_branches() {
    let run = run(&Baton::new(), "fan-out.yaml", &json!({}), &[], 0);
    let note = "3 tried, 0 failed";
    assert_eq!(run["output"], json!({"tried": ["red", "green", "blue"], "failed": 0, "note": note}));
    let (gathered, _) = job(&run, "gather#1/0");
    assert!(gathered >= job(&run, "wait#1/0").1 && gathered >= job(&run, "try#1/2").1, "{run}");
}

#[test]
fn approval_comes_back_until_somebody_approves() {
    let write = |text: &str| format!("write={}", json!({"text": text}));
    let decide = |decision: Value| format!("approve={decision}");
    let (first, second) = (write("Helo"), write("Hello"));
    let (reject, edit) = (
        decide(json!({"action": "reject", "comment": "spell it"})),
        decide(json!({"action": "edit", "value": "Hello!"})),
    );
    let baton = Baton::new();
    let answers = ["--answer", &first, "--answer", &reject, "--answer", &second, "--answer", &edit];
    let run = run(&baton, "approval.yaml", &json!({}), &answers, 0);
    assert_eq!((&run["output"]["published"], &run["output"]["by"]), (&"Hello!".into(), &"local".into()));
    assert_eq!(artifact(&run, "published.md"), "Hello!");
}

#[test]
fn digest_cites_file_and_page_once_it_is_approved() {
    let input = json!({"folder": "examples/documents", "question": "How long may a ferry wait for late passengers?"});
    let baton = Baton::new();
    let asked = run(&baton, "digest.yaml", &input, &["--request-id", "r"], 3);
    assert_eq!((&asked["questions"][0]["node"], &asked["artifacts"]), (&"approve".into(), &json!([])));
    let answer = ["--request-id", "r", "--answer", r#"approve={"action":"approve"}"#];
    let report = artifact(&run(&baton, "digest.yaml", &input, &answer, 0), "report.md");
    assert!(report.contains("at most seven minutes"), "{report}");
    assert!(report.contains("operations-handbook.pdf") && report.contains('2'), "{report}");
}

#[test]
fn saga_takes_back_the_latest_first() {
    let baton = Baton::new();
    let failed = run(&baton, "saga.yaml", &json!({"traveller": "Ada"}), &[], 1);
    assert_eq!((&failed["status"], &failed["failure"]["node"]), (&"failed".into(), &"hotel".into()));
    assert_eq!(failed["failure"]["message"], "no tickets are left for the tour");
    for file in ["ferry.txt", "hotel.txt"] {
        assert_eq!(artifact(&failed, file), "cancelled");
    }
    let (hotel, ferry) = (job(&failed, "hotel/undo#1/0"), job(&failed, "ferry/undo#1/0"));
    assert!(job(&failed, "hotel#1/0").1 <= hotel.0 && hotel.1 <= ferry.0, "{failed}");

    let booked = run(&baton, "saga.yaml", &json!({"traveller": "Ada", "sold_out": false}), &[], 0);
    assert_eq!(booked["output"]["bookings"], json!(["ferry", "hotel", "tour"]));
    assert_eq!(artifact(&booked, "hotel.txt"), "a room for Ada");
}

#[test]
fn run_time_graph_starts_each_task_once_those_it_needs_are_done() {
    let baton = Baton::new();
    let made = run(&baton, "run-time-graph.yaml", &json!({}), &[], 0);
    assert_eq!(made["output"]["made"]["bread"], "bread.txt");
    let [flour, water, dough, oven, bread] = [0, 1, 2, 3, 4].map(|index| job(&made, &format!("make#1/{index}")));
    assert!(dough.0 >= flour.1 && dough.0 >= water.1, "{made}");
    assert!(bread.0 >= dough.1 && bread.0 >= oven.1, "{made}");
    assert!(oven.0 <= dough.0, "nobody waits without need: {made}");
    assert_eq!(artifact(&made, "bread.txt"), r#"bread of {"dough":"dough.txt","oven":"oven.txt"}"#);

    let circle = json!({"tasks": [{"id": "egg", "needs": ["hen"]}, {"id": "hen", "needs": ["egg"]}]});
    let refused = run(&baton, "run-time-graph.yaml", &circle, &[], 1);
    assert_eq!((&refused["failure"]["code"], &refused["jobs"]), (&"dependency_cycle".into(), &json!([])));
}

#[test]
fn signal_is_taken_by_the_run_that_it_is_for() {
    let baton = Baton::new();
    let asking = Asking::new(&baton);
    let run = asking.submit("signal-or-timeout", &json!({"order": "A-17"}));
    asking.once(&run, "waiting");
    let told = asking.ask(&["signal", &run, "paid", r#"{"order": "B-2", "amount": 7}"#]);
    assert_eq!(told["taken"], false, "it is of another order");
    let told = asking.ask(&["signal", &run, "paid", r#"{"order": "A-17", "amount": 40}"#]);
    assert_eq!(told["taken"], true);
    let ended = asking.once(&run, "succeeded");
    assert_eq!(ended["output"], json!({"order": "A-17", "state": "paid", "amount": 40.0}));
}

#[test]
fn a_signal_that_does_not_come_is_not_waited_for_longer_than_it_should() {
    let text = std::fs::read_to_string(example("signal-or-timeout.yaml")).expect("the example");
    assert_eq!(text.matches("expires: 30s").count(), 1);
    let baton = Baton::new();
    let hurried = baton.write("hurried.yaml", &text.replace("expires: 30s", "expires: 300ms"));
    let ended = baton.run(&["run", &hurried, "--input", r#"{"order":"A-17"}"#, "--json"]).json(0);
    assert_eq!(ended["output"], json!({"order": "A-17", "state": "late", "amount": null}));
}

#[test]
fn many_files_are_read_and_those_that_cannot_be_are_listed() {
    const FOLDERS: usize = 5;
    const FILES: usize = 1_000;
    let baton = Baton::new();
    let (mut folders, mut expected) = (Vec::new(), Vec::new());
    for folder in (0..FOLDERS).map(|number| format!("folder-{number}")) {
        std::fs::create_dir(baton.path(&folder)).expect("a folder");
        let mut broken = Vec::new();
        for number in 0..FILES {
            if number % 250 == 7 {
                broken.push(baton.write(&format!("{folder}/{number:04}.pdf"), "%PDF-1.7 and nothing more"));
            } else {
                baton.write(&format!("{folder}/{number:04}.txt"), &format!("Report {number}: all is well."));
            }
        }
        expected.push(json!({"folder": folder, "read": FILES - broken.len(), "failed": broken}));
        folders.push(folder);
    }
    let input = json!({"folders": folders}).to_string();
    let ended = baton.run(&["run", &example("many-files.yaml"), "--input", &input, "--json"]).json(0);
    assert_eq!(ended["output"]["folders"], json!(expected));
}

#[test]
fn pages_are_answered_one_by_one_in_their_order() {
    let input = json!({
        "path": "examples/documents/operations-handbook.pdf",
        "question": "How long may a ferry wait for late passengers?",
    });
    let run = run(&Baton::new(), "pages.yaml", &input, &[], 0);
    let answers = run["output"]["answers"].as_array().expect("answers");
    let pages: Vec<i64> = answers.iter().map(|answer| answer["page"].as_i64().expect("a page")).collect();
    assert_eq!(pages, [1, 2, 3, 4]);
    let found = answers.iter().filter(|one| one["answer"].as_str().is_some_and(|text| text.contains("seven minutes")));
    assert_eq!(found.map(|one| &one["page"]).collect::<Vec<_>>(), [2], "{answers:?}");
}

#[test]
fn analysts_work_at_once_and_the_report_waits_for_all() {
    let text = "The new ferry will cost four million. What can go wrong is the harbour: it may silt up. \
                Those concerned are the fishers and the school.";
    let baton = Baton::new();
    let run = run(&baton, "analysts.yaml", &json!({"text": text}), &[], 0);
    let report = artifact(&run, run["output"]["report"].as_str().expect("a path"));
    let parts: Vec<&str> = report.split("## ").skip(1).collect();
    assert_eq!(parts.len(), 3, "{report}");
    for (part, (by, finding)) in
        parts.iter().zip([("costs", "four million"), ("people", "the fishers"), ("risks", "silt up")])
    {
        assert!(part.starts_with(by) && part.contains(finding), "{part}");
    }
}

#[test]
fn chat_thread_keeps_what_was_said() {
    let baton = Baton::new();
    let say = |thread: &str, text: &str| {
        let run = run(&baton, "chat-thread.yaml", &json!({"text": text}), &["--thread", thread], 0);
        (run["output"]["turns"].clone(), run["output"]["reply"].as_str().expect("a reply").to_owned())
    };
    assert_eq!(say("t", "The ferry leaves at seven. The boat is called Marigold.").0, 2);
    let (turns, reply) = say("t", "When does the ferry leave?");
    assert_eq!(turns, 4);
    assert!(reply.contains("The ferry leaves at seven."), "{reply}");
    let (turns, reply) = say("other", "When does the ferry leave?");
    assert_eq!(turns, 2);
    assert!(!reply.contains("at seven"), "another thread knows nothing of it: {reply}");
}

#[test]
fn batch_job_looks_again_until_the_result_is_there() {
    let baton = Baton::new();
    std::fs::create_dir(baton.path("outbox")).expect("a folder");
    let asking = Asking::new(&baton);
    let run = asking.submit("batch-job", &json!({"outbox": "outbox"}));
    // Between two looks nothing of it runs.
    let waiting = asking.once(&run, "waiting");
    assert_eq!((&waiting["nodes"][0]["node"], &waiting["nodes"][0]["claimed"]), (&"look".into(), &0.into()));
    baton.write("outbox/result.txt", "twelve boxes");
    let ended = asking.once(&run, "succeeded");
    assert_eq!(ended["output"]["result"], json!([{"file": "result.txt", "characters": 12}]));
    let watched = baton.run(&["watch", &run, "--json", "--orchestrator", &asking.server.address]).stdout;
    let events = watched.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["event"].clone());
    let looks: Vec<Value> =
        events.filter(|event| event["group"] == "look#1").map(|event| event["kind"].clone()).collect();
    let (first, last) = (["opened", "claimed", "waits"], ["claimed", "recorded", "closed"]);
    assert!(looks.starts_with(&first.map(Value::from)) && looks.ends_with(&last.map(Value::from)), "{looks:?}");
}

#[test]
fn newsletter_is_written_twice_and_published_once() {
    let baton = Baton::new();
    let input = json!({"topic": "fuel prices", "issue": "2026-11"});
    let answer = ["--answer", r#"approve={"action":"approve"}"#];
    let first = run(&baton, "newsletter/newsletter.yaml", &input, &answer, 0);
    assert_eq!(first["output"], json!({"path": "2026-11.md", "drafts": 2}), "the first draft is sent back");
    assert!(artifact(&first, "2026-11.md").starts_with("In November the ferry pays"));

    let second = run(&baton, "newsletter/newsletter.yaml", &input, &answer, 0);
    assert_ne!(first["run"], second["run"]);
    assert_eq!(second["output"], first["output"], "what was recorded under the issue");
    // The tool writes into the run that calls it: it was not called again.
    assert_eq!(second["artifacts"], json!([]));
}

fn question(text: &str, service: &str) -> Value {
    json!({"text": text, "channel": "#help", "ts": "1700.1", "service": service})
}

const TRIAGE: &str = "triage/triage.yaml";

#[test]
fn triage_posts_what_is_harmless_and_remembers_the_thread() {
    let baton = Baton::new();
    let thread = ["--thread", "t"];
    let first = run(&baton, TRIAGE, &question("the checkout fails", "mail"), &thread, 0);
    assert_eq!((&first["output"]["risk"], &first["output"]["turns"]), (&"low".into(), &1.into()));
    assert!(artifact(&first, "reply.md").contains("#412"), "without Slack it becomes a file");
    let second = run(&baton, TRIAGE, &question("And is it gone?", "mail"), &thread, 0);
    assert_eq!(
        (&second["output"]["reply"], &second["output"]["turns"]),
        (&"Still issue #412, as before.".into(), &2.into())
    );
    let blocked = run(&baton, TRIAGE, &question("I cannot log in", "mail"), &[], 1);
    assert_eq!(blocked["failure"]["message"], "policy: a reply never speaks of passwords");
}

#[test]
fn triage_asks_a_person_where_there_is_a_risk() {
    let baton = Baton::new();
    let input = question("the checkout fails", "shop");
    let asked = run(&baton, TRIAGE, &input, &["--request-id", "r"], 3);
    let open = &asked["questions"][0];
    let hours = |open: &Value| Some((open["expires_at_ms"].as_i64()? - open["opened_at_ms"].as_i64()?) / 3_600_000);
    assert_eq!((&open["node"], hours(open)), (&"approve".into(), Some(4)));
    let reject = ["--request-id", "r", "--answer", r#"approve={"action":"reject","comment":"say since when"}"#];
    let again = run(&baton, TRIAGE, &input, &reject, 3);
    assert_ne!(again["questions"][0]["id"], open["id"]);
    let answers = [&reject[..], &["--answer", r#"approve={"action":"approve"}"#]].concat();
    let ended = run(&baton, TRIAGE, &input, &answers, 0);
    assert_eq!((&ended["output"]["drafts"], &ended["output"]["turns"]), (&2.into(), &2.into()));
    assert!(artifact(&ended, "reply.md").contains("since 14:02"));
}

/// A stand-in for Slack, and the first post that comes to it.
fn slack() -> (SocketAddr, JoinHandle<Value>) {
    let slack = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = slack.local_addr().expect("an address");
    let posted = std::thread::spawn(move || {
        let (wire, _) = slack.accept().expect("a call");
        let mut reader = BufReader::new(wire);
        let (mut length, mut line) = (0, String::new());
        while reader.read_line(&mut line).expect("a line") > 2 {
            let lower = line.to_ascii_lowercase();
            length =
                lower.strip_prefix("content-length:").map_or(length, |text| text.trim().parse().expect("a number"));
            line.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").expect("sent");
        serde_json::from_slice::<Value>(&body).expect("JSON")
    });
    (address, posted)
}

#[test]
fn triage_posts_to_slack_where_an_address_is_configured() {
    let (address, posted) = slack();
    let settings = std::fs::read_to_string(example("triage/baton.toml")).expect("the settings");
    let more = format!("\n[slack]\nurl = \"env:TRIAGE_SLACK_URL\"\n[egress]\nallow = [\"{address}\"]\n");
    let baton = Baton::new().with("TRIAGE_SLACK_URL", &format!("http://{address}/hook"));
    baton.write("slack.toml", &(settings + &more));
    let config = baton.path("slack.toml").display().to_string();
    let input = question("the checkout fails", "mail").to_string();
    let graph = example(TRIAGE);
    let words = ["run", &graph, "--json", "--config", &config, "--input", &input];
    let ended = Ended::of(baton.command(&words).current_dir(root())).json(0);
    assert_eq!((&ended["output"]["posted"], &ended["artifacts"]), (&"slack".into(), &json!([])));
    let body = posted.join().expect("a post");
    assert_eq!((&body["channel"], &body["thread_ts"]), (&"#help".into(), &"1700.1".into()));
    assert!(body["text"].as_str().is_some_and(|text| text.contains("#412")), "{body}");
}

#[test]
fn triage_tells_people_where_to_approve() {
    let (address, posted) = slack();
    let settings = std::fs::read_to_string(example("triage/baton.toml")).expect("the settings");
    let settings = settings.replace("examples/triage/models.json", &example("triage/models.json"));
    let more = format!("\n[slack]\nurl = \"env:TRIAGE_SLACK_URL\"\n[egress]\nallow = [\"{address}\"]\n");
    let baton = Baton::new().with("TRIAGE_SLACK_URL", &format!("http://{address}/hook"));
    baton.write("baton.toml", &(settings + &more));
    let server = baton.dev();
    let ask = |words: &[&str], code| {
        let mut command = baton.command(words);
        Ended::of(command.arg("--json").env("BATON_ORCHESTRATOR", &server.address)).json(code)
    };
    ask(&["graph", "apply", &example(TRIAGE)], 0);
    let input = question("the checkout fails", "shop").to_string();
    let asked = ask(&["submit", "triage", "--wait", "--input", &input], 3);
    let (run, id) = (asked["run"].as_str().expect("a run"), asked["questions"][0]["id"].as_str().expect("an id"));
    let body = posted.join().expect("a post");
    assert_eq!(body["text"], format!("Reply in #help? baton answer {run} {id} --approve"));
    ask(&["answer", run, id, "--approve"], 0);
}

#[test]
fn confidence_decides_who_does_the_work() {
    let baton = Baton::new();
    let sort = |letter: &str, words: &[&str], code| {
        run(&baton, "confidence/confidence.yaml", &json!({"letter": letter}), words, code)
    };
    let sure = sort("Please send two crates of soap.", &[], 0);
    assert_eq!(sure["output"], json!({"label": "order", "confidence": 0.97, "by": "small"}));
    let unsure = sort("The soap is still not here.", &[], 0);
    assert_eq!(unsure["output"], json!({"label": "complaint", "confidence": 0.93, "by": "large"}));
    // Neither model is sure; then the small one has no idea, and the large one is not asked.
    for (letter, calls) in [("Yours, as ever.", 2), ("?!", 1)] {
        let asked = sort(letter, &[], 3);
        assert_eq!(
            (&asked["questions"][0]["node"], asked["jobs"].as_array().map(Vec::len)),
            (&"person".into(), Some(calls))
        );
        let input = json!({"letter": letter}).to_string();
        let told = Ended::of(&mut command(&baton, &["run", "--input", &input], "confidence/confidence.yaml")).stderr;
        assert!(told.contains("--config examples/confidence/baton.toml"), "the way to go on: {told}");
        let decided = sort(letter, &["--answer", r#"person={"label":"complaint"}"#], 0);
        assert_eq!(decided["output"], json!({"label": "complaint", "confidence": 1.0, "by": "person"}));
    }
}
