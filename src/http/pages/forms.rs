//! What the templates of forms are given.

use super::PageError;
use super::visit::Visit;
use super::words::Words;
use crate::app::account::{AccountError, principal};
use crate::auth::access::Access;
use crate::auth::password::Weakness;
use crate::auth::rule::{Act, Area};

/// Around every page.
pub(super) struct Frame {
    pub(super) words: Words,
    /// The name of whoever is signed in.
    pub(super) name: Option<String>,
    /// Whether they may declare emergencies.
    pub(super) declares: bool,
    /// Whether they may look at those that were declared.
    pub(super) reviews: bool,
    /// Whether they may read the whole audit log.
    pub(super) audits: bool,
    /// Whether they may see how notifications reach their subscribers.
    pub(super) delivers: bool,
    /// [`Visit::form_token`].
    pub(super) token: String,
}

impl Frame {
    pub(super) fn of(visit: &Visit) -> Self {
        let access = visit.live.as_ref().map(|live| Access::of(principal(live), visit.http.app.policy));
        let may = |act| access.as_ref().is_some_and(|access| access.may_in(act, Area::Emergencies));
        Self {
            words: visit.words.clone(),
            declares: may(Act::Create),
            reviews: may(Act::Read),
            audits: access.as_ref().is_some_and(Access::may_audit),
            delivers: access.as_ref().is_some_and(|access| access.may_in(Act::Read, Area::Deliveries)),
            name: visit.live.as_ref().map(|live| live.account.name.clone()),
            token: visit.form_token(),
        }
    }
}

/// Something wrong with a form.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    /// `id` of the field that it is about.
    pub(super) field: &'static str,
    /// What is wrong, and what would be right.
    pub(super) text: String,
}

impl Problem {
    pub(super) fn new(words: &Words, field: &'static str, id: &str) -> Self {
        Self { field, text: words.t(id) }
    }
}

/// What is wrong with a form.
#[derive(Clone, Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn none() -> Self {
        Self::default()
    }

    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn all(&self) -> &[Problem] {
        &self.0
    }

    /// Whether one is about the field with this `id`.
    pub(super) fn about(&self, field: &str) -> bool {
        self.0.iter().any(|problem| problem.field == field)
    }

    pub(super) fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// A problem with what was typed, and how many seconds to wait; an error when it is not the person's.
pub(super) fn problem(
    visit: &Visit,
    error: AccountError,
    field: &'static str,
    wrong: &str,
) -> Result<(Problem, Option<i64>), PageError> {
    let words = &visit.words;
    match error {
        AccountError::Wrong => Ok((Problem::new(words, field, wrong), None)),
        AccountError::Wait { until } => {
            let seconds = (until - visit.http.app.clock.now()) / 1_000_000 + 1;
            let text = if seconds < 60 {
                words.number("error-wait-seconds", "count", seconds)
            } else {
                words.number("error-wait-minutes", "count", (seconds + 59) / 60)
            };
            Ok((Problem { field, text }, Some(seconds)))
        }
        other => Err(other.into()),
    }
}

/// What is wrong with a new password.
pub(super) fn weakness(words: &Words, weakness: Weakness) -> Problem {
    let id = match weakness {
        Weakness::Short => "password-short",
        Weakness::Long => "password-long",
        Weakness::Username => "password-username",
        Weakness::Common => "password-common",
    };
    Problem::new(words, "new-password", id)
}
