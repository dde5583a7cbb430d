//! Accounts: names, the password rules and roles.

use crate::limits;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// The name of an account: a lower-case letter, then lower-case letters, digits, dots, dashes and underscores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

/// The text is no account name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Start with a letter; then use letters, digits, dots, dashes and underscores, at most {max} characters", max = limits::MAX_USER_NAME)]
pub struct NotAUserName;

impl UserName {
    /// Parses an account name; upper case becomes lower case, surrounding white space is dropped.
    ///
    /// # Errors
    /// When it breaks the rule that the error's text states.
    pub fn parse(text: &str) -> Result<Self, NotAUserName> {
        let name = text.trim().to_ascii_lowercase();
        let follows = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
        let is_name = name.len() <= limits::MAX_USER_NAME
            && name.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
            && name.bytes().all(follows);
        if is_name { Ok(Self(name)) } else { Err(NotAUserName) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for UserName {
    type Error = NotAUserName;
    fn try_from(text: String) -> Result<Self, NotAUserName> {
        Self::parse(&text)
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0
    }
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the machine.
    Administrator,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Administrator => f.write_str("administrator"),
        }
    }
}

/// A rule of R147 that a password breaks. `Display` says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum PasswordRule {
    /// Fewer than [`limits::MIN_PASSWORD`] characters.
    #[error("Use at least {min} characters", min = limits::MIN_PASSWORD)]
    Length,
    /// More than [`limits::MAX_PASSWORD`] bytes.
    #[error("Use at most {max} bytes", max = limits::MAX_PASSWORD)]
    TooLong,
    /// No upper-case letter.
    #[error("Use at least one upper-case letter")]
    UpperCase,
    /// No digit.
    #[error("Use at least one digit")]
    Digit,
    /// Only letters and digits.
    #[error("Use at least one special character, such as ! or a space")]
    Special,
    /// The account's name is part of it.
    #[error("Do not use the account name in the password")]
    AccountName,
}

/// A password that keeps every rule for the account it is meant for.
#[derive(Debug, Clone)]
pub struct NewPassword(Secret);

impl NewPassword {
    /// Checks a password against R147, which is the floor.
    ///
    /// # Errors
    /// Every rule that it breaks, in the order in which a page shows them.
    pub fn parse(password: &Secret, account: &UserName) -> Result<Self, Vec<PasswordRule>> {
        let text = password.expose();
        let broken: Vec<PasswordRule> = [
            (text.chars().count() < limits::MIN_PASSWORD, PasswordRule::Length),
            (text.len() > limits::MAX_PASSWORD, PasswordRule::TooLong),
            (!text.chars().any(char::is_uppercase), PasswordRule::UpperCase),
            (!text.chars().any(char::is_numeric), PasswordRule::Digit),
            (!text.chars().any(|c| !c.is_alphanumeric()), PasswordRule::Special),
            (text.to_lowercase().contains(account.as_str()), PasswordRule::AccountName),
        ]
        .into_iter()
        .filter_map(|(is_broken, rule)| is_broken.then_some(rule))
        .collect();
        if broken.is_empty() { Ok(Self(password.clone())) } else { Err(broken) }
    }

    /// The password, for the one place that hashes it.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(password: &str) -> Vec<PasswordRule> {
        let anna = UserName::parse("anna").unwrap();
        NewPassword::parse(&Secret::new(password.into()), &anna).err().unwrap_or_default()
    }

    #[test]
    fn r147_is_the_floor_and_every_broken_rule_is_named() {
        assert_eq!(broken("Correct horse 7"), []);
        assert_eq!(broken("Sieben7!"), []);
        assert_eq!(broken("Kurz7!x"), [PasswordRule::Length]);
        assert_eq!(broken("keingross7!"), [PasswordRule::UpperCase]);
        assert_eq!(broken("Keineziffer!"), [PasswordRule::Digit]);
        assert_eq!(broken("Keinzeichen7"), [PasswordRule::Special]);
        assert_eq!(broken("Anna-1234-x"), [PasswordRule::AccountName]);
        assert_eq!(broken(&"Aa1!".repeat(65)), [PasswordRule::TooLong]);
        assert_eq!(broken("").len(), 4);
    }

    #[test]
    fn an_account_name_is_safe_in_a_file_a_log_and_a_page() {
        assert_eq!(UserName::parse(" Anna.B ").map(|n| n.to_string()), Ok("anna.b".into()));
        for text in ["", "1anna", "anna b", "anna\n", "anna:x", "änna", "<b>", "..", &"a".repeat(33)] {
            // A trailing line break is white space around the name and is dropped.
            assert_eq!(UserName::parse(text).is_ok(), text == "anna\n", "{text:?}");
        }
    }
}
