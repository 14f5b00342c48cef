//! What a newcomer reads after the start: where the server is, and commands to paste.

use jiff::{Timestamp, ToSpan};
use serde_json::Value;
use std::fmt::Write as _;

use super::{Error, Filled, PASSWORD, PEOPLE, zone};
use crate::app::{App, Body, Context, execute};
use crate::fhir::interaction::{Interaction, Search};
use crate::fhir::registry::resource_type;

/// The schedule that the commands use: its clinician works every day.
const SCHEDULE: &str = "Schedule/sched-okafor";
const CLINICIAN: &str = "Practitioner/dr-okafor";

/// A slot that the commands book.
struct FreeSlot {
    id: String,
    start: String,
    end: String,
}

/// The text to print when the server listens at `origin` (such as `http://127.0.0.1:8080`).
///
/// # Errors
/// When the database can't be read.
pub async fn banner(app: &App, origin: &str, filled: Filled) -> Result<String, Error> {
    let base = format!("{origin}/fhir");
    let mut out = String::new();
    let what = match filled {
        Filled::Loaded(count) => format!("{count} resources of a made-up clinic were loaded."),
        Filled::Kept => "The clinic is as you left it; --reset starts afresh.".to_owned(),
    };
    // Writing to a String can't fail.
    let _ = writeln!(out, "\nSlotwright sandbox. {what}\n");
    let _ = writeln!(out, "Base URL      {base}");
    let _ = writeln!(out, "Description   {base}/metadata  {origin}/openapi.json");
    let _ = writeln!(out, "Without a token everything is allowed: loopback only, no real patients.\n");
    let names: Vec<&str> = PEOPLE.iter().map(|person| person.username).collect();
    let _ = writeln!(out, "Sign in at    {origin}/sign-in  as {}", names.join(", "));
    let _ = writeln!(out, "with password {PASSWORD}\n");
    let _ = writeln!(out, "A token for a role, instead of everything (here or with --data DIRECTORY):");
    let _ = writeln!(
        out,
        "slotwright sandbox token --role system|scheduler|clinician|patient|compliance|admin\n"
    );
    match free_slot(app, &base).await? {
        Some(slot) => out.push_str(&commands(&base, &slot)),
        None => out.push_str("No slot is free any more: start again with --reset.\n"),
    }
    out.push_str("\nCtrl-C stops the server.\n");
    Ok(out)
}

/// The first free slot of the clinician from tomorrow on.
async fn free_slot(app: &App, base: &str) -> Result<Option<FreeSlot>, Error> {
    let now = Timestamp::from_microsecond(app.clock.now()).map_err(Error::calendar)?;
    let tomorrow = now
        .to_zoned(zone()?)
        .start_of_day()
        .and_then(|midnight| midnight.checked_add(1.day()))
        .map_err(Error::calendar)?;
    let query = format!(
        "schedule={SCHEDULE}&status=free&start=ge{}&_sort=start&_count=1",
        tomorrow.timestamp().strftime("%Y-%m-%dT%H:%M:%SZ")
    );
    let search = Search { rtype: resource_type("Slot"), compartment: None, query };
    let context = Context { base: base.to_owned(), ..Context::of_server(app, "sandbox") };
    let answer = execute(app, &context, Interaction::Search(search), Body::Empty).await?;
    let bundle: Value = serde_json::from_slice(&answer.resource.unwrap_or_default()).unwrap_or_default();
    let Some(slot) = bundle.pointer("/entry/0/resource") else { return Ok(None) };
    let text = |key| slot.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Some(FreeSlot { id: text("id"), start: text("start"), end: text("end") }))
}

fn commands(base: &str, slot: &FreeSlot) -> String {
    let FreeSlot { id, start, end } = slot;
    let day = start.get(..10).unwrap_or_default();
    format!(
        r#"Paste into another terminal:

# Free slots of Dr. Okafor from {day} on
curl -fsS '{base}/Slot?schedule={SCHEDULE}&status=free&start=ge{day}&_sort=start&_count=3&_pretty=true' | grep -E '"(id|start|end)"'

# Book one for patient pat-001
APPOINTMENT=$(curl -fsS -D - -o /dev/null -H 'Content-Type: application/fhir+json' '{base}/Appointment' -d '{{"resourceType":"Appointment","status":"booked","slot":[{{"reference":"Slot/{id}"}}],"start":"{start}","end":"{end}","participant":[{{"actor":{{"reference":"Patient/pat-001"}},"status":"accepted"}},{{"actor":{{"reference":"{CLINICIAN}"}},"status":"accepted"}}]}}' | grep -io 'Appointment/[^/]*')

# The slot is busy now
curl -fsS '{base}/Slot/{id}?_pretty=true' | grep '"status"'

# Cancel, and it is free again
curl -fsS -o /dev/null -X PATCH -H 'Content-Type: application/json-patch+json' "{base}/$APPOINTMENT" -d '[{{"op":"replace","path":"/status","value":"cancelled"}}]'
curl -fsS '{base}/Slot/{id}?_pretty=true' | grep '"status"'
"#
    )
}
