//! What officers take with them: an event's proof, events with proofs, the checkpoint. And what pages say of events that
//! were purged, or tampered with.

use super::console::officer;
use super::coverage::of_request;
use super::database_export::{events, holds};
use crate::pages::browser::{Browser, Page};
use crate::support::auth::audit_signer;
use crate::support::clinic::seed;
use crate::support::{Engine, TestApp, both_engines, text};
use serde_json::Value;
use slotwright::audit::checkpoint::SignedCheckpoint;
use slotwright::audit::proof::TlogProof;
use std::fs;
use std::path::PathBuf;

/// Downloads events and unpacks them.
async fn downloaded(app: &TestApp, cora: &mut Browser, name: &str, fields: &[(&str, &str)]) -> PathBuf {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let page = cora.fill(&format!("/console/audit?{query}"), "/console/audit/export", &[]).await.is(200);
    assert_eq!(page.header("content-type"), "application/x-tar");
    assert!(
        page.header("content-disposition").starts_with("attachment; filename=\"audit"),
        "{:?}",
        page.headers
    );
    let dir = app.database().dir().join(name);
    tar::Archive::new(page.html.as_bytes()).unpack(&dir).expect("a tar");
    let mut inside = fs::read_dir(&dir).expect("a directory").flatten();
    let found = inside.next().expect("one directory").path();
    assert!(inside.next().is_none(), "one directory and nothing beside it");
    found
}

async fn used(app: &TestApp) {
    seed(app).await;
    for turn in 0..1100 {
        let _ = app.get(&format!("Patient/pat-{}", turn % 2 + 1)).await.is(200);
    }
    app.sequence().await;
}

/// The page of the last event about a patient.
async fn event_page(app: &TestApp, cora: &mut Browser, patient: &str) -> (Value, Page) {
    let events = app.audit_events().await;
    let named = format!("\"Patient/{patient}\"");
    let is_read =
        |event: &&Value| event.to_string().contains(&named) && text(event, "/subtype/0/code") == "read";
    let event = events.iter().rfind(is_read).expect("an event").clone();
    let page = cora.get(&format!("/console/audit/events/{}", text(&event, "/id"))).await;
    (event, page)
}

/// Makes the log's tables ones that can be changed, as whoever has the database can.
async fn unguarded(app: &TestApp) {
    let database = app.database();
    match database.engine {
        Engine::Sqlite => database.execute("DROP TRIGGER audit_event_keeps_content").await,
        Engine::Postgres => database.execute("DROP TRIGGER audit_event_keeps_content ON audit_event").await,
    };
}

both_engines! {
    async fn a_download_is_an_export_that_both_verifiers_accept(app: TestApp) {
        used(&app).await;
        let (mut cora, id) = officer(&app).await;
        let all = downloaded(&app, &mut cora, "all", &[]).await;
        holds(&all);
        let whole = events(&all);
        assert!(whole.len() > 1100, "{}", whole.len());
        assert_eq!(whole[0]["seq"], 0);
        cora.headers = vec![("x-request-id", "taken".to_owned())];
        let own = downloaded(&app, &mut cora, "own", &[("patient", "pat-1")]).await;
        holds(&own);
        let own = events(&own);
        assert!(own.len() > 550 && own.iter().all(|line| line["event"].to_string().contains("Patient/pat-1")), "{}", own.len());
        let (from, until) = (own[100]["recorded"].as_str().unwrap(), own[300]["recorded"].as_str().unwrap());
        let part = downloaded(&app, &mut cora, "part", &[("from", from), ("until", until)]).await;
        holds(&part);
        let part = events(&part);
        assert_eq!((&part[0]["seq"], part.last().unwrap()["seq"].as_u64().unwrap() + 1), (&own[100]["seq"], own[300]["seq"].as_u64().unwrap()));
        let none = downloaded(&app, &mut cora, "none", &[("patient", "nobody")]).await;
        holds(&none);
        assert!(events(&none).is_empty());
        // It is on the record: who took what.
        let recorded = app.audit_events().await;
        let taken: Vec<&Value> = of_request(&recorded, "taken").into_iter().filter(|event| text(event, "/type/code") == "110106").collect();
        assert_eq!(taken.len(), 3);
        assert!(taken[0].to_string().contains(&id) && taken[0].to_string().contains("Patient/pat-1"), "{}", taken[0]);
    }

    async fn a_proof_and_a_checkpoint_are_files_of_their_own(app: TestApp) {
        used(&app).await;
        let (mut cora, _) = officer(&app).await;
        let (event, page) = event_page(&app, &mut cora, "pat-1").await;
        let page = page.is(200);
        for told in ["The content is what was logged.", "The event is at its place in the tree", "is signed by a key of the log", "Read", "pat-1", "tests", "127.0.0.1"] {
            assert!(page.says(told), "{told}: {}", page.html);
        }
        assert!(page.header("content-security-policy").contains("script-src 'self'"));
        assert!(page.says("<noscript>") && page.says("<script src=\"/assets/proof.js\" defer></script>"));
        assert_eq!(cora.get("/assets/proof.js").await.is(200).header("content-type"), "text/javascript; charset=utf-8");
        let proof = cora.get(&format!("/console/audit/events/{}/proof", text(&event, "/id"))).await.is(200);
        let proof = TlogProof::parse(proof.html.as_bytes()).expect("a proof");
        let keys = [audit_signer().verifier().clone()];
        let leaf = app.database().texts(&format!("SELECT {} FROM audit_leaf WHERE seq = {}", match app.database().engine {
            Engine::Sqlite => "hex(hash)", Engine::Postgres => "upper(encode(hash, 'hex'))" }, proof.index)).await.swap_remove(0);
        let leaf: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&leaf[2 * at..2 * at + 2], 16).unwrap()).collect();
        proof.verify(&leaf.try_into().unwrap(), &keys).expect("it holds");
        let note = cora.get("/console/audit/checkpoint").await.is(200);
        SignedCheckpoint::parse(note.html.as_bytes()).unwrap().verify(&keys).expect("signed");
        assert!(cora.get("/console/audit").await.says("Newest checkpoint"));
        cora.get("/console/audit/events/none").await.is(404);
    }

    async fn what_was_changed_behind_the_servers_back_is_said(app: TestApp) {
        used(&app).await;
        let (mut cora, _) = officer(&app).await;
        let (event, _) = event_page(&app, &mut cora, "pat-1").await;
        let id = text(&event, "/id").to_owned();
        unguarded(&app).await;
        let other = event.to_string().replace("Patient/pat-1", "Patient/pat-2");
        let hex: String = other.bytes().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
        let body = match app.database().engine {
            Engine::Sqlite => format!("X'{hex}'"),
            Engine::Postgres => format!("'\\x{hex}'::bytea"),
        };
        app.database().execute(&format!("UPDATE audit_event SET body = {body} WHERE id = '{id}'")).await;
        let page = cora.get(&format!("/console/audit/events/{id}")).await.is(200);
        assert!(page.says("The content is not what was logged."), "{}", page.html);
        assert!(page.says("<ul id=\"server-check\" class=\"bad\">"), "{}", page.html);
    }

    async fn a_purged_event_is_shown_as_such(app: TestApp) {
        used(&app).await;
        let (mut cora, _) = officer(&app).await;
        let (event, _) = event_page(&app, &mut cora, "pat-1").await;
        let id = text(&event, "/id").to_owned();
        let database = app.database();
        let before = "(SELECT MAX(recorded_us) + 1 FROM audit_event)";
        let insert = format!("INSERT INTO audit_purge (before_us, at_us, by_whom) VALUES ({before}, 0, 'a test')");
        database.execute(&insert).await;
        database.execute(&format!("DELETE FROM audit_event WHERE id = '{id}'")).await;
        let page = cora.get(&format!("/console/audit/events/{id}")).await.is(200);
        for told in ["was deleted after the time", "The content is not there any more.", "The event is at its place in the tree"] {
            assert!(page.says(told), "{told}: {}", page.html);
        }
        let list = cora.get("/console/audit?patient=pat-1&subtype=read").await.is(200);
        assert!(list.says("Content purged") && list.says(&id), "{}", list.html);
        let account = cora.get("/console/audit/disclosures?patient=pat-1").await.is(200);
        assert!(account.says("One event can&#39;t be judged any more"), "{}", account.html);
        // A download says so, too, and is whole.
        let own = downloaded(&app, &mut cora, "own", &[("patient", "pat-1")]).await;
        assert!(events(&own).iter().any(|line| line["purged"] == true && line["id"] == id.as_str()));
    }
}
