//! Fills `{name}` in the data files of `image/disk` and `image/boot` with what only the build knows.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

/// The values that may stand in a template, by name.
pub type Values = BTreeMap<&'static str, String>;

/// Replaces every `{name}` by its value.
///
/// # Errors
/// Fails on a name without value and on an unclosed brace: a template that fills only in part must not reach a disk.
pub fn fill(template: &str, values: &Values) -> Result<String> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else { bail!("a brace is not closed in {template:?}") };
        let Some(value) = values.get(name) else { bail!("no value for {{{name}}} in {template:?}") };
        filled.push_str(before);
        filled.push_str(value);
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::{Values, fill};

    #[test]
    fn every_name_is_filled_and_nothing_else_changes() {
        let values = Values::from([("a", "1".to_owned()), ("b", "{a}".to_owned())]);
        assert_eq!(fill("x{a}-{b}}y", &values).unwrap(), "x1-{a}}y");
    }

    #[test]
    fn a_name_without_value_is_refused() {
        assert!(fill("{root}", &Values::new()).is_err());
        assert!(fill("{root", &Values::from([("root", String::new())])).is_err());
    }
}
