//! What is done at the command line, to applications, people and keys, is on the record.

use crate::support::{Database, Engine, TestApp, block_on, slotwright, text};
use serde_json::{Value, json};
use slotwright::clock::Clock;

/// The value of a detail, empty when there is none.
fn detail(event: &Value, name: &str) -> String {
    let entities = event["entity"].as_array().cloned().unwrap_or_default();
    let mut all = entities.iter().flat_map(|entity| entity["detail"].as_array().cloned().unwrap_or_default());
    let found = all.find(|detail| detail["type"] == json!(name));
    found.map(|detail| text(&detail, "/valueString").to_owned()).unwrap_or_default()
}

async fn every_command_is_told(engine: Engine) {
    let database = Database::create(engine).await;
    let run = |arguments: &[&str]| {
        let output = slotwright(&database, arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    let add = [
        "client",
        "add",
        "--name",
        "App",
        "--scope",
        "openid user/Slot.rs",
        "--id",
        "app",
        "--auth",
        "secret",
    ];
    run(&[&add[..], &["--redirect-uri", "https://app.example/cb"]].concat());
    run(&["client", "list"]);
    run(&["client", "show", "app"]);
    run(&["client", "change", "app", "--name", "Other"]);
    run(&["client", "secret", "app"]);
    run(&["client", "disable", "app"]);
    run(&["client", "enable", "app"]);
    run(&["client", "invite", "--scope", "openid user/*.rs"]);
    let open = run(&["client", "invitations"]);
    let invitation = open.split_whitespace().next().expect("an id").to_owned();
    run(&["client", "uninvite", &invitation]);
    assert_eq!(run(&["client", "invitations"]), "");
    assert!(!slotwright(&database, &["client", "uninvite", &invitation]).status.success());
    run(&["user", "add", "ada", "--name", "Ada", "--role", "scheduler"]);
    run(&["user", "list"]);
    run(&["user", "role", "ada", "--add", "compliance", "--remove", "scheduler"]);
    run(&["user", "password", "ada", "--forget-second-factor"]);
    run(&["user", "disable", "ada"]);
    run(&["user", "enable", "ada"]);
    run(&["user", "review"]);
    run(&["key", "list"]);
    let made = run(&["key", "new", "--now"]);
    let kid = made.split(".pem").next().and_then(|path| path.rsplit_once("Z-")).expect("a kid").1.to_owned();
    let old = run(&["key", "list"]);
    let old = old.lines().filter_map(|line| line.split_whitespace().next()).find(|other| *other != kid);
    run(&["key", "retire", old.expect("the key before")]);
    let app = TestApp::start_with(database, Clock::system(), &[]).await;
    let events = app.audit_events().await;
    let at_the_command_line = |event: &&Value| event.to_string().contains("command line");
    let told: Vec<String> =
        events.iter().filter(at_the_command_line).map(|event| detail(event, "what")).collect();
    for what in [
        "register a client",
        "list clients",
        "show a client",
        "change a client",
        "give a client a new secret",
        "disable a client",
        "enable a client",
        "make an invitation",
        "list invitations",
        "withdraw an invitation",
        "make an account",
        "list accounts",
        "give a role",
        "take a role",
        "set a password",
        "disable an account",
        "enable an account",
        "review who has which role",
        "list the signing keys",
        "make a signing key",
        "retire a signing key",
    ] {
        assert!(told.iter().any(|own| own == what), "{what} in {told:?}");
    }
    let made = events.iter().find(|event| detail(event, "what") == "make a signing key").expect("an event");
    assert_eq!(detail(made, "target"), kid);
}

#[test]
fn every_command_is_told_on_sqlite() {
    block_on(every_command_is_told(Engine::Sqlite));
}

#[test]
fn every_command_is_told_on_postgres() {
    block_on(every_command_is_told(Engine::Postgres));
}
