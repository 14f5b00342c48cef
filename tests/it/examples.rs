//! The official R4 examples of the served types: each is sound and survives XML, or is listed in
//! `tests/data/examples-refused.txt` with the reason.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::Value;
use slotwright::fhir::registry::TYPES;
use slotwright::fhir::validate::Validator;
use slotwright::fhir::{parse, xml};

use crate::support::{Database, Engine, ServerProcess, both_engines};

/// One example.
pub struct Example {
    /// The file's name, such as `Slot-example.json`.
    pub file: String,
    /// The resource type.
    pub rtype: String,
    /// The resource.
    pub body: Value,
}

/// Where the npm package `hl7.fhir.r4.examples` 4.0.1 is unpacked.
///
/// # Panics
/// When `SLOTWRIGHT_R4_EXAMPLES` does not say.
pub fn directory() -> PathBuf {
    std::env::var_os("SLOTWRIGHT_R4_EXAMPLES").map_or_else(
        || panic!("SLOTWRIGHT_R4_EXAMPLES is not set: run tests/run, which fetches the official R4 examples"),
        PathBuf::from,
    )
}

/// Every official example of a served type, by file name.
///
/// # Panics
/// When they are not where [`directory`] looks.
pub fn examples() -> Vec<Example> {
    let directory = directory();
    let mut names: Vec<PathBuf> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}; run tests/run", directory.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    names.sort();
    let examples: Vec<Example> = names.iter().filter_map(|path| example(path)).collect();
    assert!(examples.len() > 100, "only {} examples in {}", examples.len(), directory.display());
    examples
}

fn example(path: &Path) -> Option<Example> {
    let file = path.file_name()?.to_str()?.to_owned();
    // The file's name begins with the type, so the definitions need not be read.
    TYPES.iter().find(|served| file.strip_prefix(served.name).is_some_and(|rest| rest.starts_with('-')))?;
    let body = parse::json(&std::fs::read(path).unwrap()).unwrap_or_else(|error| panic!("{file}: {error}"));
    let rtype = parse::resource_type(&body).unwrap().to_owned();
    Some(Example { file, rtype, body })
}

/// The examples that the server refuses, and the message that it refuses each with.
pub fn refused() -> BTreeMap<&'static str, &'static str> {
    include_str!("../data/examples-refused.txt")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_once('\t').unwrap_or_else(|| panic!("no reason in {line}")))
        .collect()
}

#[test]
fn every_example_is_sound_or_listed() {
    let validator = Validator::new().unwrap();
    let mut expected = refused();
    let mut wrong = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for example in examples() {
        let errors: Vec<String> = validator
            .validate(&example.rtype, &example.body)
            .iter()
            .filter(|issue| issue.is_error())
            .map(|issue| {
                format!("{}: {}", issue.expression.as_deref().unwrap_or_default(), issue.diagnostics)
            })
            .collect();
        match expected.remove(example.file.as_str()) {
            None if errors.is_empty() => {}
            Some(reason) if errors.iter().any(|error| error.contains(reason)) => {}
            _ => wrong.push(format!("{}\t{}", example.file, errors.join("; "))),
        }
        seen.push(example.rtype);
    }
    wrong.extend(expected.keys().map(|file| format!("{file}: listed, but not among the examples")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for served in TYPES {
        assert!(seen.iter().any(|rtype| rtype == served.name), "no example of {}", served.name);
    }
}

#[test]
fn every_sound_example_survives_xml() {
    let refused = refused();
    let mut wrong = Vec::new();
    for example in examples().iter().filter(|example| !refused.contains_key(example.file.as_str())) {
        let back = xml::to_xml(example.body.to_string().as_bytes()).and_then(|text| xml::from_xml(&text));
        match back {
            Ok(back) if back == example.body => {}
            Ok(back) => {
                wrong.push(format!("{}: {}", example.file, first_difference("", &example.body, &back)));
            }
            Err(error) => wrong.push(format!("{}: {error}", example.file)),
        }
    }
    assert!(wrong.is_empty(), "{} examples:\n{}", wrong.len(), wrong.join("\n"));
}

both_engines! {
    async fn every_sound_example_is_stored(engine: Engine) {
        let database = Database::create(engine).await;
        // The examples refer to resources that nobody has.
        let settings = [("SLOTWRIGHT_REFERENCES__MUST_EXIST", "false"), ("SLOTWRIGHT_FHIR__RESOURCE_LIMIT", "800KiB")];
        let server = ServerProcess::start_with(&database, &settings).await;
        let client = server.client();
        let unsound = refused();
        let mut wrong = Vec::new();
        // Some consents deny access to the patients whom others are about, so they come last.
        // The ends of the subscriptions have come, and their ids are not for clients to choose; `subscriptions` has others.
        let examples = examples().into_iter().filter(|one| one.rtype != "Subscription");
        let (consents, others): (Vec<_>, Vec<_>) = examples.partition(|one| one.rtype == "Consent");
        for example in others.into_iter().chain(consents) {
            let id = example.body.get("id").and_then(Value::as_str).unwrap_or_default();
            let path = format!("{}/{id}", example.rtype);
            let written = client.put(&path, &example.body).await;
            if unsound.contains_key(example.file.as_str()) {
                if !(400..500).contains(&written.status) {
                    wrong.push(format!("{}: listed, but taken", example.file));
                }
                continue;
            }
            if written.status != 201 {
                wrong.push(format!("{}: {written}", example.file));
                continue;
            }
            let mut read = client.get(&path).await.is(200).json.clone();
            let mut sent = example.body;
            withdraw_version(&mut read);
            withdraw_version(&mut sent);
            // What was stored is served as XML as well, and says the same.
            let served = client.request(Method::GET, &path).header("accept", "application/fhir+xml").send().await.is(200).body;
            let mut served = xml::from_xml(&served).unwrap_or_else(|error| panic!("{}: {error}", example.file));
            withdraw_version(&mut served);
            if served != read {
                wrong.push(format!("{} as XML: {}", example.file, first_difference("", &read, &served)));
            }
            if read != sent {
                wrong.push(format!("{}: {}", example.file, first_difference("", &sent, &read)));
            }
        }
        assert!(wrong.is_empty(), "{} examples:\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// Takes out what the server decides.
fn withdraw_version(body: &mut Value) {
    let Some(Value::Object(meta)) = body.get_mut("meta") else { return };
    meta.remove("versionId");
    meta.remove("lastUpdated");
    if meta.is_empty() {
        body.as_object_mut().expect("an object").remove("meta");
    }
}

/// Where two bodies begin to differ.
pub fn first_difference(at: &str, left: &Value, right: &Value) -> String {
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            let missing = b.keys().find(|key| !a.contains_key(*key));
            let inner = a.iter().find_map(|(key, value)| match b.get(key) {
                Some(other) if other == value => None,
                Some(other) => Some(first_difference(&format!("{at}.{key}"), value, other)),
                None => Some(format!("{at}.{key} is lost")),
            });
            inner.or_else(|| missing.map(|key| format!("{at}.{key} is new"))).unwrap_or_default()
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find(|(_, (a, b))| a != b)
            .map(|(index, (a, b))| first_difference(&format!("{at}[{index}]"), a, b))
            .unwrap_or_default(),
        _ => format!("{at}: {left} became {right}"),
    }
}
