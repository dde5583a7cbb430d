//! Hashes and checks passwords with Argon2id (RFC 9106). The only module that sees one in the clear.

use crate::limits;
use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use psa_model::account::NewPassword;
use psa_model::secret::Secret;
use std::sync::{Condvar, Mutex, PoisonError};
use thiserror::Error;

/// Bytes of a salt (RFC 9106 section 3.1).
pub const SALT: usize = 16;

/// A password could not be hashed.
#[derive(Debug, Error)]
#[error("Argon2id failed: {0}")]
pub struct HashError(String);

/// What one hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Cost {
    /// The appliance's cost.
    pub const PRODUCT: Self = Self { memory_kib: limits::HASH_MEMORY_KIB, passes: limits::HASH_PASSES };
}

/// Hashes passwords, at most [`limits::MAX_HASHING`] at once.
pub struct Hasher {
    argon2: Argon2<'static>,
    cost: Cost,
    /// The hash of nothing that anybody knows: an unknown name is checked against it, and takes as long as a known one.
    dummy: Secret,
    running: Mutex<usize>,
    ended: Condvar,
}

impl Hasher {
    /// Makes a hasher; `random` is a salt that nothing else uses.
    ///
    /// # Errors
    /// When Argon2 does not take the cost.
    pub fn new(cost: Cost, random: [u8; SALT]) -> Result<Self, HashError> {
        let fail = |error: argon2::Error| HashError(error.to_string());
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(fail)?;
        let dummy = dummy(&params, random).map_err(|error| HashError(error.to_string()))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Ok(Self { argon2, cost, dummy, running: Mutex::new(0), ended: Condvar::new() })
    }

    /// Hashes a password into a PHC string.
    ///
    /// # Errors
    /// When Argon2 fails.
    pub fn hash(&self, password: &NewPassword, salt: [u8; SALT]) -> Result<Secret, HashError> {
        let _turn = self.turn();
        hash(&self.argon2, password.secret().expose().as_bytes(), &salt)
    }

    /// Whether the password is the one of the hash. Without a hash it takes as long, and says no.
    #[must_use]
    pub fn is_password(&self, typed: &Secret, hash: Option<&Secret>) -> bool {
        let _turn = self.turn();
        let text = hash.unwrap_or(&self.dummy).expose();
        // The comparison inside is constant-time; the cost is that of the hash, not of this hasher.
        let matches = PasswordHash::new(text)
            .is_ok_and(|parsed| self.argon2.verify_password(typed.expose().as_bytes(), &parsed).is_ok());
        matches && hash.is_some()
    }

    /// Whether a hash was made with another cost, and is made again when its password is known.
    #[must_use]
    pub fn is_outdated(&self, hash: &Secret) -> bool {
        let Cost { memory_kib, passes } = self.cost;
        !hash.expose().starts_with(&format!("$argon2id$v=19$m={memory_kib},t={passes},p=1$"))
    }

    fn turn(&self) -> Turn<'_> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while *running >= limits::MAX_HASHING {
            running = self.ended.wait(running).unwrap_or_else(PoisonError::into_inner);
        }
        *running = running.saturating_add(1);
        Turn(self)
    }
}

/// A place among those that hash.
struct Turn<'a>(&'a Hasher);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        *running = running.saturating_sub(1);
        self.0.ended.notify_one();
    }
}

/// A hash of the product's form that no password has: its output is the salt, not worked out. Costs nothing to make.
fn dummy(params: &Params, random: [u8; SALT]) -> Result<Secret, argon2::password_hash::Error> {
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: params.try_into()?,
        salt: Some(Salt::new(&random)?),
        hash: Some(Output::new(&[random, random].concat())?),
    };
    Ok(Secret::new(hash.to_string()))
}

fn hash(argon2: &Argon2<'_>, password: &[u8], salt: &[u8]) -> Result<Secret, HashError> {
    argon2
        .hash_password_with_salt(password, salt)
        .map(|hash| Secret::new(hash.to_string()))
        .map_err(|error| HashError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use psa_model::account::UserName;

    fn password(text: &str) -> NewPassword {
        NewPassword::parse(&Secret::new(text.into()), &UserName::parse("anna").unwrap()).unwrap()
    }

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1 };

    #[test]
    fn the_product_hashes_with_64_mib_and_three_passes() {
        let hasher = Hasher::new(Cost::PRODUCT, [1; SALT]).unwrap();
        let hash = hasher.hash(&password("Correct horse 7"), [7; SALT]).unwrap();
        assert!(hash.expose().starts_with("$argon2id$v=19$m=65536,t=3,p=1$"), "{}", hash.expose());
        assert!(hasher.is_password(&Secret::new("Correct horse 7".into()), Some(&hash)));
        assert!(!hasher.is_outdated(&hash));
    }

    #[test]
    fn a_wrong_password_and_an_unknown_account_are_refused() {
        let hasher = Hasher::new(CHEAP, [1; SALT]).unwrap();
        let hash = hasher.hash(&password("Correct horse 7"), [7; SALT]).unwrap();
        for wrong in ["", "correct horse 7", "Correct horse 7 "] {
            assert!(!hasher.is_password(&Secret::new(wrong.into()), Some(&hash)), "{wrong:?}");
        }
        assert!(!hasher.is_password(&Secret::new("Correct horse 7".into()), None));
        assert!(!hasher.is_password(&Secret::new("Correct horse 7".into()), Some(&Secret::new("damaged".into()))));
        assert!(Hasher::new(Cost { memory_kib: 128, passes: 1 }, [1; SALT]).unwrap().is_outdated(&hash));
    }

    #[test]
    fn an_unknown_account_costs_the_same_work_as_a_known_one() {
        let hasher = Hasher::new(CHEAP, [1; SALT]).unwrap();
        let known = hasher.hash(&password("Correct horse 7"), [7; SALT]).unwrap();
        let parts = |hash: &Secret| {
            let parsed = PasswordHash::new(hash.expose()).unwrap();
            (parsed.algorithm, parsed.version, parsed.params, parsed.hash.unwrap().as_bytes().len())
        };
        assert_eq!(parts(&hasher.dummy), parts(&known));
    }

    #[test]
    fn no_more_than_the_limit_hash_at_once() {
        let hasher = Hasher::new(CHEAP, [1; SALT]).unwrap();
        std::thread::scope(|scope| {
            let turns: Vec<_> = (0..limits::MAX_HASHING).map(|_| hasher.turn()).collect();
            let third = scope.spawn(|| hasher.is_password(&Secret::new("x".into()), None));
            assert!(!third.is_finished(), "it waits for a turn");
            assert_eq!(*hasher.running.lock().unwrap(), limits::MAX_HASHING);
            drop(turns);
            assert!(!third.join().unwrap());
        });
        assert_eq!(*hasher.running.lock().unwrap(), 0);
    }
}
