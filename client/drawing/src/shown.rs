//! What strangers say, before it is quoted for the one or other document.

use common::text::Escaped;

/// A name as it is shown everywhere, and without what no document of XML may have, written by its number or not. What Graphviz and
/// Mermaid make of theirs is XML too.
pub(crate) fn shown(text: &str) -> String {
    shown_without(text, is_barred)
}

/// The same beside lines that are made of characters: a name has none that could be taken for a piece of a link.
pub(crate) fn shown_among_lines(text: &str) -> String {
    shown_without(text, |character| is_barred(character) || is_of_lines(character))
}

fn shown_without(text: &str, is_left_out: impl Fn(char) -> bool) -> String {
    let escaped = Escaped::new(text.as_bytes()).to_string();
    let mut shown = String::with_capacity(escaped.len());
    for character in escaped.chars() {
        if is_left_out(character) {
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

/// Whether lines are drawn with it: the block *Box Drawing* of Unicode.
fn is_of_lines(character: char) -> bool {
    matches!(character, '\u{2500}'..='\u{257f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_a_document_may_not_have() {
        for all in [shown, shown_among_lines] {
            assert_eq!(all("a\u{ffff}\n\u{202e}\u{fffd}"), "a\\u{ffff}\\n\\u{202e}\u{fffd}");
        }
    }

    #[test]
    fn a_name_draws_no_lines() {
        assert_eq!(shown("├─╿"), "├─╿");
        assert_eq!(shown_among_lines("\u{24ff}├─╿\u{2580}"), "\u{24ff}\\u{251c}\\u{2500}\\u{257f}\u{2580}");
    }
}
