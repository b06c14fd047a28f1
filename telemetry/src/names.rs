//! Every span name and attribute key, in one place.
//!
//! They follow the OpenTelemetry conventions for messaging, RPC and generative AI where
//! those have a word; `baton.*` is our own. Ids belong into attributes, never into names.
//! Keys are written in spans as `{ names::RUN_ID } = %run` or recorded later by the same key.

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $text;)*

        #[cfg(test)]
        const ALL: &[&str] = &[$($text),*];
    };
}

names! {
    /// Span: an orchestrator advances a run by one superstep.
    SPAN_ADVANCE = "advance";
    /// Span: a graph runs from a start or a resume to an interrupt or the end.
    SPAN_WORKFLOW = "invoke_workflow";
    /// Span: a job is published to its queue.
    SPAN_PUBLISH = "publish";
    /// Span: a worker takes a delivery from claim to resume.
    SPAN_PROCESS = "process";
    /// Span: a worker claims jobs.
    SPAN_CLAIM = "claim";
    /// Span: a worker hands results back.
    SPAN_RESUME = "resume";
    /// Span: a tool runs.
    SPAN_TOOL = "execute_tool";
    /// Span: a model is called.
    SPAN_CHAT = "chat";
    /// Span: one atomic write of the store.
    SPAN_COMMIT = "commit";
    /// Span: the sweeper looks for what was left behind.
    SPAN_SWEEP = "sweep";
    /// Span: an inbound call of the API.
    SPAN_RPC = "rpc";

    /// The W3C header that carries trace context.
    TRACEPARENT = "traceparent";
    /// The name a span is exported under, where it is not its own.
    OTEL_NAME = "otel.name";
    /// The kind of an exported span: `client`, `server`, `producer`, `consumer`, `internal`.
    OTEL_KIND = "otel.kind";
    /// The status of an exported span: `ok` or `error`.
    OTEL_STATUS_CODE = "otel.status_code";
    /// What kind of error ended an operation: a code of ours, never a message.
    ERROR_TYPE = "error.type";
    /// The version of the program.
    SERVICE_VERSION = "service.version";

    /// The run.
    RUN_ID = "baton.run_id";
    /// The thread the run is on.
    THREAD_ID = "baton.thread_id";
    /// The graph's name.
    GRAPH = "baton.graph";
    /// The node within the graph.
    NODE = "baton.node";
    /// The superstep's number within the run.
    SUPERSTEP = "baton.superstep";
    /// The job.
    JOB_ID = "baton.job_id";
    /// The attempt at the job, from 1.
    ATTEMPT = "baton.attempt";
    /// The fence of the claim.
    FENCE = "baton.fence";
    /// The queue class: `io` or `cpu`.
    QUEUE_CLASS = "baton.queue_class";
    /// The tenant.
    TENANT = "baton.tenant";
    /// The worker process.
    WORKER = "baton.worker";
    /// The partition of the store.
    PARTITION = "baton.partition";

    /// The messaging system: `rabbitmq` or `memory`.
    MESSAGING_SYSTEM = "messaging.system";
    /// The queue, or exchange and routing key.
    MESSAGING_DESTINATION = "messaging.destination.name";
    /// What is done with a message, in the system's words: `publish`, `ack`.
    MESSAGING_OPERATION = "messaging.operation.name";
    /// What is done with a message, in common words: `send`, `receive`, `process`, `settle`.
    MESSAGING_OPERATION_TYPE = "messaging.operation.type";
    /// The message's id, which is the job's.
    MESSAGING_MESSAGE_ID = "messaging.message.id";
    /// How many messages a batch holds.
    MESSAGING_BATCH_COUNT = "messaging.batch.message_count";

    /// The RPC system: `grpc`.
    RPC_SYSTEM = "rpc.system.name";
    /// The full method: `package.Service/Method`.
    RPC_METHOD = "rpc.method";
    /// The status of the answer, by name.
    RPC_STATUS = "rpc.response.status_code";

    /// The operation: `chat`, `execute_tool`, `invoke_workflow`.
    GEN_AI_OPERATION = "gen_ai.operation.name";
    /// The provider of the model.
    GEN_AI_PROVIDER = "gen_ai.provider.name";
    /// The model that was asked for.
    GEN_AI_REQUEST_MODEL = "gen_ai.request.model";
    /// The model that answered.
    GEN_AI_RESPONSE_MODEL = "gen_ai.response.model";
    /// Why the answer ended.
    GEN_AI_FINISH_REASONS = "gen_ai.response.finish_reasons";
    /// The conversation, which is the thread.
    GEN_AI_CONVERSATION = "gen_ai.conversation.id";
    /// The workflow, which is the graph.
    GEN_AI_WORKFLOW = "gen_ai.workflow.name";
    /// Tokens read by the model.
    GEN_AI_INPUT_TOKENS = "gen_ai.usage.input_tokens";
    /// Tokens written by the model.
    GEN_AI_OUTPUT_TOKENS = "gen_ai.usage.output_tokens";
    /// The tool.
    GEN_AI_TOOL = "gen_ai.tool.name";
    /// The model's id of its tool call.
    GEN_AI_TOOL_CALL = "gen_ai.tool.call.id";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_stands_for_two_things() {
        let distinct: BTreeSet<_> = ALL.iter().collect();
        assert_eq!(distinct.len(), ALL.len());
    }

    #[test]
    fn names_serve_as_keys_of_spans() {
        let span = tracing::info_span!(
            SPAN_PROCESS,
            { JOB_ID } = "j",
            { ATTEMPT } = 1,
            { ERROR_TYPE } = tracing::field::Empty
        );
        drop(span);
    }
}
