//! Emergencies that clinicians declare: what they reach, what it takes, who hears of it.

mod declare;
mod hint;
pub mod mail;
mod reach;
mod review;
mod tokens;

use crate::access::world::{self, Side};
use crate::pages::browser::{Browser, PASSWORD, Page, account};
use crate::support::auth::Person;
use crate::support::{Client, TestApp};
use serde_json::json;
use slotwright::auth::principal::Role;

/// A reason that is long enough.
const REASON: &str = "Found unconscious at home";

/// A clinician who treats neither patient of the world.
struct Clinician {
    /// Id of the account.
    id: String,
    /// At the pages.
    browser: Browser,
    /// With an application that was granted all that clinicians may.
    client: Client,
}

/// Both sides of the world, a third patient of no organisation, and a clinician.
async fn begun(app: &TestApp) -> Clinician {
    world::build(app).await;
    let third = json!({ "resourceType": "Patient", "id": "pat-3", "identifier": [
        { "system": "urn:mrn", "value": "M-3" }, { "value": "shared" }] });
    app.put("Patient/pat-3", &third).await;
    clinician(app, "carl", "user/*.cruds").await
}

/// Makes a clinician who treats nobody.
async fn clinician(app: &TestApp, username: &str, scope: &str) -> Clinician {
    app.store(&json!({ "resourceType": "Practitioner", "id": "dr-c", "name": [{ "family": "Care" }] })).await;
    let id = account(app, username, &[Role::Clinician], Some("Practitioner/dr-c")).await;
    let client = token(app, &id, scope).await;
    let mut browser = Browser::new(app);
    browser.sign_in(username).await;
    Clinician { id, browser, client }
}

/// A token of a clinician's account with these scopes.
async fn token(app: &TestApp, account: &str, scope: &str) -> Client {
    app.person(Person { account, fhir_user: Some("Practitioner/dr-c"), scope, ..Person::default() }).await
}

/// Tries to declare an emergency.
async fn try_declare(browser: &mut Browser, patient: &str, password: &str) -> Page {
    let fields = [("patient", patient), ("purpose", "ETREAT"), ("reason", REASON), ("password", password)];
    browser.fill("/emergency", "/emergency", &fields).await
}

/// Declares an emergency and insists on it.
async fn declare(browser: &mut Browser, patient: &str) {
    let page = try_declare(browser, patient, PASSWORD).await.is(303);
    assert_eq!(page.location(), "/emergency?done=declared");
}

/// `Type/id` on the far side of the world.
fn out(rtype: &str) -> String {
    format!("{rtype}/{}", Side::Out.id(rtype))
}
