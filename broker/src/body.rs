//! What a message says.

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::Serialize;

/// The encoded form of what a message says and, as long as it stays in its publisher's process,
/// the value it is of: whoever takes that needs no bytes, and none are made. Cloning it is cheap.
#[derive(Clone)]
pub struct Body(Arc<Inner>);

struct Inner {
    value: Option<Arc<dyn Encode>>,
    bytes: OnceLock<Vec<u8>>,
}

trait Encode: Any + Send + Sync {
    fn encode(&self) -> Vec<u8>;
}

impl<T: Serialize + Any + Send + Sync> Encode for T {
    fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Body {
    /// That of a value, written as JSON where that is asked for. One that JSON cannot write has
    /// no bytes.
    #[must_use]
    pub fn of<T: Serialize + Any + Send + Sync>(value: Arc<T>) -> Self {
        Self(Arc::new(Inner { value: Some(value), bytes: OnceLock::new() }))
    }

    /// The value, if it is one of that type that its publisher gave in this process.
    #[must_use]
    pub fn value<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let value: Arc<dyn Any + Send + Sync> = self.0.value.clone()?;
        value.downcast().ok()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Inner { value: None, bytes: bytes.into() }))
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let encode = || self.0.value.as_ref().map(|value| value.encode()).unwrap_or_default();
        self.0.bytes.get_or_init(encode)
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Body {}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Body").field(&String::from_utf8_lossy(self)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_as_it_is_and_encoded_once_it_is_asked_for() {
        let body = Body::of(Arc::new(vec!["x".to_owned()]));
        assert_eq!(body.value::<Vec<String>>().as_deref(), Some(&vec!["x".to_owned()]));
        assert!(body.value::<String>().is_none(), "of another type");
        assert!(body.0.bytes.get().is_none(), "nobody asked");
        assert_eq!(&body[..], br#"["x"]"#);
        let sent = Body::from(body.to_vec());
        assert_eq!((sent.value::<Vec<String>>(), sent == body), (None, true));
    }
}
