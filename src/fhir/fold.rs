//! How texts are folded before they are indexed or looked for, so that both sides meet.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longest folded string that is kept, in characters; a longer search value is cut in the same place.
const LONGEST_NORM: usize = 200;
/// Longest key that is kept as it is, in bytes: a B-tree entry of PostgreSQL takes 2,704.
const LONGEST_KEY: usize = 512;

/// A string as string search compares it: lower case, accents and punctuation removed, white space folded
/// (R4 `search.html#string`).
pub fn norm(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    let mut length = 0;
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        if matches!(c, '\'' | '’' | '.' | '`') {
            continue;
        }
        if !c.is_alphanumeric() {
            gap = !out.is_empty();
            continue;
        }
        if gap {
            out.push(' ');
            length += 1;
        }
        gap = false;
        out.push(c);
        length += 1;
        if length >= LONGEST_NORM {
            break;
        }
    }
    out
}

/// A token, uri or identifier as it is compared: as it is, unless it is too long for an index, when a digest
/// stands for its tail. NUL, which PostgreSQL can't store, is dropped.
pub fn key(text: &str) -> String {
    let text = if text.contains('\0') { text.replace('\0', "") } else { text.to_owned() };
    if text.len() <= LONGEST_KEY {
        return text;
    }
    let mut end = LONGEST_KEY / 2;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let digest = Sha256::digest(text.as_bytes());
    let mut short = text.get(..end).unwrap_or_default().to_owned();
    for byte in digest {
        let _ = write!(short, "{byte:02x}");
    }
    short
}

/// A code as it is compared: [`key`], without case.
pub fn code(text: &str) -> String {
    key(&text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_meet_however_they_are_written() {
        assert_eq!(norm("  Zoë   O'Brien-Müller "), "zoe obrien muller");
        assert_eq!(norm("Ｄｒ. Łukasz"), "dr łukasz");
        assert_eq!(norm("!?"), "");
        assert_eq!(norm(&"é".repeat(1000)).chars().count(), LONGEST_NORM);
    }

    #[test]
    fn long_keys_stay_distinct() {
        let (a, b) = ("é".repeat(600) + "a", "é".repeat(600) + "b");
        assert!(key(&a) != key(&b) && key(&a).len() <= LONGEST_KEY);
        assert_eq!(key("a\0b"), "ab");
        assert_eq!(code("BOOKED"), "booked");
    }
}
