//! The settings of an agent, each kind with its own; what is wrong with them is reported.

use serde_json::{Map, Value};

use super::super::canonical::to_json;
use super::super::problem::Report;
use super::super::reader::{Members, count, entries, kind, members, text, word};
use super::super::yaml::{Content, Entry, Node};
use super::super::{call, offer, skills};
use super::told::{AgentKind, AgentSpec, AgentTool, Member, Reviewer};

/// Settings of agents; those that follow belong to one kind or two.
const KEYS: [&str; 17] = [
    "kind",
    "route",
    "user",
    "system",
    "tools",
    "skills",
    "history",
    "rounds",
    "fields",
    "output_schema",
    "temperature",
    "max_tokens",
    "plans",
    "max_parallel",
    "team",
    "reviews",
    "reviewer",
];
/// Settings that some kinds have no use for, and which have.
const OF_KINDS: [(&str, &[&str]); 5] = [
    ("plans", &["plan"]),
    ("max_parallel", &["plan", "supervisor"]),
    ("team", &["supervisor"]),
    ("reviews", &["review"]),
    ("reviewer", &["review"]),
];
const KINDS: [&str; 4] = ["tools", "plan", "supervisor", "review"];
const CHAT: [&str; 4] = ["fields", "output_schema", "temperature", "max_tokens"];
/// Settings that an agent within takes over as they stand.
const INNER: [&str; 3] = ["tools", "skills", "rounds"];
const MEMBER: [&str; 7] = ["about", "graph", "route", "system", "tools", "skills", "rounds"];
const LIMITS: [&str; 2] = ["tokens", "cost_usd"];
const ROUNDS: u64 = 10;
const ROUNDS_MAX: u64 = 1_000;
const PLANS: u64 = 3;
const REVIEWS: u64 = 3;
const TURNS_MAX: u64 = 100;
const PARALLEL_MAX: u64 = 1_000;
const TOOLS_MAX: usize = 128;
const TEAM_MAX: usize = 32;

/// The settings of an agent, with known keys.
pub(super) fn of<'n>(report: &mut Report, agent: &'n Node) -> Option<Members<'n>> {
    members(report, agent, "agent", &KEYS, &[])
}

/// What is fixed about an agent; `None` where something is wrong.
pub(super) fn spec(report: &mut Report, settings: &Members<'_>, outer: &Members<'_>, graph: &str) -> Option<AgentSpec> {
    let kind_word = kind_of(report, settings);
    if let Some(word) = kind_word {
        check_use(report, settings, word);
    }
    for (key, example) in [("route", "route: writer"), ("user", "user: \"{{ input.question }}\"")] {
        if settings.get(key).is_none() {
            report.add("missing_key", settings.at, format!("agent needs {key}")).help(example);
        }
    }
    for key in ["user", "system"] {
        settings.get(key).map(|node| text(report, node, key));
    }
    let route = settings.get("route").and_then(|node| text(report, node, "route"));
    let tools = settings.get("tools").map_or(Some(Vec::new()), |node| tools(report, node));
    let skills = settings.get("skills").map_or(Some(Vec::new()), |node| skills::read(report, node));
    let number = |report: &mut Report, key: &'static str, most| {
        settings.get(key).and_then(|node| count(report, node, key, (1, most)))
    };
    let rounds = number(report, "rounds", ROUNDS_MAX).unwrap_or(ROUNDS);
    let max_parallel = number(report, "max_parallel", PARALLEL_MAX);
    let kind = match kind_word? {
        "tools" => Some(AgentKind::Tools),
        "plan" => Some(AgentKind::Plan { plans: number(report, "plans", TURNS_MAX).unwrap_or(PLANS) }),
        "supervisor" => team(report, settings, tools.as_deref().unwrap_or_default(), route)
            .map(|team| AgentKind::Supervisor { team }),
        _ => {
            let reviews = number(report, "reviews", TURNS_MAX).unwrap_or(REVIEWS);
            reviewer(report, settings, route).map(|reviewer| AgentKind::Review { reviews, reviewer })
        }
    };
    Some(AgentSpec {
        graph: graph.to_owned(),
        kind: kind?,
        route: route?.to_owned(),
        system: settings.get("system").is_some(),
        history: settings.get("history").is_some(),
        tools: tools?,
        skills: skills?,
        rounds,
        max_parallel,
        inner: given(settings, &INNER),
        chat: given(settings, &CHAT),
        calls: given(outer, &["retry", "timeout"]),
        approve: outer.get("approve").map(to_json),
        limits: Map::new(),
    })
}

/// What a graph says of its limits that holds for an agent in it too.
pub(super) fn limits(root: &Node) -> Map<String, Value> {
    match root.get("limits").map(to_json) {
        Some(Value::Object(limits)) => limits.into_iter().filter(|(key, _)| LIMITS.contains(&key.as_str())).collect(),
        _ => Map::new(),
    }
}

/// The texts of a team and of a reviewer, which are templates of the node: as arguments of the
/// graph that is made of it.
pub(super) fn texts(settings: &Members<'_>) -> Vec<Entry> {
    let mut args = Vec::new();
    if let Some(Entry { key, key_at, value: Node { content: Content::Map(team), at } }) = settings.entry("team") {
        let system = |member: &Entry| {
            let value = member.value.get("system")?.clone();
            Some(Entry { key: member.key.clone(), key_at: member.key_at, value })
        };
        let texts: Vec<Entry> = team.iter().filter_map(system).collect();
        if !texts.is_empty() {
            args.push(Entry {
                key: key.clone(),
                key_at: *key_at,
                value: Node { content: Content::Map(texts), at: *at },
            });
        }
    }
    if let Some(system) = settings.get("reviewer").and_then(|reviewer| reviewer.get("system")) {
        args.push(super::named("reviewer", system.clone()));
    }
    args
}

fn given(members: &Members<'_>, keys: &[&str]) -> Map<String, Value> {
    let given = keys.iter().filter_map(|key| members.entry(key));
    given.map(|entry| (entry.key.clone(), to_json(&entry.value))).collect()
}

fn kind_of<'n>(report: &mut Report, settings: &Members<'n>) -> Option<&'n str> {
    let Some(node) = settings.get("kind") else {
        report.add("missing_key", settings.at, "agent needs a kind").help("kind: tools");
        return None;
    };
    word(report, node, "kind", &KINDS)
}

/// Reports settings that belong to agents of other kinds.
fn check_use(report: &mut Report, settings: &Members<'_>, kind: &str) {
    for (key, kinds) in OF_KINDS.iter().filter(|(_, kinds)| !kinds.contains(&kind)) {
        if let Some(entry) = settings.entry(key) {
            report
                .add("no_use", entry.key_at, format!("an agent of kind {kind} has no use for {key}"))
                .help(format!("leave it out, or write kind: {}", kinds.join(" or ")));
        }
    }
}

fn tools(report: &mut Report, node: &Node) -> Option<Vec<AgentTool>> {
    let Content::List(elements) = &node.content else {
        let found = kind(&node.content);
        report.add("wrong_type", node.at, format!("tools is a list, not {found}")).help("tools: [file.list]");
        return None;
    };
    if elements.len() > TOOLS_MAX {
        report.add("too_large", node.at, format!("more than {TOOLS_MAX} tools"));
        return None;
    }
    let mut tools: Vec<AgentTool> = Vec::new();
    for element in elements {
        let tool = match &element.content {
            Content::Map(_) => AgentTool::Graph(offer::graph(report, element)?),
            _ => AgentTool::Worker(call::tool_name(report, element)?.to_owned()),
        };
        if tools.iter().any(|known| known.name() == tool.name()) {
            report.add("duplicate_key", element.at, format!("{} stands here twice", tool.name()));
        }
        tools.push(tool);
    }
    Some(tools)
}

fn team(report: &mut Report, settings: &Members<'_>, beside: &[AgentTool], route: Option<&str>) -> Option<Vec<Member>> {
    let Some(node) = settings.get("team") else {
        report
            .add("missing_key", settings.at, "a supervisor needs a team")
            .help("team: { reader: { about: reads documents, tools: [doc.extract] } }");
        return None;
    };
    let listed = entries(report, node, "team");
    if listed.is_empty() {
        report.add("missing_key", node.at, "a team has members").help("team: { reader: { about: reads documents } }");
        return None;
    }
    if listed.len() > TEAM_MAX {
        report.add("too_large", node.at, format!("more than {TEAM_MAX} members"));
        return None;
    }
    let mut team = Vec::new();
    for entry in listed {
        if beside.iter().any(|tool| tool.name() == entry.key) {
            report
                .add("duplicate_key", entry.key_at, format!("{} is a tool of the supervisor too", entry.key))
                .help("name the member otherwise");
        }
        team.extend(member(report, entry, route));
    }
    (team.len() == listed.len()).then_some(team)
}

/// One of a team.
fn member(report: &mut Report, entry: &Entry, route: Option<&str>) -> Option<Member> {
    let name = &entry.key;
    if !call::is_tool_name(name) || name.contains('.') {
        report
            .add("wrong_name", entry.key_at, format!("{name:?} is no name of a member"))
            .help("names are made of letters, digits, _ and -");
        return None;
    }
    let own = members(report, &entry.value, "a member of a team", &MEMBER, &[])?;
    let Some(about) = own.get("about") else {
        report
            .add("missing_key", own.at, format!("{name} needs about: what the model is told of it"))
            .help("about: reads documents and quotes them");
        return None;
    };
    let about = text(report, about, "about")?.to_owned();
    if let Some(graph) = own.get("graph") {
        for key in MEMBER[2..].iter().filter_map(|key| own.entry(key)) {
            report
                .add("no_use", key.key_at, format!("a member that is a graph has no use for {}", key.key))
                .help("the nodes of the graph say it");
        }
        let graph = text(report, graph, "the name of a graph")?.to_owned();
        return Some(Member::Graph(super::told::GraphTool { name: name.clone(), graph, about }));
    }
    own.get("system").map(|node| text(report, node, "system"));
    let own_route = own.get("route").map(|node| text(report, node, "route"));
    let sound = own.get("tools").is_none_or(|node| tools(report, node).is_some());
    let sound = own.get("skills").is_none_or(|node| skills::read(report, node).is_some()) && sound;
    own.get("rounds").map(|node| count(report, node, "rounds", (1, ROUNDS_MAX)));
    let route = own_route.unwrap_or(route)?.to_owned();
    let system = own.get("system").is_some();
    sound.then(|| Member::Agent { name: name.clone(), about, system, route, settings: given(&own, &INNER) })
}

fn reviewer(report: &mut Report, settings: &Members<'_>, route: Option<&str>) -> Option<Reviewer> {
    let Some(node) = settings.get("reviewer") else {
        return Some(Reviewer { route: route?.to_owned(), system: false });
    };
    let own = members(report, node, "reviewer", &["route", "system"], &[])?;
    own.get("system").map(|node| text(report, node, "system"));
    let own_route = own.get("route").map(|node| text(report, node, "route"));
    Some(Reviewer { route: own_route.unwrap_or(route)?.to_owned(), system: own.get("system").is_some() })
}
