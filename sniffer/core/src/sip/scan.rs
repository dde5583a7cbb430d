//! Searching header values: what stands in quotes or in angle brackets is passed over. Linear in the length of the
//! value, whatever it holds.

use memchr::{memchr, memchr2};

/// A search through a value from its beginning. A quote or bracket that is never closed counts as an ordinary character:
/// phones do send names with one quote.
#[derive(Clone, Debug)]
pub(super) struct Outside<'a> {
    value: &'a [u8],
    at: usize,
    brackets: bool,
    /// Neither quotes nor brackets are in it, as in most values.
    is_plain: bool,
    open_quote: bool,
    open_bracket: bool,
}

impl<'a> Outside<'a> {
    /// Searches outside quotes, and outside angle brackets too where `brackets` is set.
    pub(super) fn new(value: &'a [u8], brackets: bool) -> Self {
        let found = if brackets { memchr2(b'"', b'<', value) } else { memchr(b'"', value) };
        Self { value, at: 0, brackets, is_plain: found.is_none(), open_quote: false, open_bracket: false }
    }

    /// The next place of a byte.
    pub(super) fn find(&mut self, wanted: u8) -> Option<usize> {
        if self.is_plain {
            let length = memchr(wanted, self.value.get(self.at..)?)?;
            let here = self.at.saturating_add(length);
            self.at = here.saturating_add(1);
            return Some(here);
        }
        loop {
            let byte = *self.value.get(self.at)?;
            let here = self.at;
            self.at = self.at.saturating_add(1);
            if byte == wanted {
                return Some(here);
            }
            match byte {
                b'"' if !self.open_quote => match closing_quote(self.value, self.at) {
                    Some(end) => self.at = end.saturating_add(1),
                    None => self.open_quote = true,
                },
                b'<' if self.brackets && !self.open_bracket => {
                    match self.value.get(self.at..).and_then(|rest| rest.iter().position(|&byte| byte == b'>')) {
                        Some(length) => self.at = self.at.saturating_add(length).saturating_add(1),
                        None => self.open_bracket = true,
                    }
                }
                _ => {}
            }
        }
    }
}

/// Says whether the bytes are one quoted string and nothing else.
pub(super) fn is_quoted_string(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'"') && closing_quote(bytes, 1).is_some_and(|end| end.saturating_add(1) == bytes.len())
}

/// The place of the quote that closes a string whose text begins at `from`.
fn closing_quote(value: &[u8], from: usize) -> Option<usize> {
    let mut escaped = false;
    let length = value.get(from..)?.iter().position(|&byte| {
        let was_escaped = std::mem::take(&mut escaped);
        match byte {
            b'\\' if !was_escaped => escaped = true,
            b'"' if !was_escaped => return true,
            _ => {}
        }
        false
    })?;
    Some(from.saturating_add(length))
}

/// Splits at a separator outside quotes (and brackets).
#[derive(Clone, Debug)]
pub(super) struct Split<'a> {
    search: Outside<'a>,
    separator: u8,
    from: Option<usize>,
}

impl<'a> Split<'a> {
    pub(super) fn new(value: &'a [u8], separator: u8, brackets: bool) -> Self {
        Self { search: Outside::new(value, brackets), separator, from: Some(0) }
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let from = self.from?;
        let part = match self.search.find(self.separator) {
            Some(end) => {
                self.from = Some(end.saturating_add(1));
                self.search.value.get(from..end)
            }
            None => {
                self.from = None;
                self.search.value.get(from..)
            }
        };
        part.map(<[u8]>::trim_ascii)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(value: &str, separator: u8, brackets: bool) -> Vec<String> {
        Split::new(value.as_bytes(), separator, brackets)
            .map(|part| String::from_utf8(part.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn separators_in_quotes_and_brackets_are_passed_over() {
        assert_eq!(split(r#""a, \", b" <sip:a,b>;x , c"#, b',', true), [r#""a, \", b" <sip:a,b>;x"#, "c"]);
        assert_eq!(split("a;b=\";\";c", b';', false), ["a", "b=\";\"", "c"]);
        assert_eq!(split("", b',', true), [""]);
    }

    #[test]
    fn a_value_without_quotes_and_brackets_is_split_as_one_that_has_them() {
        for value in ["a;b;;c", ";", "a", "", "a,b;c,", " a ; b "] {
            for separator in [b';', b','] {
                // A bracket that is never closed hides nothing; it makes the search go byte by byte.
                let mut slow = split(&format!("<{value}"), separator, true);
                slow[0] = slow[0].trim_start_matches('<').trim().to_owned();
                assert_eq!(split(value, separator, true), slow, "{value}");
            }
        }
    }

    #[test]
    fn what_is_never_closed_hides_nothing() {
        assert_eq!(split("\"a, <sip:b>, c", b',', true), ["\"a", "<sip:b>", "c"]);
        assert_eq!(split("<a, b", b',', true), ["<a", "b"]);
    }

    #[test]
    fn a_long_value_of_quotes_takes_no_quadratic_time() {
        // Each of a million escaped quotes would otherwise look for its end through all the others.
        let value = b"\\\"".repeat(1_000_000);
        let quoted = [b"\"".as_slice(), &value].concat();
        assert_eq!(Split::new(&quoted, b',', true).count(), 1);
        assert_eq!(Split::new(&b"<".repeat(1_000_000), b',', true).count(), 1);
    }
}
