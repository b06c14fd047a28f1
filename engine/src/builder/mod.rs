//! Graphs from Rust: the same value that a YAML text gives, made by calls that a compiler
//! checks the names of. What a graph may say, and what is wrong with one, is `spec`'s.
//!
//! ```
//! use baton_engine::builder::{Channel, GraphBuilder, Node, Route, Type};
//!
//! let graph = GraphBuilder::new("greeting")
//!     .input("name", Type::string())
//!     .output("text", "state.text")
//!     .channel("text", Channel::of(Type::string()))
//!     .start("greet")
//!     .node(
//!         "greet",
//!         Node::tool("debug.echo", serde_json::json!({"text": "hello {{ input.name }}"}))
//!             .save("text", "output.text")
//!             .then(Route::end()),
//!     )
//!     .build()?;
//! assert_eq!(graph.name, "greeting");
//! # Ok::<(), Vec<baton_engine::spec::Problem>>(())
//! ```

mod node;
mod route;
mod types;

use serde_json::{Map, Value, json};

pub use node::{Ask, Each, Node};
pub use route::Route;
pub use types::{Channel, Type};

use crate::graph::Graph;
use crate::spec::{self, Known, Problem, Source};

/// A graph in the making.
#[derive(Debug, Clone)]
pub struct GraphBuilder {
    document: Map<String, Value>,
}

impl GraphBuilder {
    /// A graph of that name, empty.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut document = Map::new();
        document.insert("baton".to_owned(), json!(1));
        document.insert("graph".to_owned(), json!(name));
        document.insert("nodes".to_owned(), json!({}));
        Self { document }
    }

    /// Takes an input.
    #[must_use]
    pub fn input(self, name: &str, kind: Type) -> Self {
        self.within("input", name, kind.0)
    }

    /// Gives an output: an expression on the final state.
    #[must_use]
    pub fn output(self, name: &str, expression: &str) -> Self {
        self.within("output", name, json!(expression))
    }

    /// Has a channel.
    #[must_use]
    pub fn channel(self, name: &str, channel: Channel) -> Self {
        self.within("state", name, channel.0)
    }

    /// Starts at this node; called again, at several.
    #[must_use]
    pub fn start(mut self, node: &str) -> Self {
        let start = match self.document.remove("start") {
            None => json!(node),
            Some(Value::Array(mut nodes)) => {
                nodes.push(json!(node));
                Value::Array(nodes)
            }
            Some(first) => json!([first, node]),
        };
        self.document.insert("start".to_owned(), start);
        self
    }

    /// Activations of nodes, at most.
    #[must_use]
    pub fn limit_steps(self, steps: u64) -> Self {
        self.within("limits", "steps", json!(steps))
    }

    /// Tokens of its chats, at most.
    #[must_use]
    pub fn limit_tokens(self, tokens: u64) -> Self {
        self.within("limits", "tokens", json!(tokens))
    }

    /// Cost of its chats, at most.
    #[must_use]
    pub fn limit_cost_usd(self, cost: f64) -> Self {
        self.within("limits", "cost_usd", json!(cost))
    }

    /// From submit to end, at most: `2d`, `90s`.
    #[must_use]
    pub fn limit_duration(self, duration: &str) -> Self {
        self.within("limits", "duration", json!(duration))
    }

    /// What happens to a run on a busy thread: `reject`, `enqueue`, `interrupt`, `rollback`.
    #[must_use]
    pub fn on_busy(mut self, policy: &str) -> Self {
        self.document.insert("on_busy".to_owned(), json!(policy));
        self
    }

    /// Has a node.
    #[must_use]
    pub fn node(self, name: &str, node: Node) -> Self {
        self.within("nodes", name, Value::Object(node.0))
    }

    /// Has a graph of its own that its nodes call by that name.
    #[must_use]
    pub fn graph(self, name: &str, graph: Self) -> Self {
        self.within("graphs", name, Value::Object(graph.document))
    }

    /// The graph as a text of the language; JSON, which is YAML too. What `baton graph
    /// apply` and a submit take.
    #[must_use]
    pub fn text(&self) -> String {
        Value::Object(self.document.clone()).to_string()
    }

    /// The graph, validated.
    ///
    /// # Errors
    /// Everything that is wrong with it; places are those of [`GraphBuilder::text`].
    pub fn build(&self) -> Result<Graph, Vec<Problem>> {
        self.build_with(&Known::default())
    }

    /// The graph, validated against what is known beside it: tools, applied graphs, and who
    /// makes the graphs of agents.
    ///
    /// # Errors
    /// Everything that is wrong with it; places are those of [`GraphBuilder::text`].
    pub fn build_with(&self, known: &Known) -> Result<Graph, Vec<Problem>> {
        let name = self.document["graph"].as_str().unwrap_or("graph");
        spec::parse_with(&Source::new(format!("{name}.json"), self.text()), known)
    }

    fn within(mut self, part: &str, name: &str, value: Value) -> Self {
        let members = self.document.entry(part).or_insert_with(|| json!({}));
        if let Value::Object(members) = members {
            members.insert(name.to_owned(), value);
        }
        self
    }
}
