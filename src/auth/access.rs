//! What one request may do: role, scope, and compartment or granular filter, taken together.

use super::consent::{Asker, Standing, Verdict};
use super::emergency::ACT_REASON;
use super::filter::{self, Facts, Limit};
use super::permit::{Clause, Denied, Permit, shows};
use super::policy::Policy;
use super::principal::{Principal, Role, RoleGrant, Who};
use super::rule::{Act, Area, FilterKind, Subject};
use super::scope::{Level, ResourceScope, Right};
use crate::clock::Micros;
use crate::fhir::outcome::Issue;
use crate::fhir::registry::{ResourceType, resource_type};
use crate::fhir::search::Condition;
use sha2::{Digest, Sha256};

/// The access of one request. Every [`Permit`] of a client's comes from here.
#[derive(Clone, Debug)]
pub struct Access {
    principal: Principal,
    policy: &'static Policy,
    /// What patients consented to, and who asks as far as that goes; absent: nothing of any patient is reached.
    consents: Option<(Standing, Asker)>,
    /// [`Access::name`] as subscriptions are tagged with it.
    tag: String,
}

impl Access {
    /// The access of whoever makes a request, to what is of no patient. For the rest it has to be told what
    /// patients consented to: [`Access::under`].
    pub fn of(principal: Principal, policy: &'static Policy) -> Self {
        let tag = tag(&name(&principal));
        Self { principal, policy, consents: None, tag }
    }

    /// The same under what patients consented to.
    #[must_use]
    pub fn under(self, consents: Standing) -> Self {
        let asker = Asker::of(&self.principal);
        Self { consents: Some((consents, asker)), ..self }
    }

    /// What the consents of a patient say of something that is done with a resource of the patient's, and which
    /// of them says so; they say nothing to the server itself.
    pub fn consent(&self, act: Act, rtype: &str, patient: &str) -> Verdict<'_> {
        match &self.consents {
            Some((consents, asker)) if !self.is_whole() => consents.decide(asker, act, rtype, patient),
            _ => Verdict::SILENT,
        }
    }

    /// The server's own, for work that it does of its own accord, such as loading the sandbox.
    pub fn of_server(work: &'static str, policy: &'static Policy) -> Self {
        Self::of(Principal::server(work), policy)
    }

    /// Who makes the request.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Whether it is still the same at `now`: emergencies and the periods of consents end by the clock, without
    /// anything being written.
    pub fn holds_at(&self, now: Micros) -> bool {
        let goes_on = self.principal.emergency.as_ref().is_none_or(|emergency| emergency.until > now);
        goes_on && self.consents.as_ref().is_none_or(|(consents, _)| consents.hold_at(now))
    }

    /// Whether nothing is limited: the server's own work, and the sandbox without sign-in.
    pub fn is_whole(&self) -> bool {
        let principal = &self.principal;
        principal.scopes.is_none() && matches!(principal.who, Who::Server(_) | Who::Sandbox)
    }

    /// A name that no two principals share, for what one of them leaves behind, such as idempotency keys.
    pub fn name(&self) -> String {
        name(&self.principal)
    }

    /// That name as subscriptions are tagged with it: it tells no more than whose they are.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The permit for one of the five rights on resources of a type.
    ///
    /// # Errors
    /// [`Denied`] when role or scopes give the right on none of them.
    pub fn permit(&self, right: Right, rtype: &'static ResourceType) -> Result<Permit, Denied> {
        self.permit_as(right.into(), right, rtype)
    }

    /// The permit to create by an update under an id of the client's choice: the role must allow to create, and
    /// the scopes to update (SMART App Launch 2.2, "Scopes for requesting FHIR resources").
    ///
    /// # Errors
    /// As [`Access::permit`].
    pub fn permit_upsert(&self, rtype: &'static ResourceType) -> Result<Permit, Denied> {
        self.permit_as(Act::Create, Right::Update, rtype)
    }

    /// The permit to refer to resources of a type: what the role may read. The scopes need not give it, since
    /// nothing of the resource is told; but the scopes of one patient reach no other.
    ///
    /// # Errors
    /// [`Denied`] when the role may read none of them.
    pub fn permit_reference(&self, rtype: &'static ResourceType) -> Result<Permit, Denied> {
        self.permit_reference_of(rtype, false)
    }

    /// The same; in a Consent a patient may be named who denies to be read, or no other consent could be recorded.
    pub(super) fn permit_reference_of(
        &self,
        rtype: &'static ResourceType,
        in_consent: bool,
    ) -> Result<Permit, Denied> {
        if self.is_whole() {
            return Ok(Permit::whole(rtype));
        }
        // To look at a patient in an emergency is no relation that a reference could make lasting.
        let mut roles = self.role_clauses_but(Some(FilterKind::Emergency), Act::Read, rtype)?;
        if in_consent {
            for clause in &mut roles {
                clause.consent = None;
            }
        }
        let Some(scopes) = &self.principal.scopes else { return Ok(Permit::of(rtype, roles)) };
        let mut levels = scopes.resources().map(|scope| scope.level);
        if !scopes.need_patient() || levels.any(|level| level != Level::Patient) {
            return Ok(Permit::of(rtype, roles));
        }
        let reach = self.patient_clauses(Act::Read, rtype);
        combined(rtype, &roles, &reach).ok_or_else(|| denied_by_scopes(Right::Read, rtype))
    }

    /// The permit to find out whose records a Group names, to export them: as to read it, but whatever a member
    /// consents to. Nothing of the Group is shown for it, and each record is judged by its own patient's consents.
    ///
    /// # Errors
    /// As [`Access::permit`].
    pub fn permit_members(&self, group: &'static ResourceType) -> Result<Permit, Denied> {
        if self.is_whole() {
            return Ok(Permit::whole(group));
        }
        self.narrowed(Act::Read, Right::Read, group, |access| {
            let mut roles = access.role_clauses(Act::Read, group)?;
            for clause in &mut roles {
                clause.consent = None;
            }
            Ok(roles)
        })
    }

    /// Whether time that is taken may be booked over.
    ///
    /// # Errors
    /// [`Denied`] when no role allows it.
    pub fn may_override(&self) -> Result<(), Denied> {
        let allowed = resource_type("Appointment")
            .is_some_and(|rt| self.is_whole() || self.role_clauses(Act::Override, rt).is_ok());
        if allowed {
            Ok(())
        } else {
            Err(Denied("Your role does not allow to book over taken time".to_owned()))
        }
    }

    /// Whether the audit trail may be exported and verified.
    pub fn may_audit(&self) -> bool {
        self.roles().any(|grant| {
            let subject = Subject::Role(grant.role);
            !self.policy.grants(subject, Act::Audit, "AuditEvent").is_empty()
        })
    }

    /// What someone is told who finds nothing and could declare an emergency. Whether there is something that
    /// they may not see plays no part in it.
    pub fn emergency_hint(&self, rtype: &'static ResourceType) -> Option<Issue> {
        let could_reach = |grant: &RoleGrant| {
            let grants = self.policy.grants(Subject::Role(grant.role), Act::Read, rtype.name);
            grants.iter().any(|grant| grant.filter == Some(FilterKind::Emergency))
        };
        let could = self.principal.emergency.is_none() && self.roles().any(could_reach);
        could.then(|| {
            let told = "What you may not see looks as if it were not there. In an emergency you can declare it on \
                        the page /emergency of this server, and reach the record of one patient for a while";
            Issue { code: "suppressed", ..Issue::information(told) }.coded(ACT_REASON, "ETREAT")
        })
    }

    /// Whether something may be done with what the server keeps besides resources. Scopes don't speak of that:
    /// it takes a person's own sign-in, so that no app administers on anyone's behalf.
    pub fn may_in(&self, act: Act, area: Area) -> bool {
        self.principal.scopes.is_none()
            && self.roles().any(|grant| self.policy.allows_in(Subject::Role(grant.role), act, area))
    }

    fn permit_as(&self, act: Act, right: Right, rtype: &'static ResourceType) -> Result<Permit, Denied> {
        if self.is_whole() {
            return Ok(Permit::whole(rtype));
        }
        self.narrowed(act, right, rtype, |access| access.role_clauses(act, rtype))
    }

    /// What roles and scopes leave together; the scopes are asked first.
    fn narrowed(
        &self,
        act: Act,
        right: Right,
        rtype: &'static ResourceType,
        roles: impl FnOnce(&Self) -> Result<Vec<Clause>, Denied>,
    ) -> Result<Permit, Denied> {
        let scopes = self.principal.scopes.as_ref();
        let given: Option<Vec<&ResourceScope>> = scopes.map(|s| s.giving(right, rtype.name).collect());
        if given.as_ref().is_some_and(Vec::is_empty) {
            return Err(denied_by_scopes(right, rtype));
        }
        let roles = roles(self)?;
        let Some(given) = given else { return Ok(Permit::of(rtype, roles)) };
        let reach: Vec<Clause> =
            given.into_iter().flat_map(|scope| self.scope_clauses(scope, act, rtype)).collect();
        let permit = combined(rtype, &roles, &reach).ok_or_else(|| denied_by_scopes(right, rtype))?;
        // A part of a resource can be shown, not written.
        if shows(right) || permit.shows_all() { Ok(permit) } else { Err(denied_by_role(act, rtype)) }
    }

    /// The roles that count: a client that acts for itself has no person's, and a person has no machine's.
    fn roles(&self) -> impl Iterator<Item = &RoleGrant> {
        let of_client = self.principal.who == Who::Client;
        self.principal.roles.iter().filter(move |grant| (grant.role == Role::System) == of_client)
    }

    fn facts<'a>(&'a self, grant: Option<&'a RoleGrant>) -> Facts<'a> {
        let principal = &self.principal;
        let user = principal.fhir_user.as_ref().map(|(rtype, id)| (rtype.as_str(), id.as_str()));
        let context = principal.patient.as_deref();
        let own = match user {
            Some(("Patient", id)) => Some(id),
            // Someone who acts for a patient, whom sign-in put into context.
            Some(("RelatedPerson", _)) | None => context,
            Some(_) => None,
        };
        Facts {
            own,
            context,
            staff: user.filter(|(rtype, _)| rtype.starts_with("Practitioner")),
            emergency: principal.emergency.as_ref().map(|emergency| emergency.patient.as_str()),
            organization: grant.and_then(|grant| grant.organization.as_deref()),
            subscriber: Some(&self.tag),
        }
    }

    /// What the roles allow; at least one clause.
    fn role_clauses(&self, act: Act, rtype: &'static ResourceType) -> Result<Vec<Clause>, Denied> {
        self.role_clauses_but(None, act, rtype)
    }

    /// The same without what one filter leaves.
    fn role_clauses_but(
        &self,
        without: Option<FilterKind>,
        act: Act,
        rtype: &'static ResourceType,
    ) -> Result<Vec<Clause>, Denied> {
        let mut clauses = Vec::new();
        let consented = self.consented(act, rtype, None);
        // An emergency suspends the consents of its patient, and of nobody else.
        let patient = self.principal.emergency.as_ref().map(|emergency| emergency.patient.as_str());
        let in_emergency = self.consented(act, rtype, patient);
        for role in self.roles() {
            let grants = self.policy.grants(Subject::Role(role.role), act, rtype.name);
            let grants = grants.iter().filter(|grant| grant.filter.is_none() || grant.filter != without);
            clauses.extend(grants.filter_map(|grant| {
                let limit = match grant.filter.map(|kind| filter::limit(kind, rtype, self.facts(Some(role))))
                {
                    None | Some(Limit::Everything) => None,
                    Some(Limit::Nothing) => return None,
                    Some(Limit::Where(condition)) => Some(condition),
                };
                let clause = Clause { limit, view: grant.view, cutoff: grant.cutoff, consent: None };
                Some(match (role.role, grant.filter) {
                    // What patients do with their own record needs nobody's consent.
                    (Role::Patient, _) => clause,
                    (_, Some(FilterKind::Emergency)) => clause.and(&in_emergency),
                    _ => clause.and(&consented),
                })
            }));
        }
        if clauses.is_empty() { Err(denied_by_role(act, rtype)) } else { Ok(clauses) }
    }

    /// What the consent of no patient `but` one denies.
    fn consented(&self, act: Act, rtype: &'static ResourceType, but: Option<&str>) -> Clause {
        let limit = match &self.consents {
            Some((consents, asker)) => consents.limit(asker, act, rtype, but),
            None if rtype.patient_compartment.is_empty() => None,
            None => Some(Condition::Either(Vec::new())),
        };
        Clause { consent: limit, ..Clause::default() }
    }

    /// What a scope reaches.
    fn scope_clauses(&self, scope: &ResourceScope, act: Act, rtype: &'static ResourceType) -> Vec<Clause> {
        let reach = match (scope.level, &self.principal.who) {
            (Level::Patient, Who::Account(_)) => self.patient_clauses(act, rtype),
            (Level::User, Who::Account(_)) | (Level::System, Who::Client) => vec![Clause::default()],
            _ => Vec::new(),
        };
        if scope.filter.is_empty() {
            return reach;
        }
        let Some(condition) = filter::granular(rtype, &scope.filter) else { return Vec::new() };
        let granular = Clause { limit: Some(condition), ..Clause::default() };
        reach.iter().map(|clause| clause.and(&granular)).collect()
    }

    /// What the scopes of one patient reach.
    fn patient_clauses(&self, act: Act, rtype: &'static ResourceType) -> Vec<Clause> {
        if self.principal.patient.is_none() {
            return Vec::new();
        }
        let grants = self.policy.grants(Subject::PatientScopes, act, rtype.name);
        let clauses = grants.iter().filter_map(|grant| {
            let limit = match grant.filter.map(|kind| filter::limit(kind, rtype, self.facts(None))) {
                None | Some(Limit::Everything) => None,
                Some(Limit::Nothing) => return None,
                Some(Limit::Where(condition)) => Some(condition),
            };
            Some(Clause { limit, view: grant.view, cutoff: grant.cutoff, consent: None })
        });
        clauses.collect()
    }
}

fn name(principal: &Principal) -> String {
    let client = principal.client.as_deref().unwrap_or_default();
    match &principal.who {
        Who::Account(id) => format!("account/{id}/{client}"),
        Who::Client => format!("client/{client}"),
        Who::Server(work) => format!("server/{work}"),
        Who::Sandbox => String::new(),
    }
}

/// A hash, so that letters in both cases and any length make a code.
fn tag(name: &str) -> String {
    Sha256::digest(name.as_bytes())
        .iter()
        .take(16)
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// What roles and scopes allow together; `None`: nothing.
fn combined(rtype: &'static ResourceType, roles: &[Clause], reach: &[Clause]) -> Option<Permit> {
    let clauses: Vec<Clause> =
        roles.iter().flat_map(|role| reach.iter().map(move |scope| role.and(scope))).collect();
    (!clauses.is_empty()).then(|| Permit::of(rtype, clauses))
}

fn denied_by_role(act: Act, rtype: &ResourceType) -> Denied {
    Denied(format!("Your role does not allow to {} {} resources", act.code(), rtype.name))
}

fn denied_by_scopes(right: Right, rtype: &ResourceType) -> Denied {
    Denied(format!(
        "The scopes of this token do not allow to {} {} resources",
        Act::from(right).code(),
        rtype.name
    ))
}
