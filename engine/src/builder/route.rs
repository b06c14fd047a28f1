//! Where a branch goes.

use serde_json::{Value, json};

/// Where a branch goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Route(pub(super) Value);

impl Route {
    /// The branch ends.
    #[must_use]
    pub fn end() -> Self {
        Self(json!("end"))
    }

    /// To this node.
    #[must_use]
    pub fn to(node: &str) -> Self {
        Self(json!(node))
    }

    /// To these nodes, all at once.
    #[must_use]
    pub fn all<'n>(nodes: impl IntoIterator<Item = &'n str>) -> Self {
        Self(nodes.into_iter().collect())
    }

    /// To the first whose condition holds; the conditions follow.
    #[must_use]
    pub fn first() -> Self {
        Self(json!([]))
    }

    /// If this expression holds, there.
    #[must_use]
    pub fn when(self, condition: &str, to: Self) -> Self {
        self.arm(json!({"when": condition, "to": to.0}))
    }

    /// If this expression holds, the run fails with this message.
    #[must_use]
    pub fn fail_when(self, condition: &str, message: &str) -> Self {
        self.arm(json!({"when": condition, "fail": message}))
    }

    /// Of the arm before it, which fails: the code of the failure.
    #[must_use]
    pub fn code(mut self, code: &str) -> Self {
        if let Value::Array(arms) = &mut self.0
            && let Some(Value::Object(last)) = arms.last_mut()
        {
            last.insert("code".to_owned(), json!(code));
        }
        self
    }

    /// Else there.
    #[must_use]
    pub fn or(self, to: Self) -> Self {
        self.arm(json!({"to": to.0}))
    }

    /// Else the run fails with this message.
    #[must_use]
    pub fn or_fail(self, message: &str) -> Self {
        self.arm(json!({"fail": message}))
    }

    fn arm(self, arm: Value) -> Self {
        let mut arms = match self.0 {
            Value::Array(arms) if arms.iter().all(Value::is_object) => arms,
            other => vec![json!({"to": other})],
        };
        arms.push(arm);
        Self(Value::Array(arms))
    }
}

impl From<&str> for Route {
    fn from(node: &str) -> Self {
        Self::to(node)
    }
}
