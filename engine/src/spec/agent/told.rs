//! What an agent is told to do, as far as the graph's text fixes it: what whoever makes its
//! graph has to know.

use serde_json::{Map, Value};

use super::super::skills::Skill;

/// What an agent is told to do, as far as it is fixed by the graph's text. The graph made of it
/// takes the input `user`; `system`, `history` (the conversation so far), `team` (an object:
/// instructions by the name of a member) and `reviewer` (instructions) where they are given;
/// and gives `text`, `json` and `messages`.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentSpec {
    /// The name of the graph to make.
    pub graph: String,
    /// How it goes about its work.
    pub kind: AgentKind,
    /// The route of its model calls.
    pub route: String,
    /// Whether it is given instructions.
    pub system: bool,
    /// Whether it is given the conversation so far.
    pub history: bool,
    /// The tools its model may ask for, none of one name twice.
    pub tools: Vec<AgentTool>,
    /// What it may read up on, none of one name twice.
    pub skills: Vec<Skill>,
    /// Calls of the model, at most.
    pub rounds: u64,
    /// What runs at once of what it hands out, at most; the language's own unless given.
    pub max_parallel: Option<u64>,
    /// Settings as they stand that an agent within it takes over: `tools`, `skills`, `rounds`.
    pub inner: Map<String, Value>,
    /// Further keys of its model calls: `fields`, `output_schema`, `temperature`, `max_tokens`.
    pub chat: Map<String, Value>,
    /// Keys of every node that calls a model or a tool: `retry`, `timeout`.
    pub calls: Map<String, Value>,
    /// Key of every node that calls a tool.
    pub approve: Option<Value>,
    /// What the graph that it stands in may use, `tokens` and `cost_usd`: it may use no more.
    pub limits: Map<String, Value>,
}

/// How an agent goes about its work.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentKind {
    /// It calls the tools that the model asks for.
    Tools,
    /// It makes a plan, has its steps done, and looks at what they gave.
    Plan {
        /// Plans, at most.
        plans: u64,
    },
    /// It hands tasks to others.
    Supervisor {
        /// Who they are; none of one name twice, nor named as a tool.
        team: Vec<Member>,
    },
    /// It writes, and another reviews what it wrote.
    Review {
        /// Reviews, at most.
        reviews: u64,
        /// Who reviews.
        reviewer: Reviewer,
    },
}

/// A tool that an agent's model may ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentTool {
    /// One that workers have, by name.
    Worker(String),
    /// A graph.
    Graph(GraphTool),
}

/// A graph as a tool: it takes what the graph takes and gives what the graph gives.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphTool {
    /// What the model calls it.
    pub name: String,
    /// What nodes call it.
    pub graph: String,
    /// What the model is told of it.
    pub about: String,
}

/// Somebody a supervisor hands tasks to.
#[derive(Debug, Clone, PartialEq)]
pub enum Member {
    /// A graph.
    Graph(GraphTool),
    /// An agent that calls tools.
    Agent {
        /// What the model calls it.
        name: String,
        /// What the model is told of it.
        about: String,
        /// Whether it is given instructions.
        system: bool,
        /// The route of its model calls.
        route: String,
        /// Its other settings as they stand: `tools`, `skills`, `rounds`.
        settings: Map<String, Value>,
    },
}

/// Somebody who reviews.
#[derive(Debug, Clone, PartialEq)]
pub struct Reviewer {
    /// The route of its model calls.
    pub route: String,
    /// Whether it is given instructions.
    pub system: bool,
}

impl AgentTool {
    /// What the model calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Worker(name) => name,
            Self::Graph(graph) => &graph.name,
        }
    }
}
