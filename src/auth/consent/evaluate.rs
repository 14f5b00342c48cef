//! What the rules of a consent say to one request.

use super::{Actor, Consent, Effect, Limit, Purpose, Rule, Use};
use crate::auth::principal::{Principal, Role, Who};
use crate::clock::Micros;

/// What a consent says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It permits, as far as roles and scopes do.
    Permit,
    /// It denies.
    Deny,
    /// Nothing.
    Silent,
}

/// Whoever asks, as far as consents tell people and clients apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Asker {
    /// The resource that stands for the person, as type and id.
    pub(super) user: Option<(String, String)>,
    /// The client that they come through, or that acts for itself.
    pub(super) client: Option<String>,
    /// Organizations that roles are limited to.
    pub(super) organizations: Vec<String>,
    /// Whether a role is limited to none.
    pub(super) anywhere: bool,
    /// Whether it is a person, not a client on its own account.
    pub(super) is_person: bool,
}

impl Asker {
    /// Whoever makes a request. Being a patient is no role of the staff's.
    pub fn of(principal: &Principal) -> Self {
        let roles = principal.roles.iter().filter(|grant| grant.role != Role::Patient);
        let mut organizations: Vec<String> =
            roles.clone().filter_map(|grant| grant.organization.clone()).collect();
        organizations.sort();
        Self {
            user: principal.fhir_user.clone(),
            client: principal.client.clone(),
            organizations,
            anywhere: roles.into_iter().any(|grant| grant.organization.is_none()),
            is_person: matches!(principal.who, Who::Account(_)),
        }
    }
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) asker: &'a Asker,
    pub(super) of: Use,
    pub(super) rtype: &'a str,
    pub(super) now: Micros,
}

/// Whether a condition applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Applies {
    Yes,
    No,
    /// It can't be judged.
    Perhaps,
}

impl From<bool> for Applies {
    fn from(applies: bool) -> Self {
        if applies { Self::Yes } else { Self::No }
    }
}

impl Consent {
    /// What it says.
    pub(super) fn decide(&self, question: Question<'_>) -> Decision {
        if !holds(self.during, question.now) {
            return Decision::Silent;
        }
        match self.root.decide(question) {
            Some(Effect::Permit) => Decision::Permit,
            Some(Effect::Deny) => Decision::Deny,
            None if self.denies_rest => Decision::Deny,
            None => Decision::Silent,
        }
    }

    /// Whether it may deny anything to anybody.
    pub(super) fn may_deny(&self) -> bool {
        self.denies_rest || self.root.may_deny()
    }

    /// The times at which what it says may change.
    pub(super) fn turns(&self) -> Vec<Micros> {
        let mut turns = vec![self.during.lo, self.during.hi];
        self.root.turns(&mut turns);
        turns
    }
}

fn holds(during: crate::fhir::date::Interval, now: Micros) -> bool {
    during.lo <= now && now < during.hi
}

impl Rule {
    /// The effect for one request; none where it does not apply.
    fn decide(&self, question: Question<'_>) -> Option<Effect> {
        let applies = every(self.conditions.iter().map(|limit| limit.applies(question)));
        if applies == Applies::No {
            return None;
        }
        // Among exceptions a deny wins.
        let told = self.exceptions.iter().filter_map(|rule| rule.decide(question));
        let excepted = told.reduce(|one, other| if one == Effect::Deny { one } else { other });
        match (applies, self.effect) {
            // A permit that may not apply gives nothing, yet what is excepted from it stays denied.
            (Applies::Perhaps, Effect::Permit) => excepted.filter(|effect| *effect == Effect::Deny),
            _ => excepted.or(Some(self.effect)),
        }
    }

    fn may_deny(&self) -> bool {
        self.effect == Effect::Deny || self.exceptions.iter().any(Self::may_deny)
    }

    fn turns(&self, turns: &mut Vec<Micros>) {
        for limit in &self.conditions {
            if let Limit::Period(period) = limit {
                turns.extend([period.lo, period.hi]);
            }
        }
        for rule in &self.exceptions {
            rule.turns(turns);
        }
    }
}

impl Limit {
    fn applies(&self, question: Question<'_>) -> Applies {
        let asker = question.asker;
        match self {
            Self::Period(during) => holds(*during, question.now).into(),
            Self::Actor(actors) => some(actors.iter().map(|actor| actor.is(asker))),
            Self::Action(uses) => {
                some(uses.iter().map(|of| of.map_or(Applies::Perhaps, |of| (of == question.of).into())))
            }
            Self::Purpose(purposes) => some(purposes.iter().map(|purpose| match purpose {
                Purpose::Treatment if asker.is_person => Applies::Yes,
                Purpose::Other if asker.is_person => Applies::No,
                Purpose::Emergency => Applies::No,
                _ => Applies::Perhaps,
            })),
            Self::Class(classes) => some(classes.iter().map(|class| match class {
                Some(rtype) => (rtype == question.rtype).into(),
                None => Applies::Perhaps,
            })),
            Self::Unjudgeable => Applies::Perhaps,
        }
    }
}

impl Actor {
    /// Whether it is whoever asks.
    fn is(&self, asker: &Asker) -> Applies {
        match self {
            Self::Person(rtype, id) => match &asker.user {
                Some((own, own_id)) if own == rtype => (own_id == id).into(),
                // One is a role of somebody, and whose is not known here.
                Some((own, _)) if own.starts_with("Practitioner") && rtype.starts_with("Practitioner") => {
                    Applies::Perhaps
                }
                _ => Applies::No,
            },
            Self::Organization(id) if asker.organizations.contains(id) => Applies::Yes,
            Self::Organization(_) if asker.anywhere => Applies::Perhaps,
            Self::Organization(_) => Applies::No,
            Self::Client(id) => (asker.client.as_ref() == Some(id)).into(),
            Self::Unjudgeable => Applies::Perhaps,
        }
    }
}

/// Whether one of several alternatives applies.
fn some(all: impl Iterator<Item = Applies>) -> Applies {
    all.fold(Applies::No, |before, one| match (before, one) {
        (Applies::Yes, _) | (_, Applies::Yes) => Applies::Yes,
        (Applies::Perhaps, _) | (_, Applies::Perhaps) => Applies::Perhaps,
        _ => Applies::No,
    })
}

/// Whether all conditions apply.
fn every(all: impl Iterator<Item = Applies>) -> Applies {
    all.fold(Applies::Yes, |before, one| match (before, one) {
        (Applies::No, _) | (_, Applies::No) => Applies::No,
        (Applies::Perhaps, _) | (_, Applies::Perhaps) => Applies::Perhaps,
        _ => Applies::Yes,
    })
}
