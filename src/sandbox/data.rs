//! The sample clinic as it is written down in `sandbox/clinic/*.json`.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Error;

/// The whole of `sandbox/clinic/`.
#[derive(Debug)]
pub(super) struct Data {
    pub clinic: Clinic,
    pub clinicians: Vec<Clinician>,
    pub services: Services,
    pub people: People,
}

impl Data {
    /// Reads the files that are embedded in the binary.
    pub(super) fn embedded() -> Result<Self, Error> {
        Ok(Self {
            clinic: parse("clinic.json", include_str!("../../sandbox/clinic/clinic.json"))?,
            clinicians: parse("clinicians.json", include_str!("../../sandbox/clinic/clinicians.json"))?,
            services: parse("services.json", include_str!("../../sandbox/clinic/services.json"))?,
            people: parse("people.json", include_str!("../../sandbox/clinic/people.json"))?,
        })
    }

    /// The specialty that a clinician or a group names.
    pub(super) fn specialty(&self, id: &str) -> Result<&Specialty, Error> {
        self.clinic.specialties.iter().find(|s| s.id == id).ok_or_else(|| Error::unknown("specialty", id))
    }

    /// The clinician that a group names.
    pub(super) fn clinician(&self, id: &str) -> Result<&Clinician, Error> {
        self.clinicians.iter().find(|c| c.id == id).ok_or_else(|| Error::unknown("clinician", id))
    }
}

fn parse<T: DeserializeOwned>(file: &'static str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|source| Error::Data { file, reason: source.to_string() })
}

/// `clinic.json`: the organization, its sites and what it offers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clinic {
    /// IANA zone of every local time in these files.
    pub zone: String,
    /// How many weeks of slots there are.
    pub weeks: i32,
    /// How many patients are generated.
    pub patients: usize,
    /// A complete Organization resource.
    pub organization: Value,
    pub payers: Vec<Payer>,
    pub sites: Vec<Site>,
    pub specialties: Vec<Specialty>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Payer {
    pub id: String,
    pub name: String,
    pub phone: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Site {
    pub id: String,
    pub name: String,
    pub phone: String,
    pub line: String,
    pub city: String,
    pub postal_code: String,
    pub latitude: serde_json::Number,
    pub longitude: serde_json::Number,
    pub rooms: Vec<Room>,
    pub devices: Vec<DeviceAt>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Room {
    pub id: String,
    pub name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceAt {
    pub id: String,
    pub name: String,
    pub kind: String,
    pub serial: String,
    pub room: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Specialty {
    pub id: String,
    pub name: String,
    pub snomed: String,
    /// Code of HL7's `service-type`.
    pub service_type: String,
    /// Code of HL7's `service-category`.
    pub service_category: String,
}

/// When something repeats through the week, in local time.
#[derive(Debug, Deserialize)]
pub(super) struct Weekly {
    /// Length of one slot.
    pub minutes: i64,
    /// `mon` to `sun`, by spaces.
    pub days: String,
    /// Such as `09:00-12:00`.
    pub hours: Vec<String>,
}

/// A row of `clinicians.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Clinician {
    pub id: String,
    pub given: String,
    pub family: String,
    pub prefix: String,
    pub gender: String,
    pub specialty: String,
    pub site: String,
    pub room: String,
    /// BCP 47.
    pub languages: Vec<String>,
    #[serde(flatten)]
    pub hours: Weekly,
}

impl Clinician {
    /// The name as a person reads it.
    pub(super) fn display(&self) -> String {
        format!("{} {} {}", self.prefix, self.given, self.family)
    }

    /// `Practitioner/<id>`.
    pub(super) fn reference(&self) -> String {
        format!("Practitioner/{}", self.id)
    }

    /// The id of this clinician's Schedule: `sched-okafor` for `dr-okafor`.
    pub(super) fn schedule(&self) -> String {
        format!("sched-{}", self.id.trim_start_matches("dr-"))
    }
}

/// `services.json`: what is booked other than a clinician alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Services {
    pub groups: Vec<Group>,
    pub resources: Vec<Bookable>,
}

/// A group clinic: several patients share one slot.
#[derive(Debug, Deserialize)]
pub(super) struct Group {
    pub id: String,
    pub name: String,
    pub specialty: String,
    pub service_type: String,
    pub clinician: String,
    pub site: String,
    pub room: String,
    /// Seats of each slot.
    pub capacity: i64,
    #[serde(flatten)]
    pub hours: Weekly,
}

/// A room or a device with a schedule of its own.
#[derive(Debug, Deserialize)]
pub(super) struct Bookable {
    pub id: String,
    pub name: String,
    /// `Location/<id>` or `Device/<id>`.
    pub actor: String,
    pub service_type: String,
    pub service_category: String,
    #[serde(flatten)]
    pub hours: Weekly,
}

/// `people.json`: what patients are made of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct People {
    pub female: Vec<String>,
    pub male: Vec<String>,
    pub family: Vec<String>,
    pub streets: Vec<String>,
    pub towns: Vec<Town>,
    pub area_codes: Vec<String>,
    pub languages: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Town {
    pub city: String,
    pub postal_code: String,
}
