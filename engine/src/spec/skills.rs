//! Skills of agents: folders beside a graph, each with a `SKILL.md` (YAML frontmatter and
//! Markdown) and further texts, which become part of the graph's version. `skills: [runbooks]`
//! means `skills/runbooks/` or `.agents/skills/runbooks/`; what lies there takes the place of
//! the name, so that nobody needs the folder any more.
//!
//! Reading folders is left to the caller ([`super::skills`] says which), telling a model of
//! skills to whoever makes agents. What is odd about a skill and does no harm is a note.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::canonical::{from_json, is_inside, nodes_of, to_json};
use super::problem::{Place, Report};
use super::reader::{kind, members, text};
use super::yaml::{Content, Entry, Node};
use super::{Source, agent, yaml};

/// Longest file of a skill, in bytes.
pub const SKILL_FILE_BYTES_MAX: usize = 256 * 1024;
/// Files of a skill, at most.
pub const SKILL_FILES_MAX: usize = 100;
const SKILL_BYTES_MAX: usize = 1024 * 1024;
const SKILLS_MAX: usize = 32;
const NAME_MAX: usize = 64;
/// What a description may take up of every conversation, in characters, before it is noted.
const DESCRIPTION_MAX: usize = 1_024;
/// Lines of a `SKILL.md` before it is noted.
const LINES_MAX: usize = 500;
/// Where skills lie, the first before the second.
const PLACES: [&str; 2] = ["skills", ".agents/skills"];
const MAIN: &str = "SKILL.md";
const EXAMPLE: &str = "begin it with ---, name: NAME, description: what it is for, and --- on lines of their own";

/// Something an agent may read up on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skill {
    /// Its name.
    pub name: String,
    /// What it is for: all that a model is told unasked.
    pub description: String,
    /// Its instructions: `SKILL.md` without its frontmatter.
    pub text: String,
    /// Its other files, by path within its folder.
    pub files: BTreeMap<String, String>,
}

/// The folders that the skills of a graph in that folder may be.
pub(super) fn folders(root: &Node, folder: &str) -> BTreeSet<String> {
    let mut folders = BTreeSet::new();
    nodes_of(&mut root.clone(), &mut |node| {
        lists(node, &mut |elements| {
            let names = elements.iter().filter_map(Node::scalar).filter(|name| is_name(name));
            folders.extend(names.flat_map(|name| PLACES.map(|place| format!("{folder}{place}/{name}"))));
        });
    });
    folders
}

/// Puts skills in the place of their names, for a graph in that folder and those defined in
/// it. What is odd about them goes to the notes.
pub(super) fn inline(root: &mut Node, folder: &str, source: &Source, report: &mut Report, notes: &mut Report) {
    nodes_of(root, &mut |node| {
        lists(node, &mut |elements| {
            for element in elements {
                let Some(name) = element.scalar().map(str::to_owned) else { continue };
                if let Some(skill) = find(&name, element.at, folder, source, (report, notes)) {
                    let (name, description, text) = (skill.name, skill.description, skill.text);
                    let whole = json!({"name": name, "description": description, "text": text, "files": skill.files});
                    let at = element.at;
                    *element = from_json(&whole);
                    agent::place_all(element, at);
                }
            }
        });
    });
    if let Some(Content::Map(graphs)) = agent::member(root, "graphs").map(|graphs| &mut graphs.content) {
        graphs.iter_mut().for_each(|entry| inline(&mut entry.value, folder, source, report, notes));
    }
}

/// Skills that stand where they were named; `None` where one does not, which was reported.
pub(super) fn read(report: &mut Report, node: &Node) -> Option<Vec<Skill>> {
    let Content::List(elements) = &node.content else {
        let found = kind(&node.content);
        report.add("wrong_type", node.at, format!("skills is a list, not {found}")).help("skills: [runbooks]");
        return None;
    };
    if elements.len() > SKILLS_MAX {
        report.add("too_large", node.at, format!("more than {SKILLS_MAX} skills"));
        return None;
    }
    let mut skills: Vec<Skill> = Vec::new();
    for element in elements {
        let skill = whole(report, element)?;
        if skills.iter().any(|known| known.name == skill.name) {
            report.add("duplicate_key", element.at, format!("{} stands here twice", skill.name));
        }
        skills.push(skill);
    }
    Some(skills)
}

/// A skill that is written out.
fn whole(report: &mut Report, node: &Node) -> Option<Skill> {
    if node.scalar().is_some() {
        return None;
    }
    let members = members(report, node, "a skill", &["name", "description", "text", "files"], &[])?;
    let mut needed = |key: &str| {
        let Some(node) = members.get(key) else {
            report
                .add("missing_key", members.at, format!("a skill needs {key}"))
                .help("name a folder beneath skills/, or give name, description and text");
            return None;
        };
        text(report, node, key).map(str::to_owned)
    };
    let (name, description, text) = (needed("name")?, needed("description")?, needed("text")?);
    if !is_name(&name) {
        wrong_name(report, &name, node.at);
        return None;
    }
    let files = match members.get("files").map(to_json) {
        Some(Value::Object(files)) => files
            .into_iter()
            .map(|(path, text)| (path, text.as_str().map_or_else(|| text.to_string(), str::to_owned)))
            .collect(),
        _ => BTreeMap::new(),
    };
    Some(Skill { name, description, text, files })
}

/// What lies in a skill's folder.
fn find(
    name: &str,
    at: Place,
    folder: &str,
    source: &Source,
    (report, notes): (&mut Report, &mut Report),
) -> Option<Skill> {
    if !is_name(name) {
        wrong_name(report, name, at);
        return None;
    }
    let mut homes = PLACES.iter().map(|place| format!("{folder}{place}/{name}/"));
    let found: Vec<String> =
        homes.by_ref().filter(|home| source.includes.contains_key(&format!("{home}{MAIN}"))).collect();
    let Some(home) = found.first() else {
        report
            .add("no_file", at, format!("{folder}{}/{name}/{MAIN} was not found", PLACES[0]))
            .help(format!("a skill is a folder beside the graph with a {MAIN} in it: {}/{name}/{MAIN}", PLACES[0]));
        return None;
    };
    if let Some(second) = found.get(1) {
        notes
            .add("two_forms", at, format!("{name} is both in {home} and in {second}: the first counts"))
            .help("delete one of them");
    }
    let files = texts(name, at, home, source, report)?;
    let path = format!("{home}{MAIN}");
    let file = source.place_of(&path);
    let (back, notes_back) = (report.enter(&file), notes.enter(&file));
    let skill = source.includes.get(&path).and_then(|written| main(name, written, (report, notes)));
    report.back(back);
    notes.back(notes_back);
    skill.map(|(description, text)| Skill { name: name.to_owned(), description, text, files })
}

/// The files of a skill but its `SKILL.md`, within the bounds of a skill.
fn texts(name: &str, at: Place, home: &str, source: &Source, report: &mut Report) -> Option<BTreeMap<String, String>> {
    let all: Vec<(&str, &String)> = source
        .includes
        .range(home.to_owned()..)
        .map_while(|(path, text)| Some((path.strip_prefix(home)?, text)))
        .filter(|(path, _)| is_inside(path))
        .collect();
    let problems = report.len();
    for (path, text) in &all {
        if text.contains('\0') {
            report
                .add("wrong_type", at, format!("{home}{path} is no text"))
                .help("a skill is made of texts: keep other files outside of its folder");
        } else if text.len() > SKILL_FILE_BYTES_MAX {
            report
                .add("too_large", at, format!("{home}{path} is longer than {SKILL_FILE_BYTES_MAX} bytes"))
                .help("make several files of it, or leave it out of the skill");
        }
    }
    let bytes: usize = all.iter().map(|(_, text)| text.len()).sum();
    if all.len() > SKILL_FILES_MAX || bytes > SKILL_BYTES_MAX {
        report
            .add("too_large", at, format!("{name} has more than {SKILL_FILES_MAX} files or {SKILL_BYTES_MAX} bytes"))
            .help("make several skills of it");
    }
    let files = all.into_iter().filter(|(path, _)| *path != MAIN);
    (report.len() == problems).then(|| files.map(|(path, text)| (path.to_owned(), text.clone())).collect())
}

/// Description and instructions of a `SKILL.md`, which the reports are at.
fn main(name: &str, written: &str, (report, notes): (&mut Report, &mut Report)) -> Option<(String, String)> {
    let (head, body) = split(written, report)?;
    let root = load(&head, report, notes)?;
    let top = Place { line: 1, column: 1, offset: 0, length: 3 };
    let Some(description) = root.get("description") else {
        report.add("missing_key", top, format!("the skill {name} has no description")).help(EXAMPLE);
        return None;
    };
    let words = description.scalar().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        let what = if description.scalar().is_some() { "is empty" } else { "is no text" };
        report.add("wrong_type", description.at, format!("the description of {name} {what}")).help(EXAMPLE);
        return None;
    }
    if words.chars().count() > DESCRIPTION_MAX {
        notes
            .add("too_large", description.at, format!("the description is longer than {DESCRIPTION_MAX} characters"))
            .help("say what the skill is for and when to read it: all else belongs below");
    }
    match root.get("name") {
        Some(own) if own.scalar() == Some(name) => {}
        Some(own) => {
            notes
                .add("wrong_name", own.at, format!("the skill calls itself otherwise than its folder, {name}"))
                .help(format!("name: {name}"));
        }
        None => _ = notes.add("missing_key", top, format!("the skill {name} does not name itself")).help(EXAMPLE),
    }
    if let Content::Map(entries) = &root.content
        && let Some(entry) = entries.iter().find(|entry| entry.key == "allowed-tools")
    {
        notes
            .add("no_use", entry.key_at, "allowed-tools allows nothing here")
            .help("an agent calls the tools that the graph names");
    }
    let lines = body.lines().count();
    if lines > LINES_MAX {
        notes
            .add("too_large", top, format!("{MAIN} has {lines} lines, more than {LINES_MAX}"))
            .help("move what is needed now and then to files beside it, and name them");
    }
    Some((words, body.trim().to_owned()))
}

/// The frontmatter, as long and as many lines into the text as it is, and what follows it.
fn split<'t>(written: &'t str, report: &mut Report) -> Option<(String, &'t str)> {
    let written = written.strip_prefix('\u{feff}').unwrap_or(written);
    let top = Place { line: 1, column: 1, offset: 0, length: written.lines().next().unwrap_or_default().len() };
    let is_mark = |line: &str| line.trim_end() == "---";
    let mut lines = written.split_inclusive('\n');
    if !lines.next().is_some_and(is_mark) {
        report.add("missing_key", top, format!("{MAIN} has no frontmatter")).help(EXAMPLE);
        return None;
    }
    let mut end = written.find('\n').map_or(written.len(), |end| end + 1);
    for line in lines {
        if is_mark(line) {
            // A comment in the place of the mark keeps every place.
            return Some((format!("#{}", &written[1..end]), &written[end + line.len()..]));
        }
        end += line.len();
    }
    report.add("yaml_syntax", top, "the frontmatter does not end").help("close it with a line of ---");
    None
}

/// The frontmatter as a tree. People write `description: Use it: often`, which is no YAML:
/// that is read as it is meant.
fn load(head: &str, report: &mut Report, notes: &mut Report) -> Option<Node> {
    let try_at = |text: &str| {
        let mut own = Report::default();
        yaml::load(text, &mut own).filter(|_| own.is_empty())
    };
    let empty = Node { content: Content::Map(Vec::new()), at: Place::default() };
    if head.lines().all(|line| line.trim().is_empty() || line.starts_with('#')) {
        return Some(empty);
    }
    if let Some(root) = try_at(head) {
        return Some(root);
    }
    if let Some((root, line)) = quoted(head).and_then(|(text, line)| Some((try_at(&text)?, line))) {
        let at = Place { line, column: 1, offset: offset_of(head, line), length: 1 };
        notes
            .add("yaml_syntax", at, "a text with a colon stands without quotes")
            .help("put it in double quotes: other readers refuse it");
        return Some(root);
    }
    yaml::load(head, report);
    None
}

/// The lines `key: a text: with a colon` with their texts in quotes, and the first of them.
fn quoted(head: &str) -> Option<(String, usize)> {
    let mut first = None;
    let lines = head.lines().zip(1..).map(|(line, number)| match line.split_once(": ") {
        Some((key, value)) if needs_quotes(key, value) => {
            first.get_or_insert(number);
            format!("{key}: \"{}\"\n", value.trim().replace('\\', "\\\\").replace('"', "\\\""))
        }
        _ => format!("{line}\n"),
    });
    let text: String = lines.collect();
    first.map(|line| (text, line))
}

fn needs_quotes(key: &str, value: &str) -> bool {
    let is_key = !key.is_empty() && key.chars().all(|mark| mark.is_ascii_alphanumeric() || mark == '-' || mark == '_');
    let value = value.trim();
    is_key && (value.contains(": ") || value.ends_with(':')) && !value.starts_with(['"', '\'', '[', '{', '|', '>'])
}

fn offset_of(text: &str, line: usize) -> usize {
    text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum()
}

fn wrong_name(report: &mut Report, name: &str, at: Place) {
    report
        .add("wrong_name", at, format!("{name:?} is no name of a skill"))
        .help("skills are named like their folder: letters, digits, - and _");
}

fn is_name(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(|mark| mark.is_ascii_alphanumeric() || mark == b'-' || mark == b'_')
}

/// The lists of skills of a node: its agent's, and those of who works for it.
fn lists(node: &mut Node, visit: &mut impl FnMut(&mut [Node])) {
    let Some(agent) = agent::member(node, "agent") else { return };
    if let Some(Content::List(elements)) = agent::member(agent, "skills").map(|skills| &mut skills.content) {
        visit(elements);
    }
    if let Some(Content::Map(team)) = agent::member(agent, "team").map(|team| &mut team.content) {
        for Entry { value, .. } in team {
            if let Some(Content::List(elements)) = agent::member(value, "skills").map(|skills| &mut skills.content) {
                visit(elements);
            }
        }
    }
}
