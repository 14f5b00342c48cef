//! The sample clinic's patients, the people close to them, and who pays.

use serde_json::{Value, json};

use super::data::{Clinician, Data, Town};
use super::dice::Dice;
use super::staff::{OURS, concept, owner};

/// Somebody born in this year or later comes with a parent.
const CHILD_FROM: usize = 2011;
/// Somebody born before this year may come with a grown-up child.
const ELDER_BEFORE: usize = 1950;

/// A generated person, before it becomes resources.
struct Person<'a> {
    id: String,
    given: &'a str,
    family: &'a str,
    female: bool,
    born: (usize, usize, usize),
    phone: String,
    line: String,
    town: Option<&'a Town>,
    language: &'a str,
}

/// Patients `pat-001` to `pat-200`, RelatedPersons and Coverages.
pub(super) fn resources(data: &Data) -> Vec<Value> {
    let mut dice = Dice::new(2);
    let doctors: Vec<&Clinician> =
        data.clinicians.iter().filter(|c| c.specialty == "general-practice").collect();
    let clinic = owner(data);
    let mut patients = Vec::new();
    let mut relatives = Vec::new();
    let mut coverages = Vec::new();
    for number in 1..=data.clinic.patients {
        let person = draw(data, number, &mut dice);
        let doctor = doctors.get(dice.below(doctors.len()));
        patients.push(patient(&person, number, doctor.copied(), &clinic));
        relatives.extend(relative(data, &person, &mut dice));
        // About one in eight pays for themselves.
        if dice.below(8) > 0 {
            let payer = data.clinic.payers.get(dice.below(data.clinic.payers.len()));
            coverages.extend(payer.map(|payer| coverage(&person, number, &payer.id, &payer.name)));
        }
    }
    patients.append(&mut relatives);
    patients.append(&mut coverages);
    patients
}

fn draw<'a>(data: &'a Data, number: usize, dice: &mut Dice) -> Person<'a> {
    let people = &data.people;
    let female = dice.below(2) == 0;
    Person {
        id: format!("pat-{number:03}"),
        given: dice.pick(if female { &people.female } else { &people.male }),
        family: dice.pick(&people.family),
        female,
        born: (1936 + dice.below(88), 1 + dice.below(12), 1 + dice.below(28)),
        phone: phone(dice.pick(&people.area_codes), number),
        line: format!("{} {}", 1 + dice.below(240), dice.pick(&people.streets)),
        town: people.towns.get(dice.below(people.towns.len())),
        language: dice.pick(&people.languages),
    }
}

/// A number of the block that North America keeps for fiction.
fn phone(area: &str, number: usize) -> String {
    format!("+1-{area}-555-01{:02}", number % 100)
}

fn address(person: &Person) -> Value {
    let (city, postal_code) = person.town.map_or(("", ""), |t| (t.city.as_str(), t.postal_code.as_str()));
    json!([{
        "use": "home",
        "line": [person.line],
        "city": city,
        "state": "NY",
        "postalCode": postal_code,
        "country": "US",
    }])
}

fn gender(female: bool) -> &'static str {
    if female { "female" } else { "male" }
}

fn patient(person: &Person, number: usize, doctor: Option<&Clinician>, clinic: &str) -> Value {
    let (year, month, day) = person.born;
    let mut patient = json!({
        "resourceType": "Patient",
        "id": person.id,
        "identifier": [{
            "use": "usual",
            "type": concept("http://terminology.hl7.org/CodeSystem/v2-0203", "MR", Some("Medical record number")),
            "system": format!("{OURS}/patient"),
            "value": format!("MRN-{number:06}"),
        }],
        "active": true,
        "name": [{ "use": "official", "family": person.family, "given": [person.given] }],
        "telecom": [
            { "system": "phone", "value": person.phone, "use": "mobile" },
            {
                "system": "email",
                "value": format!("{}.{}.{number}@example.org", plain(person.given), plain(person.family)),
                "use": "home",
            },
        ],
        "gender": gender(person.female),
        "birthDate": format!("{year:04}-{month:02}-{day:02}"),
        "address": address(person),
        "communication": [{ "language": concept("urn:ietf:bcp:47", person.language, None), "preferred": true }],
    });
    if let Some(body) = patient.as_object_mut() {
        if let Some(doctor) = doctor {
            body.insert(
                "generalPractitioner".to_owned(),
                json!([{ "reference": doctor.reference(), "display": doctor.display() }]),
            );
        }
        body.insert("managingOrganization".to_owned(), json!({ "reference": clinic }));
    }
    patient
}

/// A name as the local part of an address.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// A parent of a child; for some of the old, a grown-up child.
fn relative(data: &Data, person: &Person, dice: &mut Dice) -> Option<Value> {
    let female = dice.below(2) == 0;
    let given = dice.pick(if female { &data.people.female } else { &data.people.male });
    let (code, text, born) = match person.born.0 {
        year if year >= CHILD_FROM => {
            let (code, text) = if female { ("MTH", "Mother") } else { ("FTH", "Father") };
            (code, text, year - 25 - dice.below(12))
        }
        year if year < ELDER_BEFORE && dice.below(3) == 0 => ("CHILD", "Child", year + 22 + dice.below(12)),
        _ => return None,
    };
    Some(json!({
        "resourceType": "RelatedPerson",
        "id": format!("rel-{}", person.id.trim_start_matches("pat-")),
        "active": true,
        "patient": { "reference": format!("Patient/{}", person.id) },
        "relationship": [concept("http://terminology.hl7.org/CodeSystem/v3-RoleCode", code, Some(text))],
        "name": [{ "use": "official", "family": person.family, "given": [given] }],
        "telecom": [{ "system": "phone", "value": person.phone, "use": "mobile" }],
        "gender": gender(female),
        "birthDate": format!("{born:04}-{:02}-{:02}", 1 + dice.below(12), 1 + dice.below(28)),
        "address": address(person),
    }))
}

fn coverage(person: &Person, number: usize, payer: &str, name: &str) -> Value {
    let relationship = if person.born.0 >= CHILD_FROM { "child" } else { "self" };
    json!({
        "resourceType": "Coverage",
        "id": format!("cov-{number:03}"),
        "status": "active",
        "type": concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", "EHCPOL", Some("Extended healthcare")),
        "subscriberId": format!("SB{:08}", 31_000_000 + number * 37),
        "beneficiary": { "reference": format!("Patient/{}", person.id) },
        "relationship": concept("http://terminology.hl7.org/CodeSystem/subscriber-relationship", relationship, None),
        "period": { "start": "2024-01-01" },
        "payor": [{ "reference": format!("Organization/{payer}"), "display": name }],
    })
}
