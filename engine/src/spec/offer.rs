//! What models are offered as tools: by name, as a graph, or described where it is offered.

use serde_json::{Value, json};

use super::agent::GraphTool;
use super::problem::Report;
use super::reader::{Members, kind, members, text};
use super::view::View;
use super::yaml::{Content, Node};
use super::{call, types};

const GRAPH: [&str; 3] = ["graph", "about", "name"];
const OWN: [&str; 3] = ["name", "description", "input_schema"];
const EXAMPLE: &str = "{ name: find, description: \"finds a word\", input_schema: { type: object, properties: { word: { type: string } } } }";

/// The tools that a chat offers its model: names, and descriptions in which nothing is a
/// template, those of graphs among them.
pub(super) fn offered(report: &mut Report, node: &Node, view: &View<'_>) -> Option<Vec<Value>> {
    let Content::List(elements) = &node.content else {
        let found = kind(&node.content);
        report.add("wrong_type", node.at, format!("tools is a list, not {found}")).help("tools: [file.list]");
        return None;
    };
    let mut names: Vec<String> = Vec::new();
    let mut offered = Vec::new();
    for element in elements {
        let (name, tool) = match &element.content {
            Content::Map(_) if element.get("graph").is_some() => described_graph(report, element, view)?,
            Content::Map(_) => described(report, element)?,
            _ => {
                let name = call::tool_name(report, element)?;
                call::check_known(report, element, name, view);
                (name.to_owned(), json!(name))
            }
        };
        if names.contains(&name) {
            report.add("duplicate_key", element.at, format!("{name} stands here twice"));
        }
        names.push(name);
        offered.push(tool);
    }
    Some(offered)
}

/// A graph as a tool: `{ graph: research, about: … }`, with a name of its own if that of the
/// graph does not do.
pub(super) fn graph(report: &mut Report, node: &Node) -> Option<GraphTool> {
    let members = members(report, node, "a graph as a tool", &GRAPH, &[])?;
    if !has_all(report, &members, "a graph as a tool", &GRAPH[..2], "{ graph: research, about: \"finds sources\" }") {
        return None;
    }
    let (graph_node, about) = (members.get("graph")?, members.get("about")?);
    let graph = text(report, graph_node, "the name of a graph")?;
    let about = text(report, about, "about")?.to_owned();
    let name = match members.get("name") {
        Some(name) => call::tool_name(report, name)?,
        None => named_after(graph),
    };
    if !call::is_tool_name(name) {
        report
            .add("wrong_name", graph_node.at, format!("{name:?} is no name of a tool"))
            .help("give it a name of its own: { graph: …, name: research, about: … }");
        return None;
    }
    Some(GraphTool { name: name.to_owned(), graph: graph.to_owned(), about })
}

/// `research` of `research@3f2a` and of `./parts/research.yaml`.
fn named_after(graph: &str) -> &str {
    match graph.strip_prefix("./") {
        Some(path) => {
            let file = path.rsplit('/').next().unwrap_or(path);
            file.rsplit_once('.').map_or(file, |(stem, _)| stem)
        }
        None => graph.split('@').next().unwrap_or(graph),
    }
}

fn described_graph(report: &mut Report, node: &Node, view: &View<'_>) -> Option<(String, Value)> {
    let tool = graph(report, node)?;
    // Whatever is wrong with the graph itself was reported where it is read.
    let child = view.declared.children.get(&tool.graph)?;
    let described = json!({"name": tool.name, "description": tool.about, "input_schema": child.input});
    Some((tool.name, described))
}

fn described(report: &mut Report, node: &Node) -> Option<(String, Value)> {
    let members = members(report, node, "a tool of your own", &OWN, &[])?;
    if !has_all(report, &members, "a tool of your own", &OWN, EXAMPLE) {
        return None;
    }
    let (name, description, schema_node) =
        (members.get("name")?, members.get("description")?, members.get("input_schema")?);
    let name = call::tool_name(report, name)?;
    let description = text(report, description, "description")?;
    let schema = types::json_schema(report, schema_node, "input_schema")?;
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        report
            .add("wrong_schema", schema_node.at, "what a tool takes is an object")
            .help("input_schema: { type: object, properties: { word: { type: string } } }");
        return None;
    }
    Some((name.to_owned(), json!({"name": name, "description": description, "input_schema": schema})))
}

fn has_all(report: &mut Report, members: &Members<'_>, what: &str, keys: &[&str], example: &str) -> bool {
    let missing: Vec<&str> = keys.iter().copied().filter(|key| members.get(key).is_none()).collect();
    if !missing.is_empty() {
        report.add("missing_key", members.at, format!("{what} needs {}", missing.join(", "))).help(example);
    }
    missing.is_empty()
}

#[cfg(test)]
mod tests {
    use super::named_after;

    #[test]
    fn a_tool_is_called_as_its_graph() {
        for (graph, name) in [
            ("research", "research"),
            ("research@3f2a", "research"),
            ("./research.yaml", "research"),
            ("./parts/web.search.yaml", "web.search"),
        ] {
            assert_eq!(named_after(graph), name, "{graph}");
        }
    }
}
