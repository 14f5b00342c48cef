//! Emergencies ("break-glass"): a clinician reaches the record of one patient for a limited time, gives a reason
//! and is reviewed. Bounded by role and organisation; see `clinician-in-an-emergency` in `policies.cedar`.

use super::principal::{Role, RoleGrant};
use crate::clock::Micros;

/// The longest that an emergency lasts, in minutes.
pub const LONGEST_MINUTES: u32 = 60;
/// How long a reason must and may be, in characters.
pub const REASON: std::ops::RangeInclusive<usize> = 10..=500;
/// The longest note of a review, in characters.
pub const LONGEST_NOTE: usize = 1000;
/// The code system of purposes of use.
pub const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

/// Why the record is needed (HL7 v3 `ActReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Emergency treatment.
    EmergencyTreatment,
    /// Another reason that can't wait: break the glass.
    BreakTheGlass,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 2] = [Self::EmergencyTreatment, Self::BreakTheGlass];

    /// The code of `ActReason`.
    pub fn code(self) -> &'static str {
        match self {
            Self::EmergencyTreatment => "ETREAT",
            Self::BreakTheGlass => "BTG",
        }
    }

    /// The purpose with this [`Purpose::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.code() == code)
    }
}

/// An emergency that is running for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emergency {
    /// Its id, under which it is reviewed.
    pub id: String,
    /// Logical id of the one patient whom it is about.
    pub patient: String,
    /// Why the record is needed.
    pub purpose: Purpose,
    /// When it ends at the latest.
    pub until: Micros,
}

impl Emergency {
    /// The emergency of somebody with these roles as it counts at `now`: not without the role, not after its end.
    pub fn counting(found: Option<Self>, roles: &[RoleGrant], now: Micros) -> Option<Self> {
        let is_clinician = roles.iter().any(|grant| grant.role == Role::Clinician);
        found.filter(|emergency| is_clinician && emergency.until > now)
    }
}

/// What a review comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finding {
    /// The record was needed.
    Justified,
    /// It was not.
    NotJustified,
}

impl Finding {
    /// Every finding.
    pub const ALL: [Self; 2] = [Self::Justified, Self::NotJustified];

    /// As it is stored and as the API writes it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Justified => "justified",
            Self::NotJustified => "not-justified",
        }
    }

    /// The finding with this [`Finding::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|finding| finding.code() == code)
    }
}

/// What a person typed, on one line: without control characters, and without those that turn or hide text.
pub fn cleaned(text: &str) -> String {
    let plain: String =
        text.chars().filter(|c| !is_hidden(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters that show nothing themselves and change how others are shown.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A reason as it is kept; none when it is too short or too long.
pub fn reason(text: &str) -> Option<String> {
    let cleaned = cleaned(text);
    REASON.contains(&cleaned.chars().count()).then_some(cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_readable_and_bounded() {
        assert_eq!(reason("  Found\tunconscious\r\nat home "), Some("Found unconscious at home".to_owned()));
        assert_eq!(reason("\u{202e}Found\u{200b} unconscious\u{0}"), Some("Found unconscious".to_owned()));
        for short in ["", "          ", "too short", "\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}too short"] {
            assert_eq!(reason(short), None, "{short:?}");
        }
        assert!(reason(&"é".repeat(500)).is_some());
        assert!(reason(&"é".repeat(501)).is_none());
    }

    #[test]
    fn an_emergency_counts_for_clinicians_until_its_end() {
        let emergency = Emergency {
            id: "e".to_owned(),
            patient: "p".to_owned(),
            purpose: Purpose::EmergencyTreatment,
            until: 10,
        };
        let of = |role| [RoleGrant { role, organization: None }];
        let counting = |role, now| Emergency::counting(Some(emergency.clone()), &of(role), now);
        assert_eq!(counting(Role::Clinician, 9), Some(emergency.clone()));
        assert_eq!(counting(Role::Clinician, 10), None);
        assert_eq!(counting(Role::Scheduler, 9), None);
    }
}
