//! What a servent is called by whoever runs it.
//!
//! A claim that proves nothing: anybody may go by any name, and any number of servents by one. What tells servents apart is
//! `servent_id`.

use std::fmt;
use std::sync::Arc;

use crate::limits::NAME_BYTES_MAX;
use crate::text::Escaped;

/// A name of 1 to [`NAME_BYTES_MAX`] bytes of UTF-8, cheap to pass along. It may hold anything else, also what a terminal would
/// obey: it is shown escaped.
///
/// ```
/// # use common::servent_name::ServentName;
/// let name = ServentName::try_from("kit\x07chen")?;
/// assert_eq!((name.to_string().as_str(), name.as_str()), (r"kit\x07chen", "kit\x07chen"));
/// # Ok::<(), common::servent_name::ServentNameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServentName(Arc<str>);

/// Why something is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServentNameError {
    /// There is nothing.
    #[error("the name is empty")]
    Empty,
    /// There is too much.
    #[error("the name has {0} bytes; {NAME_BYTES_MAX} is the most")]
    TooLong(usize),
    /// It is no text.
    #[error("the name is no UTF-8")]
    NotUtf8,
}

impl ServentName {
    /// The name as it was said.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for ServentName {
    type Error = ServentNameError;

    fn try_from(text: &str) -> Result<ServentName, ServentNameError> {
        match text.len() {
            0 => Err(ServentNameError::Empty),
            1..=NAME_BYTES_MAX => Ok(ServentName(text.into())),
            length => Err(ServentNameError::TooLong(length)),
        }
    }
}

impl TryFrom<&[u8]> for ServentName {
    type Error = ServentNameError;

    fn try_from(bytes: &[u8]) -> Result<ServentName, ServentNameError> {
        std::str::from_utf8(bytes).map_err(|_| ServentNameError::NotUtf8)?.try_into()
    }
}

impl fmt::Debug for ServentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServentName({self})")
    }
}

impl fmt::Display for ServentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::new(self.0.as_bytes()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_of_at_least_one_byte_and_at_most_the_limit() {
        let of = |bytes: &[u8]| ServentName::try_from(bytes).map(|name| name.as_str().to_owned());
        assert_eq!(of(b""), Err(ServentNameError::Empty));
        assert_eq!(of(b"k"), Ok("k".to_owned()));
        let longest = "\u{e9}".repeat(NAME_BYTES_MAX / 2);
        assert_eq!(of(longest.as_bytes()), Ok(longest.clone()));
        assert_eq!(of(format!("{longest}k").as_bytes()), Err(ServentNameError::TooLong(NAME_BYTES_MAX + 1)));
        for bytes in [&b"\xff"[..], b"caf\xe9", b"\xed\xa0\x80"] {
            assert_eq!(of(bytes), Err(ServentNameError::NotUtf8), "{bytes:x?}");
        }
    }

    #[test]
    fn a_name_is_shown_escaped() {
        let name = ServentName::try_from("a\x1b[2J\u{202e}\n").unwrap();
        assert_eq!(name.to_string(), r"a\x1b[2J\u{202e}\n");
        assert_eq!(format!("{name:?}"), r"ServentName(a\x1b[2J\u{202e}\n)");
        assert_eq!(name.as_str(), "a\x1b[2J\u{202e}\n");
    }
}
