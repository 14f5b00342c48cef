//! What a verification found, in words.

use std::fmt;

/// Findings that are kept; the rest is counted.
const KEPT: usize = 10_000;

/// Something that is not as it was when it was logged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The place in the log where it is, when that is known.
    pub seq: Option<u64>,
    /// What is wrong, with the place and the event's id.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The result of a verification. Only without findings does all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Events whose content was looked at.
    pub events: u64,
    /// Leaves of events that were lawfully deleted.
    pub purged: u64,
    /// Checkpoints whose signature holds.
    pub checkpoints: u64,
    /// The leaves of the newest checkpoint.
    pub size: u64,
    /// What is wrong: by place, and at the end what has none.
    pub findings: Vec<Finding>,
    /// How many more findings there are than these.
    pub more: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn holds(&self) -> bool {
        self.findings.is_empty() && self.more == 0
    }

    /// Adds a finding, about the event or leaf at `seq`.
    pub fn found(&mut self, seq: impl Into<Option<u64>>, text: String) {
        if self.findings.len() < KEPT {
            self.findings.push(Finding { seq: seq.into(), text });
        } else {
            self.more += 1;
        }
    }

    /// Puts the findings in order, without repetitions.
    pub(super) fn sort(&mut self) {
        self.findings.sort_by(|a, b| (a.seq.is_none(), a).cmp(&(b.seq.is_none(), b)));
        self.findings.dedup();
    }
}
