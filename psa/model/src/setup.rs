//! The one-time setup code that a machine shows on its console until the first administrator exists.

use crate::secret::Secret;
use thiserror::Error;

/// Letters of a code: Crockford's base 32, which has no I, L, O or U, so that a code read from a screen cannot be
/// mistaken.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Characters in a code, without dashes: 16 of 5 bits are 80 bits, beyond guessing even without the login delay.
pub const LENGTH: usize = 16;

/// Bytes of randomness that a code is made of: one a character, of which five bits are used.
pub type Entropy = [u8; LENGTH];

/// The text is no setup code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Enter the setup code as the console shows it: four groups of four letters and digits")]
pub struct NotASetupCode;

/// Makes a code such as `7K2M-Q9XD-44TB-PZ0R` from random bytes.
#[must_use]
pub fn make(entropy: &Entropy) -> Secret {
    let mut code = String::with_capacity(LENGTH + 3);
    for (at, byte) in entropy.iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            code.push('-');
        }
        let letter = ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'0');
        code.push(char::from(letter));
    }
    Secret::new(code)
}

/// Brings what a person typed into the form that [`make`] gives: any case, any dashes and spaces, and O, I and L read
/// as the digits they look like.
///
/// # Errors
/// When it has another length or another letter.
pub fn normalise(typed: &str) -> Result<Secret, NotASetupCode> {
    let mut entropy: Entropy = [0; LENGTH];
    let mut letters = typed.chars().filter(|c| !c.is_whitespace() && *c != '-');
    for slot in &mut entropy {
        let letter = match letters.next().ok_or(NotASetupCode)?.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let value = ALPHABET.iter().position(|a| char::from(*a) == letter).ok_or(NotASetupCode)?;
        *slot = u8::try_from(value).map_err(|_| NotASetupCode)?;
    }
    if letters.next().is_some() { Err(NotASetupCode) } else { Ok(make(&entropy)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_typed_in_any_way_is_the_same_code() {
        let code = make(&[7, 20, 2, 21, 24, 9, 30, 13, 4, 4, 27, 11, 23, 31, 0, 1]);
        assert_eq!(code.expose(), "7M2N-R9YD-44VB-QZ01");
        for typed in ["7M2N-R9YD-44VB-QZ01", "7m2nr9yd44vbqzol", " 7M2N R9YD 44VB QZO1 "] {
            assert_eq!(normalise(typed), Ok(code.clone()), "{typed}");
        }
    }

    #[test]
    fn other_lengths_and_letters_are_refused() {
        for typed in ["", "7M2N-R9YD-44VB-QZ0", "7M2N-R9YD-44VB-QZ012", "7M2N-R9YD-44VB-QZ0U", "7M2N-R9YD-44VB-QZ0é"] {
            assert_eq!(normalise(typed), Err(NotASetupCode), "{typed}");
        }
    }
}
