//! Numbers and foreign text.

use crate::limits::MAX_FOREIGN_TEXT;

/// A count with thin spaces between thousands: `128 398`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let length = digits.len();
    let mut text = String::with_capacity(length.saturating_add(length / 3));
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && length.saturating_sub(at) % 3 == 0 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A size in bytes with a binary unit: `3.8 GiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    // Tenths of the unit, in whole numbers: bytes * 10 / 1024 fits 128 bits.
    let mut tenths = u128::from(bytes).saturating_mul(10) / 1024;
    let mut unit = UNITS.into_iter();
    let mut name = unit.next().unwrap_or_default();
    while tenths >= 10_240 {
        let Some(larger) = unit.next() else { break };
        name = larger;
        tenths /= 1024;
    }
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// Per cent of a whole, rounded down; nothing of nothing is nothing.
#[must_use]
pub fn percent(part: u64, whole: u64) -> u64 {
    u128::from(part)
        .saturating_mul(100)
        .checked_div(u128::from(whole))
        .and_then(|value| u64::try_from(value).ok())
        .unwrap_or(0)
}

/// Text from the network as a page may show it: control characters and those that turn the writing direction become
/// U+FFFD, so that a caller's name cannot look like another one, and long text is cut.
#[must_use]
pub fn foreign(text: &str) -> String {
    let is_trick = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let mut shown: String =
        text.chars().take(MAX_FOREIGN_TEXT).map(|c| if is_trick(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(MAX_FOREIGN_TEXT).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_sizes_have_units() {
        assert_eq!(
            [count(0), count(999), count(1000), count(1_284_000)],
            ["0", "999", "1\u{202f}000", "1\u{202f}284\u{202f}000"]
        );
        assert_eq!([size(0), size(1023), size(1024), size(1536)], ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 KiB"]);
        assert_eq!(size(4 * 1024 * 1024 * 1024), "4.0 GiB");
        assert_eq!(size(u64::MAX), "16384.0 PiB".replace("16384.0", "16383.9"));
        assert_eq!((percent(1, 0), percent(1, 3), percent(u64::MAX, u64::MAX)), (0, 33, 100));
    }

    #[test]
    fn foreign_text_cannot_turn_the_page_around_or_flood_it() {
        assert_eq!(foreign("a\u{202e}b\0c\nd"), "a\u{fffd}b\u{fffd}c\u{fffd}d");
        assert_eq!(foreign("+351 é <b>"), "+351 é <b>");
        assert_eq!(foreign(&"x".repeat(5000)).chars().count(), MAX_FOREIGN_TEXT + 1);
    }
}
