//! One span, from its begin to its end. Dropping it ends and sends it.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use baton_common::{Timestamp, TraceContext};
use opentelemetry::trace::{Link, SpanContext, SpanId, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::{Kind, Tracer, tracer};
use crate::names;

/// A span, or nothing where none is kept.
#[derive(Debug, Default)]
#[must_use = "it ends when it is dropped"]
pub struct Span(Option<Box<Live>>);

/// A span that is kept.
#[derive(Debug)]
pub struct Live {
    data: SpanData,
    tracer: &'static Tracer,
}

impl Span {
    /// No span.
    pub fn none() -> Self {
        Self(None)
    }

    /// A span that goes on with `parent`; none where nobody keeps that one.
    pub fn child(name: &'static str, kind: Kind, parent: Option<TraceContext>) -> Self {
        match (parent.filter(|parent| parent.sampled), tracer()) {
            (Some(parent), Some(tracer)) => Self::begin(tracer, name, kind, parent),
            _ => Self(None),
        }
    }

    /// A span that begins a trace of its own. That it is kept has been decided.
    pub fn root(name: &'static str, kind: Kind) -> Self {
        let Some(tracer) = tracer() else { return Self(None) };
        let parent = TraceContext { trace: tracer.new_trace(), span: 0, sampled: true };
        Self::begin(tracer, name, kind, parent)
    }

    pub(super) fn begin(tracer: &'static Tracer, name: &'static str, kind: Kind, parent: TraceContext) -> Self {
        let now = SystemTime::now();
        let data = SpanData {
            span_context: context(TraceContext { span: tracer.new_span(), ..parent }),
            parent_span_id: SpanId::from(parent.span),
            parent_span_is_remote: false,
            span_kind: kind,
            name: Cow::Borrowed(name),
            start_time: now,
            end_time: now,
            attributes: Vec::with_capacity(8),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: tracer.scope(),
        };
        Self(Some(Box::new(Live { data, tracer })))
    }

    /// Says more about the span, where it is kept.
    pub fn with(mut self, say: impl FnOnce(&mut Live)) -> Self {
        self.say(say);
        self
    }

    /// The same, later on.
    pub fn say(&mut self, say: impl FnOnce(&mut Live)) {
        if let Some(live) = &mut self.0 {
            say(live);
        }
    }

    /// What others continue it by.
    #[must_use]
    pub fn context(&self) -> Option<TraceContext> {
        let context = &self.0.as_ref()?.data.span_context;
        let (trace, span) = (u128::from_be_bytes(context.trace_id().to_bytes()), context.span_id().to_bytes());
        Some(TraceContext { trace, span: u64::from_be_bytes(span), sampled: true })
    }

    /// The same as text, as records and messages carry it.
    #[must_use]
    pub fn traceparent(&self) -> Option<String> {
        self.context().map(|context| context.to_string())
    }

    /// Forgets it: what it stands for did not happen.
    pub fn discard(mut self) {
        self.0 = None;
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(live) = self.0.take() {
            let Live { mut data, tracer } = *live;
            data.end_time = SystemTime::now().max(data.start_time);
            tracer.ended(data);
        }
    }
}

impl Live {
    /// Its name, where that says more than the operation.
    pub fn name(&mut self, name: String) -> &mut Self {
        self.data.name = Cow::Owned(name);
        self
    }

    /// An attribute, under a name of [`names`].
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) -> &mut Self {
        self.data.attributes.push(KeyValue::new(key, value));
        self
    }

    /// An attribute that is a list of texts.
    pub fn set_all(&mut self, key: &'static str, values: impl IntoIterator<Item = String>) -> &mut Self {
        let values: Vec<StringValue> = values.into_iter().map(StringValue::from).collect();
        self.set(key, Value::Array(Array::String(values)))
    }

    /// It began earlier: at that moment of the store's clock, unless that lies ahead.
    pub fn since(&mut self, moment: Timestamp) -> &mut Self {
        let ms = u64::try_from(moment.0).unwrap_or_default();
        self.since_time(SystemTime::UNIX_EPOCH + Duration::from_millis(ms))
    }

    /// It began earlier, by this machine's clock.
    pub fn since_time(&mut self, time: SystemTime) -> &mut Self {
        self.data.start_time = time.min(self.data.start_time);
        self
    }

    /// Links it to what it has to do with without being its child; `why` is a name of
    /// [`names`].
    pub fn link(&mut self, to: Option<TraceContext>, why: &'static str) -> &mut Self {
        let to = to.filter(|to| to.sampled && to.span != 0);
        if let Some(to) = to {
            let why = vec![KeyValue::new(names::LINK, why)];
            self.data.links.links.push(Link::new(context(to), why, 0));
        }
        self
    }

    /// What it stands for failed: a code of ours, never a message.
    pub fn fail(&mut self, code: impl Into<Cow<'static, str>>) -> &mut Self {
        let code = code.into();
        self.data.status = Status::Error { description: Cow::Borrowed("") };
        self.set(names::ERROR_TYPE, code.into_owned())
    }
}

fn context(of: TraceContext) -> SpanContext {
    let (trace, span) = (TraceId::from(of.trace), SpanId::from(of.span));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE)
}
