//! The access rules for people: the table that they come to, and why an answer is what it is.

use super::policy::{Grant, Policy, types};
use super::rule::{Act, Area, FilterKind, Subject};
use std::fmt::Write as _;

/// The five acts that the table shows by their letters.
const LETTERS: [(Act, char); 5] =
    [(Act::Create, 'c'), (Act::Read, 'r'), (Act::Update, 'u'), (Act::Delete, 'd'), (Act::Search, 's')];

/// Every role and type with what is permitted; what is not in the table is denied.
pub fn table(policy: &Policy) -> String {
    let mut out = String::new();
    for subject in Subject::all() {
        // Writing to a String can't fail.
        let _ = writeln!(out, "{}", subject.code());
        for name in types().chain(Area::ALL.into_iter().map(Area::code)) {
            for (letters, tied) in lines(policy, subject, name) {
                let _ = writeln!(out, "  {name:<22}{letters:<7}{tied}");
            }
        }
    }
    out
}

/// The lines of one role and type: acts that are tied to the same obligations stand together.
fn lines(policy: &Policy, subject: Subject, name: &'static str) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut add = |act: &str, grant: &Grant| {
        let filter = grant.filter.map(|kind| kind.code().to_owned());
        let cutoff = grant.cutoff.then(|| "until cutoff".to_owned());
        let view = grant.view.map(|view| format!("shows {}", view.code()));
        let tied = filter.into_iter().chain(cutoff).chain(view).collect::<Vec<_>>().join(", ");
        match lines.iter_mut().find(|(_, other)| *other == tied) {
            Some((acts, _)) => acts.push_str(act),
            None => lines.push((act.to_owned(), tied)),
        }
    };
    for (act, letter) in LETTERS {
        for grant in policy.grants(subject, act, name) {
            add(&letter.to_string(), grant);
        }
    }
    for act in [Act::Override, Act::Audit] {
        for grant in policy.grants(subject, act, name) {
            add(&format!(" {}", act.code()), grant);
        }
    }
    lines
}

/// Which rules decide whether a role may do something with a type, in words.
///
/// # Errors
/// A sentence naming the word that rules do not know.
pub fn explain(policy: &Policy, subject: &str, act: &str, name: &str) -> Result<String, String> {
    let of = Subject::from_code(subject).ok_or_else(|| {
        let known: Vec<&str> = Subject::all().map(Subject::code).collect();
        format!("\"{subject:.40}\" is no role; roles are {}", known.join(", "))
    })?;
    let doing = Act::from_code(act).ok_or_else(|| {
        let known: Vec<&str> = Act::ALL.into_iter().map(Act::code).collect();
        format!("\"{act:.40}\" is no action; actions are {}", known.join(", "))
    })?;
    let target = types()
        .chain(Area::ALL.into_iter().map(Area::code))
        .find(|known| *known == name)
        .ok_or_else(|| format!("no rule can speak of \"{name:.40}\""))?;
    let ruling = policy.ruling(of, doing, target);
    let verdict = match ruling {
        Some(ruling) if !ruling.forbidden => "permitted",
        _ => "denied",
    };
    let mut out = format!("{subject} {act} {name}: {verdict}\n");
    let Some(ruling) = ruling else {
        out.push_str("  No rule speaks of it, and what no rule permits is denied.\n");
        return Ok(out);
    };
    for rule in &ruling.rules {
        let _ = writeln!(out, "  {rule}: {}", policy.words(rule));
    }
    for grant in &ruling.grants {
        if let Some(filter) = grant.filter {
            let _ = writeln!(out, "  Only: {}.", meaning(filter));
        }
        if grant.cutoff {
            let _ = writeln!(out, "  Only until booking.patient_cutoff before the appointment begins.");
        }
        if let Some(view) = grant.view {
            let _ = writeln!(out, "  Shows only: {}.", view.code());
        }
    }
    Ok(out)
}

/// A filter in words.
fn meaning(filter: FilterKind) -> &'static str {
    match filter {
        FilterKind::Own => "what is in the compartment of the patient who signed in",
        FilterKind::OwnAlone => {
            "what is in the compartment of the patient who signed in, with no other patient taking part"
        }
        FilterKind::Treated => {
            "what is about patients whom the clinician treats, or in which the clinician takes part"
        }
        FilterKind::Public => "schedules of staff, rooms and services that are in use, and their slots",
        FilterKind::Organization => {
            "what belongs to the organisation that the role was given for, if it was given for one"
        }
        FilterKind::InContext => "what is in the compartment of the patient in context",
        FilterKind::Subscriber => "what whoever asks has set up through the same application",
        FilterKind::Emergency => {
            "what is about the one patient of a running emergency, who belongs to the organisation that the role \
             was given for, if it was given for one"
        }
    }
}
