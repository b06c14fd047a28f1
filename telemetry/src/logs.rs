//! The form of log lines: JSON for machines, text for people, both on standard error.

use tracing::Subscriber;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::line::{JsonLine, TextLine};

/// The layer that writes log lines which pass `filter` to `writer`.
pub(crate) fn layer<S>(json: bool, filter: EnvFilter, writer: BoxMakeWriter) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    if json {
        let lines = fmt::layer().fmt_fields(JsonFields::new()).event_format(JsonLine);
        lines.with_writer(writer).with_ansi(false).with_filter(filter).boxed()
    } else {
        let lines = TextLine(fmt::format().compact().with_ansi(true).with_target(false));
        fmt::layer().event_format(lines).with_writer(writer).with_ansi(true).with_filter(filter).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::pin::pin;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Waker};

    use baton_common::{JobId, ThreadId, TraceContext};
    use serde_json::{Map, Value};

    use tracing_subscriber::prelude::*;

    use super::*;
    use crate::about::Carry as _;
    use crate::{about, filter};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("not poisoned").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    const JOB: &str = "001-6ba7b810-9dad-11d1-80b4-00c04fd430c8/0/agent/call#2/1";

    fn logged(json: bool, speak: impl FnOnce()) -> String {
        logged_by("info", json, speak)
    }

    /// The members of the only line.
    fn line(directives: &str, speak: impl FnOnce()) -> Map<String, Value> {
        serde_json::from_str(&logged_by(directives, true, speak)).expect("one object")
    }

    fn logged_by(directives: &str, json: bool, speak: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = BoxMakeWriter::new({
            let page = page.clone();
            move || page.clone()
        });
        let lines = layer(json, filter::for_logs(directives).expect("a filter"), writer);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), speak);
        let bytes = page.0.lock().expect("not poisoned").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_line_about_a_job_carries_its_ids_whatever_the_filter() {
        let job: JobId = JOB.parse().expect("a job");
        let thread = ThreadId::parse("order-7").ok();
        let trace = TraceContext { trace: 0xabc, span: 1, sampled: true };
        for directives in ["info", "warn", "off,baton_telemetry=warn", "baton_telemetry=debug"] {
            let line = line(directives, || {
                let about = about::job(&job, Some(2), thread.as_ref(), Some(trace));
                about.in_scope(|| tracing::warn!(error = %"it \"broke\"", tries = 3, "result not spooled"));
            });
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            assert_eq!((text("job"), text("run")), (JOB.to_owned(), job.run.to_string()), "{line:?}");
            assert_eq!((text("thread"), text("node")), ("order-7".to_owned(), "agent/call".to_owned()));
            assert_eq!(text("trace_id"), "00000000000000000000000000000abc");
            assert_eq!((&line["attempt"], &line["tries"]), (&Value::from(2), &Value::from(3)));
            assert_eq!((text("level"), text("message")), ("WARN".to_owned(), "result not spooled".to_owned()));
            assert_eq!((text("error"), text("target")), ("it \"broke\"".to_owned(), module_path!().to_owned()));
            assert!(!text("timestamp").is_empty() && !line.contains_key("spans"));
        }
    }

    #[test]
    fn a_run_that_no_spans_are_kept_of_has_its_own_number_for_a_trace() {
        let job: JobId = JOB.parse().expect("a job");
        let unkept = TraceContext { trace: 0xabc, span: 1, sampled: false };
        for trace in [None, Some(unkept)] {
            let line = line("info", || about::run(job.run, None, trace).in_scope(|| tracing::warn!("run parked")));
            assert_eq!(line["trace_id"], "6ba7b8109dad11d180b400c04fd430c8");
            assert!(!line.contains_key("thread") && !line.contains_key("attempt"), "what is not known is left out");
        }
    }

    #[test]
    fn what_is_about_a_run_within_a_job_of_another_says_the_run_alone() {
        let job: JobId = JOB.parse().expect("a job");
        let other: JobId = JOB.replace("430c8", "430c9").parse().expect("a job");
        let other = other.run;
        let line = line("info", || {
            let within = || about::run(other, None, None).in_scope(|| tracing::info!("run advanced"));
            about::job(&job, Some(1), None, None).in_scope(within);
        });
        assert_eq!(line["run"], other.to_string());
        assert!(!line.contains_key("job") && !line.contains_key("attempt"), "{line:?}");
    }

    #[test]
    fn work_takes_along_what_it_is_about_and_leaves_nothing_behind() {
        let job: JobId = JOB.parse().expect("a job");
        let text = logged(true, || {
            let mut work = pin!(
                async {
                    tracing::info!("first");
                    tokio::task::yield_now().await;
                    tracing::info!("last");
                }
                .about(about::job(&job, None, None, None))
            );
            let mut nobody = Context::from_waker(Waker::noop());
            assert!(work.as_mut().poll(&mut nobody).is_pending());
            tracing::info!("between");
            assert!(work.as_mut().poll(&mut nobody).is_ready());
            let thrown = std::panic::catch_unwind(|| about::run(job.run, None, None).in_scope(|| panic!("within")));
            assert!(thrown.is_err() && about::About::current().is_none(), "nothing stays behind a panic");
        });
        let lines = text.lines().map(|line| serde_json::from_str::<Map<String, Value>>(line).expect("an object"));
        let lines: Vec<_> = lines.map(|line| (line["message"].clone(), line.contains_key("job"))).collect();
        assert_eq!(lines, [("first".into(), true), ("between".into(), false), ("last".into(), true)]);
    }

    #[test]
    fn spans_of_others_stand_apart() {
        let line = line("info", || {
            let span = tracing::info_span!("crawl", page = 3, run = "theirs");
            span.in_scope(|| tracing::warn!(page = 4, "page missing"));
        });
        assert_eq!((&line["page"], line.get("run")), (&Value::from(4), None));
        assert_eq!(line["spans"], serde_json::json!([{ "name": "crawl", "page": 3, "run": "theirs" }]));
    }

    #[test]
    fn noisy_libraries_are_quiet_by_default() {
        let text = logged(true, || {
            tracing::info!(target: "h2::codec", "frame");
            tracing::info!(target: "baton_store", "opened");
        });
        assert!(text.contains("opened") && !text.contains("frame"), "{text}");
    }

    #[test]
    fn people_read_text() {
        let text = logged(false, || tracing::info!(port = 7420, "serving"));
        assert!(text.contains("serving") && !text.starts_with('{'), "{text}");
        let job: JobId = JOB.parse().expect("a job");
        let about = about::job(&job, Some(2), None, None);
        let text = logged(false, || about.in_scope(|| tracing::info!(port = 7420, "serving")));
        assert!(text.contains("7420") && text.contains("node=agent/call attempt=2 "), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
