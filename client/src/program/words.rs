//! The words of a line in which a word may hold blanks: quoted as in a shell, or with a backslash before each.
//!
//! A key that is asked for without blanks has no quotes: there a quote is a part of it. What the words mean is for whoever asks.

/// Why a line has no words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QuoteError {
    /// A quote has no end.
    #[error("a quote {0} that does not end")]
    Open(char),
    /// There is nothing behind the last backslash.
    #[error("a backslash with nothing behind it")]
    Backslash,
}

/// The first word, if there is one, and what of the line is behind it, from the first that is no blank.
pub(crate) fn first_quoted_word(line: &[u8]) -> Result<(Option<Vec<u8>>, &[u8]), QuoteError> {
    let blanks = |line: &[u8]| line.iter().take_while(|byte| is_blank(**byte)).count();
    let line = line.get(blanks(line)..).unwrap_or_default();
    let mut quote = None;
    let mut end = line.len();
    let mut bytes = line.iter().copied().enumerate();
    while let Some((place, byte)) = bytes.next() {
        match (byte, quote) {
            (byte, None) if is_blank(byte) => {
                end = place;
                break;
            }
            (b'\'' | b'"', None) => quote = Some(byte),
            (_, Some(open)) if byte == open => quote = None,
            (b'\\', None | Some(b'"')) => _ = bytes.next(),
            _ => {}
        }
    }
    let (word, rest) = line.split_at_checked(end).unwrap_or_default();
    let rest = rest.get(blanks(rest)..).unwrap_or_default();
    Ok((quoted_words(word)?.pop(), rest))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The words between blanks. `'…'` is as it stands; in `"…"`, and without quotes, a backslash takes what is behind it as it is.
pub(crate) fn quoted_words(line: &[u8]) -> Result<Vec<Vec<u8>>, QuoteError> {
    let mut words = Vec::new();
    // Of a word that has begun, be it of no bytes.
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = line.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b' ' | b'\t', None) => words.extend(word.take()),
            (b'\'' | b'"', None) => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (_, Some(open)) if byte == open => quote = None,
            (b'\\', None | Some(b'"')) => {
                word.get_or_insert_default().push(bytes.next().ok_or(QuoteError::Backslash)?);
            }
            _ => word.get_or_insert_default().push(byte),
        }
    }
    match quote {
        Some(open) => Err(QuoteError::Open(open.into())),
        None => {
            words.extend(word);
            Ok(words)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_the_first_word_there_is_the_rest_of_the_line_as_it_is() {
        for (line, word, rest) in [
            (&b"  farol.mp4 \t-d  it's \\ dusk "[..], &b"farol.mp4"[..], &b"-d  it's \\ dusk "[..]),
            (b"'a b'c\\ d rest", b"a bc d", b"rest"),
            (b"\"a 'b\\\" c\" ", b"a 'b\" c", b""),
            (b"''", b"", b""),
            (b"farol", b"farol", b""),
        ] {
            let found = first_quoted_word(line).unwrap();
            assert_eq!(found, (Some(word.to_vec()), rest), "{}", String::from_utf8_lossy(line));
        }
        assert_eq!(first_quoted_word(b" \t"), Ok((None, &b""[..])));
        assert_eq!(first_quoted_word(b"'a b"), Err(QuoteError::Open('\'')));
        assert_eq!(first_quoted_word(b"a\\"), Err(QuoteError::Backslash));
    }

    #[test]
    fn words_are_quoted_as_in_a_shell() {
        for (line, expected) in [
            (&b""[..], &[][..]),
            (b"  farol\tbarra ", &[&b"farol"[..], b"barra"]),
            (b"'a b' c", &[b"a b", b"c"]),
            (b"\"a b\" c", &[b"a b", b"c"]),
            (b"a\\ b c", &[b"a b", b"c"]),
            (b"a' 'b\" \"c", &[b"a b c"]),
            (b"'a\\b' \"a\\\"b\" \\'", &[b"a\\b", b"a\"b", b"'"]),
            (b"'' \"\"", &[b"", b""]),
            (b"caf\xe9 'it''s'", &[b"caf\xe9", b"its"]),
        ] {
            assert_eq!(quoted_words(line).unwrap(), expected, "{}", String::from_utf8_lossy(line));
        }
        for (line, error) in [
            (&b"'a b"[..], QuoteError::Open('\'')),
            (b"a \"b", QuoteError::Open('"')),
            (b"a \\", QuoteError::Backslash),
            (b"\"a\\", QuoteError::Backslash),
        ] {
            assert_eq!(quoted_words(line), Err(error), "{}", String::from_utf8_lossy(line));
        }
    }
}
