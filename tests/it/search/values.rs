//! Every kind of value with its modifiers and prefixes.

use super::assert_found;
use crate::support::{Client, TestApp, both_engines};
use serde_json::json;

async fn seed(app: &Client) {
    app.store(&json!({
        "resourceType": "Patient", "id": "ann", "active": true, "gender": "female", "birthDate": "1980-03-10",
        "meta": {
            "tag": [{ "system": "urn:tags", "code": "vip" }],
            "profile": ["http://example.org/StructureDefinition/p|1.0"]
        },
        "identifier": [{ "system": "urn:mrn", "value": "A1", "type": { "text": "Medical record number" } }],
        "name": [{ "family": "O'Brien-Müller", "given": ["Zoë", "Ann"] }],
        "telecom": [{ "system": "phone", "value": "+1 (555) 010-99" }, { "system": "email", "value": "Zoe@Example.org" }],
        "address": [{ "line": ["12 Main St"], "city": "Zürich", "country": "CH", "use": "home" }],
        "maritalStatus": { "text": "Married" },
        "communication": [{ "language": { "coding": [{ "system": "urn:ietf:bcp:47", "code": "de-CH" }], "text": "Swiss German" } }]
    }))
    .await;
    app.store(&json!({
        "resourceType": "Patient", "id": "bob", "active": false, "gender": "male", "birthDate": "1980-03",
        "identifier": [{ "system": "urn:mrn", "value": "a1" }, { "value": "x,y" }],
        "name": [{ "text": "Bob 100%_Builder" }],
        "deceasedDateTime": "2020-01-01"
    }))
    .await;
    app.store(&json!({ "resourceType": "Patient", "id": "cy", "birthDate": "1981" })).await;
}

both_engines! {
    async fn tokens(app: TestApp) {
        let app = app.client();
        seed(&app).await;
        assert_found(&app, &[
            ("Patient?identifier=urn:mrn|A1", "ann"),
            ("Patient?identifier=urn:mrn|a1", "bob"),
            ("Patient?identifier=A1", "ann"),
            ("Patient?identifier=A1,a1", "ann bob"),
            ("Patient?identifier=urn:mrn|", "ann bob"),
            ("Patient?identifier=|A1", ""),
            ("Patient?identifier=|x%5C,y", "bob"),
            ("Patient?identifier:text=medical", "ann"),
            ("Patient?identifier:missing=true", "cy"),
            ("Patient?identifier:missing=false", "ann bob"),
            ("Patient?gender=FEMALE", "ann"),
            ("Patient?gender=http://hl7.org/fhir/administrative-gender|male", "bob"),
            ("Patient?gender=http://hl7.org/fhir/administrative-gender|", "ann bob"),
            ("Patient?gender=urn:else|male", ""),
            ("Patient?gender:not=male", "ann cy"),
            ("Patient?gender:not=male,female", "cy"),
            ("Patient?gender=male&gender=female", ""),
            ("Patient?active=true", "ann"),
            ("Patient?deceased=true", "bob"),
            ("Patient?deceased=false", "ann cy"),
            ("Patient?phone=%2B155501099", "ann"),
            ("Patient?email=zoe@example.ORG", "ann"),
            ("Patient?phone=zoe@example.org", ""),
            ("Patient?telecom=zoe@example.org", "ann"),
            ("Patient?address-use=home", "ann"),
            ("Patient?language=de-ch", "ann"),
            ("Patient?language=urn:ietf:bcp:47|de-CH", "ann"),
            ("Patient?language:text=swiss", "ann"),
            ("Patient?language:text=german", ""),
            ("Patient?_tag=vip", "ann"),
            ("Patient?_tag=urn:tags|vip", "ann"),
            ("Patient?_tag:not=vip", "bob cy"),
            ("Patient?_profile=http://example.org/StructureDefinition/p", "ann"),
            ("Patient?_profile=http://example.org/StructureDefinition/p|1.0", "ann"),
            ("Patient?_profile=http://example.org/StructureDefinition", ""),
            ("Patient?_id=ann,cy,none", "ann cy"),
            ("Patient?_id:not=ann", "bob cy"),
        ]).await;
    }

    async fn strings(app: TestApp) {
        let app = app.client();
        seed(&app).await;
        assert_found(&app, &[
            ("Patient?family=obrien", "ann"),
            ("Patient?family=O%27Brien%20muller", "ann"),
            ("Patient?family=brien", ""),
            ("Patient?family:contains=RIEN", "ann"),
            ("Patient?family:exact=O%27Brien-M%C3%BCller", "ann"),
            ("Patient?family:exact=O%27Brien-Muller", ""),
            ("Patient?given=zoe", "ann"),
            ("Patient?given=zoe,nobody", "ann"),
            ("Patient?name=ann", "ann"),
            ("Patient?name=zoe%20ann%20obrien", "ann"),
            ("Patient?name=zoe&name=bob", ""),
            ("Patient?name:contains=100%25", "bob"),
            ("Patient?name:contains=0xb", ""),
            ("Patient?name:missing=true", "cy"),
            ("Patient?phonetic=bob", "bob"),
            ("Patient?address=zurich", "ann"),
            ("Patient?address=12%20main", "ann"),
            ("Patient?address-city=Z%C3%BCr", "ann"),
            ("Patient?address-country:exact=CH", "ann"),
        ]).await;
    }

    async fn dates(app: TestApp) {
        let app = app.client();
        seed(&app).await;
        assert_found(&app, &[
            ("Patient?birthdate=1980-03-10", "ann"),
            ("Patient?birthdate=1980-03", "ann bob"),
            ("Patient?birthdate=1980", "ann bob"),
            ("Patient?birthdate=eq1981", "cy"),
            ("Patient?birthdate=ne1980-03", "cy"),
            ("Patient?birthdate=gt1980-03-10", "bob cy"),
            ("Patient?birthdate=ge1980-03-10", "ann bob cy"),
            ("Patient?birthdate=lt1980-03-10", "bob"),
            ("Patient?birthdate=le1980-03-10", "ann bob"),
            ("Patient?birthdate=sa1980-03", "cy"),
            ("Patient?birthdate=eb1981", "ann bob"),
            ("Patient?birthdate=ge1980&birthdate=lt1981", "ann bob"),
            ("Patient?birthdate=1980-03-10,1981", "ann cy"),
            ("Patient?death-date=2020-01", "bob"),
            ("Patient?death-date:missing=false", "bob"),
            ("Patient?_lastUpdated=gt2000-01-01", "ann bob cy"),
            ("Patient?_lastUpdated=lt2000-01-01T00:00:00Z", ""),
            ("Patient?_lastUpdated=gt2000-01-01T00:00:00+01:00", "ann bob cy"),
        ]).await;
        let near = app.get("Patient?birthdate=ap1980").await.is(200);
        assert!(near.ids().contains(&"ann"), "{near}");
    }

    async fn quantities_and_places(app: TestApp) {
        let app = app.client();
        seed(&app).await;
        for (id, minutes) in [("short", "15.0"), ("long", "90.25")] {
            let body = format!(
                r#"{{"resourceType":"Encounter","id":"{id}","status":"planned","class":{{"code":"AMB"}},
                "subject":{{"reference":"Patient/ann"}},
                "length":{{"value":{minutes},"unit":"min","system":"http://unitsofmeasure.org","code":"min"}}}}"#
            );
            app.store(&serde_json::from_str(&body).expect("JSON")).await;
        }
        for (id, latitude, longitude) in [("zurich", 47.37, 8.54), ("fiji", -17.7, 179.9)] {
            app.store(&json!({ "resourceType": "Location", "id": id, "status": "active",
                "position": { "latitude": latitude, "longitude": longitude } })).await;
        }
        assert_found(&app, &[
            ("Encounter?length=15", "short"),
            ("Encounter?length=15.0", "short"),
            ("Encounter?length=90.25|http://unitsofmeasure.org|min", "long"),
            ("Encounter?length=90||min", "long"),
            ("Encounter?length=90.0", ""),
            ("Encounter?length=ne15", "long"),
            ("Encounter?length=gt15", "long"),
            ("Encounter?length=ge15", "long short"),
            ("Encounter?length=lt90.25", "short"),
            ("Encounter?length=ap16", "short"),
            ("Encounter?length=15||h", ""),
            ("Encounter?class=amb", "long short"),
            ("Location?near=47.4|8.5|10|km", "zurich"),
            ("Location?near=47.4|8.5|1000|m", ""),
            ("Location?near=-17.7|-179.9|50|km", "fiji"),
            ("Location?near=46|9|500", "zurich"),
        ]).await;
    }
}
