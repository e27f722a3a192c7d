//! A key: what a question names. Bytes, cheap to pass along a whole overlay.
//!
//! How a key is found in a servent's data is `store`; how it is shown to a person is `text`.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::limits::KEY_BYTES_MAX;
use crate::text::Escaped;

/// A key of 1 to [`KEY_BYTES_MAX`] bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<[u8]>);

/// Why bytes are not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There are none.
    #[error("the key is empty")]
    Empty,
    /// There are too many.
    #[error("the key has {0} bytes; {KEY_BYTES_MAX} is the most")]
    TooLong(usize),
}

impl Key {
    /// Takes bytes for a key if their number allows it.
    pub fn new(bytes: &[u8]) -> Result<Key, KeyError> {
        match bytes.len() {
            0 => Err(KeyError::Empty),
            1..=KEY_BYTES_MAX => Ok(Key(bytes.into())),
            length => Err(KeyError::TooLong(length)),
        }
    }

    /// The bytes of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// In a table by keys it is found by its bytes.
impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", Escaped::new(&self.0))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::new(&self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_at_least_one_byte_and_at_most_the_limit() {
        assert_eq!(Key::new(b""), Err(KeyError::Empty));
        assert_eq!(Key::new(&[b'k'; KEY_BYTES_MAX]).map(|key| key.as_bytes().len()), Ok(KEY_BYTES_MAX));
        assert_eq!(Key::new(&[b'k'; KEY_BYTES_MAX + 1]), Err(KeyError::TooLong(KEY_BYTES_MAX + 1)));
    }
}
