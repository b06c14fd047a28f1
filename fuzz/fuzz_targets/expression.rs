//! Whatever an expression or a template is, it is compiled or refused, and evaluated or
//! failed: never a panic, never without an end.
#![no_main]

use baton_engine::expr::{Expr, Members, Scope, Template};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let state = json!({"n": 3, "x": 0.5, "t": "text", "l": [1, "a", null], "o": {"a": {"b": true}}, "none": null});
    let members = Members::from(&state);
    let scope = Scope { state: Some(&members), input: Some(&state), ..Scope::default() };
    if let Ok(expression) = Expr::compile(text) {
        let _ = (expression.infer(&|_| None), expression.eval(&scope));
    }
    if let Ok(template) = Template::compile(&json!(text)) {
        let _ = template.render(&scope);
    }
});
