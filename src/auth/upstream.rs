//! What the claims of an upstream OpenID Connect provider make of a person here.

use super::external::{PEOPLE, claim, reference, short, texts};
use super::principal::RoleGrant;
use serde_json::{Map, Value};

/// The longest name, in characters.
const LONGEST_NAME: usize = 128;
/// Values of `amr` that stand for more than one factor (RFC 8176 §2).
const SEVERAL_FACTORS: &str = "mfa";

/// What is demanded of a provider's claims, and what they give.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// The claim with names of roles: a name, or names of nested claims with dots between them.
    pub roles_claim: String,
    /// What a name in that claim gives.
    pub roles: Vec<(String, RoleGrant)>,
    /// The claim with the resource that stands for the person; none: not taken from the provider.
    pub fhir_user_claim: Option<String>,
    /// `acr` must be one of these; none: any.
    pub require_acr: Vec<String>,
    /// `amr` must have one of these; none: any.
    pub require_amr: Vec<String>,
}

impl Mapping {
    /// Roles that the claims give; a name that is not listed gives nothing.
    pub fn roles(&self, claims: &Map<String, Value>) -> Vec<RoleGrant> {
        let names = texts(claim(claims, &self.roles_claim));
        let mut found: Vec<RoleGrant> = Vec::new();
        for (name, grant) in &self.roles {
            if names.contains(&name.as_str()) && !found.contains(grant) {
                found.push(grant.clone());
            }
        }
        found
    }

    /// Whether the claims leave out what this reads, so that more must be asked for.
    pub fn is_left_out(&self, claims: &Map<String, Value>) -> bool {
        let absent = |path: &str| claim(claims, path).is_none();
        absent(&self.roles_claim) || self.fhir_user_claim.as_deref().is_some_and(absent)
    }

    /// `Type/id` of the resource that stands for the person, relative or below one of `bases`.
    pub fn fhir_user(&self, claims: &Map<String, Value>, bases: &[&str]) -> Option<String> {
        let said = claim(claims, self.fhir_user_claim.as_deref()?)?.as_str()?;
        let (rtype, id) = reference(said, bases)?;
        PEOPLE.contains(&rtype.as_str()).then(|| format!("{rtype}/{id}"))
    }

    /// Whether the person signed in there in a way that is good enough here.
    pub fn is_strong_enough(&self, claims: &Map<String, Value>) -> bool {
        let one_of = |wanted: &[String], said: Vec<&str>| {
            wanted.is_empty() || said.iter().any(|value| wanted.iter().any(|wanted| wanted == value))
        };
        one_of(&self.require_acr, texts(claims.get("acr")))
            && one_of(&self.require_amr, texts(claims.get("amr")))
    }

    /// Whether the person showed a second factor there, as the provider says or the settings demand.
    pub fn has_second_factor(&self, claims: &Map<String, Value>) -> bool {
        let demanded = !self.require_acr.is_empty() || !self.require_amr.is_empty();
        (demanded && self.is_strong_enough(claims)) || texts(claims.get("amr")).contains(&SEVERAL_FACTORS)
    }
}

/// As people call whom the claims are about.
pub fn name(claims: &Map<String, Value>) -> Option<String> {
    let said = ["name", "preferred_username"].iter().find_map(|name| claims.get(*name)?.as_str());
    let clean: String = said?.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}

/// The username that they have there.
pub fn username(claims: &Map<String, Value>) -> Option<&str> {
    short(claims.get("preferred_username").and_then(Value::as_str))
}

/// When the person proved who they are, in seconds.
pub fn auth_time(claims: &Map<String, Value>) -> Option<i64> {
    claims.get("auth_time").and_then(Value::as_i64).filter(|at| *at > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::principal::Role;
    use serde_json::json;

    fn mapping() -> Mapping {
        let grant = |role, organization: Option<&str>| RoleGrant {
            role,
            organization: organization.map(str::to_owned),
        };
        Mapping {
            roles_claim: "realm.groups".to_owned(),
            roles: vec![
                ("desk".to_owned(), grant(Role::Scheduler, Some("org-1"))),
                ("desk-too".to_owned(), grant(Role::Scheduler, Some("org-1"))),
                ("doctors".to_owned(), grant(Role::Clinician, None)),
            ],
            fhir_user_claim: Some("who".to_owned()),
            require_acr: vec!["2".to_owned()],
            require_amr: Vec::new(),
        }
    }

    fn claims(value: Value) -> Map<String, Value> {
        value.as_object().expect("claims").clone()
    }

    #[test]
    fn roles_come_from_listed_names_alone() {
        let given = |groups: Value| mapping().roles(&claims(json!({ "realm": { "groups": groups } })));
        assert_eq!(given(json!(["desk", "desk-too", "scheduler", 3])).len(), 1);
        assert_eq!(given(json!("doctors")).len(), 1);
        assert!(given(json!(["clinician", "administrator"])).is_empty());
        assert!(mapping().roles(&claims(json!({ "groups": ["desk"] }))).is_empty());
    }

    #[test]
    fn a_person_stands_for_a_resource_of_ours_only() {
        let user =
            |who: &str| mapping().fhir_user(&claims(json!({ "who": who })), &["https://a.example/fhir"]);
        assert_eq!(user("Practitioner/dr-a").as_deref(), Some("Practitioner/dr-a"));
        assert_eq!(user("https://a.example/fhir/Patient/p").as_deref(), Some("Patient/p"));
        for wrong in ["https://b.example/fhir/Patient/p", "Device/d", "Patient/", "Patient/a/b", "p"] {
            assert_eq!(user(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_demanded_must_be_said() {
        let strong = |value: Value| mapping().is_strong_enough(&claims(value));
        assert!(strong(json!({ "acr": "2" })));
        assert!(!strong(json!({ "acr": "1" })));
        assert!(!strong(json!({})));
        let any = Mapping { require_acr: Vec::new(), ..mapping() };
        assert!(any.is_strong_enough(&claims(json!({}))));
        assert!(!any.has_second_factor(&claims(json!({ "amr": ["pwd"] }))));
        assert!(any.has_second_factor(&claims(json!({ "amr": ["pwd", "mfa"] }))));
    }

    #[test]
    fn names_are_short_and_on_one_line() {
        assert_eq!(name(&claims(json!({ "name": " Ana\r\nNovak " }))).as_deref(), Some("AnaNovak"));
        assert_eq!(name(&claims(json!({ "name": "x".repeat(500) }))).map(|name| name.len()), Some(128));
        assert_eq!(name(&claims(json!({ "name": " ", "preferred_username": "ana" }))), None);
    }
}
