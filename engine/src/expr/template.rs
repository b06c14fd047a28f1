//! A compiled template: a tree whose leaves are literals or text with placeholders.

use std::collections::BTreeSet;
use std::sync::Arc;

use baton_common::Failure;
use serde_json::{Map, Value};

use super::text::{self, Text};
use super::{Error, Kind, Path, Paths, Scope};

/// A compiled template: a tree whose leaves are literals or text with placeholders. Cloning
/// it is cheap; two are equal when their sources are.
#[derive(Clone)]
pub struct Template {
    inner: Arc<Inner>,
}

struct Inner {
    source: Value,
    tree: Tree,
    paths: Paths,
    secrets: Vec<SecretRef>,
}

/// Where in the rendered value a `{{ secret.NAME }}` stands. Only there may it be
/// substituted: the same letters elsewhere came from data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretRef {
    /// JSON pointer of the string it stands in.
    pub pointer: String,
    /// The secret's name.
    pub name: String,
}

enum Tree {
    Literal(Value),
    Text(Text),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Template {
    /// Compiles every string of a tree. Names are not looked up: see [`Template::paths`].
    ///
    /// # Errors
    /// When a string is no template, or one that could run for too long.
    pub fn compile(source: &Value) -> Result<Self, Error> {
        Self::compile_beside(source, &[])
    }

    /// As [`Template::compile`], but what stands under these top-level keys is literal.
    ///
    /// # Errors
    /// As for [`Template::compile`].
    pub fn compile_beside(source: &Value, literal: &[&str]) -> Result<Self, Error> {
        let mut found = Found::default();
        let tree = match source {
            Value::Object(members) => {
                let mut entries = Vec::new();
                for (name, member) in members {
                    let tree = if literal.contains(&name.as_str()) {
                        Tree::Literal(member.clone())
                    } else {
                        found.compile(member, &child("", name))?
                    };
                    entries.push((name.clone(), tree));
                }
                Tree::Object(entries)
            }
            other => found.compile(other, "")?,
        };
        Ok(Self { inner: Arc::new(Inner { source: source.clone(), tree, paths: found.paths, secrets: found.secrets }) })
    }

    /// The tree it was made from.
    #[must_use]
    pub fn source(&self) -> &Value {
        &self.inner.source
    }

    /// What it refers to, secrets left out.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.inner.paths
    }

    /// The top-level names it refers to, secrets left out.
    #[must_use]
    pub fn roots(&self) -> BTreeSet<&str> {
        self.paths().roots()
    }

    /// Where secrets stand in it.
    #[must_use]
    pub fn secrets(&self) -> &[SecretRef] {
        &self.inner.secrets
    }

    /// The type of its value as far as it is certain, given the types of paths.
    #[must_use]
    pub fn infer(&self, kind_of: &dyn Fn(&Path) -> Kind) -> Kind {
        match &self.inner.tree {
            Tree::Literal(Value::Null) => Kind::Null,
            Tree::Literal(Value::Bool(_)) => Kind::Boolean,
            Tree::Literal(Value::Number(number)) if number.is_f64() => Kind::Number,
            Tree::Literal(Value::Number(_)) => Kind::Integer,
            Tree::Literal(Value::String(_)) => Kind::String,
            Tree::Literal(Value::Array(_)) | Tree::List(_) => Kind::Array,
            Tree::Literal(Value::Object(_)) | Tree::Object(_) => Kind::Object,
            Tree::Text(Text::Path(path)) => kind_of(path),
            Tree::Text(Text::Expression(..)) => Kind::Any,
            Tree::Text(Text::Literal(_) | Text::Parts(_) | Text::Jinja(..)) => Kind::String,
        }
    }

    /// Its value in the scope; `{{ secret.NAME }}` stays as it is. Failures are of class
    /// `invalid`, code `template_failed`.
    ///
    /// # Errors
    /// When a name is missing or a cap is exceeded.
    pub fn render(&self, scope: &Scope<'_>) -> Result<Value, Failure> {
        self.inner.tree.render(scope).map_err(|why| Failure::invalid("template_failed", why))
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.inner.source == other.inner.source
    }
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Template({})", self.inner.source)
    }
}

#[derive(Default)]
struct Found {
    paths: Paths,
    secrets: Vec<SecretRef>,
}

impl Found {
    fn compile(&mut self, source: &Value, pointer: &str) -> Result<Tree, Error> {
        Ok(match source {
            Value::String(source) => {
                let compiled = text::compile(source)?;
                self.paths.extend(&compiled.paths);
                let secrets = compiled.secrets.into_iter();
                self.secrets.extend(secrets.map(|name| SecretRef { pointer: pointer.to_owned(), name }));
                Tree::Text(compiled.text)
            }
            Value::Array(elements) => {
                let compile = |(index, element)| self.compile(element, &child(pointer, &format!("{index}")));
                Tree::List(elements.iter().enumerate().map(compile).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => Tree::Object(
                members
                    .iter()
                    .map(|(name, member)| Ok((name.clone(), self.compile(member, &child(pointer, name))?)))
                    .collect::<Result<_, Error>>()?,
            ),
            scalar => Tree::Literal(scalar.clone()),
        })
    }
}

fn child(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

impl Tree {
    fn render(&self, scope: &Scope<'_>) -> Result<Value, String> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Text(text) => text.render(scope)?,
            Self::List(elements) => {
                Value::Array(elements.iter().map(|element| element.render(scope)).collect::<Result<_, _>>()?)
            }
            Self::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|(name, member)| Ok((name.clone(), member.render(scope)?)))
                    .collect::<Result<Map<_, _>, String>>()?,
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Members;
    use super::*;
    use serde_json::json;

    fn render(source: Value) -> Result<Value, String> {
        let state = json!({
            "n": 3, "f": 1.0, "t": "a {{ state.n }}", "none": null, "yes": true, "ids": [1, "x"],
            "o": {"b": 1, "a": null}, "items": "not a method",
        });
        let members = Members::from(&state);
        let scope = Scope { state: Some(&members), ..Scope::default() };
        let template = Template::compile(&source).map_err(|error| error.to_string())?;
        template.render(&scope).map_err(|failure| failure.to_string())
    }

    #[test]
    fn one_whole_expression_keeps_its_type_and_the_rest_is_text() {
        for (source, expected) in [
            (json!("{{ state.ids }}"), json!([1, "x"])),
            (json!("{{state.n}}"), json!(3)),
            (json!("{{ state.ids | length }}"), json!(2)),
            (json!("{{ state.f }}"), json!(1.0)),
            (json!("{{ state.nothing.below }}"), Value::Null),
            (json!(" {{ state.n }}"), json!(" 3")),
            (json!("{{ state.n }}{{ state.n }}"), json!("33")),
            (
                json!("n={{ state.n }} f={{ state.f }} y={{ state.yes }} z={{ state.none }}."),
                json!("n=3 f=1.0 y=true z=."),
            ),
            (json!("{{ state.ids }} {{ state.o }}"), json!(r#"[1,"x"] {"a":null,"b":1}"#)),
            (
                json!("{{ state.ids | tojson }} {{ state.o | tojson | upper }}\n"),
                json!("[1,\"x\"] {\"A\":NULL,\"B\":1}\n"),
            ),
            (json!("{% if state.yes %}{{ state.none }}{{ state.f }}{% endif %}"), json!("1.0")),
            (json!("{% for id in state.ids %}<{{ id }}>{% endfor %}"), json!("<1><x>")),
            (json!("{{ state.items }}!"), json!("not a method!")),
            (json!("{{ state.none.x.y | default('-') }}!"), json!("-!")),
            (json!("{% raw %}{{ x }}{% endraw %}"), json!("{{ x }}")),
            (json!({"a": ["{{ state.n }}", 7, true], "b": "plain"}), json!({"a": [3, 7, true], "b": "plain"})),
        ] {
            assert_eq!(render(source.clone()), Ok(expected), "{source}");
        }
    }

    #[test]
    fn a_result_is_never_rendered_again() {
        assert_eq!(render(json!("{{ state.t }}")), Ok(json!("a {{ state.n }}")));
        assert_eq!(render(json!("<{{ state.t }}>")), Ok(json!("<a {{ state.n }}>")));
    }

    #[test]
    fn secrets_stay_placeholders_and_their_places_are_known() {
        let source = json!({"a": {"to/ken": "Bearer {{ secret.api }}"}, "l": ["{{secret.b}}", "{{ state.n }}"]});
        let template = Template::compile(&source).unwrap();
        let places: Vec<_> = template.secrets().iter().map(|at| format!("{} {}", at.pointer, at.name)).collect();
        assert_eq!(places, ["/a/to~1ken api", "/l/0 b"]);
        assert_eq!(render(source), Ok(json!({"a": {"to/ken": "Bearer {{ secret.api }}"}, "l": ["{{secret.b}}", 3]})));
        for source in ["{{ secret.a }}{{ state.n }}", "{{ secret.a | upper }}", "{{ secret }}", "x{{ secret['a'] }}"] {
            assert!(Template::compile(&json!(source)).is_err(), "{source}");
        }
    }

    #[test]
    fn what_templates_may_not_do_is_refused_at_compile_time() {
        for source in [
            "{% include 'x' %}",
            "{% macro f() %}{% endmacro %}",
            "{% set x = 1 %}",
            "{% for i in range(10) %}{% endfor %}",
            "{{ 'x' * 1000000000 }}",
            "{{ state.t ~ state.t }}",
            "{{ state.t.upper() }}",
            "{{ state.n | pprint }}",
            "{{ state.n is sameas(3) }}",
            "{{ state.n",
            "{{ }}",
            "{% if state.n %}",
            "{{ state.n + }}",
        ] {
            assert!(Template::compile(&json!(source)).is_err(), "{source}");
        }
        let long = "x".repeat(super::super::TEMPLATE_BYTES_MAX + 1);
        assert!(Template::compile(&json!(long)).is_err());
    }

    #[test]
    fn a_text_that_grows_too_long_fails() {
        let state = json!({"t": "x".repeat(400_000), "l": vec!["x"; 2000]});
        let members = Members::from(&state);
        let scope = Scope { state: Some(&members), ..Scope::default() };
        for source in [
            "{{ state.t }}{{ state.t }}{{ state.t }}",
            "{% for i in state.l %}{{ state.t }}{% endfor %}",
            "{{ state.t | replace('x', state.t) }}",
            "{{ state.l | join(state.t) }}",
            "{% for a in state.l %}{% for b in state.l %}{% for c in state.l %}{% if c %}{% endif %}{% endfor %}{% endfor %}{% endfor %}",
        ] {
            let failure = Template::compile(&json!(source)).unwrap().render(&scope).unwrap_err();
            assert_eq!(failure.code, "template_failed", "{source}");
        }
    }

    #[test]
    fn paths_name_what_is_referred_to() {
        let template = Template::compile(&json!({
            "a": "{{ state.x.y }} {{ input.q }}", "b": "{% for i in state.l %}{{ i.z }}{{ run.id }}{% endfor %}",
        }));
        let template = template.unwrap();
        let paths: Vec<_> = template.paths().iter().map(|path| path.join(".")).collect();
        assert_eq!(paths, ["input.q", "run.id", "state.l", "state.x.y"]);
        assert_eq!(template.paths().members("state").unwrap().into_iter().collect::<Vec<_>>(), ["l", "x"]);
    }

    #[test]
    fn literal_members_are_not_compiled() {
        let source = json!({"schema": {"description": "{{ not a template"}, "text": "{{ state.n }}"});
        let template = Template::compile_beside(&source, &["schema"]).unwrap();
        assert_eq!(template.roots().into_iter().collect::<Vec<_>>(), ["state"]);
    }
}
