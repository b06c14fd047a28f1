//! Where in a trace something belongs, as records, messages and calls carry it: W3C trace
//! context. Which spans there are, and what they are called, is up to the planes.

use std::fmt;
use std::str::FromStr;

/// The name of the header, of the AMQP header and of the gRPC metadata that carry it.
pub const TRACEPARENT: &str = "traceparent";

/// The span that others continue, and whether spans of its run are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace; never 0.
    pub trace: u128,
    /// The span within it; never 0.
    pub span: u64,
    /// Whether spans that continue it are kept.
    pub sampled: bool,
}

/// A text that is no trace context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no trace context")]
pub struct Malformed;

impl TraceContext {
    /// What a header, a message or a record says, if that is understood.
    #[must_use]
    pub fn read(text: Option<&str>) -> Option<Self> {
        text?.parse().ok()
    }

    /// The trace as logs and search fields show it.
    #[must_use]
    pub fn trace_id(self) -> String {
        format!("{:032x}", self.trace)
    }

    /// The same with its spans kept or not.
    #[must_use]
    pub fn with_sampled(self, sampled: bool) -> Self {
        Self { sampled, ..self }
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

impl FromStr for TraceContext {
    type Err = Malformed;

    /// Later versions may say more behind what this one knows.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut parts = text.split('-');
        let (version, trace) = (hex(parts.next(), 2)?, hex(parts.next(), 32)?);
        let (span, flags) = (hex(parts.next(), 16)?, hex(parts.next(), 2)?);
        if version == 0xff || (version == 0 && parts.next().is_some()) || trace == 0 || span == 0 {
            return Err(Malformed);
        }
        let span = u64::try_from(span).map_err(|_| Malformed)?;
        Ok(Self { trace, span, sampled: flags & 1 == 1 })
    }
}

/// So many hexadecimal digits, in lower case.
fn hex(text: Option<&str>, digits: usize) -> Result<u128, Malformed> {
    let text = text.filter(|text| text.len() == digits).ok_or(Malformed)?;
    if !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(Malformed);
    }
    u128::from_str_radix(text, 16).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_context_reads_as_it_was_written() {
        let context: TraceContext = TEXT.parse().unwrap();
        assert_eq!(context.to_string(), TEXT);
        assert!(context.sampled);
        let quiet = context.with_sampled(false);
        assert_eq!(quiet.to_string().parse(), Ok(quiet));
    }

    #[test]
    fn a_later_version_may_say_more() {
        let later = format!("01{}-and-more", &TEXT[2..]);
        assert_eq!(later.parse::<TraceContext>(), TEXT.parse());
        assert_eq!(format!("{TEXT}-more").parse::<TraceContext>(), Err(Malformed), "this one says all there is");
    }

    #[test]
    fn anything_else_is_no_context() {
        let zeroes = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let no_span = "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01";
        let loud = TEXT.to_uppercase();
        let other = format!("ff{}", &TEXT[2..]);
        for text in ["", "00", "00-xyz", &TEXT[..50], zeroes, no_span, &loud, &other, "00-é-b7ad6b7169203331-01"] {
            assert_eq!(text.parse::<TraceContext>(), Err(Malformed), "{text}");
        }
        assert_eq!(TraceContext::read(None), None);
    }
}
