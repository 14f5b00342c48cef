//! The rules against the table that they were written from, and against changes that must not pass.

use super::*;
use crate::auth::principal::Role;
use crate::auth::report;

fn letters(role: Role, name: &'static str) -> String {
    let policy = Policy::load().expect("sound rules");
    let acts =
        [(Act::Create, 'c'), (Act::Read, 'r'), (Act::Update, 'u'), (Act::Delete, 'd'), (Act::Search, 's')];
    let may = |act| !policy.grants(Subject::Role(role), act, name).is_empty();
    acts.into_iter().filter(|(act, _)| may(*act)).map(|(_, letter)| letter).collect()
}

#[test]
fn the_rules_come_to_the_table_they_were_written_from() {
    let table = [
        (Role::Patient, ["rs", "crus", "rs", "rs", "rs", "crus", "cruds", "", ""]),
        (Role::Scheduler, ["rs", "cruds", "cruds", "cruds", "", "r", "cruds", "", ""]),
        (Role::Clinician, ["rs", "crus", "rs", "rs", "", "rs", "cruds", "", "c"]),
        (Role::Compliance, ["", "", "", "", "rs", "rs", "r", "r", "ru"]),
        (Role::System, ["cruds", "cruds", "cruds", "cruds", "c", "cruds", "cruds", "", ""]),
        (Role::Administrator, ["", "", "", "", "", "", "u", "cru", ""]),
    ];
    let names = [
        "Patient",
        "Appointment",
        "Slot",
        "Schedule",
        "AuditEvent",
        "Consent",
        "Subscription",
        "clients",
        "emergencies",
    ];
    for (role, row) in table {
        for (name, wanted) in names.into_iter().zip(row) {
            assert_eq!(letters(role, name), wanted, "{role:?} {name}");
        }
    }
}

#[test]
fn obligations_are_those_of_the_table() {
    let policy = Policy::load().expect("sound rules");
    let only = |role, act, name| {
        let [grant] = policy.grants(Subject::Role(role), act, name) else { panic!("{role:?} {name}") };
        (grant.filter.map(FilterKind::code), grant.view.map(View::code))
    };
    let read = |role, name| only(role, Act::Read, name);
    assert_eq!(read(Role::Patient, "Patient"), (Some("own"), None));
    assert_eq!(read(Role::Patient, "Slot"), (Some("public"), Some("free-busy")));
    assert_eq!(only(Role::Patient, Act::Create, "Appointment"), (Some("own-alone"), None));
    let changes = policy.grants(Subject::Role(Role::Patient), Act::Update, "Appointment");
    assert!(changes.iter().all(|grant| grant.cutoff) && !changes.is_empty());
    assert_eq!(read(Role::Scheduler, "Patient"), (None, Some("demographics")));
    assert_eq!(read(Role::Scheduler, "Appointment"), (Some("organization"), None));
    assert_eq!(read(Role::Scheduler, "Consent"), (None, Some("decision")));
    let treated = policy.grants(Subject::Role(Role::Clinician), Act::Read, "Patient");
    let treated: Vec<_> = treated.iter().map(|grant| grant.filter.map(FilterKind::code)).collect();
    assert!(treated.len() == 2 && treated.contains(&Some("treated")) && treated.contains(&Some("emergency")));
    // An emergency is for looking, never for writing.
    for act in [Act::Create, Act::Update, Act::Delete] {
        for name in types() {
            let grants = policy.grants(Subject::Role(Role::Clinician), act, name);
            assert!(grants.iter().all(|grant| grant.filter != Some(FilterKind::Emergency)), "{act:?} {name}");
        }
    }
    assert_eq!(read(Role::System, "Patient"), (None, None));
    assert_eq!(read(Role::System, "Subscription"), (Some("subscriber"), None));
    assert_eq!(read(Role::Compliance, "Subscription"), (None, Some("settings")));
}

#[test]
fn broken_rules_are_refused() {
    let refused = |text: String, why: &str| {
        let error = Policy::read(Box::leak(text.into_boxed_str())).expect_err(why).to_string();
        assert!(error.contains(why), "{error}");
    };
    refused(TEXT.replace("Type::\"Provenance\"", "Type::\"Communication\""), "no rule speaks of Provenance");
    refused(TEXT.replace("Type::\"Slot\"", "Type::\"Slott\""), "Slott");
    refused(TEXT.replace("@filter(\"treated\")", "@filter(\"trusted\")"), "trusted");
    refused(TEXT.replace("@view(\"decision\")", "@view(\"free-busy\")"), "no view free-busy of Consent");
    refused(TEXT.replacen("@filter(\"own\")", "@filter(\"public\")", 1), "does not suit Patient");
    refused(TEXT.replacen("permit (", "allow (", 1), "");
}

#[test]
fn answers_are_explained() {
    let policy = Policy::load().expect("sound rules");
    let text = report::explain(policy, "patient", "create", "Appointment").expect("known words");
    assert!(text.contains("permitted") && text.contains("patient-books-for-self: Patients book"), "{text}");
    let text = report::explain(policy, "administrator", "read", "Patient").expect("known words");
    assert!(text.contains("denied") && text.contains("administrator-reads-no-record: Admin"), "{text}");
    let text = report::explain(policy, "compliance", "read", "Patient").expect("known words");
    assert!(text.contains("denied") && text.contains("No rule speaks of it"), "{text}");
    assert!(report::explain(policy, "boss", "read", "Patient").is_err());
    assert!(report::table(policy).contains("  Slot                  rs     public, shows free-busy"));
}
