//! Nodes: what each does, and what surrounds it.

use serde_json::{Map, Value, json};

use super::route::Route;

/// A node in the making.
#[derive(Debug, Clone, PartialEq)]
pub struct Node(pub(super) Map<String, Value>);

/// A question in the making.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask(Map<String, Value>);

/// The list of a map in the making.
#[derive(Debug, Clone, PartialEq)]
pub struct Each(Map<String, Value>);

impl Node {
    /// Only writes and goes on.
    #[must_use]
    pub fn local() -> Self {
        Self(Map::new())
    }

    /// A job of a tool.
    #[must_use]
    pub fn tool(name: &str, args: Value) -> Self {
        Self::local().with("tool", call(name, args))
    }

    /// A call of a model: `route`, `user` and what else the language names.
    #[must_use]
    pub fn chat(call: Value) -> Self {
        Self::local().with("chat", call)
    }

    /// A question to a person.
    #[must_use]
    pub fn ask(ask: Ask) -> Self {
        Self::local().with("ask", Value::Object(ask.0))
    }

    /// Waits so long: `5m`.
    #[must_use]
    pub fn wait_for(duration: &str) -> Self {
        Self::local().with("wait", json!({"for": duration}))
    }

    /// Waits until a moment, an expression.
    #[must_use]
    pub fn wait_until(expression: &str) -> Self {
        Self::local().with("wait", json!({"until": expression}))
    }

    /// Waits for a signal, with `match` and `expires` where they are given.
    #[must_use]
    pub fn wait_signal(name: &str, matches: Option<&str>, expires: Option<&str>) -> Self {
        let mut wait = Map::from_iter([("signal".to_owned(), json!(name))]);
        wait.extend(matches.map(|matches| ("match".to_owned(), json!(matches))));
        wait.extend(expires.map(|expires| ("expires".to_owned(), json!(expires))));
        Self::local().with("wait", Value::Object(wait))
    }

    /// A run of another graph.
    #[must_use]
    pub fn graph(name: &str, args: Value) -> Self {
        Self::local().with("graph", call(name, args))
    }

    /// A job that is not waited for.
    #[must_use]
    pub fn notify(name: &str, args: Value) -> Self {
        Self::local().with("notify", call(name, args))
    }

    /// Of a tool: a business key, by which the same work is done once.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.of_call("key", json!(key))
    }

    /// Of a tool: an effect class that is tighter than its own.
    #[must_use]
    pub fn effect(self, effect: &str) -> Self {
        self.of_call("effect", json!(effect))
    }

    /// Of a tool: another queue than that of its class.
    #[must_use]
    pub fn queue(self, queue: &str) -> Self {
        self.of_call("queue", json!(queue))
    }

    /// Writes a channel: an expression.
    #[must_use]
    pub fn save(mut self, channel: &str, expression: &str) -> Self {
        let save = self.0.entry("save").or_insert_with(|| json!({}));
        if let Value::Object(save) = save {
            save.insert(channel.to_owned(), json!(expression));
        }
        self
    }

    /// Goes on there.
    #[must_use]
    pub fn then(self, route: impl Into<Route>) -> Self {
        self.with("then", route.into().0)
    }

    /// Goes on there when it fails.
    #[must_use]
    pub fn on_error(self, route: impl Into<Route>) -> Self {
        self.with("on_error", route.into().0)
    }

    /// Waits for every branch that can still come.
    #[must_use]
    pub fn join_all(self) -> Self {
        self.with("join", json!("all"))
    }

    /// Runs at the first branch that comes.
    #[must_use]
    pub fn join_any(self) -> Self {
        self.with("join", json!("any"))
    }

    /// Runs once for each item of a list.
    #[must_use]
    pub fn for_each(self, each: Each) -> Self {
        // A list alone has a shorter form.
        let list = each.0.get("in").filter(|_| each.0.len() == 1).cloned();
        self.with("for_each", list.unwrap_or(Value::Object(each.0)))
    }

    /// What happens when items fail: `fail`, `collect`, or `{"quorum": 3}`.
    #[must_use]
    pub fn on_item_error(self, policy: Value) -> Self {
        self.with("on_item_error", policy)
    }

    /// Items under way at once.
    #[must_use]
    pub fn max_parallel(self, items: u32) -> Self {
        self.with("max_parallel", json!(items))
    }

    /// Tries again: attempts in all, the pauses, and which errors.
    #[must_use]
    pub fn retry(self, attempts: u32, backoff: &str, errors: &[&str]) -> Self {
        self.with("retry", json!({"attempts": attempts, "backoff": backoff, "errors": errors}))
    }

    /// What one attempt may take.
    #[must_use]
    pub fn timeout(self, duration: &str) -> Self {
        self.with("timeout", json!(duration))
    }

    /// What the node as a whole may take.
    #[must_use]
    pub fn deadline(self, duration: &str) -> Self {
        self.with("deadline", json!(duration))
    }

    /// Which of a class's queues its jobs wait in: `high`, `normal`, `low`.
    #[must_use]
    pub fn priority(self, priority: &str) -> Self {
        self.with("priority", json!(priority))
    }

    /// Calls again until an expression holds, at this pace: `30s..10m`.
    #[must_use]
    pub fn poll(self, until: &str, every: &str) -> Self {
        self.with("poll", json!({"until": until, "every": every}))
    }

    /// What takes its success back.
    #[must_use]
    pub fn undo(self, tool: &str, args: Value) -> Self {
        self.with("undo", json!({"tool": call(tool, args)}))
    }

    /// Keeps its results for a while under a key.
    #[must_use]
    pub fn cache(self, key: &str, ttl: &str) -> Self {
        self.with("cache", json!({"key": key, "ttl": ttl}))
    }

    /// Asks a person first when an expression on its arguments holds.
    #[must_use]
    pub fn approve(self, when: &str, allow: &[&str]) -> Self {
        self.with("approve", json!({"when": when, "allow": allow}))
    }

    /// Any other key of the language, as it stands there.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.0.insert(key.to_owned(), value);
        self
    }

    fn of_call(mut self, key: &str, value: Value) -> Self {
        for work in ["tool", "notify"] {
            if let Some(Value::Object(call)) = self.0.get_mut(work) {
                call.insert(key.to_owned(), value.clone());
            }
        }
        self
    }
}

impl Ask {
    /// A question with fields of these names and types.
    #[must_use]
    pub fn fields(title: &str, fields: Value) -> Self {
        Self(Map::from_iter([("title".to_owned(), json!(title)), ("fields".to_owned(), fields)]))
    }

    /// An approval of what an expression gives.
    #[must_use]
    pub fn approval(title: &str, edit: &str, allow: &[&str]) -> Self {
        let members = [("title", json!(title)), ("edit", json!(edit)), ("allow", json!(allow))];
        Self(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// What to show beside it: expressions.
    #[must_use]
    pub fn show(mut self, expressions: &[&str]) -> Self {
        self.0.insert("show".to_owned(), json!(expressions));
        self
    }

    /// What tells people that it is open: a tool and its arguments, which see `ask`.
    #[must_use]
    pub fn via(mut self, tool: &str, args: Value) -> Self {
        self.0.insert("via".to_owned(), call(tool, args));
        self
    }

    /// How long it stays open.
    #[must_use]
    pub fn expires(mut self, duration: &str) -> Self {
        self.0.insert("expires".to_owned(), json!(duration));
        self
    }
}

impl Each {
    /// Of the list that an expression gives.
    #[must_use]
    pub fn of(list: &str) -> Self {
        Self(Map::from_iter([("in".to_owned(), json!(list))]))
    }

    /// The item's name in expressions.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        self.with("as", name)
    }

    /// What is kept of each output.
    #[must_use]
    pub fn keep(self, expression: &str) -> Self {
        self.with("keep", expression)
    }

    /// Each item's name: the output is an object then.
    #[must_use]
    pub fn by(self, expression: &str) -> Self {
        self.with("by", expression)
    }

    /// The names an item needs before it starts.
    #[must_use]
    pub fn after(self, expression: &str) -> Self {
        self.with("after", expression)
    }

    fn with(mut self, key: &str, expression: &str) -> Self {
        self.0.insert(key.to_owned(), json!(expression));
        self
    }
}

/// A name and arguments, which are left out where there are none.
fn call(name: &str, args: Value) -> Value {
    let mut call = Map::from_iter([("name".to_owned(), json!(name))]);
    if args.as_object().is_none_or(|args| !args.is_empty()) {
        call.insert("args".to_owned(), args);
    }
    Value::Object(call)
}
