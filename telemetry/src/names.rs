//! Every span name and attribute key, in one place.
//!
//! They follow the OpenTelemetry conventions for messaging, RPC and generative AI where
//! those have a word; `baton.*` is our own. Ids belong into attributes, never into names.
//! `docs/operations/traces.md` is made from this list.

macro_rules! names {
    ($list:ident: $($(#[doc = $doc:literal])* $name:ident = $text:literal;)*) => {
        $($(#[doc = $doc])* pub const $name: &str = $text;)*

        #[cfg(test)]
        const $list: &[(&str, &str)] = &[$(($text, concat!($($doc),*))),*];
    };
}

names! { SPANS:
    /// A run is accepted. SERVER, child of the caller's span where the call names one.
    SPAN_SUBMIT = "submit";
    /// A question is answered. SERVER, child of the caller's span where the call names one.
    SPAN_ANSWER = "answer";
    /// A thread is told something that a wait takes. SERVER, child of the caller's span where the call names one.
    SPAN_SIGNAL = "signal";
    /// `invoke_workflow GRAPH`: a segment begins, which is what a run does from a wake to a park. INTERNAL, child of the submit for the first one, the root of a new trace for any other.
    SPAN_WORKFLOW = "invoke_workflow";
    /// A run advances by one superstep: read, compute, commit. INTERNAL, child of its segment.
    SPAN_SUPERSTEP = "superstep";
    /// What a superstep decided is written, at once. CLIENT, child of the superstep.
    SPAN_COMMIT = "commit";
    /// The sweeper does what was left behind, or what its time has come for. INTERNAL, child of the superstep that opened what it is about.
    SPAN_SWEEP = "sweep";
    /// `send QUEUE`: jobs are published, up to the broker's confirm. PRODUCER, child of the superstep, or of the sweep.
    SPAN_SEND = "send";
    /// `wait QUEUE`: a message was in its queue, from its publication to its arrival at a worker. CONSUMER, child of the send.
    SPAN_WAIT = "wait";
    /// A worker claims a job. CLIENT, child of the wait.
    SPAN_CLAIM = "claim";
    /// The control plane decides on a claim. SERVER, child of the claim.
    SPAN_GRANT = "baton.v1.ControlPlane/Claim";
    /// `execute_tool TOOL`: one attempt. INTERNAL, child of the granted claim.
    SPAN_TOOL = "execute_tool";
    /// `chat MODEL`: a model is asked over a route. CLIENT, child of the attempt.
    SPAN_CHAT = "chat";
    /// A worker hands an outcome back, until it is taken or lies in the spool. CLIENT, child of the attempt.
    SPAN_RESUME = "resume";
    /// The control plane records an outcome. SERVER, child of the resume.
    SPAN_RECORD = "baton.v1.ControlPlane/Resume";
}

names! { LINKS:
    /// From the first span of a segment to the superstep that parked the run before; of a fork or a retry, to the submit.
    LINK_PREVIOUS = "previous_segment";
    /// From the first span of a segment to the answer, signal or timer that woke the run.
    LINK_WOKEN = "woken_by";
    /// From a superstep to the outcome it folds.
    LINK_CAUSED = "caused_by";
    /// From a superstep to the one that opened what it folds, where the process that was told of the outcome is gone.
    LINK_OPENED = "opened_by";
}

names! { ATTRIBUTES:
    /// What kind of error ended an operation: a code of ours, never a message.
    ERROR_TYPE = "error.type";
    /// The version of the program.
    SERVICE_VERSION = "service.version";
    /// The process's id on its machine.
    PROCESS_PID = "process.pid";
    /// Of a link: why it is there.
    LINK = "baton.link";

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
    /// What a superstep or a sweep is about: `started`, `closed`, `publish`, `lease`.
    REASON = "baton.reason";
    /// What became of an operation: `granted`, `busy`, `recorded`, `conflict`.
    OUTCOME = "baton.outcome";
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
    /// Groups that a commit opens.
    COMMIT_GROUPS = "baton.commit.groups";
    /// Checkpoints that a commit writes.
    COMMIT_CHECKPOINTS = "baton.commit.checkpoints";
    /// The route that a model is asked over.
    ROUTE = "baton.route";

    /// The messaging system: `rabbitmq` or `memory`.
    MESSAGING_SYSTEM = "messaging.system";
    /// The queue.
    MESSAGING_DESTINATION = "messaging.destination.name";
    /// What is done with a message, in our words: `send`, `wait`.
    MESSAGING_OPERATION = "messaging.operation.name";
    /// What is done with a message, in common words: `send`, `receive`.
    MESSAGING_OPERATION_TYPE = "messaging.operation.type";
    /// The message's id, which is the job's.
    MESSAGING_MESSAGE_ID = "messaging.message.id";
    /// How many messages a batch holds.
    MESSAGING_BATCH_COUNT = "messaging.batch.message_count";

    /// The full method: `package.Service/Method`.
    RPC_METHOD = "rpc.method";

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
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_stands_for_two_things() {
        for list in [SPANS, LINKS, ATTRIBUTES] {
            let distinct: BTreeSet<_> = list.iter().map(|(name, _)| name).collect();
            assert_eq!(distinct.len(), list.len());
        }
    }

    /// `docs/operations/traces.md` holds the lists; `UPDATE_EXPECT=1` writes them anew.
    #[test]
    fn the_page_says_what_there_is() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations/traces.md");
        let (begin, end) = ("<!-- names -->\n", "<!-- /names -->");
        let page = std::fs::read_to_string(&path).unwrap();
        let (head, rest) = page.split_once(begin).unwrap();
        let (_, tail) = rest.split_once(end).unwrap();
        let wanted = format!("{head}{begin}{}{end}{tail}", tables());
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        } else {
            assert!(page == wanted, "run this test with UPDATE_EXPECT=1 to write {}", path.display());
        }
    }

    fn tables() -> String {
        let mut text = String::new();
        let lists = [
            ("Spans", "span", SPANS),
            ("Links, by their `baton.link`", "link", LINKS),
            ("Attributes", "key", ATTRIBUTES),
        ];
        for (title, what, list) in lists {
            text += &format!("\n### {title}\n\n| {what} | what it is |\n|---|---|\n");
            for (name, about) in list {
                text += &format!("| `{name}` |{about} |\n");
            }
        }
        text + "\n"
    }
}
