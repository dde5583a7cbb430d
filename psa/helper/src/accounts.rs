//! The accounts in their store, and the setup code that stands in for them until the first one exists.

use crate::store::{Batch, Durable, StoreError};
use jiff::Timestamp;
use openssl::memcmp;
use psa_model::account::{Role, UserName};
use psa_model::secret::Secret;
use psa_model::setup;
use serde::{Deserialize, Serialize};

const SETUP_CODE: &str = "setup_code";
const PREFIX: &str = "account/";

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name.
    pub name: UserName,
    /// What it may do.
    pub role: Role,
    /// Argon2id, as a PHC string.
    pub password: Secret,
    /// When it was created.
    pub created: Timestamp,
}

/// The accounts in their store.
#[derive(Clone, Copy)]
pub struct Accounts<'a>(pub &'a Durable);

impl Accounts<'_> {
    /// One account.
    ///
    /// # Errors
    /// When the store fails.
    pub fn get(&self, name: &UserName) -> Result<Option<Account>, StoreError> {
        self.0.get(&key(name))
    }

    /// Whether nobody has an account yet.
    ///
    /// # Errors
    /// When the store fails.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.0.scan::<Account>(PREFIX)?.is_empty())
    }

    /// The setup code, until the first account exists.
    ///
    /// # Errors
    /// When the store fails.
    pub fn setup_code(&self) -> Result<Option<Secret>, StoreError> {
        self.0.get(SETUP_CODE)
    }

    /// Stores a setup code.
    ///
    /// # Errors
    /// When the store fails.
    pub fn set_setup_code(&self, code: &Secret) -> Result<(), StoreError> {
        self.0.write(Batch::default().put(SETUP_CODE, code)?)
    }

    /// Stores an account. The setup code goes with it: at no time are there both.
    ///
    /// # Errors
    /// When the store fails.
    pub fn put(&self, account: &Account) -> Result<(), StoreError> {
        self.0.write(Batch::default().put(&key(&account.name), account)?.remove(SETUP_CODE))
    }
}

fn key(name: &UserName) -> String {
    format!("{PREFIX}{name}")
}

/// Whether what was typed is the code, in constant time for codes of the right form.
#[must_use]
pub fn is_setup_code(typed: &Secret, code: &Secret) -> bool {
    setup::normalise(typed.expose()).is_ok_and(|typed| {
        let (typed, code) = (typed.expose().as_bytes(), code.expose().as_bytes());
        typed.len() == code.len() && memcmp::eq(typed, code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;

    #[test]
    fn the_first_account_takes_the_setup_code_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Durable::open(&Disk::new(folder.path()), folder.path()).unwrap().0;
        let accounts = Accounts(&store);
        accounts.set_setup_code(&setup::make(&[7; setup::LENGTH])).unwrap();
        assert!(accounts.is_empty().unwrap() && accounts.setup_code().unwrap().is_some());
        let account = Account {
            name: UserName::parse("anna").unwrap(),
            role: Role::Administrator,
            password: Secret::new("$argon2id$".into()),
            created: Timestamp::UNIX_EPOCH,
        };
        accounts.put(&account).unwrap();
        assert_eq!(accounts.setup_code().unwrap(), None);
        assert_eq!(accounts.get(&account.name).unwrap(), Some(account));
        assert!(!accounts.is_empty().unwrap());
        let export = std::fs::read_to_string(folder.path().join("export.json")).unwrap();
        assert!(!export.contains("7777"), "{export}");
    }

    #[test]
    fn only_the_code_itself_is_the_code() {
        let code = setup::make(&[7; setup::LENGTH]);
        assert!(is_setup_code(&Secret::new("7777 7777 7777 7777".into()), &code));
        for wrong in ["", "7777-7777-7777-7778", "7777", "7777-7777-7777-7777-7"] {
            assert!(!is_setup_code(&Secret::new(wrong.into()), &code), "{wrong:?}");
        }
    }
}
