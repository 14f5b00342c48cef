//! Around every request: ids, limits of time, pages, metrics, and stopping without breaking a promise.

use super::{answer, connect, header, raw};
use crate::support::ports::free_port;
use crate::support::{Database, Engine, ServerProcess, TestApp, block_on, clinic};
use reqwest::Method;
use std::process::Command;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

fn on_sqlite(body: impl AsyncFnOnce(TestApp)) {
    block_on(async { body(TestApp::start(Engine::Sqlite).await).await });
}

#[test]
fn every_answer_carries_a_request_id() {
    on_sqlite(async |app: TestApp| {
        let given = app.request(Method::GET, "Patient/none").header("x-request-id", "abc-1._Z").send().await;
        assert_eq!(given.header("x-request-id"), "abc-1._Z");
        for bad in ["", "a b", "<script>", &"x".repeat(65)] {
            let minted = app.request(Method::GET, "Patient/none").header("x-request-id", bad).send().await;
            assert_eq!(minted.header("x-request-id").len(), 36, "{bad}");
        }
        let reply = app.get("Patient/none").await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert!(!reply.header("date").is_empty());
        assert_eq!(reply.header("server"), "");
    });
}

#[test]
fn what_is_not_there_is_an_outcome_too() {
    on_sqlite(async |app: TestApp| {
        let root = app.root();
        for (method, path, status) in [
            (Method::GET, "/nothing", 404),
            (Method::GET, "/fhirs", 404),
            (Method::POST, "/livez", 405),
            (Method::PUT, "/fhir/Patient/x/_history/1", 405),
        ] {
            let reply = app.request(method, &format!("{root}{path}")).send().await.is(status);
            assert_eq!(reply.text("/resourceType"), "OperationOutcome", "{path}");
        }
        assert_eq!(app.get(&format!("{root}/livez")).await.is(200).body, b"ok\n");
        assert_eq!(app.get(&format!("{root}/readyz")).await.is(200).body, b"ok\n");
        let page = app.get(&format!("{root}/")).await.is(200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.header("content-security-policy").contains("default-src 'none'"));
        assert_eq!(app.get(&format!("{root}/openapi.json")).await.is(200).text("/openapi"), "3.1.0");
        let page = app.get(&format!("{root}/openapi")).await.is(200);
        assert!(String::from_utf8_lossy(&page.body).contains("/Appointment"), "{page}");
    });
}

#[test]
fn links_never_repeat_a_strangers_host() {
    on_sqlite(async |app: TestApp| {
        let create = || app.request(Method::POST, "Patient").json(&clinic::patient_resource("any"));
        let reply = create().header("host", "evil.example").send().await.is(201);
        assert!(reply.header("location").starts_with(app.base()), "{:?}", reply.headers);
        let reply = create().header("host", "localhost:1").send().await.is(201);
        assert!(reply.header("location").starts_with("http://localhost:1/fhir/"), "{:?}", reply.headers);
    });
}

#[test]
fn answers_are_compressed_for_those_who_ask() {
    on_sqlite(async |app: TestApp| {
        let mut patient = clinic::patient_resource("pat-1");
        patient["name"][0]["family"] = "x".repeat(5_000).into();
        app.store(&patient).await;
        let plain = app.get("Patient/pat-1").await.is(200);
        assert_eq!(plain.header("content-encoding"), "");
        for coding in ["gzip", "br"] {
            let request = app.request(Method::GET, "Patient/pat-1").header("accept-encoding", coding);
            let reply = request.send().await.is(200);
            assert_eq!(reply.header("content-encoding"), coding);
            assert!(reply.body.len() < plain.body.len() / 10);
        }
    });
}

#[test]
fn slow_clients_are_let_go() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let limits =
            [("SLOTWRIGHT_SERVER__REQUEST_TIMEOUT", "1s"), ("SLOTWRIGHT_SERVER__HEADER_TIMEOUT", "1s")];
        let server = ServerProcess::start_with(&database, &limits).await;
        let root = server.client().root().to_owned();
        let head = format!(
            "POST /fhir/Patient HTTP/1.1\r\nhost: x\r\ncontent-type: application/fhir+json\r\nauthorization: {}\r\n",
            server.client().authorization()
        );
        let body = raw(&root, format!("{head}content-length: 100\r\n\r\n{{").as_bytes()).await;
        assert_eq!(body.status, 408, "{}", body.head);
        assert!(body.is_outcome());
        assert_eq!(header(&body.head, "connection"), Some("close"));
        // A head that never ends is not a request: nobody to answer.
        let never = raw(&root, b"GET /livez HTTP/1.1\r\n").await;
        assert_eq!(never.status, 0, "{}", never.head);
    });
}

#[test]
fn metrics_have_a_port_of_their_own() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let listen = format!("127.0.0.1:{}", free_port());
        let server =
            ServerProcess::start_with(&database, &[("SLOTWRIGHT_SERVER__METRICS_LISTEN", &listen)]).await;
        let client = server.client();
        client.get("Patient/secret-id?family=Secret").await;
        let _ = client.get("Patient/none").await.is(404);
        let _ = client.request(Method::from_bytes(b"BREW").unwrap(), "Patient").send().await.is(405);
        let _ = client.get(&format!("{}/metrics", client.root())).await.is(404);
        let reply = client.get(&format!("http://{listen}/metrics")).await.is(200);
        let text = String::from_utf8(reply.body).unwrap();
        let read = r#"http_requests_total{method="GET",interaction="read",status="404"}"#;
        assert!(text.contains(read), "{text}");
        assert!(text.contains("http_request_duration_seconds_bucket{"), "{text}");
        assert!(text.contains("http_requests_in_flight 0"), "{text}");
        assert!(!text.contains("ecret") && !text.contains("BREW"), "{text}");
    });
}

#[test]
fn stopping_finishes_what_is_in_flight() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let server = ServerProcess::start(&database).await;
        let root = server.client().root().to_owned();
        let patient = clinic::patient_resource("pat-1").to_string();
        let (first, rest) = patient.split_at(10);
        let mut socket = connect(&root).await;
        let head = format!(
            "PUT /fhir/Patient/pat-1 HTTP/1.1\r\nhost: x\r\ncontent-type: application/fhir+json\r\n\
             authorization: {}\r\ncontent-length: {}\r\n\r\n{first}",
            server.client().authorization(),
            patient.len()
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let pid = server.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        tokio::time::sleep(Duration::from_millis(300)).await;
        let refused = tokio::net::TcpStream::connect(root.trim_start_matches("http://")).await;
        assert!(refused.is_err(), "nobody new is let in");
        socket.write_all(rest.as_bytes()).await.unwrap();
        let created = answer(&mut socket).await;
        assert_eq!(created.status, 201, "{} {}", created.head, created.json);
        assert!(server.stop().await, "it stops by itself and cleanly");
        let again = ServerProcess::start(&database).await;
        let _ = again.client().get("Patient/pat-1").await.is(200);
    });
}

#[test]
fn settings_that_are_wrong_are_all_named() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let run = |settings: &[(&str, &str)]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_slotwright"));
            command.arg("serve").current_dir(database.dir()).env("SLOTWRIGHT_DATABASE__URL", &database.url);
            // Of the tests, not of the server.
            command.env_remove("SLOTWRIGHT_R4_EXAMPLES");
            let output = command.envs(settings.iter().copied()).output().unwrap();
            assert_eq!(output.status.code(), Some(1));
            String::from_utf8(output.stderr).unwrap()
        };
        let said = run(&[
            ("SLOTWRIGHT_SERVER__LISTN", "127.0.0.1:1"),
            ("SLOTWRIGHT_SERVER__METRICS_LISTEN", "0.0.0.0:8080"),
            ("SLOTWRIGHT_FHIR__MAX_COUNT", "0"),
        ]);
        for expected in
            ["SLOTWRIGHT_SERVER__LISTN: unknown setting", "server.metrics_listen: ", "fhir.max_count: "]
        {
            assert!(said.contains(expected), "{said}");
        }
        let said = run(&[("SLOTWRIGHT_REFERENCES__UNCHECKED_TYPES", "Dog")]);
        assert!(said.contains("\"Dog\" is not a type"), "{said}");
    });
}
