//! What is said of a problem beside its message, where nothing better is known: a label
//! below the marked text, and a cure.

/// The label and the cure of a code.
pub(super) fn usual(code: &str) -> (&'static str, &'static str) {
    match code {
        "concurrent_writers" => {
            ("writes what another may write at once", "declare the channel with reduce: last or append")
        }
        "duplicate_key" => ("stands here already", "keep one of them"),
        "empty" => ("nothing here", "begin with baton: 1 and graph: NAME"),
        "endless_loop" => ("turns for ever", "give a node of it an arm that leads out"),
        "missing_argument" => ("an argument is missing", "give it in args"),
        "missing_join" => ("would run twice", "give it join: all"),
        "missing_key" => ("a key is missing", "add it; docs/graphs.md lists all keys"),
        "needs_for_each" => ("of no use without for_each", "add for_each, or leave the key out"),
        "never_ends" => ("no way to an end", "give the loop an arm { when: …, to: end }"),
        "no_file" => ("no such file", "paths are relative to the graph"),
        "no_then" => ("where to?", "write then: end where a branch ends"),
        "no_use" => ("has no effect here", "leave it out"),
        "not_visible" => ("not visible here", "docs/graphs.md says what is visible where"),
        "recursive_graph" => ("leads back to itself", "make a loop of it"),
        "split_expression" => ("cut at its comma", "put the whole expression in quotes"),
        "too_large" => ("too large", "make several graphs of it"),
        "two_forms" => ("one too many", "keep one of them"),
        "two_works" => ("one too many", "make two nodes of it"),
        "type_mismatch" => ("does not fit", "give it the type that is wanted, or declare another"),
        "unknown_argument" => ("not taken", "leave it out, or correct its name"),
        "unknown_channel" | "unknown_input" | "unknown_name" | "unknown_output" => {
            ("not known", "correct the name, or declare it")
        }
        "unknown_graph" => ("no such graph", "define it in graphs, write ./file.yaml, or apply it first"),
        "unknown_key" => ("no key of this place", "leave it out, or correct its name"),
        "unknown_node" => ("no such node", "correct the name, or add the node"),
        "unknown_tool" => ("no such tool", "start a worker that has it, or correct the name"),
        "unknown_type" => ("no type", "types are string, integer, number, boolean, object, array, or a JSON Schema"),
        "unknown_word" => ("none of the words for this place", "write one of those that are named"),
        "unquoted_expression" => ("no string", "put it in quotes"),
        "unquoted_text" => ("read as something else", "put it in quotes"),
        "unreachable_arm" => ("never reached", "the arm without when comes last"),
        "unreachable_graph" => ("never called", "call it, or delete it"),
        "unreachable_node" => ("never reached", "name it in start, then or on_error, or delete it"),
        "unsupported_yet" => ("not there yet", "docs/graphs.md lists what this version supports"),
        "wrong_arm" => ("no arm", "{ when: …, to: NAME } or { when: …, fail: \"…\" }"),
        "wrong_duration" => ("no duration", "write numbers with the units ms, s, m, h and d: 30s, 1h30m"),
        "wrong_effect" => ("looser than its tool", "leave effect out, or make it stricter"),
        "wrong_expression" => ("no expression", "docs/graphs.md shows what expressions are made of"),
        "wrong_name" => ("no name for this", "names are made of letters, digits and _"),
        "wrong_number" => ("not such a number", "write a number within the bounds, without quotes"),
        "wrong_schema" => ("no JSON Schema", "correct the schema; references stay within it"),
        "wrong_target" => ("cannot be led to", "name each node once, and end alone"),
        "wrong_template" => ("no template", "docs/graphs.md shows what templates are made of"),
        "wrong_type" => ("of another form", "write it in the form that is named"),
        "wrong_version" => ("another version", "write baton: 1"),
        "yaml_anchor" => ("an anchor or alias", "write the value out"),
        "yaml_key" => ("no key", "a text that begins with { or [ stands in quotes"),
        "yaml_tag" => ("a tag", "put the expression or text in quotes"),
        _ => ("here", "docs/errors tells more of this code"),
    }
}
