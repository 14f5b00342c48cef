//! Counting reads of what is about nobody, where the settings ask for it (`audit.summaries`).
//!
//! The one place where something is answered before it is on the record: successful reads of `/metadata` and of slots,
//! schedules, services, locations and organizations that no patient has to do with. They are counted in memory; once a
//! minute is over, one event for each client, person, interaction and type tells how many there were. Whatever ends the
//! process without warning loses the counts of its last minute, and nothing else.

use super::describe::{Asked, actor};
use super::record;
use crate::app::{Answer, App, Context};
use crate::audit::act::Act;
use crate::audit::event::{Actor, Event, Scene};
use crate::clock::{Micros, instant_text};
use crate::fhir::outcome::Error;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Types that speak of no patient, unless they refer to one.
const TYPES: &[&str] = &["HealthcareService", "Location", "Organization", "Schedule", "Slot"];
/// Sums are made by the minute.
const MINUTE: Micros = 60_000_000;
/// The most sums at a time; what is beyond is told one by one.
const MOST: usize = 10_000;

/// What was counted and is not on the record yet. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Summaries(Arc<Mutex<HashMap<Key, Sum>>>);

/// What is counted as one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    minute: i64,
    client: Option<String>,
    /// Who vouches for them, and their name there.
    person: Option<(String, String)>,
    act: Act,
    rtype: &'static str,
}

#[derive(Clone, Debug)]
struct Sum {
    count: u64,
    first_us: Micros,
    last_us: Micros,
    actor: Actor,
    server: String,
}

impl Summaries {
    /// Counts a request, if it is one that may be.
    pub(super) fn take(
        &self,
        app: &App,
        ctx: &Context,
        asked: &Asked,
        outcome: &Result<Answer, Error>,
    ) -> bool {
        if !app.config.audit.summaries {
            return false;
        }
        let Some(rtype) = countable(ctx, asked, outcome) else { return false };
        let now = app.clock.now();
        // Which tokens were used is not told: a minute may have several.
        let actor = Actor { token: None, ..actor(ctx.access.principal(), &ctx.base) };
        let person = actor.person.as_ref().map(|person| (person.issuer.clone(), person.subject.clone()));
        let minute = now.div_euclid(MINUTE);
        let key = Key { minute, client: actor.client.clone(), person, act: asked.act, rtype };
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sums.len() >= MOST && !sums.contains_key(&key) {
            return false;
        }
        let new = || Sum { count: 0, first_us: now, last_us: now, actor, server: ctx.base.clone() };
        let sum = sums.entry(key).or_insert_with(new);
        sum.count += 1;
        sum.last_us = now;
        true
    }

    /// Puts sums whose minute is over on the record, or `all` of them before the process ends.
    ///
    /// # Errors
    /// When they can't be; they are kept for the next time.
    pub async fn flush(&self, app: &App, all: bool) -> Result<(), Error> {
        let minute = app.clock.now().div_euclid(MINUTE);
        let due: Vec<(Key, Sum)> = {
            let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            sums.extract_if(|key, _| all || key.minute != minute).collect()
        };
        let told =
            due.iter().map(|(key, sum)| record(app, &event(app, key, sum))).collect::<Result<Vec<_>, _>>();
        let done = match told {
            Ok(events) => app.recorder.record(events).await,
            Err(error) => Err(error),
        };
        if done.is_err() {
            let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, sum) in due {
                let kept = sums.entry(key).or_insert_with(|| Sum { count: 0, ..sum.clone() });
                kept.count += sum.count;
                kept.first_us = kept.first_us.min(sum.first_us);
                kept.last_us = kept.last_us.max(sum.last_us);
            }
        }
        done
    }
}

/// The type that was read, when nobody's data is in question and nothing went wrong.
fn countable(ctx: &Context, asked: &Asked, outcome: &Result<Answer, Error>) -> Option<&'static str> {
    let Ok(answer) = outcome else { return None };
    let principal = ctx.access.principal();
    if principal.patient.is_some() || principal.emergency.is_some() || !answer.patients.is_empty() {
        return None;
    }
    match asked.act {
        Act::Capabilities => Some("CapabilityStatement"),
        Act::Read | Act::Search if asked.is_plain() => {
            asked.rtype().and_then(|rtype| TYPES.iter().find(|name| **name == rtype).copied())
        }
        _ => None,
    }
}

fn event(app: &App, key: &Key, sum: &Sum) -> Event {
    let scene = Scene { address: None, server: sum.server.clone(), request_id: app.clock.new_id() };
    Event::new(key.act, sum.actor.clone(), scene)
        .detail("count", sum.count.to_string())
        .detail("type", key.rtype)
        .detail("first", instant_text(sum.first_us))
        .detail("last", instant_text(sum.last_us))
}
