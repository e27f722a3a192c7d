//! Text of strangers between the tags of a picture, and the width it takes.

use unicode_width::UnicodeWidthStr;

use crate::shown::is_barred;

/// Text that can neither end what it stands in nor be a character that a document may not have.
pub(super) fn xml(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => quoted.push_str("&amp;"),
            '<' => quoted.push_str("&lt;"),
            '>' => quoted.push_str("&gt;"),
            '"' => quoted.push_str("&quot;"),
            '\'' => quoted.push_str("&#39;"),
            character if is_barred(character) => quoted.extend(character.escape_unicode()),
            character => quoted.push(character),
        }
    }
    quoted
}

/// How many columns a text takes where each character has its own: no less than where some join.
pub(super) fn columns(text: &str) -> usize {
    let mut buffer = [0; 4];
    text.chars().map(|character| character.encode_utf8(&mut buffer).width()).sum()
}

/// A text that takes no more than so many columns, at least one, with `…` where something is cut off.
pub(super) fn cut(text: &str, columns_max: usize) -> String {
    if columns(text) <= columns_max {
        return text.to_owned();
    }
    let mut left = columns_max.saturating_sub(1);
    let mut buffer = [0; 4];
    let fitting = text.chars().take_while(|character| {
        let width = character.encode_utf8(&mut buffer).width();
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    });
    fitting.chain(std::iter::once('…')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_and_cut() {
        assert_eq!(xml("<a b='c'>&\"\u{fffe}\u{1}"), r"&lt;a b=&#39;c&#39;&gt;&amp;&quot;\u{fffe}\u{1}");
        assert_eq!(cut("kitchen", 7), "kitchen");
        assert_eq!(cut("kitchen", 6), "kitch…");
        assert_eq!(cut("台所台所", 6), "台所…");
        assert_eq!(cut("台所台所", 5), "台所…");
        assert_eq!(cut("台所", 0), "…");
        assert_eq!(columns("👩\u{200d}🍳"), 4);
    }
}
