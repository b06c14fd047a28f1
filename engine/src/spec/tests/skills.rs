//! Skills: found beside the graph, made part of its text, and what is wrong or odd about them.

use std::cell::RefCell;

use expect_test::{Expect, expect};

use super::super::{
    AgentSpec, SKILL_FILE_BYTES_MAX, SKILL_FILES_MAX, Skill, Source, notes, parse_canonical, parse_with, skill_folders,
};
use super::with_agents;

const GRAPH: &str = "\
baton: 1
graph: g
start: a
nodes:
  a: { agent: { kind: tools, route: r, user: hi, skills: [runbooks] }, then: end }
";
const MAIN: &str = "---\nname: runbooks\ndescription: >\n  What to do when\n  something is down\n---\n\n# Runbooks\n\nSee {{ shops.md }}.\n";

fn source(files: &[(&str, &str)]) -> Source {
    let mut source = Source::new("graphs/g.yaml", GRAPH);
    source.includes.extend(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    source
}

/// The skills that whoever makes agents is told of.
#[track_caller]
fn told(source: &Source) -> Vec<Skill> {
    thread_local!(static TOLD: RefCell<Vec<Skill>> = const { RefCell::new(Vec::new()) });
    let made = |spec: &AgentSpec| {
        TOLD.with_borrow_mut(|told| told.clone_from(&spec.skills));
        with_agents().agents.map(|agents| agents(spec)).unwrap_or_default()
    };
    let known = super::Known { agents: Some(made), ..with_agents() };
    parse_with(source, &known).unwrap_or_else(|problems| panic!("{problems:#?}"));
    TOLD.take()
}

/// Problems and notes: file, place, code, message, cure.
fn check(files: &[(&str, &str)], expected: Expect) {
    let source = source(files);
    let problems = parse_with(&source, &with_agents()).err().unwrap_or_default();
    let mut shown = String::new();
    for (kind, all) in [("", problems), ("note: ", notes(&source))] {
        for problem in all {
            let (line, column) = (problem.line, problem.column);
            let help = problem.help.unwrap_or_default();
            shown +=
                &format!("{kind}{}:{line}:{column} {}: {} ({help})\n", problem.file, problem.code, problem.message);
        }
    }
    expected.assert_eq(&shown);
}

#[test]
fn a_skill_lies_beside_the_graph_and_becomes_part_of_it() {
    assert_eq!(skill_folders(&source(&[])), [".agents/skills/runbooks", "skills/runbooks"]);
    let shops = ("skills/runbooks/references/shops.md", "Turn it off and on again.");
    let all = told(&source(&[("skills/runbooks/SKILL.md", MAIN), shops, ("skills/runbooks2/x.md", "other")]));
    let expected = Skill {
        name: "runbooks".to_owned(),
        description: "What to do when something is down".to_owned(),
        text: "# Runbooks\n\nSee {{ shops.md }}.".to_owned(),
        files: [("references/shops.md".to_owned(), shops.1.to_owned())].into(),
    };
    assert_eq!(all, [expected]);
    assert_eq!(told(&source(&[(".agents/skills/runbooks/SKILL.md", MAIN)]))[0].name, "runbooks");
}

#[test]
fn skills_of_a_graph_in_a_file_lie_beside_that_file() {
    let mut outer = source(&[("parts/g.yaml", GRAPH)]);
    outer.text =
        "baton: 1\ngraph: o\nstart: a\nnodes: { a: { graph: { name: ./parts/g.yaml }, then: end } }\n".to_owned();
    assert_eq!(skill_folders(&outer), ["parts/.agents/skills/runbooks", "parts/skills/runbooks"]);
    assert!(parse_with(&outer, &with_agents()).is_err());
    outer.includes.insert("parts/skills/runbooks/SKILL.md".to_owned(), MAIN.to_owned());
    assert_eq!(told(&outer).len(), 1);
}

#[test]
fn another_text_of_a_skill_is_another_version() {
    let made = |text: &str| {
        let source = source(&[("skills/runbooks/SKILL.md", MAIN), ("skills/runbooks/x.md", text)]);
        // What this says stands in the text of the graph that is made, as agents' graphs do.
        let known = super::Known {
            agents: Some(|spec: &AgentSpec| {
                let silent = with_agents().agents.map(|agents| agents(spec)).unwrap_or_default();
                let files: String = spec.skills.iter().flat_map(|skill| skill.files.values()).cloned().collect();
                silent.replace("''", &format!("'{files}'"))
            }),
            ..with_agents()
        };
        parse_with(&source, &known).unwrap()
    };
    assert_ne!(made("one").hash, made("two").hash);
    let graph = made("one");
    assert_eq!(parse_canonical(&graph.source).unwrap().hash, graph.hash, "nobody needs the folder any more");
}

#[test]
fn a_skill_may_be_written_out() {
    let mut own = source(&[]);
    own.text = GRAPH.replace("[runbooks]", "[{ name: x, description: why, text: how, files: { a.md: b } }]");
    assert_eq!(skill_folders(&own).len(), 0);
    assert_eq!(told(&own)[0].files["a.md"], "b");
    own.text = GRAPH.replace("[runbooks]", "[{ name: x, text: how }, { name: x, description: d, text: t }]");
    let codes = |source: &Source| {
        let problems = parse_with(source, &with_agents()).unwrap_err();
        problems.into_iter().map(|problem| problem.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(&own), ["missing_key"]);
    own.text =
        GRAPH.replace("[runbooks]", "[{ name: x, description: d, text: t }, { name: x, description: d, text: t }]");
    assert_eq!(codes(&own), ["duplicate_key"]);
    own.text = GRAPH.replace("[runbooks]", "runbooks");
    assert_eq!(codes(&own), ["wrong_type"]);
    own.text = GRAPH.replace("[runbooks]", "[../../etc]");
    assert_eq!(codes(&own), ["wrong_name"]);
    assert_eq!(skill_folders(&own).len(), 0, "nothing elsewhere is read");
}

#[test]
fn what_is_wrong_with_a_skill_is_told_where_it_is() {
    check(
        &[],
        expect![[r#"
        graphs/g.yaml:5:59 no_file: skills/runbooks/SKILL.md was not found (a skill is a folder beside the graph with a SKILL.md in it: skills/runbooks/SKILL.md)
    "#]],
    );
    check(
        &[("skills/runbooks/SKILL.md", "# No frontmatter\n")],
        expect![[r#"
        graphs/skills/runbooks/SKILL.md:1:1 missing_key: SKILL.md has no frontmatter (begin it with ---, name: NAME, description: what it is for, and --- on lines of their own)
    "#]],
    );
    check(
        &[("skills/runbooks/SKILL.md", "---\nname: runbooks\n")],
        expect![[r#"
        graphs/skills/runbooks/SKILL.md:1:1 yaml_syntax: the frontmatter does not end (close it with a line of ---)
    "#]],
    );
    check(
        &[("skills/runbooks/SKILL.md", "---\n---\nx")],
        expect![[r#"
        graphs/skills/runbooks/SKILL.md:1:1 missing_key: the skill runbooks has no description (begin it with ---, name: NAME, description: what it is for, and --- on lines of their own)
    "#]],
    );
    check(
        &[("skills/runbooks/SKILL.md", "---\nname: runbooks\ndescription: ''\n---\n")],
        expect![[r#"
        graphs/skills/runbooks/SKILL.md:3:14 wrong_type: the description of runbooks is empty (begin it with ---, name: NAME, description: what it is for, and --- on lines of their own)
    "#]],
    );
    check(
        &[("skills/runbooks/SKILL.md", "---\nname: runbooks\ndescription: [a]\n---\n")],
        expect![[r#"
        graphs/skills/runbooks/SKILL.md:3:14 wrong_type: the description of runbooks is no text (begin it with ---, name: NAME, description: what it is for, and --- on lines of their own)
    "#]],
    );
    check(
        &[("skills/runbooks/SKILL.md", "---\nname: \"runbooks\ndescription: x\n---\n")],
        expect![[r#"
        graphs/skills/runbooks/SKILL.md:3:1 yaml_syntax: no YAML: invalid indentation in multiline quoted scalar (an expression or text that contains : # , ' [ or { stands in double quotes)
    "#]],
    );
    let logo = ("skills/runbooks/assets/logo.png", "\0");
    let long = "x".repeat(SKILL_FILE_BYTES_MAX + 1);
    check(
        &[("skills/runbooks/SKILL.md", MAIN), logo, ("skills/runbooks/y.md", &long)],
        expect![[r#"
        graphs/g.yaml:5:59 too_large: skills/runbooks/y.md is longer than 262144 bytes (make several files of it, or leave it out of the skill)
        graphs/g.yaml:5:59 wrong_type: skills/runbooks/assets/logo.png is no text (a skill is made of texts: keep other files outside of its folder)
    "#]],
    );
}

#[test]
fn what_is_odd_about_a_skill_is_noted_and_does_no_harm() {
    check(
        &[(
            "skills/runbooks/SKILL.md",
            "---\nname: other\ndescription: Use it: often\nallowed-tools: Bash(git:*)\nlicense: MIT\n---\n",
        )],
        expect![[r#"
            note: graphs/skills/runbooks/SKILL.md:2:7 wrong_name: the skill calls itself otherwise than its folder, runbooks (name: runbooks)
            note: graphs/skills/runbooks/SKILL.md:3:1 yaml_syntax: a text with a colon stands without quotes (put it in double quotes: other readers refuse it)
            note: graphs/skills/runbooks/SKILL.md:4:1 no_use: allowed-tools allows nothing here (an agent calls the tools that the graph names)
        "#]],
    );
    let long = format!("---\r\ndescription: {}\r\n---\r\n{}", "x".repeat(2_000), "line\n".repeat(600));
    check(
        &[("skills/runbooks/SKILL.md", &long), (".agents/skills/runbooks/SKILL.md", MAIN)],
        expect![[r#"
        note: graphs/g.yaml:5:59 two_forms: runbooks is both in skills/runbooks/ and in .agents/skills/runbooks/: the first counts (delete one of them)
        note: graphs/skills/runbooks/SKILL.md:1:1 missing_key: the skill runbooks does not name itself (begin it with ---, name: NAME, description: what it is for, and --- on lines of their own)
        note: graphs/skills/runbooks/SKILL.md:1:1 too_large: SKILL.md has 600 lines, more than 500 (move what is needed now and then to files beside it, and name them)
        note: graphs/skills/runbooks/SKILL.md:2:14 too_large: the description is longer than 1024 characters (say what the skill is for and when to read it: all else belongs below)
    "#]],
    );
    let odd = ("skills/runbooks/SKILL.md", "---\nname: runbooks\ndescription: Say \"no\": never\n---\n");
    assert_eq!(told(&source(&[odd]))[0].description, "Say \"no\": never");
}

#[test]
fn a_skill_is_bounded_as_a_whole() {
    let files: Vec<(String, String)> =
        (0..SKILL_FILES_MAX).map(|number| (format!("skills/runbooks/{number}.md"), String::new())).collect();
    let mut many = source(&[("skills/runbooks/SKILL.md", MAIN)]);
    many.includes.extend(files);
    let mut large = source(&[("skills/runbooks/SKILL.md", MAIN)]);
    let text = "x".repeat(SKILL_FILE_BYTES_MAX);
    large.includes.extend((0..5).map(|number| (format!("skills/runbooks/{number}.md"), text.clone())));
    for source in [many, large] {
        let problems = parse_with(&source, &with_agents()).unwrap_err();
        assert_eq!(problems.iter().map(|problem| problem.code.as_str()).collect::<Vec<_>>(), ["too_large"]);
    }
}
