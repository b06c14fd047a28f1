//! One log line: when, how grave, what happened, what it is about and where that is said; an object
//! of JSON for machines, text for people. Which lines there are is left to the filter.
//!
//! The ids of [`about`](crate::about) stand beside the line's own fields, so that they are found
//! by the same name in every line of every program. Fields of spans that others make, as a tool
//! of a team's own, stand apart under `spans`.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::about::About;

/// The form of lines for machines.
pub(crate) struct JsonLine;

impl<S> FormatEvent<S, JsonFields> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut own = Fields::default();
        event.record(&mut own);
        let mut spans = Vec::new();
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let fields = span.extensions();
            let fields = fields.get::<FormattedFields<JsonFields>>().map(|fields| fields.fields.as_str());
            let fields = fields.and_then(|fields| serde_json::from_str::<Map<String, Value>>(fields).ok());
            let mut fields = fields.unwrap_or_default();
            fields.insert("name".to_owned(), span.name().into());
            spans.push(Value::Object(fields));
        }
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let target = own.0.remove("log.target");
        own.0.retain(|name, _| !name.starts_with("log."));
        let head = [("timestamp", Value::from(time)), ("level", event.metadata().level().as_str().into())];
        let head = head.into_iter().map(|(name, value)| (name.to_owned(), value));
        let message = own.0.remove_entry("message");
        let target = target.unwrap_or_else(|| event.metadata().target().into());
        let about = About::current();
        let ids = about.iter().flat_map(About::ids).map(|(name, value)| (name.to_owned(), value));
        // What a line says itself stands for what it is said in.
        let ids: Vec<_> = ids.filter(|(name, _)| !own.0.contains_key(name)).collect();
        let tail = [("target".to_owned(), target)];
        let spans = Some(spans).filter(|spans| !spans.is_empty()).map(|spans| ("spans".to_owned(), spans.into()));
        let members = head.chain(message).chain(ids).chain(own.0).chain(tail).chain(spans);
        for (place, (name, value)) in members.enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            write!(writer, "{before}{}:{value}", Value::from(name))?;
        }
        writeln!(writer, "}}")
    }
}

/// The form of lines for people: the ids stand behind what a line says.
pub(crate) struct TextLine<F>(pub(crate) F);

impl<S, N, F> FormatEvent<S, N> for TextLine<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(about) = About::current() else { return self.0.format_event(context, writer, event) };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        write!(writer, "{}", line.trim_end_matches('\n'))?;
        for (name, value) in about.ids() {
            match value {
                Value::String(text) => write!(writer, " {name}={text}")?,
                value => write!(writer, " {name}={value}")?,
            }
        }
        writeln!(writer)
    }
}

/// The fields of a line.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        let name = field.name();
        self.0.insert(name.strip_prefix("r#").unwrap_or(name).to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}
