//! The second factor: codes of an authenticator app (RFC 6238: SHA-1, 6 digits, 30 seconds).

use crate::clock::Micros;
use totp_rs::{Builder, Secret, Totp};

/// Bytes of a secret.
pub const SECRET_BYTES: usize = 20;
/// Codes of the step before and after are taken too, for clocks that differ.
const SKEW: u16 = 1;
const STEP_SECONDS: u64 = 30;
/// What an authenticator app calls us.
const ISSUER: &str = "Slotwright";
/// How many recovery codes are handed out at once.
pub const RECOVERY_CODES: usize = 10;

/// An authenticator app's secret.
#[derive(Debug)]
pub struct Authenticator(Totp);

impl Authenticator {
    /// From fresh random bytes, for the person who signs in as `username`.
    pub fn new(random: [u8; SECRET_BYTES], username: &str) -> Option<Self> {
        Self::build(Secret::from(random), username)
    }

    /// From what is stored.
    pub fn stored(base32: &str, username: &str) -> Option<Self> {
        Self::build(Secret::try_from_base32(base32).ok()?, username)
    }

    fn build(secret: Secret, username: &str) -> Option<Self> {
        // The colon separates issuer and name in the URI.
        let name = username.replace(':', "_");
        let builder = Builder::new()
            .with_secret(secret)
            .with_skew(SKEW)
            .with_step_duration(STEP_SECONDS)
            .with_account_name(name.as_str())
            .with_issuer(Some(ISSUER));
        builder.build().ok().map(Self)
    }

    /// The secret in base32: what is stored, and typed by whoever can't open the URI.
    pub fn base32(&self) -> String {
        self.0.secret().to_base32()
    }

    /// The `otpauth:` URI that an authenticator app opens.
    pub fn uri(&self) -> Option<String> {
        self.0.to_url().ok()
    }

    /// The time step whose code this is, if it is valid at `now` and later than the step `after`: a code is
    /// good once.
    pub fn step_of(&self, code: &str, now: Micros, after: i64) -> Option<i64> {
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let seconds = u64::try_from(now / 1_000_000).ok()?;
        let step = i64::try_from(self.0.check(&code, seconds)?).ok()?;
        (step > after).then_some(step)
    }

    /// The code at `now`, as the person's app shows it.
    pub fn code(&self, now: Micros) -> String {
        self.0.generate(u64::try_from(now / 1_000_000).unwrap_or_default()).to_string()
    }
}

/// Ten random bytes as a code that can be copied from paper: four groups of four, without letters and digits
/// that look alike.
pub fn recovery_code(random: [u8; 10]) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    let bits = random.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let mut code = String::with_capacity(19);
    for group in 0..16_u32 {
        if group > 0 && group % 4 == 0 {
            code.push('-');
        }
        let index = usize::try_from(bits >> (5 * (15 - group)) & 31).unwrap_or_default();
        code.push(LETTERS.get(index).copied().map_or('a', char::from));
    }
    code
}

/// A recovery code as it was handed out, however it was typed.
pub fn folded_recovery_code(typed: &str) -> String {
    let letters: Vec<char> =
        typed.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the SHA-1 vectors, last six digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let app = Authenticator::new(*b"12345678901234567890", "ana").unwrap();
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(app.code(seconds * 1_000_000), code);
            assert_eq!(app.step_of(code, seconds * 1_000_000, 0), Some(seconds / 30));
        }
    }

    #[test]
    fn a_code_is_good_once_and_not_for_long() {
        let app = Authenticator::new([9; 20], "ana").unwrap();
        let now = 1_900_000_000_000_000;
        let code = app.code(now);
        let step = app.step_of(&format!(" {} {} ", &code[..3], &code[3..]), now, 0).unwrap();
        assert_eq!(app.step_of(&code, now, step), None, "a replay");
        assert_eq!(app.step_of(&code, now + 30_000_000, 0), Some(step), "a clock that is late");
        assert_eq!(app.step_of(&code, now + 90_000_000, 0), None);
        assert_eq!(app.step_of("12345", now, 0), None);
    }

    #[test]
    fn a_secret_survives_storage_and_the_uri_names_it() {
        let app = Authenticator::new([5; 20], "a:b").unwrap();
        let stored = Authenticator::stored(&app.base32(), "a:b").unwrap();
        assert_eq!(stored.code(0), app.code(0));
        let uri = app.uri().unwrap();
        assert!(uri.starts_with("otpauth://totp/Slotwright:a_b?secret="), "{uri}");
        assert!(Authenticator::stored("not base32!", "a").is_none());
    }

    #[test]
    fn recovery_codes_can_be_copied_by_hand() {
        assert_eq!(recovery_code([0; 10]), "aaaa-aaaa-aaaa-aaaa");
        assert_eq!(recovery_code([0xff; 10]), "9999-9999-9999-9999");
        assert_eq!(folded_recovery_code(" AAAA aaaaaaaa-aaaa"), "aaaa-aaaa-aaaa-aaaa");
    }
}
