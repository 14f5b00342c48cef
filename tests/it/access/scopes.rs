//! SMART scopes: granular parameters, and each letter for what it stands for.

use super::world::{self, Side};
use crate::support::{TestApp, both_engines, clinic};
use reqwest::Method;
use serde_json::{Value, json};

fn visit(status: &str, time: &str) -> Value {
    let (start, end) = (clinic::at(time), clinic::later(&clinic::at(time), 30));
    clinic::unslotted(status, &start, &end, "pat-1", &["Practitioner/dr-a"])
}

both_engines! {
    async fn granular_scopes_hold_before_and_after(app: TestApp) {
        world::build(&app).await;
        app.store(&clinic::with_id(visit("booked", "15:00"), "b")).await;
        app.store(&clinic::with_id(visit("proposed", "16:00"), "p")).await;
        let ann = world::patient(&app, "patient/Appointment.crus?status=booked patient/Patient.rs").await;
        // Search, read, version, history, include and batch.
        let mut found: Vec<String> = ann.get("Appointment?_total=accurate").await.is(200).ids().iter().map(ToString::to_string).collect();
        found.sort();
        assert_eq!(found, ["b", "in-appointment"]);
        assert_eq!(ann.get("Appointment?_summary=count").await.json["total"], 2);
        ann.get("Appointment/b").await.is(200);
        ann.get("Appointment/p").await.is(404);
        ann.get("Appointment/p/_history/1").await.is(404);
        ann.get("Appointment/p/_history").await.is(404);
        let included = ann.get("Patient?_revinclude=Appointment:patient").await.is(200);
        assert!(included.ids().contains(&"b") && !included.ids().contains(&"p"), "{included}");
        let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": [
            { "request": { "method": "GET", "url": "Appointment/p" } },
            { "request": { "method": "GET", "url": "Appointment/b" } }] });
        let batch = ann.post("", &batch).await.is(200);
        assert_eq!(&batch.text("/entry/0/response/status")[..3], "404");
        assert_eq!(&batch.text("/entry/1/response/status")[..3], "200");
        // Out of the filter, and into it.
        let status = |code: &str| json!([{ "op": "replace", "path": "/status", "value": code }]);
        ann.patch("Appointment/b", &status("cancelled")).await.is(403);
        ann.put("Appointment/b", &clinic::with_id(visit("cancelled", "15:00"), "b")).await.is(403);
        ann.patch("Appointment/p", &status("booked")).await.is(404);
        ann.post("Appointment", &visit("proposed", "17:00")).await.is(403);
        ann.post("Appointment", &visit("booked", "17:00")).await.is(201);
        assert_eq!(app.get("Appointment/b").await.text("/status"), "booked");
        // Once cancelled by others, its earlier versions are still what they were.
        app.patch("Appointment/b", &status("cancelled")).await.is(200);
        ann.get("Appointment/b").await.is(404);
        ann.get("Appointment/b/_history/1").await.is(200);
        ann.get("Appointment/b/_history/2").await.is(404);
        assert_eq!(ann.get("Appointment/b/_history").await.is(200).ids(), ["b"]);
        let history = ann.get("Appointment/_history").await.is(200);
        assert!(history.resources().iter().all(|one| one["status"] == "booked"), "{history}");
    }

    async fn granular_scopes_join_and_must_mean_something(app: TestApp) {
        world::build(&app).await;
        app.store(&clinic::with_id(visit("proposed", "16:00"), "p")).await;
        let two = app.system("two", "system/Appointment.rs?status=proposed system/Appointment.rs?_=1 \
            system/Appointment.rs?patient=pat-2").await;
        let mut found: Vec<String> = two.get("Appointment").await.is(200).ids().iter().map(ToString::to_string).collect();
        found.sort();
        assert_eq!(found, ["out-appointment", "p"]);
        for (id, scope) in [("colour", "system/Appointment.rs?colour=red"), ("when", "system/Appointment.rs?date=never"),
            ("other", "system/*.rs?nothing=1")] {
            let client = app.system(id, scope).await;
            client.get("Appointment").await.is(403);
            client.get("Appointment/p").await.is(403);
        }
        // One that means something for some types is for those.
        let booked = app.system("booked", "system/*.rs?status=booked").await;
        booked.get("Appointment/in-appointment").await.is(200);
        booked.get("Patient").await.is(403);
    }

    async fn each_letter_is_for_itself(app: TestApp) {
        world::build(&app).await;
        let body = Side::In.stored("Location");
        let try_all = async |scope: &str, wanted: [u16; 9]| {
            let client = app.system(scope, &format!("system/Location.{scope}")).await;
            let condition = async |method: Method, path: &str, header: Option<&str>| {
                let mut request = client.request(method, path);
                if let Some(query) = header {
                    request = request.header("If-None-Exist", query);
                }
                request.json(&Side::In.resource("Location")).send().await.status
            };
            let statuses = [
                client.get("Location/in-location").await.status,
                client.get("Location/in-location/_history/1").await.status,
                client.get("Location/in-location/_history").await.status,
                client.get("Location?name=Place").await.status,
                client.get("Location/_history").await.status,
                client.put("Location/in-location", &body).await.status,
                condition(Method::POST, "Location", None).await,
                condition(Method::POST, "Location", Some("_id=in-location")).await,
                condition(Method::PUT, "Location?_id=in-location", None).await,
            ];
            assert_eq!(statuses, wanted, "{scope}");
        };
        let no = 403;
        try_all("r", [200, 200, 200, no, no, no, no, no, no]).await;
        try_all("s", [no, no, no, 200, 200, no, no, no, no]).await;
        try_all("u", [no, no, no, no, no, 200, no, no, no]).await;
        try_all("c", [no, no, no, no, no, no, 201, no, no]).await;
        try_all("cs", [no, no, no, 200, 200, no, 201, 200, no]).await;
        try_all("us", [no, no, no, 200, 200, 200, no, no, 200]).await;
        try_all("cruds", [200, 200, 200, 200, 200, 200, 201, 200, 200]).await;
        // An update that creates needs the letter of updates; a deletion by condition that of searches, too.
        let new = clinic::with_id(Side::In.resource("Location"), "new");
        app.system("creates", "system/Location.c").await.put("Location/new", &new).await.is(403);
        app.system("updates", "system/Location.u").await.put("Location/new", &new).await.is(201);
        app.system("deletes", "system/Location.d").await.delete("Location?_id=new").await.is(403);
        app.system("finds", "system/Location.ds").await.delete("Location?_id=new").await.is(204);
        // To rehearse takes what it takes to do.
        let reader = app.system("reads", "system/Location.rs").await;
        reader.post("Location/$validate", &Side::In.resource("Location")).await.is(403);
    }

    async fn scopes_of_the_user_give_what_the_role_gives(app: TestApp) {
        world::build(&app).await;
        let officer = world::staff(&app, "compliance", None, "user/*.cruds").await;
        officer.get("Patient").await.is(403);
        officer.get("Consent").await.is(200);
        officer.put("Consent/in-consent", &Side::In.stored("Consent")).await.is(403);
        let person = world::clinician(&app, "system/*.cruds").await;
        person.get("Patient/pat-1").await.is(403);
        let client = app.system("machine", "user/*.cruds").await;
        client.get("Patient/pat-1").await.is(403);
        // A withdrawn role ends with the next request.
        let scheduler = world::scheduler(&app, "user/*.cruds").await;
        scheduler.get("Appointment/in-appointment").await.is(200);
        scheduler.get("Appointment/out-appointment").await.is(404);
        app.database().execute("DELETE FROM role_grant WHERE account = 'scheduler'").await;
        scheduler.get("Appointment/in-appointment").await.is(403);
    }
}
