//! Passwords: which are taken, and argon2id over them.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// Fewest characters of a password.
pub const SHORTEST: usize = 12;
/// Most bytes of a password that is read at all.
pub const LONGEST: usize = 256;

// 19 MiB and two passes: enough against a stolen table, little enough for a busy Monday morning.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Words that attackers try first; a password built on one of them is refused unless it is long.
const COMMON: &[&str] = &[
    "password",
    "passwort",
    "contrasena",
    "contraseña",
    "qwerty",
    "qwertz",
    "asdfgh",
    "letmein",
    "welcome",
    "bienvenido",
    "iloveyou",
    "tequiero",
    "admin",
    "slotwright",
    "1234",
    "abcd",
];

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// Fewer than [`SHORTEST`] characters.
    Short,
    /// More than [`LONGEST`] bytes.
    Long,
    /// Contains the username.
    Username,
    /// Little more than a common word or the same few characters.
    Common,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => write!(f, "a password must have at least {SHORTEST} characters"),
            Self::Long => write!(f, "a password must have at most {LONGEST} bytes"),
            Self::Username => f.write_str("a password must not contain the username"),
            Self::Common => f.write_str("this password is among the first that anybody would try"),
        }
    }
}

/// The same characters however a keyboard composed them.
fn normal(password: &str) -> String {
    password.nfkc().collect()
}

/// Whether a password may be chosen by whoever signs in as `username`.
///
/// # Errors
/// The first weakness found.
pub fn judge(password: &str, username: &str) -> Result<(), Weakness> {
    let folded = normal(password).to_lowercase();
    let length = folded.chars().count();
    if password.len() > LONGEST {
        return Err(Weakness::Long);
    }
    if length < SHORTEST {
        return Err(Weakness::Short);
    }
    if username.chars().count() > 2 && folded.contains(&username.to_lowercase()) {
        return Err(Weakness::Username);
    }
    let rest = COMMON.iter().fold(folded.clone(), |rest, word| rest.replace(word, ""));
    let mut kinds: Vec<char> = folded.chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() < 5 || rest.chars().count() < SHORTEST / 2 {
        return Err(Weakness::Common);
    }
    Ok(())
}

fn hasher() -> Result<Argon2<'static>, argon2::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The argon2id hash of a password as a PHC string. Takes tens of milliseconds: call it where blocking is
/// allowed.
///
/// # Errors
/// When the hasher can't be set up; the text is for the log.
pub fn hash(password: &str, salt: &[u8; 16]) -> Result<String, String> {
    let hasher = hasher().map_err(|error| error.to_string())?;
    let hashed = hasher.hash_password_with_salt(normal(password).as_bytes(), salt);
    hashed.map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

/// Whether `password` is the one behind `hash`. Without a hash the same work is done, and the answer is no: so
/// the time does not tell whether there is an account.
pub fn matches(password: &str, hash: Option<&str>) -> bool {
    let Ok(hasher) = hasher() else { return false };
    let password = normal(password);
    let known = hash.and_then(|hash| PasswordHash::new(hash).ok());
    if let Some(known) = known {
        return hasher.verify_password(password.as_bytes(), &known).is_ok();
    }
    let _ = std::hint::black_box(hasher.hash_password_with_salt(password.as_bytes(), &[0; 16]));
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_knows_its_password_however_it_was_composed() {
        let hash = hash("caf\u{e9} con leche fr\u{ed}o", &[7; 16]).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(matches("cafe\u{301} con leche fri\u{301}o", Some(&hash)));
        assert!(!matches("cafe con leche frio", Some(&hash)));
        assert!(!matches("", None));
        assert!(!matches("x", Some("not a hash")));
    }

    #[test]
    fn weak_passwords_are_refused() {
        assert_eq!(judge("short", "ana"), Err(Weakness::Short));
        assert_eq!(judge(&"x".repeat(300), "ana"), Err(Weakness::Long));
        assert_eq!(judge("Maria.Lopez and more", "maria.lopez"), Err(Weakness::Username));
        assert_eq!(judge("Password1234!", "ana"), Err(Weakness::Common));
        assert_eq!(judge("aaaaaaaaaaaaaaa", "ana"), Err(Weakness::Common));
        assert_eq!(judge("correct horse battery", "ana"), Ok(()));
        assert_eq!(judge("la lluvia en sevilla", "ana"), Ok(()));
    }
}
