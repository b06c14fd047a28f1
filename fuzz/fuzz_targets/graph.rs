//! Whatever a text is, reading it gives a graph or problems whose places lie in it; what is
//! a graph can be read again and drawn.
#![no_main]

use baton_engine::draw;
use baton_engine::spec::{Source, calls, includes, parse, parse_canonical};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let source = Source::new("g.yaml", text);
    let _ = (includes(&source), calls(&source));
    match parse(&source) {
        Ok(graph) => {
            let again = parse_canonical(&graph.source).expect("a canonical text is a graph");
            assert_eq!(again.hash, graph.hash);
            let _ = (draw::svg(&graph), draw::mermaid(&graph));
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(text.get(problem.offset..problem.offset + problem.length).is_some(), "{problem:?}");
            }
        }
    }
});
