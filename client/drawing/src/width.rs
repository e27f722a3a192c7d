//! How wide a text is, and what is left of it where there is less room.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

/// How many columns of a terminal a text takes.
pub(crate) fn columns_of(text: &str) -> usize {
    text.width()
}

/// How many it takes where each character has its own: no less than where some join. Which of them do is for the fonts of whoever
/// looks at a picture to decide, and for no terminal.
pub(crate) fn columns_apart(text: &str) -> usize {
    let mut buffer = [0; 4];
    text.chars().map(|character| character.encode_utf8(&mut buffer).width()).sum()
}

/// As much of a text as has room on a terminal, with a mark at its end where that is not all.
pub(crate) fn cut<'a>(text: &'a str, columns: usize, mark: &str) -> Cow<'a, str> {
    cut_by(columns_of, text, columns, mark)
}

/// The same where each character has columns of its own.
pub(crate) fn cut_apart(text: &str, columns: usize) -> Cow<'_, str> {
    cut_by(columns_apart, text, columns, "…")
}

fn cut_by<'a>(columns_of: fn(&str) -> usize, text: &'a str, columns: usize, mark: &str) -> Cow<'a, str> {
    if columns_of(text) <= columns {
        return Cow::Borrowed(text);
    }
    let room = columns.saturating_sub(columns_of(mark));
    let ends: Vec<usize> = text.char_indices().map(|(end, _)| end).collect();
    let kept = |end: usize| text.get(..end).unwrap_or_default();
    // A character may make the one before it wider, so that what is found by halves is looked at once more.
    let mut count = ends.partition_point(|end| columns_of(kept(*end)) <= room);
    while let Some(end) = count.checked_sub(1).and_then(|last| ends.get(last)) {
        if columns_of(kept(*end)) <= room {
            return Cow::Owned(format!("{}{mark}", kept(*end)));
        }
        count -= 1;
    }
    Cow::Borrowed("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_by_columns() {
        for (text, columns, kept) in [
            ("kitchen", 7, "kitchen"),
            ("kitchen", 6, "kitch…"),
            ("kitchen", 1, "…"),
            ("台所台所", 8, "台所台所"),
            ("台所台所", 7, "台所台…"),
            ("台所台所", 6, "台所…"),
            ("台所", 2, "…"),
            ("❤\u{fe0f}❤\u{fe0f}", 3, "❤\u{fe0f}…"),
            ("👩\u{200d}🚀 in space", 3, "👩\u{200d}🚀…"),
        ] {
            let got = cut(text, columns, "…");
            assert_eq!(got, kept, "{text} in {columns}");
            assert!(columns_of(&got) <= columns, "{text} in {columns}");
        }
    }

    #[test]
    fn where_nothing_joins_there_is_less_room() {
        assert_eq!((columns_of("👩\u{200d}🍳"), columns_apart("👩\u{200d}🍳")), (2, 4));
        for (text, columns, kept) in [
            ("kitchen", 7, "kitchen"),
            ("kitchen", 6, "kitch…"),
            ("台所台所", 6, "台所…"),
            ("👩\u{200d}🍳 in", 5, "👩\u{200d}🍳…"),
        ] {
            assert_eq!(cut_apart(text, columns), kept, "{text} in {columns}");
        }
    }
}
