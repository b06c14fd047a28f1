//! Shapes of the wire stay at the wire.

use super::Violation;
use super::source::{Source, lines_with};

/// Crates that speak gRPC throughout.
const FREE: &[&str] = &["proto", "control", "cli", "integration-tests"];

/// Protobuf types are named in modules called `grpc` and in crates that are clients.
pub(super) fn check(source: &Source) -> Vec<Violation> {
    if source.lies_in("grpc") || FREE.contains(&source.area()) {
        return Vec::new();
    }
    lines_with(&source.product, "baton_proto")
        .into_iter()
        .map(|line| {
            source.violation(
                line,
                "a protobuf type is named outside of `grpc`".to_owned(),
                "the wire may change its shape without a change of what is decided",
                "convert it in `grpc/` and pass our own type on",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_names_protobuf_is_found() {
        let count = |path: &str| check(&Source::new(path.to_owned(), "use baton_proto::v1::Run;\n".to_owned())).len();
        assert_eq!(count("orchestrator/src/driver.rs"), 1);
        assert_eq!(count("orchestrator/src/grpc/runs.rs"), 0);
        assert_eq!(count("control/src/client.rs"), 0);
    }
}
