//! The fields of a form or of an address, as they were sent.

use crate::limits::MAX_FIELDS;

/// Names and values in the order in which they came. Unknown names are kept and nobody asks for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

/// The form has more than [`MAX_FIELDS`] fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

impl Fields {
    /// Reads `application/x-www-form-urlencoded`. Bytes that are not UTF-8 become U+FFFD, which no parser of settings
    /// takes.
    ///
    /// # Errors
    /// When there are too many fields.
    pub fn parse(body: &[u8]) -> Result<Self, TooMany> {
        let fields: Vec<_> = form_urlencoded::parse(body).into_owned().take(MAX_FIELDS.saturating_add(1)).collect();
        if fields.len() > MAX_FIELDS { Err(TooMany) } else { Ok(Self(fields)) }
    }

    /// The first value of this name; a second one is not looked at. Empty where there is none.
    #[must_use]
    pub fn one(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Whether the name was sent at all.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// Every value of this name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The fields with these names, for a page that sends them on.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Vec<(String, String)> {
        self.0.iter().filter(|(key, _)| names.contains(&key.as_str())).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_values_counts_and_unknown_ones_do_no_harm() {
        let fields = Fields::parse(b"zone=UTC&zone=Europe%2FLisbon&server=a&colour=%ff&server=b+c").unwrap();
        assert_eq!(fields.one("zone"), "UTC");
        assert_eq!(fields.one("nothing"), "");
        assert!(!fields.has("nothing"));
        assert_eq!(fields.all("server").collect::<Vec<_>>(), ["a", "b c"]);
        assert_eq!(fields.one("colour"), "\u{fffd}");
        assert_eq!(fields.only(&["zone"]).len(), 2);
    }

    #[test]
    fn a_body_of_separators_makes_no_long_list() {
        assert_eq!(Fields::parse("a=1&".repeat(MAX_FIELDS + 1).as_bytes()), Err(TooMany));
        assert!(Fields::parse("a=1&".repeat(MAX_FIELDS).as_bytes()).is_ok());
    }
}
