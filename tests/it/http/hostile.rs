//! Input made to hurt: refused in time with an OperationOutcome, leaving nothing behind.

use super::{Raw, header, raw, with_authorization};
use crate::support::{Database, Engine, ServerProcess, block_on};
use std::time::{Duration, Instant};

/// Rounds before the memory is measured, and rounds of a stretch.
const ROUNDS: (usize, usize) = (6, 10);
/// Stretches of which at least one must not add to the memory: an allocator takes more now and then, a leak always.
const STRETCHES: usize = 3;
/// What an allocator may keep for itself in each of them.
const SLACK_KIB: i64 = 8 * 1024;

/// A POST or PUT of a body.
fn send(method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/fhir+json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// What each hostile request is called, its bytes, and the statuses that refuse it rightly.
fn requests() -> Vec<(&'static str, Vec<u8>, &'static [u16])> {
    let patient = |more: &str| format!("{{\"resourceType\":\"Patient\",{more}}}").into_bytes();
    let entry = r#"{"request":{"method":"DELETE","url":"Patient/x"}}"#;
    let bundle = format!(
        "{{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":[{}]}}",
        vec![entry; 10_001].join(",")
    );
    let chunked =
        b"POST /fhir/Patient HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/fhir+json\r\n\
        transfer-encoding: chunked\r\n\r\n";
    let mut endless = chunked.to_vec();
    for _ in 0..100 {
        endless.extend_from_slice(b"10000\r\n");
        endless.resize(endless.len() + 0x10000, b' ');
        endless.extend_from_slice(b"\r\n");
    }
    vec![
        ("100,000 brackets", send("POST", "/fhir/Patient", &vec![b'['; 100_000]), &[400]),
        (
            "100,000 brackets in a resource",
            send("POST", "/fhir/Patient", format!("{{\"a\":{}", "[".repeat(100_000)).as_bytes()),
            &[400],
        ),
        ("100 MB", send("POST", "/fhir/Patient", &vec![b' '; 100_000_000]), &[413]),
        ("a body without an end", endless, &[413]),
        ("10,001 entries", send("POST", "/fhir", bundle.as_bytes()), &[400, 413, 422]),
        ("a million matches", get("/fhir/Slot?_count=1000000"), &[400]),
        ("a URL of 1 MB", get(&format!("/fhir/Slot?status={}", "x".repeat(1_000_000))), &[414]),
        ("a URL of 50 kB", get(&format!("/fhir/Slot?status={}", "x".repeat(50_000))), &[414]),
        (
            "a header of 1 MB",
            format!("GET /fhir/Slot HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "x".repeat(1_000_000))
                .into_bytes(),
            &[431],
        ),
        ("a URL that is not UTF-8", get("/fhir/Slot?status=%ff"), &[400]),
        ("a path that is not UTF-8", get("/fhir/Slot/%c3%28"), &[400]),
        ("a NUL in a URL", get("/fhir/Patient?family=a%00b"), &[400]),
        (
            "a body that is not UTF-8",
            send("POST", "/fhir/Patient", b"{\"resourceType\":\"Patient\",\"id\":\"\xff\"}"),
            &[400],
        ),
        (
            "a lone surrogate",
            send("POST", "/fhir/Patient", &patient(r#""name":[{"family":"\ud800"}]"#)),
            &[400],
        ),
        (
            "a NUL in a body",
            send("POST", "/fhir/Patient", &patient(r#""name":[{"family":"a\u0000"}]"#)),
            &[400, 422],
        ),
        (
            "a date that does not exist",
            send("POST", "/fhir/Patient", &patient(r#""birthDate":"2026-02-30""#)),
            &[400, 422],
        ),
        (
            "a resource type that lies",
            send("POST", "/fhir/Patient", br#"{"resourceType":"Slot"}"#),
            &[400, 422],
        ),
        (
            "a resource type that is none",
            send("PUT", "/fhir/Patient/x", br#"{"resourceType":["Patient"],"id":"x"}"#),
            &[400, 422],
        ),
        ("an id that lies", send("PUT", "/fhir/Patient/x", &patient(r#""id":"y""#)), &[400, 422]),
        ("an unknown type", get("/fhir/Dog/1"), &[404]),
        ("a method of its own", b"BREW /fhir/Slot HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), &[405]),
        ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n".to_vec(), &[400]),
        (
            "a length that is none",
            b"POST /fhir/Slot HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n".to_vec(),
            &[400],
        ),
        (
            "200 headers",
            format!("GET /fhir/Slot HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(200)).into_bytes(),
            &[431],
        ),
    ]
}

#[test]
fn hostile_input_is_refused_at_once_and_leaves_nothing_behind() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let server = ServerProcess::start(&database).await;
        let root = server.client().root().to_owned();
        let authorization = server.client().authorization();
        let mut requests = requests();
        for (_, request, _) in &mut requests {
            *request = with_authorization(request, &authorization);
        }
        let mut quickest = vec![Duration::MAX; requests.len()];
        let mut memory = Vec::new();
        for round in 0..ROUNDS.0 + STRETCHES * ROUNDS.1 {
            if round >= ROUNDS.0 && (round - ROUNDS.0).is_multiple_of(ROUNDS.1) {
                memory.push(memory_kib(server.pid()));
            }
            for ((name, request, expected), quickest) in requests.iter().zip(&mut quickest) {
                #[allow(clippy::disallowed_methods)] // A test may look at the clock on the wall.
                let started = Instant::now();
                let answer = raw(&root, request).await;
                *quickest = started.elapsed().min(*quickest);
                expect(name, &answer, expected);
            }
        }
        memory.push(memory_kib(server.pid()));
        let grown = memory.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or_default();
        assert!(grown < SLACK_KIB, "{grown} KiB more after each {} rounds: {memory:?}", ROUNDS.1);
        // The quickest of all rounds: the machine may be busy with something else.
        let limit = Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 100 });
        for ((name, ..), took) in requests.iter().zip(quickest) {
            assert!(took < limit, "{name} took {took:?}");
        }
        assert!(server.stop().await, "it stops as if nothing had happened");
    });
}

fn expect(name: &str, answer: &Raw, expected: &[u16]) {
    assert!(expected.contains(&answer.status), "{name}: {}\n{}", answer.head, answer.json);
    assert!(answer.is_outcome(), "{name}: {}\n{}", answer.head, answer.json);
    assert!(header(&answer.head, "x-request-id").is_some(), "{name}: {}", answer.head);
}

/// Resident memory of a process.
fn memory_kib(pid: u32) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
}
