//! Every role on every type by every interaction, in and out of its reach, against the rules themselves.

use super::world::{self, Side};
use crate::support::auth::Person;
use crate::support::{Client, Reply, TestApp, both_engines};
use reqwest::Method;
use serde_json::{Value, json};
use slotwright::auth::policy::Policy;
use slotwright::auth::principal::Role;
use slotwright::auth::rule::{Act, FilterKind, Subject, View};
use slotwright::fhir::registry::TYPES;

/// Somebody who tries everything.
struct Tester {
    name: &'static str,
    role: Role,
    /// Whether they come with scopes of one patient.
    of_patient: bool,
    /// Whether an emergency of theirs is running, about the patient of the other side.
    in_emergency: bool,
    client: Client,
}

/// What the rules let a tester do with a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Nothing,
    /// Only what is on the inside.
    Inside,
    Everything,
}

impl Tester {
    fn reach(&self, act: Act, rtype: &'static str) -> Reach {
        let policy = Policy::load().expect("sound rules");
        let of = |subject| {
            let grants = policy.grants(subject, act, rtype);
            match grants {
                [] => Reach::Nothing,
                _ if grants.iter().any(|grant| grant.filter.is_none()) => Reach::Everything,
                _ if self.in_emergency && grants.iter().any(|g| g.filter == Some(FilterKind::Emergency)) => {
                    Reach::Everything
                }
                _ => Reach::Inside,
            }
        };
        let own = of(Subject::Role(self.role));
        let scopes = if self.of_patient { of(Subject::PatientScopes) } else { Reach::Everything };
        match (own, scopes) {
            (Reach::Nothing, _) | (_, Reach::Nothing) => Reach::Nothing,
            (Reach::Everything, Reach::Everything) => Reach::Everything,
            _ => Reach::Inside,
        }
    }

    fn view(&self, act: Act, rtype: &'static str) -> Option<View> {
        let policy = Policy::load().expect("sound rules");
        let view = |subject| policy.grants(subject, act, rtype).iter().find_map(|grant| grant.view);
        view(Subject::Role(self.role)).or(self.of_patient.then(|| view(Subject::PatientScopes)).flatten())
    }
}

async fn testers(app: &TestApp) -> Vec<Tester> {
    let tester =
        |name, role, of_patient, client| Tester { name, role, of_patient, in_emergency: false, client };
    let both = "user/*.cruds";
    let person = Person {
        account: "dr-a",
        roles: &["clinician"],
        fhir_user: Some("Practitioner/dr-a"),
        patient: Some("pat-1"),
        scope: "patient/*.cruds",
    };
    let hurried = Person { account: "hurried", patient: None, scope: both, ..person };
    let hurried = app.person(hurried).await;
    app.database()
        .execute(&format!(
            "INSERT INTO emergency (id, account, patient, purpose, reason, began_us, until_us) VALUES \
             ('e', 'hurried', 'pat-2', 'BTG', 'of a test', {now}, {now} + 3600000000)",
            now = app.library().clock.now()
        ))
        .await;
    vec![
        Tester { in_emergency: true, ..tester("clinician in an emergency", Role::Clinician, false, hurried) },
        tester("patient", Role::Patient, false, world::patient(app, both).await),
        tester(
            "patient with patient scopes",
            Role::Patient,
            true,
            world::patient(app, "patient/*.cruds").await,
        ),
        tester("scheduler of an organisation", Role::Scheduler, false, world::scheduler(app, both).await),
        tester("clinician", Role::Clinician, false, world::clinician(app, both).await),
        tester("clinician with patient scopes", Role::Clinician, true, app.person(person).await),
        tester(
            "compliance officer",
            Role::Compliance,
            false,
            world::staff(app, "compliance", None, both).await,
        ),
        tester(
            "administrator",
            Role::Administrator,
            false,
            world::staff(app, "administrator", None, both).await,
        ),
        tester("system client", Role::System, false, app.system("reports", "system/*.cruds").await),
    ]
}

/// What came of one try, said like what the rules say.
fn said(reply: &Reply, absent: Option<&Reply>, id: &str) -> Option<bool> {
    match reply.status {
        200 | 201 | 204 => Some(true),
        404 => {
            // Nothing tells a resource that is out of reach from one that is not there.
            let absent = absent.expect("a comparison");
            let named = String::from_utf8_lossy(&absent.body).replace("no-such-id", id);
            (String::from_utf8_lossy(&reply.body) == named && absent.status == 404).then_some(false)
        }
        _ => None,
    }
}

async fn reads(tester: &Tester, rtype: &'static str, wrong: &mut Vec<String>) {
    let reach = tester.reach(Act::Read, rtype);
    for side in Side::BOTH {
        let id = side.id(rtype);
        for tail in ["", "/_history/1", "/_history"] {
            let name = format!("{}: GET {rtype}/{id}{tail}", tester.name);
            let reply = tester.client.get(&format!("{rtype}/{id}{tail}")).await;
            let absent = tester.client.get(&format!("{rtype}/no-such-id{tail}")).await;
            if reach == Reach::Nothing {
                if reply.status != 403 || absent.body != reply.body {
                    wrong.push(format!("{name}: {reply}, but no rule permits it"));
                }
                continue;
            }
            let seen = said(&reply, Some(&absent), &id);
            if seen != Some(reach == Reach::Everything || side == Side::In) {
                wrong.push(format!("{name}: {reply}, but the rules say {reach:?}"));
            }
            if seen == Some(true) && tail.is_empty() {
                check_view(tester.view(Act::Read, rtype), &reply.json, &name, wrong);
            }
        }
    }
}

fn check_view(view: Option<View>, body: &Value, name: &str, wrong: &mut Vec<String>) {
    let tags = body.pointer("/meta/tag").and_then(Value::as_array);
    let tagged = tags.into_iter().flatten().any(|tag| tag["code"] == "SUBSETTED");
    let hidden = ["comment", "contact", "generalPractitioner", "policyRule"];
    let shows = hidden.iter().any(|element| body.get(element).is_some());
    if tagged != view.is_some() || (view.is_some() && shows) {
        wrong.push(format!("{name}: shows {body}, but the view is {view:?}"));
    }
}

async fn searches(tester: &Tester, rtype: &'static str, wrong: &mut Vec<String>) {
    let reach = tester.reach(Act::Search, rtype);
    for side in Side::BOTH {
        let id = side.id(rtype);
        let name = format!("{}: search of {rtype}/{id}", tester.name);
        let reply = tester.client.get(&format!("{rtype}?_id={id}&_total=accurate")).await;
        let wanted = match reach {
            Reach::Nothing if reply.status == 403 => continue,
            Reach::Everything => 1,
            Reach::Inside if side == Side::In => 1,
            _ => 0,
        };
        let found = reply.json.pointer("/total").and_then(Value::as_i64);
        let matches = i64::try_from(reply.resources().len()).expect("few");
        if reply.status != 200 || found != Some(wanted) || matches != wanted {
            wrong.push(format!("{name}: {reply}, but the rules say {reach:?}"));
        }
        for body in reply.resources() {
            check_view(tester.view(Act::Search, rtype), body, &name, wrong);
        }
    }
    let reply = tester.client.get(&format!("{rtype}/_history")).await;
    let out = format!("\"{}\"", Side::Out.id(rtype));
    let leaks = reach == Reach::Inside && String::from_utf8_lossy(&reply.body).contains(&out);
    if reply.status != if reach == Reach::Nothing { 403 } else { 200 } || leaks {
        wrong.push(format!("{}: history of {rtype}: {reply}, but the rules say {reach:?}", tester.name));
    }
}

async fn updates(tester: &Tester, rtype: &'static str, wrong: &mut Vec<String>) {
    let reach = tester.reach(Act::Update, rtype);
    for side in Side::BOTH {
        let id = side.id(rtype);
        let patch = json!([{ "op": "test", "path": "/resourceType", "value": rtype }]);
        for method in [Method::PUT, Method::PATCH] {
            let name = format!("{}: {method} {rtype}/{id}", tester.name);
            let send = async |id: &str, body: Value| {
                let request = tester.client.request(method.clone(), &format!("{rtype}/{id}"));
                if method == Method::PUT {
                    return request.json(&crate::support::clinic::with_id(body, id)).send().await;
                }
                request.bytes("application/json-patch+json", patch.to_string().into_bytes()).send().await
            };
            let reply = send(&id, side.resource(rtype)).await;
            let ok = match reach {
                Reach::Nothing => reply.status == 403,
                Reach::Everything => reply.status == 200,
                Reach::Inside if side == Side::In => reply.status == 200,
                Reach::Inside => {
                    let absent = send("no-such-id", side.resource(rtype)).await;
                    said(&reply, Some(&absent), &id) == Some(false)
                }
            };
            if !ok {
                wrong.push(format!("{name}: {reply}, but the rules say {reach:?}"));
            }
        }
    }
}

async fn creates_and_deletes(app: &TestApp, tester: &Tester, rtype: &'static str, wrong: &mut Vec<String>) {
    let reach = tester.reach(Act::Create, rtype);
    for side in Side::BOTH {
        let mut body = side.resource(rtype);
        if rtype == "Appointment" {
            // Not for the time of the one that is there.
            body["status"] = json!("proposed");
        }
        let reply = tester.client.post(rtype, &body).await;
        let wanted = match reach {
            Reach::Everything => 201,
            Reach::Inside if side == Side::In => 201,
            _ => 403,
        };
        if reply.status != wanted {
            wrong.push(format!(
                "{}: POST {rtype} {side:?}: {reply}, but the rules say {reach:?}",
                tester.name
            ));
        }
        let reach = tester.reach(Act::Delete, rtype);
        let fresh = app.post(rtype, &body).await.is(201).id().to_owned();
        let reply = tester.client.delete(&format!("{rtype}/{fresh}")).await;
        let wanted = match reach {
            Reach::Nothing => 403,
            Reach::Inside if side == Side::Out => 404,
            _ => 204,
        };
        if reply.status != wanted {
            wrong.push(format!(
                "{}: DELETE {rtype} {side:?}: {reply}, but the rules say {reach:?}",
                tester.name
            ));
        }
        if wanted != 204 {
            app.delete(&format!("{rtype}/{fresh}")).await;
        }
    }
}

both_engines! {
    async fn every_role_may_do_on_every_type_what_the_rules_say(app: TestApp) {
        world::build(&app).await;
        let mut wrong = Vec::new();
        for tester in testers(&app).await {
            // Whose a subscription is, is not said by what it is about: see below.
            for rtype in TYPES.iter().filter(|rtype| rtype.name != "Subscription") {
                reads(&tester, rtype.name, &mut wrong).await;
                searches(&tester, rtype.name, &mut wrong).await;
                updates(&tester, rtype.name, &mut wrong).await;
                creates_and_deletes(&app, &tester, rtype.name, &mut wrong).await;
            }
        }
        assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    }

    async fn every_role_may_do_with_subscriptions_what_the_rules_say(app: TestApp) {
        world::build(&app).await;
        let sent = crate::subscriptions::subscription("slot-freed", "websocket", "id-only");
        let of_tests = app.post("Subscription", &sent).await.is(201);
        let mut wrong = Vec::new();
        for tester in testers(&app).await {
            let rules = |act| {
                let grants = |subject| Policy::load().expect("sound rules").grants(subject, act, "Subscription");
                let own = grants(Subject::Role(tester.role));
                let scopes = tester.of_patient.then(|| grants(Subject::PatientScopes));
                let all = own.iter().any(|g| g.filter.is_none()) && scopes.is_none_or(|s| s.iter().any(|g| g.filter.is_none()));
                match (own.is_empty() || scopes.is_some_and(<[_]>::is_empty), all) {
                    (true, _) => Reach::Nothing,
                    (_, true) => Reach::Everything,
                    _ => Reach::Inside,
                }
            };
            let made = tester.client.post("Subscription", &sent).await;
            let mut is = |what: &str, reply: &Reply, wanted: u16| {
                if reply.status != wanted {
                    wrong.push(format!("{}: {what}: {reply}, but the rules say {wanted}", tester.name));
                }
            };
            is("create", &made, if rules(Act::Create) == Reach::Nothing { 403 } else { 201 });
            let others = format!("Subscription/{}", of_tests.id());
            let read = tester.client.get(&others).await;
            is("read of another's", &read, match rules(Act::Read) { Reach::Nothing => 403, Reach::Inside => 404, Reach::Everything => 200 });
            if read.status == 200 {
                assert!(read.json.to_string().contains("SUBSETTED"), "{}: {read}", tester.name);
            }
            let found = tester.client.get("Subscription").await;
            let wanted = if rules(Act::Search) == Reach::Nothing { 403 } else { 200 };
            is("search", &found, wanted);
            assert!(wanted == 403 || !found.ids().contains(&of_tests.id()), "{}", tester.name);
            let patch = json!([{ "op": "replace", "path": "/reason", "value": "mine" }]);
            let changed = tester.client.patch(&others, &patch).await;
            // Whoever may switch any off may change nothing else of them.
            is("change of another's", &changed, if rules(Act::Update) == Reach::Inside { 404 } else { 403 });
            let gone = tester.client.delete(&others).await;
            is("deletion of another's", &gone, if rules(Act::Delete) == Reach::Inside { 404 } else { 403 });
            if made.status == 201 {
                let own = format!("Subscription/{}", made.id());
                is("read", &tester.client.get(&own).await, 200);
                is("change", &tester.client.patch(&own, &patch).await, 200);
                is("deletion", &tester.client.delete(&own).await, 204);
            }
        }
        assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    }
}
