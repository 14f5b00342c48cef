//! What is done for a subscription that was taken: a handshake, a heartbeat, the notification that is due, and those
//! behind it as long as they arrive.

use super::endpoint::{Answer, Message, NoAnswer};
use super::hosts::Pass;
use super::message::{message, message_id, status};
use super::report::{Report, recorded, write_down};
use super::schedule::{Verdict, judge, pause};
use super::{base, keys};
use crate::app::App;
use crate::app::subscriptions::{self, Told};
use crate::auth::Access;
use crate::clock::Micros;
use crate::fhir::outcome::Error;
use crate::fhir::subscription::{Definition, Kind, NotificationKind};
use crate::store::delivery::{self as table, Attempt, Claimed, Finished, Outcome};
use crate::store::{Intent, events, subscription};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How long one may go on before others get their turn.
const TURN: Duration = Duration::from_secs(5);
/// Beyond the time for an attempt: for what comes before and behind it.
const MARGIN: Duration = Duration::from_secs(5);

const ATTEMPTS: &str = "subscription_attempts_total";

/// Until when who takes a subscription at `now` has it.
pub(super) fn lease(app: &App, now: Micros) -> Micros {
    now.saturating_add(micros(app.config.subscriptions.timeout + MARGIN))
}

fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

/// A subscription that was taken, with all that it takes to notify.
struct Turn<'a> {
    app: &'a App,
    claimed: Claimed,
    definition: Definition,
    access: Arc<Access>,
    pass: &'a Pass,
}

/// How an attempt went, and what was told.
struct Tried {
    attempt: Attempt,
    verdict: Verdict,
    /// What is told, for the record.
    versions: Vec<String>,
    patients: BTreeSet<String>,
}

/// Does what is due, and goes on as long as it arrives. What the database did not take is due again when the lease
/// ends.
pub async fn carry_out(app: App, claimed: Claimed, pass: Pass) {
    let (id, started) = (claimed.id.clone(), app.clock.instant());
    let mut next = claimed;
    loop {
        let finished = match step(&app, &next, &pass).await {
            Ok(finished) => finished,
            Err(error) => {
                tracing::warn!(
                    subscription = id,
                    ?error,
                    "a notification could not be handled; trying again"
                );
                return;
            }
        };
        let Finished::Next(following) = finished else { return };
        next = *following;
        if app.clock.instant().duration_since(started) > TURN || pass.is_left_alone(app.clock.now()) {
            return give_back(&app, next).await;
        }
    }
}

async fn give_back(app: &App, claimed: Claimed) {
    let claimed = Arc::new(claimed);
    let given = app.store.write(Intent::Upsert, move |tx| {
        let claimed = Arc::clone(&claimed);
        Box::pin(async move { table::give_back(tx, &claimed).await })
    });
    if let Err(error) = given.await {
        tracing::warn!(%error, "a subscription could not be given back; its lease ends by itself");
    }
}

/// One thing that is due.
async fn step(app: &App, claimed: &Claimed, pass: &Pass) -> Result<Finished, Error> {
    let nothing = |outcome, status| Report { attempt: None, recorded: Vec::new(), outcome, status };
    let found = subscription::find(&mut app.store.reader().await?, &claimed.id).await?;
    // Deleted or changed since it was taken: what is due is something else now.
    let Some(found) = found.filter(|found| found.generation == claimed.generation) else {
        give_back(app, claimed.clone()).await;
        return Ok(Finished::Lost);
    };
    let stop = |status: &'static str, why: String| nothing(Outcome::Stopped, Some((status, why)));
    if found.ends_us.is_some_and(|end| end <= app.clock.now()) {
        return write_down(app, claimed, stop("off", "its end has come".to_owned())).await;
    }
    let body = serde_json::from_slice(&found.body).map_err(|error| Error::internal(error.to_string()))?;
    let definition = match Definition::read(&body) {
        Ok(definition) => definition,
        Err(issues) => {
            let why = issues.first().map_or("", |issue| issue.diagnostics.as_str()).to_owned();
            return write_down(app, claimed, stop("error", why)).await;
        }
    };
    let access = match subscriptions::owner(app, &claimed.owner).await? {
        Ok(access) => access,
        Err(gone) => return write_down(app, claimed, stop("off", gone.to_string())).await,
    };
    let turn = Turn { app, claimed: claimed.clone(), definition, access, pass };
    if claimed.status == "requested" {
        return turn.shake_hands().await;
    }
    let now = app.clock.now();
    if claimed.heartbeat_us.is_some_and(|due| due <= now) {
        let finished = turn.beat(now).await?;
        if finished != Finished::Done || claimed.due_us.is_none_or(|due| due > now) {
            return Ok(finished);
        }
    }
    turn.notify().await
}

impl Turn<'_> {
    fn next_beat(&self, now: Micros) -> Option<Micros> {
        self.definition.heartbeat.map(|period| now.saturating_add(micros(period)))
    }

    /// Finds out whether the endpoint is there; classic criteria know no such thing, and begin at once.
    async fn shake_hands(&self) -> Result<Finished, Error> {
        let (app, claimed) = (self.app, &self.claimed);
        if let Kind::Classic { .. } = self.definition.kind {
            let status = Some(("active", String::new()));
            let outcome = Outcome::Started(None);
            let report = Report { attempt: None, recorded: Vec::new(), outcome, status };
            return write_down(app, claimed, report).await;
        }
        let now = app.clock.now();
        let what = format!("handshake_{}_{now}", claimed.generation);
        let tried =
            self.attempt(NotificationKind::Handshake, "requested", &what, now, Told::default()).await?;
        let Some(tried) = tried else { return Err(Error::internal("a handshake has a message")) };
        let (outcome, status) = match &tried.verdict {
            Verdict::Arrived => {
                (Outcome::Started(self.next_beat(app.clock.now())), ("active", String::new()))
            }
            Verdict::Failed { told, .. } => {
                (Outcome::Stopped, ("error", format!("The handshake failed: {told}")))
            }
            Verdict::Gone => {
                (Outcome::Stopped, ("off", "The endpoint wants no notifications (410)".to_owned()))
            }
        };
        self.write_down(tried, outcome, Some(status)).await
    }

    /// Says that nothing happened. That it did not arrive matters no more than that: the next event will tell.
    async fn beat(&self, now: Micros) -> Result<Finished, Error> {
        let what = format!("heartbeat_{}", self.claimed.heartbeat_us.unwrap_or_default());
        let tried = self.attempt(NotificationKind::Heartbeat, "active", &what, now, Told::default()).await?;
        let Some(tried) = tried else { return Err(Error::internal("a heartbeat has a message")) };
        let goes_on = self.claimed.due_us.is_some_and(|due| due <= now);
        if tried.verdict == Verdict::Gone {
            let told = "The endpoint wants no notifications (410)".to_owned();
            let finished = self.write_down(tried, Outcome::Stopped, Some(("off", told))).await?;
            return Ok(if finished == Finished::Done { Finished::Lost } else { finished });
        }
        let next = self.next_beat(self.app.clock.now());
        self.write_down(tried, Outcome::Beat(next, goes_on), None).await
    }

    /// The notification that is due.
    async fn notify(&self) -> Result<Finished, Error> {
        let (app, claimed) = (self.app, &self.claimed);
        let (first, last) = (claimed.done + 1, claimed.batch);
        let mut tx = app.store.reader().await?;
        let found = events::of_subscription(&mut tx, &claimed.id, first, last, last - claimed.done).await?;
        let told = subscriptions::tell(&mut tx, &self.access, self.definition.payload.content, found).await?;
        drop(tx);
        let lease = lease(app, app.clock.now());
        // The time of the last event, which is the same at every try.
        let at_us = told.events.last().map_or(0, |event| event.at_us);
        let tried = if told.events.is_empty() {
            None
        } else {
            let what = format!("{first}_{last}");
            self.attempt(NotificationKind::EventNotification, "active", &what, at_us, told).await?
        };
        let Some(tried) = tried else {
            let outcome = Outcome::Arrived(lease);
            let report = Report { attempt: None, recorded: Vec::new(), outcome, status: None };
            return write_down(app, claimed, report).await;
        };
        let now = app.clock.now();
        match &tried.verdict {
            Verdict::Arrived => self.write_down(tried, Outcome::Arrived(lease), None).await,
            Verdict::Gone => {
                let told = "The endpoint wants no notifications (410)".to_owned();
                self.write_down(tried, Outcome::Stopped, Some(("off", told))).await
            }
            Verdict::Failed { told, earliest, .. } => {
                let random = app.clock.random_bytes().map_or(u64::MAX / 2, u64::from_be_bytes);
                let next = pause(&app.config.subscriptions, claimed.tries + 1, *earliest, random);
                if let Some(pause) = next {
                    let outcome = Outcome::Failed(now.saturating_add(micros(pause)), told.clone());
                    return self.write_down(tried, outcome, None).await;
                }
                let tries = claimed.tries + 1;
                let told = format!("Given up after {tries} tries: {told}");
                tracing::warn!(
                    subscription = claimed.id,
                    host = claimed.host,
                    tries,
                    "a subscriber was given up"
                );
                self.write_down(tried, Outcome::Stopped, Some(("error", told))).await
            }
        }
    }

    /// Sends one notification; none when there is nothing to send.
    async fn attempt(
        &self,
        kind: NotificationKind,
        said: &str,
        what: &str,
        at_us: Micros,
        told: Told,
    ) -> Result<Option<Tried>, Error> {
        let Told { events, versions, patients } = told;
        let (app, claimed) = (self.app, &self.claimed);
        let keys = keys::signing(app, &claimed.id).await?;
        let id = message_id(&claimed.id, what);
        let (first, last) = (events.first().map_or(0, |e| e.number), events.last().map_or(0, |e| e.number));
        let seen = if events.is_empty() { claimed.count } else { claimed.seen.max(last) };
        let status = status(&self.definition, said, kind, seen, at_us, events);
        let longest = app.config.subscriptions.timeout;
        let now = app.clock.now();
        let message = message(&self.definition, &status, &base(app), (&id, &keys), now, longest);
        let Some(message) = message.map_err(|error| Error::internal(error.to_string()))? else {
            return Ok(None);
        };
        let mut attempt = Attempt {
            kind: kind.code().to_owned(),
            first,
            last,
            tried: if last > 0 { claimed.tries + 1 } else { 1 },
            at_us: now,
            took_us: 0,
            status: 0,
            error: String::new(),
        };
        // Nothing is told that is not on the record. A heartbeat tells nobody anything of anybody.
        if kind != NotificationKind::Heartbeat {
            let events = recorded(app, &self.access, (claimed, &attempt), (&versions, &patients))?;
            app.recorder.record(events).await?;
        }
        let (answer, took) = self.send(message).await;
        let verdict = judge(&answer, &app.config.subscriptions);
        self.tell_host(&answer, &verdict);
        attempt.error = match &verdict {
            Verdict::Arrived => String::new(),
            Verdict::Failed { told, .. } => told.clone(),
            Verdict::Gone => "the endpoint answered 410".to_owned(),
        };
        attempt.took_us = micros(took);
        attempt.status = answer.map_or(0, |answer| answer.status.into());
        let outcome = if attempt.error.is_empty() { "arrived" } else { "failed" };
        metrics::counter!(ATTEMPTS, "kind" => kind.code(), "outcome" => outcome).increment(1);
        Ok(Some(Tried { attempt, verdict, versions, patients }))
    }

    async fn send(&self, message: Message) -> (Result<Answer, NoAnswer>, Duration) {
        let started = self.app.clock.instant();
        let answer = self.app.endpoints.send(message).await;
        (answer, self.app.clock.instant().duration_since(started))
    }

    /// The circuit breaker hears of hosts in trouble, and of those that are not.
    fn tell_host(&self, answer: &Result<Answer, NoAnswer>, verdict: &Verdict) {
        let now = self.app.clock.now();
        if matches!(verdict, Verdict::Failed { host: true, .. }) {
            if self.pass.went(false, now) {
                tracing::warn!(host = self.claimed.host, "a host fails, and is left alone for a while");
            }
        } else if answer.is_ok() {
            self.pass.went(true, now);
        }
    }

    async fn write_down(
        &self,
        tried: Tried,
        outcome: Outcome,
        status: Option<(&'static str, String)>,
    ) -> Result<Finished, Error> {
        let Tried { attempt, versions, patients, .. } = tried;
        let told = attempt.kind != NotificationKind::Heartbeat.code();
        let recorded = if told && !attempt.error.is_empty() {
            recorded(self.app, &self.access, (&self.claimed, &attempt), (&versions, &patients))?
        } else {
            Vec::new()
        };
        let report = Report { attempt: Some(attempt), recorded, outcome, status };
        write_down(self.app, &self.claimed, report).await
    }
}
