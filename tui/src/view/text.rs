//! Text that fits: cut and padded by the width it has on the screen.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `text` in at most `width` columns, with `…` where it was cut. Control characters become spaces: they come
/// from scenes and names.
pub(crate) fn cut(text: &str, width: usize) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if clean.width() <= width {
        return clean;
    }
    let mut kept = String::new();
    let mut used = 0;
    for letter in clean.chars() {
        let wide = letter.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        kept.push(letter);
    }
    if width > 0 {
        kept.push('…');
    }
    kept
}

/// `text` in exactly `width` columns, on the left or on the right of them.
pub(crate) fn fit(text: &str, width: usize, right: bool) -> String {
    let text = cut(text, width);
    let gap = " ".repeat(width.saturating_sub(text.width()));
    if right { gap + &text } else { text + &gap }
}

/// Lines of at most `width` columns, broken between words where there are any.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_inclusive(' ') {
        if !line.is_empty() && line.width() + word.trim_end().width() > width {
            lines.push(std::mem::take(&mut line));
        }
        for letter in word.chars() {
            if line.width() + letter.width().unwrap_or(0) > width {
                lines.push(std::mem::take(&mut line));
                if letter == ' ' {
                    continue;
                }
            }
            line.push(letter);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// A bar of `width` cells, `part` of `whole` full.
pub(crate) fn bar(part: u64, whole: u64, width: usize) -> (String, String) {
    let cells = u64::try_from(width).unwrap_or(0);
    let full = (part.min(whole) * cells).checked_div(whole).unwrap_or(0);
    // Something done is shown, and something missing too.
    let full = full.max(u64::from(part > 0 && cells > 0)).min(cells);
    let full = if part < whole && full == cells {
        full.saturating_sub(1)
    } else {
        full
    };
    let full = usize::try_from(full).unwrap_or(0);
    ("█".repeat(full), "░".repeat(width - full))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wide_letters_are_never_cut_in_half() {
        assert_eq!(cut("日本語のシーン", 7), "日本語…");
        assert_eq!(fit("日本語のシーン", 8, false), "日本語… ");
        assert_eq!(cut("abc\u{1b}[2J", 20), "abc [2J");
        assert_eq!(fit("7", 3, true), "  7");
    }

    #[test]
    fn a_bar_is_full_only_when_all_is_done() {
        assert_eq!(bar(99, 100, 10).0.chars().count(), 9);
        assert_eq!(bar(100, 100, 10).0.chars().count(), 10);
        assert_eq!(bar(1, 1000, 10).0.chars().count(), 1);
        assert_eq!(bar(0, 0, 10).0.chars().count(), 0);
    }

    proptest! {
        #[test]
        fn fitted_text_has_the_width_that_was_asked_for(text in "\\PC{0,40}", width in 0_usize..50, right: bool) {
            prop_assert_eq!(fit(&text, width, right).width(), width);
        }

        #[test]
        fn no_wrapped_line_is_too_wide(text in "\\PC{0,120}", width in 2_usize..50) {
            for line in wrap(&text, width) {
                prop_assert!(line.trim_end().width() <= width, "{line:?}");
            }
        }
    }
}
