//! What strangers say, before it is quoted for the one or other document.

use common::text::Escaped;

/// A name as it is shown everywhere, and without what no document of XML may have, written by its number or not. What Graphviz and
/// Mermaid make of theirs is XML too.
pub(crate) fn shown(text: &str) -> String {
    let escaped = Escaped::new(text.as_bytes()).to_string();
    let mut shown = String::with_capacity(escaped.len());
    for character in escaped.chars() {
        if is_barred(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether no document may have it.
pub(crate) fn is_barred(character: char) -> bool {
    character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_a_document_may_not_have() {
        assert_eq!(shown("a\u{ffff}\n\u{202e}\u{fffd}"), "a\\u{ffff}\\n\\u{202e}\u{fffd}");
    }
}
