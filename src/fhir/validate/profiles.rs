//! Our own rules: JSON Schemas in `profiles/schema/`, and the definitions that describe them.

use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::model::MODEL;
use crate::fhir::outcome::Issue;

/// Schemas by resource type.
const SCHEMAS: &[(&str, &str)] = &[
    ("Appointment", include_str!("../../../profiles/schema/Appointment.schema.json")),
    ("Slot", include_str!("../../../profiles/schema/Slot.schema.json")),
];

/// Our definitions, to be served read-only: `(type, id, JSON)`.
pub fn definitions() -> &'static [(&'static str, &'static str, &'static str)] {
    &[
        (
            "StructureDefinition",
            "held-until",
            include_str!("../../../profiles/StructureDefinition-held-until.json"),
        ),
        (
            "StructureDefinition",
            "bookable-appointment",
            include_str!("../../../profiles/StructureDefinition-bookable-appointment.json"),
        ),
        ("SearchParameter", "Slot-end", include_str!("../../../profiles/SearchParameter-Slot-end.json")),
    ]
}

/// The compiled schemas.
pub(super) struct Profiles {
    schemas: Vec<(&'static str, jsonschema::Validator)>,
}

impl Profiles {
    /// Compiles every schema.
    pub(super) fn compile() -> Result<Self, String> {
        let compile = |(rtype, text): &(&'static str, &'static str)| {
            let schema: Value =
                serde_json::from_str(text).map_err(|error| format!("profiles/schema of {rtype}: {error}"))?;
            let schema = jsonschema::validator_for(&schema)
                .map_err(|error| format!("profiles/schema of {rtype}: {error}"))?;
            Ok((*rtype, schema))
        };
        SCHEMAS.iter().map(compile).collect::<Result<_, String>>().map(|schemas| Self { schemas })
    }

    /// Checks a body against its type's schema.
    pub(super) fn check(&self, rtype: &str, body: &Value, issues: &mut Vec<Issue>) {
        let Some((_, schema)) = self.schemas.iter().find(|(name, _)| *name == rtype) else { return };
        if schema.is_valid(body) {
            return;
        }
        for error in schema.iter_errors(body) {
            let path = json_path(rtype, error.instance_path().as_str());
            let expression = MODEL.fhirpath(&path);
            let message = match error.kind() {
                ValidationErrorKind::Required { property } => {
                    format!("{expression} needs {}", property.as_str().unwrap_or_default())
                }
                ValidationErrorKind::Contains => {
                    format!("{expression}: an extension that may be given once is given twice")
                }
                _ => format!("{expression}: {error}"),
            };
            issues.push(Issue::error("value", message).at(expression));
        }
    }
}

/// `/extension/0/valueInteger` of a Slot as `Slot.extension[0].valueInteger`.
fn json_path(rtype: &str, pointer: &str) -> String {
    let mut path = rtype.to_owned();
    for step in pointer.split('/').skip(1) {
        let is_index = step.bytes().all(|b| b.is_ascii_digit());
        path.push(if is_index { '[' } else { '.' });
        path.push_str(step);
        if is_index {
            path.push(']');
        }
    }
    path
}
