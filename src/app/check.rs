//! `slotwright check`: the ledger, the appointments, the slots and their history must agree.

use super::App;
use crate::auth::Permit;
use crate::fhir::outcome::Error;
use crate::scheduling::Span;
use crate::scheduling::appointment::Appointment;
use crate::scheduling::claims::{actor_claims, subtract};
use crate::scheduling::slot::{Slot, served_status};
use crate::store::check::{self, AppointmentRow, SlotRow};
use crate::store::{Tx, ledger};
use std::collections::BTreeMap;

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    /// Live appointments looked at.
    pub appointments: usize,
    /// Live slots looked at.
    pub slots: usize,
    /// What is wrong, in words; empty when all agrees.
    pub findings: Vec<String>,
}

/// Checks the whole database in one consistent state.
pub async fn run(app: &App) -> Result<Report, Error> {
    let permit = Permit::of_server("check of the ledger");
    let mut tx = app.store.snapshot().await?;
    let mut report = Report { findings: check::findings(&mut tx).await?, ..Report::default() };
    let mut after = 0;
    loop {
        let rows = check::appointments(&mut tx, &permit, after).await?;
        let Some(last) = rows.last() else { break };
        after = last.rid;
        for row in &rows {
            check_appointment(&mut tx, row, &mut report).await?;
        }
    }
    after = 0;
    loop {
        let rows = check::slots(&mut tx, &permit, after).await?;
        let Some(last) = rows.last() else { break };
        after = last.rid;
        for row in &rows {
            check_slot(&mut tx, row, &mut report).await?;
        }
    }
    Ok(report)
}

async fn check_appointment(tx: &mut Tx, row: &AppointmentRow, report: &mut Report) -> Result<(), Error> {
    report.appointments += 1;
    let body = serde_json::from_slice(&row.body).ok();
    let Some(appointment) = body.as_ref().and_then(Appointment::from_json) else {
        report.findings.push(format!("Appointment/{} can't be read", row.id));
        return Ok(());
    };
    let span = (appointment.span.map(|s| s.start), appointment.span.map(|s| s.end));
    if row.status.as_deref() != Some(appointment.status.code()) || row.span != span {
        report.findings.push(format!("Appointment/{} differs from its row in the table appointment", row.id));
    }
    if !appointment.claims_time() {
        return Ok(());
    }
    let (wanted, _) = ledger::see_wanted(tx, &appointment.slots, row.rid).await?;
    let held = ledger::claimed(tx, row.rid).await?;
    for slot in wanted.iter().filter(|slot| !held.slots.contains(&slot.rid)) {
        report.findings.push(format!("Appointment/{} has no seat in Slot/{}", row.id, slot.id));
    }
    let mut taken: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
    for (actor, span) in &held.actors {
        taken.entry(actor).or_default().push(*span);
    }
    let exclusive = ledger::exclusive_actors(tx, &appointment.actors).await?;
    for claim in actor_claims(&row.id, &appointment, &wanted, &exclusive) {
        let missing = subtract(claim.span, taken.get(claim.actor.as_str()).map_or(&[], Vec::as_slice));
        if !missing.is_empty() {
            report
                .findings
                .push(format!("Appointment/{} does not claim all its time of {}", row.id, claim.actor));
        }
    }
    Ok(())
}

async fn check_slot(tx: &mut Tx, row: &SlotRow, report: &mut Report) -> Result<(), Error> {
    report.slots += 1;
    let body = serde_json::from_slice(&row.body).ok();
    let (Some(slot), Some(typed)) = (body.as_ref().and_then(Slot::from_json), &row.typed) else {
        report.findings.push(format!("Slot/{} can't be read, or lacks its row in the table slot", row.id));
        return Ok(());
    };
    let (schedule, start, end, served, declared, capacity) = typed;
    let same = slot.schedule == *schedule
        && slot.span == (Span { start: *start, end: *end })
        && slot.capacity == *capacity
        && slot.status == *served;
    if !same {
        report.findings.push(format!("Slot/{} differs from its row in the table slot", row.id));
    }
    let fill = ledger::fill(tx, row.rid, &row.id, schedule, slot.span).await?;
    let right = served_status(declared, *capacity, fill);
    if right != served {
        report
            .findings
            .push(format!("Slot/{} is served as {served} where the claims make it {right}", row.id));
    }
    Ok(())
}
