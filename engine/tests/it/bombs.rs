//! Expressions and templates that would run for ever, or make more than there is room for:
//! each ends soon, with a failure or a value of bounded size.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use baton_engine::expr::{Expr, Members, RENDERED_BYTES_MAX, RESULT_BYTES_MAX, Scope, Template};

/// Far more than any takes on a busy machine without optimisation, far less than for ever.
const SOON: Duration = Duration::from_secs(20);

fn state() -> Value {
    json!({
        "t": "x".repeat(200_000),
        "l": (0..60_000).collect::<Vec<u32>>(),
        "k": (0..900).collect::<Vec<u32>>(),
        "m": (0..900).map(|number| (format!("k{number}"), json!(number))).collect::<serde_json::Map<_, _>>(),
        "a": "a".repeat(30),
    })
}

/// What it gives, and that it gives it soon.
fn eval(text: &str) -> Result<Value, String> {
    let state = state();
    let members = Members::from(&state);
    let scope = Scope { state: Some(&members), ..Scope::default() };
    let compiled = Expr::compile(text).map_err(|error| error.to_string())?;
    let began = Instant::now();
    let value = compiled.eval(&scope).map_err(|failure| failure.to_string());
    assert!(began.elapsed() < SOON, "{text}: {:?}", began.elapsed());
    value
}

#[test]
fn loops_that_would_not_end_are_ended() {
    for text in [
        "state.l.map(a, state.l.map(b, 1))",
        "state.l.all(a, state.l.exists(b, a + b == -1) == false)",
        "state.m.map(a, state.l.filter(b, b > 5))",
    ] {
        let told = eval(text).unwrap_err();
        assert!(told.contains("too many steps"), "{text}: {told}");
    }
}

#[test]
fn texts_that_would_fill_the_memory_are_not_made() {
    let doubled = vec!["state.t"; 200].join(" + ");
    for text in [
        "state.l.map(a, state.t + 'x')",
        "state.l.map(a, 'x' + state.t)",
        "state.k.map(a, state.k.map(b, state.t + state.t))",
        "state.l.map(a, state.t)",
        "state.k.map(a, state.k.map(b, state.t))",
        "state.k.map(a, {'t': state.t, 'u': state.t})",
    ] {
        let told = eval(text).unwrap_err();
        assert!(told.contains("too many steps") || told.contains("larger than 64 MiB"), "{text}: {told}");
    }
    if let Ok(Value::String(text)) = eval(&doubled) {
        assert!(text.len() <= RESULT_BYTES_MAX);
    }
}

#[test]
fn patterns_that_would_search_for_ever_do_not() {
    for text in [
        "state.t.matches('(x+x+)+y')",
        "state.a.matches('(a*)*b')",
        "state.t.matches('(x|xx|x*)*$y')",
        "state.a.matches('((((a{0,99}){0,99}){0,99}){0,99}){0,99}b')",
    ] {
        let _ = eval(text);
    }
    let told = eval("state.l.all(a, state.a.matches('(a|aa)+$'))").unwrap_err();
    assert!(told.contains("too many steps"), "{told}");
    assert_eq!(eval("size(state.k.filter(a, state.a.matches('^a+$')))"), Ok(json!(900)));
}

#[test]
fn what_people_write_is_far_from_the_bound() {
    assert_eq!(eval("size(state.l.filter(a, a % 2 == 0))"), Ok(json!(30_000)));
    assert_eq!(eval("size(state.k.filter(a, state.k.exists(b, b == a)))"), Ok(json!(900)));
    assert_eq!(eval("size(state.l.map(a, a + 1))"), Ok(json!(60_000)));
    assert_eq!(eval("size(state.t + state.t)"), Ok(json!(400_000)));
}

#[test]
fn templates_that_would_not_end_are_ended_and_give_so_much_at_most() {
    let state = state();
    let members = Members::from(&state);
    let scope = Scope { state: Some(&members), ..Scope::default() };
    for source in [
        "{% for a in state.l %}{% for b in state.l %}{% endfor %}{% endfor %}",
        "{% for a in state.l %}{{ state.t }}{% endfor %}",
        "{% for a in state.l %}{% set x = state.t ~ state.t %}{% endfor %}",
        "{{ state.l | map('string') | join(state.t) }}",
        "{{ state.t | replace('x', state.t) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ 'x' * 1000000000 }}",
        "{{ range(1000000000) | list }}",
        "{{ state.a | indent(1000000000) }}",
        "{{ '%1000000000s' | format('x') }}",
        "{{ (state.t * 1000) * 1000 }}",
    ] {
        let began = Instant::now();
        let rendered = Template::compile(&json!(source)).map(|template| template.render(&scope));
        assert!(began.elapsed() < SOON, "{source}: {:?}", began.elapsed());
        if let Ok(Ok(value)) = rendered {
            assert!(value.to_string().len() <= 2 * RENDERED_BYTES_MAX, "{source}");
        }
    }
}
