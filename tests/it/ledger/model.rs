//! Random sequences of bookings, cancellations, moves and lapsing holds agree with a model that fits on a
//! page, and whatever is asked, claims never overlap.

use crate::support::{Engine, FixedApp, Given, block_on, clinic};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::cell::Cell;
use std::time::Duration;

/// Who can be wanted; all of them exclusive.
const ACTORS: [&str; 3] = ["Practitioner/dr-a", "Practitioner/dr-b", "Location/room-a"];
/// Quarters of an hour in the part of the day that is fought over.
const QUARTERS: i64 = 10;
/// Seats of the group slot.
const SEATS: usize = 2;
/// Minutes that a hold stands.
const HOLD: i64 = 5;

#[derive(Clone, Debug)]
enum Step {
    /// Wants actors (a set bit each) for some quarters.
    Book { actors: u8, start: i64, length: i64, held: bool },
    /// Wants a seat in the group.
    Join { held: bool },
    /// Cancels one of those made so far.
    Cancel { which: prop::sample::Index },
    /// Confirms one of those made so far.
    Confirm { which: prop::sample::Index },
    /// Moves one of those made so far.
    Move { which: prop::sample::Index, start: i64 },
    /// Lets time pass.
    Wait { minutes: i64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = any::<prop::sample::Index>;
    let step = prop_oneof![
        6 => (1_u8..8, 0..QUARTERS, 1_i64..4, prop::bool::weighted(0.3))
            .prop_map(|(actors, start, length, held)| Step::Book { actors, start, length, held }),
        2 => prop::bool::weighted(0.3).prop_map(|held| Step::Join { held }),
        2 => which().prop_map(|which| Step::Cancel { which }),
        1 => which().prop_map(|which| Step::Confirm { which }),
        2 => (which(), 0..QUARTERS).prop_map(|(which, start)| Step::Move { which, start }),
        1 => (1_i64..7).prop_map(|minutes| Step::Wait { minutes }),
    ];
    prop::collection::vec(step, 1..30)
}

/// An appointment as the model knows it.
#[derive(Clone, Debug)]
struct Known {
    id: String,
    /// No actors: a seat in the group.
    actors: u8,
    start: i64,
    end: i64,
    live: bool,
    /// Minute at which it lapses.
    lapses: Option<i64>,
}

impl Known {
    fn stands(&self, now: i64) -> bool {
        self.live && self.lapses.is_none_or(|lapses| now < lapses)
    }
}

#[derive(Debug, Default)]
struct Model {
    known: Vec<Known>,
    now: i64,
}

impl Model {
    /// Whether `wanted` could be taken, were `besides` not there.
    fn has_room(&self, wanted: &Known, besides: Option<usize>) -> bool {
        let others = || {
            let all = self.known.iter().enumerate();
            all.filter(|(index, other)| Some(*index) != besides && other.stands(self.now))
                .map(|(_, other)| other)
        };
        if wanted.actors == 0 {
            return others().filter(|other| other.actors == 0).count() < SEATS;
        }
        others().all(|other| {
            other.actors & wanted.actors == 0 || other.end <= wanted.start || wanted.end <= other.start
        })
    }
}

/// One case on a day of its own, so that cases do not meet.
struct Case<'a> {
    app: &'a FixedApp,
    day: i64,
    model: Model,
}

impl Case<'_> {
    fn time(&self, quarter: i64) -> String {
        clinic::later(&clinic::at("09:00"), self.day * 24 * 60 + quarter * 15)
    }

    fn group(&self) -> Value {
        clinic::group_slot(&format!("group-{}", self.day), "sch-g", &self.time(0), 60, SEATS as u32)
    }

    fn resource(&self, known: &Known, status: &str) -> Value {
        if known.actors == 0 {
            return clinic::with(clinic::appointment(&self.group(), "pat-1", &[]), "status", status);
        }
        let wanted = ACTORS.iter().enumerate().filter(|(bit, _)| known.actors & (1 << bit) != 0);
        let actors: Vec<&str> = wanted.map(|(_, actor)| *actor).collect();
        clinic::unslotted(status, &self.time(known.start), &self.time(known.end), "pat-1", &actors)
    }

    async fn take(&mut self, wanted: Known, held: bool) -> Result<(), TestCaseError> {
        let room = self.model.has_room(&wanted, None);
        let status = if held { "pending" } else { "booked" };
        let reply = self.app.post("Appointment", &self.resource(&wanted, status)).await;
        prop_assert_eq!(reply.status, if room { 201 } else { 409 }, "{:?}: {}", wanted, reply);
        if room {
            let lapses = held.then_some(self.model.now + HOLD);
            self.model.known.push(Known { id: reply.id().to_owned(), lapses, ..wanted });
        }
        Ok(())
    }

    async fn patch(&self, which: usize, status: &str) -> u16 {
        let path = format!("Appointment/{}", self.model.known[which].id);
        let patch = json!([{ "op": "replace", "path": "/status", "value": status }]);
        self.app.patch(&path, &patch).await.status
    }

    async fn run(&mut self, step: Step) -> Result<(), TestCaseError> {
        let fresh =
            |actors, start, end| Known { id: String::new(), actors, start, end, live: true, lapses: None };
        let made = self.model.known.len();
        match step {
            Step::Book { actors, start, length, held } => {
                self.take(fresh(actors, start, start + length), held).await?;
            }
            Step::Join { held } => self.take(fresh(0, 0, 4), held).await?,
            Step::Wait { minutes } => {
                self.app.advance(Duration::from_mins(minutes.unsigned_abs()));
                self.model.now += minutes;
            }
            Step::Cancel { which } if made > 0 => {
                let which = which.index(made);
                // Cancelling what is cancelled or has lapsed changes nothing and is no error.
                prop_assert_eq!(self.patch(which, "cancelled").await, 200);
                self.model.known[which].live = false;
            }
            Step::Confirm { which } if made > 0 => {
                let which = which.index(made);
                let stands = self.model.known[which].stands(self.model.now);
                let status = self.patch(which, "booked").await;
                prop_assert!(if stands { status == 200 } else { matches!(status, 409 | 422) }, "{}", status);
                if stands {
                    self.model.known[which].lapses = None;
                }
            }
            Step::Move { which, start } if made > 0 => {
                let which = which.index(made);
                let old = self.model.known[which].clone();
                if old.actors == 0 || !old.stands(self.model.now) || old.lapses.is_some() {
                    return Ok(());
                }
                let moved = Known { start, end: start + old.end - old.start, ..old.clone() };
                let room = self.model.has_room(&moved, Some(which));
                let resource = clinic::with_id(self.resource(&moved, "booked"), &old.id);
                let reply = self.app.put(&format!("Appointment/{}", old.id), &resource).await;
                prop_assert_eq!(
                    reply.status,
                    if room { 200 } else { 409 },
                    "{:?} to {}: {}",
                    old,
                    start,
                    reply
                );
                if room {
                    self.model.known[which] = moved;
                }
            }
            Step::Cancel { .. } | Step::Confirm { .. } | Step::Move { .. } => {}
        }
        Ok(())
    }
}

/// Pairs of claims of different parties that share a moment of one actor.
const OVERLAPS: &str = "SELECT COUNT(*) FROM actor_claim a JOIN actor_claim b ON a.actor = b.actor \
    AND a.party <> b.party AND a.cid < b.cid AND a.start_us < b.end_us AND b.start_us < a.end_us";

fn agrees_with_the_model(engine: Engine) {
    block_on(async {
        let app = FixedApp::on(engine).await;
        clinic::seed(&app).await;
        app.store(&clinic::practitioner("dr-g")).await;
        app.store(&clinic::schedule("sch-g", "Practitioner/dr-g")).await;
        let days = Cell::new(0);
        let mut runner = TestRunner::new(Config { cases: 40, max_shrink_iters: 200, ..Config::default() });
        let handle = tokio::runtime::Handle::current();
        let ran = tokio::task::block_in_place(|| {
            runner.run(&steps(), |steps| {
                days.set(days.get() + 1);
                let mut case = Case { app: &app, day: days.get(), model: Model::default() };
                handle.block_on(async {
                    app.store(&case.group()).await;
                    for step in steps {
                        case.run(step).await?;
                    }
                    prop_assert_eq!(app.database().number(OVERLAPS).await, 0);
                    Ok(())
                })
            })
        });
        ran.unwrap_or_else(|error| panic!("{error}"));
        let database = app.0.stop().await;
        let checked = crate::support::slotwright(&database, &["check"]);
        assert!(checked.status.success(), "slotwright check: {checked:?}");
    });
}

mod random_sequences_agree_with_a_model {
    use super::{Engine, agrees_with_the_model};

    #[test]
    fn sqlite() {
        agrees_with_the_model(Engine::Sqlite);
    }

    #[test]
    fn postgres() {
        agrees_with_the_model(Engine::Postgres);
    }
}
