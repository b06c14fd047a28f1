//! Numbers that count something, each a type of its own.

use std::fmt;

/// Bytes of the mark before a number of 32 bits and of its longest text.
pub(crate) const NUMBER_BYTES: usize = 11;

/// Adds a number's text.
pub(crate) fn add_number(mut number: u64, text: &mut impl fmt::Write) -> fmt::Result {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b"0123456789"[(number % 10) as usize];
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.write_str(str::from_utf8(&digits[first..]).unwrap_or_default())
}

use serde::{Deserialize, Serialize};

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($kind:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $kind);

        impl $name {
            /// The next one.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl super::Text for $name {
            fn add_to(&self, text: &mut impl fmt::Write) -> fmt::Result {
                add_number(self.0.into(), text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    )*};
}

numbers! {
    /// Rises only when a run is reset or retried in place.
    Gen(u32);
    /// What an advance names as seen: rises with advance, edit, cancel and signal.
    Version(u64);
    /// A checkpoint's place in its thread, from 1; 0 is none.
    Seq(u64);
    /// Fencing token, minted by CLAIM only; never falls.
    Fence(u64);
    /// Which publication of a task a message is.
    DispatchSeq(u32);
}
