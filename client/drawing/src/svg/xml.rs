//! Text of strangers between the tags of a picture.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted() {
        assert_eq!(xml("<a b='c'>&\"\u{fffe}\u{1}"), r"&lt;a b=&#39;c&#39;&gt;&amp;&quot;\u{fffe}\u{1}");
    }
}
