//! What calls are refused with, and the status each code comes with. Which call may be refused
//! with which code stands in `routes`.

/// What any call may be refused with, by the status it comes with.
pub(super) const CODES: &[(u16, &[&str])] = &[
    (400, &["malformed_request"]),
    (401, &["api_key_missing", "api_key_unknown", "api_key_expired"]),
    (403, &["scope_missing", "foreign_origin"]),
    (404, &["no_such_path"]),
    (405, &["method_not_allowed"]),
    (408, &["malformed_request"]),
    (413, &["request_too_large"]),
    (414, &["request_too_large"]),
    (415, &["not_json"]),
    (429, &["store_full"]),
    (431, &["request_too_large"]),
    (500, &["internal", "store_broken"]),
    (503, &["draining", "store_unavailable", "blobs_unavailable"]),
];

/// The status of the codes that single calls may be refused with.
pub(super) const STATUSES: &[(u16, &[&str])] = &[
    (
        400,
        &[
            "invalid_graph",
            "unknown_tool",
            "graph_unreadable",
            "invalid_input",
            "input_too_large",
            "question_ambiguous",
            "invalid_answer",
            "decision_too_large",
            "invalid_signal",
            "signal_too_large",
            "unknown_channel",
            "type_mismatch",
            "edit_failed",
            "set_too_large",
            "invalid_thread",
            "invalid_path",
            "other_graph",
            "no_scope",
            "unknown_scope",
            "invalid_schedule",
            "not_previewed",
            "too_many_items",
        ],
    ),
    (403, &["control_refused", "foreign_tenant"]),
    (
        404,
        &[
            "run_not_found",
            "graph_not_found",
            "question_not_found",
            "thread_not_found",
            "checkpoint_not_found",
            "artifact_not_found",
            "schedule_not_found",
        ],
    ),
    (
        409,
        &[
            "thread_busy",
            "request_id_reused",
            "event_unknown",
            "answered_otherwise",
            "question_expired",
            "question_withdrawn",
            "run_over",
            "state_moved_on",
            "not_retryable",
            "run_not_ended",
            "not_recorded",
            "called_run",
            "schedule_exists",
            "schedule_changed",
        ],
    ),
    (429, &["signals_full", "schedules_full", "too_many_watches"]),
    (503, &["control_unavailable", "broker_unavailable"]),
];
