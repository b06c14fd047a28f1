//! The form of log lines: JSON for machines, text for people, both on standard error.

use tracing::Subscriber;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// The layer that writes log lines which pass `filter` to `writer`.
pub(crate) fn layer<S>(json: bool, filter: EnvFilter, writer: BoxMakeWriter) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let lines = fmt::layer().with_writer(writer);
    if json {
        lines.json().flatten_event(true).with_current_span(false).with_filter(filter).boxed()
    } else {
        lines.with_ansi(true).with_target(false).compact().with_filter(filter).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::prelude::*;

    use super::*;
    use crate::filter;

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

    fn logged(json: bool, speak: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = BoxMakeWriter::new({
            let page = page.clone();
            move || page.clone()
        });
        let lines = layer(json, filter::for_logs("info").expect("a filter"), writer);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), speak);
        let bytes = page.0.lock().expect("not poisoned").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_json_line_carries_the_fields_of_the_event_and_of_its_spans() {
        let line = logged(true, || {
            let span = tracing::info_span!("job", run_id = "r-1");
            span.in_scope(|| tracing::warn!(attempt = 2, "publish unconfirmed"));
        });
        assert!(line.starts_with('{') && line.ends_with("}\n"), "{line}");
        for part in [r#""level":"WARN""#, r#""message":"publish unconfirmed""#, r#""attempt":2"#, r#""run_id":"r-1""#] {
            assert!(line.contains(part), "{part} in {line}");
        }
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
    }
}
