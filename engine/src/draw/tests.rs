//! What pictures show, and that boxes do not lie on each other.

use expect_test::expect;

use super::layers::{Item, layers};
use super::picture::pictures;
use super::place::place;
use super::{mermaid, svg};
use crate::graph::Graph;
use crate::spec::{Source, parse};

fn graph(text: &str) -> Graph {
    parse(&Source::new("g.yaml", text)).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn example(name: &str) -> Graph {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    graph(&std::fs::read_to_string(path).unwrap())
}

const LOOP: &str = "baton: 1
graph: review
input: { topic: string }
state: { draft: string, turns: { type: integer, reduce: sum } }
start: write
graphs:
  write: { input: { topic: string }, output: { text: input.topic }, start: a, nodes: { a: { then: end } } }
nodes:
  write:
    graph: { name: write, args: { topic: \"{{ input.topic }}\" } }
    save: { draft: output.text, turns: \"1\" }
    on_error: [ { fail: 'no \"draft\" <at> all' } ]
    then: ask
  ask:
    ask: { title: \"Fine?\", edit: state.draft }
    then:
      - { when: \"output.action != 'reject'\", to: end }
      - { when: state.turns < 3, to: write }
      - { to: end }
";

#[test]
fn a_flow_chart_shows_ways_conditions_and_failures() {
    expect![[r#"
        flowchart TD
          n0(("start"))
          n1{{"<b>ask</b><br/>Fine?"}}
          n2[["<b>write</b><br/>graph write"]]
          n3(("end"))
          n4>"fails: no #34;draft#34; #60;at#62; all"]
          n0 --> n2
          n1 -->|"output.action != 'reject' or else"| n3
          n1 -->|"state.turns #60; 3"| n2
          n2 --> n1
          n2 -.->|"on error"| n4
          subgraph g1 ["write"]
            g1n0(("start"))
            g1n1["<b>a</b>"]
            g1n2(("end"))
            g1n0 --> g1n1
            g1n1 --> g1n2
          end
    "#]]
    .assert_eq(&mermaid(&graph(LOOP)));
}

#[test]
fn boxes_and_labels_lie_beside_each_other() {
    for name in ["approval.yaml", "digest.yaml", "fan-out.yaml", "hello.yaml", "loop.yaml"] {
        for picture in pictures(&example(name)) {
            let layers = layers(&picture);
            let placed = place(&picture, &layers);
            let shown: Vec<_> = (0..layers.items.len())
                .filter(|item| !matches!(layers.items[*item], Item::Joint { labelled: false, .. }))
                .map(|item| placed.areas[item])
                .collect();
            for (index, one) in shown.iter().enumerate() {
                assert!(
                    one.x - one.width / 2.0 > -0.1 && one.x + one.width / 2.0 < placed.width + 0.1,
                    "{name}: {one:?}"
                );
                assert!(one.top() > -0.1 && one.bottom() < placed.height + 0.1, "{name}: {one:?}");
                for other in &shown[index + 1..] {
                    let apart = (one.x - other.x).abs() >= (one.width + other.width) / 2.0 - 0.1
                        || (one.y - other.y).abs() >= (one.height + other.height) / 2.0 - 0.1;
                    assert!(apart, "{name}: {one:?} {other:?}");
                }
            }
        }
    }
}

#[test]
fn every_node_is_drawn_once_and_texts_are_escaped() {
    let picture = svg(&graph(LOOP));
    for part in [
        ">write</text>",
        ">ask</text>",
        "✕ no &quot;draft&quot; &lt;at&gt; all</text>",
        "output.action != 'reject' or else",
        ">graph write</text>",
    ] {
        assert_eq!(picture.matches(part).count(), 1 + usize::from(part == ">write</text>"), "{part}\n{picture}");
    }
    assert_eq!(picture, svg(&graph(LOOP)), "equal graphs give equal bytes");
    let digest = svg(&example("digest.yaml"));
    assert_eq!(digest.matches("<g ").count(), digest.matches("</g>").count());
}

#[test]
fn a_large_graph_is_drawn_quickly_or_not_at_all() {
    let nodes: String = (0..300).map(|n| format!("  n{n}: {{ then: n{} }}\n", n + 1)).collect();
    let text = format!("baton: 1\ngraph: g\nstart: n0\nnodes:\n{nodes}  n300: {{ then: end }}\n");
    assert!(svg(&graph(&text)).contains(">n300<"));
    let names: Vec<String> = (0..60).map(|n| format!("n{n}")).collect();
    let arms = |n: usize| (n + 1..60).map(|to| format!("{{ when: input.x == {to}, to: n{to} }}, ")).collect::<String>();
    let nodes: String =
        (0..60).map(|n| format!("  {}: {{ then: [ {}{{ to: end }} ] }}\n", names[n], arms(n))).collect();
    let text = format!("baton: 1\ngraph: g\ninput: {{ x: integer }}\nstart: n0\nnodes:\n{nodes}");
    assert!(svg(&graph(&text)).contains("too many to draw"));
    assert_eq!(mermaid(&graph(&text)).lines().count(), 1 + 62 + 1 + 60 + 60 * 59 / 2);
}
