//! Commands, rows and answers as MessagePack: values one behind another.
//!
//! Scripts write the same form with `cmsgpack`. Bytes travel as strings, since the servers'
//! decoder knows no binary type, and what is missing travels as `false`, since a nil would
//! cut a list short.

use rmpv::Value;

use crate::Error;

/// Writes values one behind another.
#[derive(Debug, Default)]
pub(super) struct Packer(Vec<u8>);

impl Packer {
    pub(super) fn number(mut self, number: impl Into<u64>) -> Self {
        // Writing to memory does not fail.
        let _ = rmp::encode::write_uint(&mut self.0, number.into());
        self
    }

    /// A moment or another number that may lie below zero.
    pub(super) fn moment(mut self, at: i64) -> Self {
        let _ = rmp::encode::write_sint(&mut self.0, at);
        self
    }

    pub(super) fn moment_or_none(self, at: Option<baton_common::Timestamp>) -> Self {
        match at {
            Some(at) => self.moment(at.0),
            None => self.flag(false),
        }
    }

    pub(super) fn flag(mut self, flag: bool) -> Self {
        let _ = rmp::encode::write_bool(&mut self.0, flag);
        self
    }

    pub(super) fn bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let _ = rmp::encode::write_str_len(&mut self.0, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(bytes);
        self
    }

    /// The text, or `false` where there is none.
    pub(super) fn bytes_or_none(self, bytes: Option<impl AsRef<[u8]>>) -> Self {
        match bytes {
            Some(bytes) => self.bytes(bytes),
            None => self.flag(false),
        }
    }

    /// Begins a list of so many values.
    pub(super) fn list(mut self, len: usize) -> Self {
        let _ = rmp::encode::write_array_len(&mut self.0, u32::try_from(len).unwrap_or(u32::MAX));
        self
    }

    /// A list of texts.
    pub(super) fn texts<T: AsRef<[u8]>>(self, texts: impl ExactSizeIterator<Item = T>) -> Self {
        let list = self.list(texts.len());
        texts.fold(list, Self::bytes)
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Values on their way out of a row or an answer, in their order.
#[derive(Debug)]
pub(super) struct Fields(std::vec::IntoIter<Value>);

impl Fields {
    /// All values in `bytes`.
    pub(super) fn of(mut bytes: &[u8]) -> Result<Self, Error> {
        let mut values = Vec::new();
        while !bytes.is_empty() {
            values.push(rmpv::decode::read_value(&mut bytes).map_err(|_| broken("it is no MessagePack"))?);
        }
        Ok(Self(values.into_iter()))
    }

    fn next(&mut self) -> Result<Value, Error> {
        self.0.next().ok_or_else(|| broken("a value is missing"))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    pub(super) fn number(&mut self) -> Result<u64, Error> {
        self.next()?.as_u64().ok_or_else(|| broken("a value is no number"))
    }

    pub(super) fn small(&mut self) -> Result<u32, Error> {
        u32::try_from(self.number()?).map_err(|_| broken("a number is too large"))
    }

    pub(super) fn moment(&mut self) -> Result<baton_common::Timestamp, Error> {
        let at = self.next()?.as_i64().ok_or_else(|| broken("a value is no moment"))?;
        Ok(baton_common::Timestamp(at))
    }

    pub(super) fn moment_or_none(&mut self) -> Result<Option<baton_common::Timestamp>, Error> {
        match self.next()? {
            Value::Boolean(false) => Ok(None),
            value => Ok(Some(baton_common::Timestamp(value.as_i64().ok_or_else(|| broken("a value is no moment"))?))),
        }
    }

    pub(super) fn flag(&mut self) -> Result<bool, Error> {
        self.next()?.as_bool().ok_or_else(|| broken("a value is no flag"))
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        bytes_of(self.next()?)
    }

    pub(super) fn text(&mut self) -> Result<String, Error> {
        text_of(self.bytes()?)
    }

    pub(super) fn text_or_none(&mut self) -> Result<Option<String>, Error> {
        optional(self.next()?)
    }

    pub(super) fn number_or_none(&mut self) -> Result<Option<u64>, Error> {
        match self.next()? {
            Value::Boolean(false) => Ok(None),
            value => value.as_u64().map(Some).ok_or_else(|| broken("a value is no number")),
        }
    }

    pub(super) fn small_or_none(&mut self) -> Result<Option<u32>, Error> {
        let number = self.number_or_none()?;
        number.map(|number| u32::try_from(number).map_err(|_| broken("a number is too large"))).transpose()
    }

    /// The bytes of so many.
    pub(super) fn exactly<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        <[u8; N]>::try_from(self.bytes()?).map_err(|_| broken("a value has another length"))
    }

    /// A list as fields of its own. An empty table of a script may come as a map.
    pub(super) fn list(&mut self) -> Result<Self, Error> {
        Ok(self.list_or_none()?.unwrap_or_else(|| Self(Vec::new().into_iter())))
    }

    /// A list, or nothing where a script answered `false`.
    pub(super) fn list_or_none(&mut self) -> Result<Option<Self>, Error> {
        match self.next()? {
            Value::Array(values) => Ok(Some(Self(values.into_iter()))),
            Value::Map(entries) if entries.is_empty() => Ok(Some(Self(Vec::new().into_iter()))),
            Value::Boolean(false) => Ok(None),
            _ => Err(broken("a value is no list")),
        }
    }

    /// The next value is a moment and not a word.
    pub(super) fn moment_next(&self) -> bool {
        self.0.as_slice().first().is_some_and(Value::is_number)
    }
}

fn bytes_of(value: Value) -> Result<Vec<u8>, Error> {
    match value {
        Value::String(text) => Ok(text.into_bytes()),
        Value::Binary(bytes) => Ok(bytes),
        _ => Err(broken("a value is no string")),
    }
}

fn optional(value: Value) -> Result<Option<String>, Error> {
    match value {
        Value::Boolean(false) => Ok(None),
        value => bytes_of(value).and_then(text_of).map(Some),
    }
}

fn text_of(bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|_| broken("a text is no UTF-8"))
}

/// A row or an answer that cannot be read; the text names no values.
pub(super) fn broken(why: &str) -> Error {
    Error::Broken(format!("a record cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_reads_back() {
        let bytes = Packer::default().number(7_u64).moment(-3).flag(true).bytes([0xff, 0x00]).list(0).finish();
        let mut fields = Fields::of(&bytes).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(fields.number(), Ok(7));
        assert_eq!(fields.moment(), Ok(baton_common::Timestamp(-3)));
        assert_eq!(fields.flag(), Ok(true));
        assert_eq!(fields.exactly::<2>(), Ok([0xff, 0x00]));
        assert!(fields.list().is_ok_and(|list| list.is_empty()));
        assert!(fields.number().is_err());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn whatever_a_row_is_its_fields_are_read_or_refused(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
            asked in proptest::collection::vec(0..12_u8, 1..20),
        ) {
            let Ok(mut fields) = Fields::of(&bytes) else { return Ok(()) };
            for kind in asked {
                match kind {
                    0 => drop(fields.number()),
                    1 => drop(fields.small()),
                    2 => drop(fields.moment()),
                    3 => drop(fields.moment_or_none()),
                    4 => drop(fields.flag()),
                    5 => drop(fields.bytes()),
                    6 => drop(fields.text()),
                    7 => drop(fields.text_or_none()),
                    8 => drop(fields.number_or_none()),
                    9 => drop(fields.exactly::<16>()),
                    10 => drop(fields.list()),
                    _ => drop((fields.moment_next(), fields.is_empty(), fields.small_or_none())),
                }
            }
        }
    }

    #[test]
    fn a_row_that_promises_more_than_it_has_is_refused_at_once() {
        // Lists and texts of four thousand million, and lists in lists in lists.
        for bytes in [&[0xdd, 0xff, 0xff, 0xff, 0xff][..], &[0xdb, 0xff, 0xff, 0xff, 0xff], &[0x91; 100_000]] {
            assert!(Fields::of(bytes).is_err());
        }
    }
}
