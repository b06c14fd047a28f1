//! The orchestrator over HTTP and JSON, for callers without a gRPC client.
