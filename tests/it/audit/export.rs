//! Exports: what is whole is found whole, what was changed is found and located, by our own verifier and by
//! the script, which shares no code with it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use slotwright::audit::canonical;
use slotwright::audit::checkpoint::{Checkpoint, SignedCheckpoint};
use slotwright::audit::export::{self, Bound, Coverage, Line, Manifest};
use slotwright::audit::key::Signer;
use slotwright::audit::leaf::{Leaf, content_hash, recorded_text};
use slotwright::audit::path::Plan;
use slotwright::audit::proof::{TlogProof, TlogProofError};
use slotwright::audit::tiles::Builder;
use slotwright::audit::tree::{Frontier, Hash, NodeId};
use slotwright::audit::{purge, tiles};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const ORIGIN: &str = "clinic.example/audit";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sandbox/verify_audit.py");
/// Two full tiles, a partial one and three levels of the path.
const SIZE: u64 = 600;

fn slotwright() -> Command {
    Command::new(env!("CARGO_BIN_EXE_slotwright"))
}

struct Logged {
    leaf: Leaf,
    salt: [u8; 32],
    body: String,
}

struct Log {
    events: Vec<Logged>,
    purged: Vec<u64>,
    signer: Signer,
}

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// When the first event was recorded, in 2016.
const BEGIN: i64 = 1_451_606_400_000_000;

fn logged(seq: u64, what: &Value) -> Logged {
    logged_at(seq, what, 0)
}

/// The same, recorded so much later.
fn logged_at(seq: u64, what: &Value, later: i64) -> Logged {
    let recorded = BEGIN + later + i64::try_from(seq).unwrap() * 1_000_003;
    let id = format!("event-{seq}");
    let mut body = what.clone();
    body["resourceType"] = "AuditEvent".into();
    body["id"] = id.as_str().into();
    body["recorded"] = recorded_text(recorded).into();
    let body = canonical::to_string(&body).unwrap();
    let salt = [u8::try_from(seq % 251).unwrap(); 32];
    let content = content_hash(&salt, body.as_bytes());
    Logged { leaf: Leaf { seq, id, recorded, content }, salt, body }
}

impl Log {
    fn new(size: u64) -> Self {
        let event =
            |seq: u64| logged(seq, &json!({"action": "R", "outcomeDesc": format!("caf\u{e9} \"{seq}\"\n")}));
        let signer = Signer::from_seed(ORIGIN, &[1; 32]).unwrap();
        Self { events: (0..size).map(event).collect(), purged: Vec::new(), signer }
    }

    /// The same with `places` purged after seven years, and the event that says so at its end.
    fn purge(self, places: std::ops::RangeInclusive<u64>) -> Self {
        self.purge_after(places, 7 * 365 * DAY)
    }

    fn purge_after(mut self, places: std::ops::RangeInclusive<u64>, later: i64) -> Self {
        let seq = self.events.len() as u64;
        let event = json!({
            "subtype": [{"system": purge::SYSTEM, "code": purge::CODE}],
            "entity": [{"detail": [{"type": purge::DETAIL, "valueString": purge::detail(&places)}]}]
        });
        self.events.push(logged_at(seq, &event, later));
        self.purged.extend(places);
        self
    }

    fn size(&self) -> u64 {
        self.events.len() as u64
    }

    fn nodes(&self) -> BTreeMap<NodeId, Hash> {
        let mut tree = Frontier::new();
        let mut nodes = BTreeMap::new();
        for event in &self.events {
            let hash = event.leaf.hash();
            nodes.insert(NodeId { level: 0, index: tree.size() }, hash);
            nodes.extend(tree.append(hash).into_iter().map(|node| (node.id, node.hash)));
        }
        nodes
    }

    fn checkpoint(&self, size: u64) -> SignedCheckpoint {
        let mut tree = Frontier::new();
        for event in &self.events[..usize::try_from(size).unwrap()] {
            tree.append(event.leaf.hash());
        }
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root: tree.root() };
        SignedCheckpoint::parse(checkpoint.sign([&self.signer]).as_bytes()).unwrap()
    }

    fn line<'a>(&'a self, seq: u64, bound: Option<Bound<'a>>) -> String {
        let event = &self.events[usize::try_from(seq).unwrap()];
        let content = (!self.purged.contains(&seq)).then_some((&event.salt, event.body.as_str()));
        Line { leaf: &event.leaf, content, bound }.text()
    }

    fn common(&self, manifest: Manifest) -> Export {
        let export = Export { dir: TempDir::new().unwrap() };
        export.write("checkpoint", self.checkpoint(self.size()).text().as_bytes());
        export.write("key", export::keys(&[self.signer.verifier().clone()]).as_bytes());
        export.write("export.json", manifest.text().as_bytes());
        export.write("README.txt", export::README.as_bytes());
        export
    }

    fn export(&self) -> Export {
        let last = self.size().checked_sub(1);
        let export = self.common(Manifest::new(Coverage::Log, self.size(), last.map(|_| 0), last));
        let mut builder = Builder::new();
        let mut lines = String::new();
        for event in &self.events {
            for file in builder.push(event.leaf.text().as_bytes(), event.leaf.hash()).unwrap() {
                export.write(&file.path, &file.content);
            }
            lines.push_str(&self.line(event.leaf.seq, None));
        }
        for file in builder.finish() {
            export.write(&file.path, &file.content);
        }
        export.write("events.ndjson", lines.as_bytes());
        export
    }

    fn export_part(&self, covers: Coverage, places: &[u64]) -> Export {
        let (first, last) = (places.first().copied(), places.last().copied());
        let export = self.common(Manifest::new(covers, places.len() as u64, first, last));
        let nodes = self.nodes();
        let (mut lines, mut after) = (String::new(), None);
        for &seq in places {
            let proof = self.proof_of(&nodes, seq);
            lines.push_str(&self.line(seq, Some(Bound { after, proof: &proof })));
            after = Some(seq);
        }
        export.write("events.ndjson", lines.as_bytes());
        export
    }

    fn proof_of(&self, nodes: &BTreeMap<NodeId, Hash>, seq: u64) -> Vec<Hash> {
        let plan = Plan::inclusion(seq, self.size()).unwrap();
        plan.assemble(|id| nodes.get(&id).copied()).unwrap()
    }

    fn consistency(&self, old: u64) -> String {
        let nodes = self.nodes();
        let plan = Plan::consistency(old, self.size()).unwrap();
        let proof = plan.assemble(|id| nodes.get(&id).copied()).unwrap();
        export::consistency(&self.checkpoint(old), &proof)
    }
}

struct Export {
    dir: TempDir,
}

impl Export {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.read("events.ndjson")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn change_lines(&self, change: impl FnOnce(&mut Vec<String>)) {
        let mut lines = self.lines();
        change(&mut lines);
        let text: String = lines.into_iter().map(|line| line + "\n").collect();
        self.write("events.ndjson", text.as_bytes());
    }

    /// The leaves of a bundle, changed.
    fn change_leaves(&self, name: &str, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
        let content = self.read(name);
        let mut all: Vec<Vec<u8>> =
            tiles::leaves(&content).unwrap().into_iter().map(<[u8]>::to_vec).collect();
        change(&mut all);
        let packed = all.iter().flat_map(|leaf| {
            [&u16::try_from(leaf.len()).unwrap().to_be_bytes()[..], leaf.as_slice()].concat()
        });
        self.write(name, &packed.collect::<Vec<_>>());
    }

    /// What both verifiers say: their common findings, after both came to the same verdict.
    fn verify(&self, more: &[&str]) -> Result<(), String> {
        let ours = slotwright().args(["audit", "verify"]).arg(self.dir.path()).args(more).output().unwrap();
        let script = Command::new("python3").arg(SCRIPT).arg(self.dir.path()).args(more).output().unwrap();
        let both = format!(
            "ours: {}{}\nscript: {}{}",
            String::from_utf8_lossy(&ours.stdout),
            String::from_utf8_lossy(&ours.stderr),
            String::from_utf8_lossy(&script.stdout),
            String::from_utf8_lossy(&script.stderr)
        );
        assert!(!both.contains("Traceback") && !both.contains("panicked"), "{both}");
        assert_eq!(ours.status.code(), script.status.code(), "{both}");
        if ours.status.success() { Ok(()) } else { Err(both) }
    }

    /// Ours says `expected`, and the script names the `place`.
    #[track_caller]
    fn is_found(&self, more: &[&str], expected: &str, place: &str) {
        let both = self.verify(more).expect_err("it was changed");
        let (ours, script) = both.split_once("\nscript: ").unwrap();
        assert!(ours.contains(expected), "expected {expected}, {both}");
        assert!(script.contains(place), "expected {place}, {both}");
    }
}

fn saved(checkpoint: &SignedCheckpoint) -> (TempDir, String) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("saved");
    std::fs::write(&path, checkpoint.text()).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

#[test]
fn what_was_exported_holds() {
    for size in [0, 1, 2, 255, 256, 257, SIZE] {
        Log::new(size).export().verify(&[]).unwrap_or_else(|found| panic!("{size}: {found}"));
    }
    let log = Log::new(SIZE).purge(100..=299);
    let key = log.signer.verifier().to_string();
    log.export().verify(&["--key", &key]).unwrap();
    for old in [0, 1, 77, 256, SIZE] {
        let (_dir, path) = saved(&log.checkpoint(old));
        log.export().verify(&["--key", &key, "--checkpoint", &path]).unwrap();
        let part = log.export_part(Coverage::Selection, &[3, 99, 100, 599, 600]);
        part.write("consistency", log.consistency(old).as_bytes());
        part.verify(&["--key", &key, "--checkpoint", &path]).unwrap_or_else(|found| panic!("{old}: {found}"));
    }
    log.export_part(Coverage::Range, &(300..=600).collect::<Vec<_>>()).verify(&[]).unwrap();
    log.export_part(Coverage::Selection, &[]).verify(&[]).unwrap();
    // A file to which checkpoints were appended, one of them cut short.
    let (_dir, many) = saved(&log.checkpoint(77));
    let (one, two) = (log.checkpoint(77).text(), log.checkpoint(300).text());
    std::fs::write(&many, format!("{one}{}\n\n{two}", &one[..50])).unwrap();
    log.export().verify(&["--checkpoint", &many]).unwrap();
    let part = log.export_part(Coverage::Selection, &[3, 99]);
    part.is_found(
        &["--checkpoint", &many],
        "this export does not prove that it goes on from 300 leaves",
        "the checkpoint of 300 leaves: this export does not prove",
    );
    part.write("consistency", log.consistency(77).as_bytes());
    part.verify(&["--checkpoint", &many]).unwrap();
    // A part without the purge event has it beside it.
    let part = log.export_part(Coverage::Range, &(90..=110).collect::<Vec<_>>());
    part.is_found(&[], "gone, and no purge event says so (deleted)", "line 11, event 100: is gone");
    let proof = log.proof_of(&log.nodes(), 600);
    let beside = log.line(600, Some(Bound { after: None, proof: &proof }));
    part.write("purges.ndjson", beside.as_bytes());
    part.verify(&[]).unwrap();
    part.write("purges.ndjson", beside.replace("100-299", "100-999").as_bytes());
    part.is_found(
        &[],
        "purges.ndjson: event 600 (event-600) is not what was logged (edited)",
        "purges.ndjson, line 1, event 600: is not what was logged",
    );
}

#[test]
fn an_edited_event_is_found() {
    let log = Log::new(SIZE);
    let edit =
        |lines: &mut Vec<String>| lines[417] = lines[417].replace("\"action\":\"R\"", "\"action\":\"C\"");
    let export = log.export();
    export.change_lines(edit);
    let place = "events.ndjson, line 418, event 417: is not what was logged";
    export.is_found(&[], "event 417 (event-417): its content is not what was logged (edited)", place);
    let export = log.export_part(Coverage::Range, &(0..SIZE).collect::<Vec<_>>());
    export.change_lines(edit);
    export.is_found(&[], "event 417 (event-417): is not what was logged (edited)", place);
    let export = log.export();
    export.change_lines(|lines| lines[3] = lines[3].replacen("event-3", "event-4", 1));
    let place = "line 4, event 3: is not what was logged";
    export.is_found(&[], "event 3 (event-3): its line names another event or time (edited)", place);
}

#[test]
fn an_edited_leaf_is_found() {
    let log = Log::new(SIZE);
    let mut other = logged(300, &json!({"action": "D"}));
    other.leaf.id = "event-300".to_owned();
    let export = log.export();
    // The event and its leaf are changed to fit each other; the tree's hash stands against them.
    export.change_lines(|lines| {
        let content = Some((&other.salt, other.body.as_str()));
        lines[300] = Line { leaf: &other.leaf, content, bound: None }.text().trim_end().to_owned();
    });
    export.change_leaves("tile/entries/001", |leaves| leaves[44] = other.leaf.text().into_bytes());
    let place = "line 301, event 300: is not what was logged";
    export.is_found(&[], "leaf 300 (event-300): is not what was hashed (edited)", place);
    // The hash too: the tiles above stand against it, and the signed root.
    let mut tile = export.read("tile/0/001");
    tile[44 * 32..45 * 32].copy_from_slice(&other.leaf.hash());
    export.write("tile/0/001", &tile);
    let place = "the checkpoint of 600 leaves: this export does not prove";
    export.is_found(&[], "node 8/1, over leaves 256 to 511: is not that of the leaves below it", place);
    export.is_found(&[], "was signed over other leaves than the first 600 of this log", place);
}

#[test]
fn a_deleted_event_is_found() {
    let log = Log::new(SIZE);
    let export = log.export();
    export.change_lines(|lines| drop(lines.remove(17)));
    let place = "line 18, event 18: does not follow on event 16";
    export.is_found(&[], "event 17 is gone, and no purge event says so (deleted)", place);
    let export = log.export_part(Coverage::Selection, &[3, 40, 90]);
    export.change_lines(|lines| drop(lines.remove(1)));
    let place = "line 2, event 90: does not follow on event 3";
    export.is_found(&[], "event 40 is missing before event 90 (deleted)", place);
    let export = log.export_part(Coverage::Selection, &[3, 40, 90]);
    export.change_lines(|lines| drop(lines.remove(0)));
    let place = "line 1, event 40: does not follow on event None";
    export.is_found(&[], "event 3 is missing before event 40 (deleted)", place);
    let export = log.export_part(Coverage::Range, &[3, 4, 90]);
    let place = "line 3, event 90: does not follow on event 4";
    export.is_found(&[], "events between 4 and 90 are missing (deleted)", place);
    // Its leaf too.
    let export = log.export();
    export.change_lines(|lines| drop(lines.remove(17)));
    export.change_leaves("tile/entries/000", |leaves| drop(leaves.remove(17)));
    export.is_found(&[], "leaf 17 (event-18): says that its place is 18 (moved)", "line 18, event 18");
}

#[test]
fn a_purge_without_its_event_is_found() {
    let mut log = Log::new(20);
    log.purged = vec![4];
    log.export().is_found(&[], "event 4 is gone, and no purge event says so (deleted)", "event 4: is gone");
    // The purge of others does not excuse it.
    let mut log = Log::new(20).purge(7..=9);
    log.export().verify(&[]).unwrap();
    log.purged.push(10);
    log.export().is_found(&[], "event 10 is gone, and no purge event says so (deleted)", "event 10: is gone");
    // Nor does one that came too early, or that comes from the future.
    let early = Log::new(20).purge_after(7..=9, 5 * 365 * DAY).export();
    early.is_found(&[], "gone, and no purge event says so", "event 7: is gone");
    let future = Log::new(20).purge_after(7..=9, 100 * 365 * DAY).export();
    let place = "event 20: is a purge from the future";
    future.is_found(&[], "a purge event says that it is from the future: it permits nothing", place);
    future.is_found(&[], "gone, and no purge event says so", "event 9: is gone");
    // Nor does an event of another kind that looks like one.
    let mut log = Log::new(20);
    let detail = json!([{"detail": [{"type": purge::DETAIL, "valueString": "4-4"}]}]);
    log.events.push(logged_at(
        20,
        &json!({"subtype": [{"system": "x", "code": purge::CODE}], "entity": detail}),
        7 * 365 * DAY,
    ));
    log.purged.push(4);
    log.export().is_found(&[], "event 4 is gone", "event 4: is gone");
}

#[test]
fn exchanged_events_are_found() {
    let log = Log::new(SIZE);
    let export = log.export();
    export.change_lines(|lines| {
        let (one, other) = (lines[10].clone(), lines[400].clone());
        let body = |line: &str| line[line.find(",\"salt\"").unwrap()..].to_owned();
        lines[10] = one.replace(&body(&one), &body(&other));
        lines[400] = other.replace(&body(&other), &body(&one));
    });
    export.is_found(&[], "event 10 (event-10): is that of leaf 400 (exchanged)", "line 11, event 10: is not");
    export.is_found(
        &[],
        "event 400 (event-400): is that of leaf 10 (exchanged)",
        "line 401, event 400: is not",
    );
    let export = log.export_part(Coverage::Selection, &[3, 40, 90]);
    export.change_lines(|lines| lines.swap(0, 1));
    export.is_found(
        &[],
        "event 3 (event-3): is not in its place (inserted)",
        "line 2, event 3: does not follow",
    );
}

#[test]
fn an_inserted_event_is_found() {
    let log = Log::new(SIZE);
    let export = log.export();
    let line = |seq: u64| {
        let event = logged(seq, &json!({"action": "C"}));
        let content = Some((&event.salt, event.body.as_str()));
        Line { leaf: &event.leaf, content, bound: None }.text().trim_end().to_owned()
    };
    export.change_lines(|lines| lines.push(line(SIZE)));
    let place = "line 601, event 600: is not what was logged";
    export.is_found(&[], "event 600 (event-600): the log has no such place for it (inserted)", place);
    let export = log.export();
    export.change_lines(|lines| lines.insert(50, line(49)));
    let place = "line 51, event 49: does not follow on event 49";
    export.is_found(&[], "event 49 (event-49): the log has no such place for it (inserted)", place);
}

#[test]
fn a_truncated_log_is_found() {
    let log = Log::new(SIZE);
    let export = log.export();
    export.change_lines(|lines| lines.truncate(590));
    export.is_found(&[], "event", "590 events, the last at 589, are not all");
    let found = export.verify(&[]).unwrap_err();
    assert!(found.contains("events 590 to 599 are gone"), "{found}");
    let export = log.export_part(Coverage::Selection, &[3, 40, 90]);
    export.change_lines(|lines| lines.truncate(2));
    export.is_found(
        &[],
        "events.ndjson has 2 events, but the export was made with 3, the last at 90 (truncated)",
        "2 events, the last at 40, are not all",
    );
    // With an older checkpoint, which the kept one shows.
    let (_dir, path) = saved(&log.checkpoint(SIZE));
    let shorter = Log::new(500);
    let found = "the saved checkpoint: was signed over 600 leaves, but the log has 500; leaves 500 to 599 are missing";
    let place = "the checkpoint of 600 leaves: this export does not prove";
    shorter.export().is_found(&["--checkpoint", &path], found, place);
    shorter.export_part(Coverage::Selection, &[1]).is_found(&["--checkpoint", &path], found, place);
}

#[test]
fn a_history_that_was_rewritten_and_signed_again_is_found() {
    let honest = Log::new(SIZE);
    let (_dir, path) = saved(&honest.checkpoint(450));
    let mut forged = Log::new(SIZE);
    forged.events[200] = logged(200, &json!({"action": "D"}));
    let export = forged.export();
    // It agrees with itself: the key was stolen.
    export.verify(&[]).unwrap();
    let expected = "the saved checkpoint: was signed over other leaves than the first 450 of this log";
    let place = "the checkpoint of 450 leaves: this export does not prove";
    export.is_found(&["--checkpoint", &path], expected, place);
    let part = forged.export_part(Coverage::Selection, &[200]);
    let unproved = "this export does not prove that it goes on from 450 leaves";
    part.is_found(&["--checkpoint", &path], unproved, place);
    part.write("consistency", forged.consistency(450).as_bytes());
    part.is_found(&["--checkpoint", &path], expected, place);
    let proof = forged.consistency(450);
    let mixed = format!("{}\n\n{}", proof.split_once("\n\n").unwrap().0, honest.checkpoint(450).text());
    part.write("consistency", mixed.as_bytes());
    part.is_found(&[], "the log was rewritten since 450 leaves", "the log was rewritten since 450 leaves");
}

#[test]
fn only_the_keys_that_are_given_are_believed() {
    let log = Log::new(20);
    let other = Signer::from_seed(ORIGIN, &[2; 32]).unwrap().verifier().to_string();
    let own = log.signer.verifier().to_string();
    let said = "checkpoint: has no signature by a known key";
    log.export().is_found(&["--key", &other], said, said);
    log.export().verify(&["--key", &other, "--key", &own]).unwrap();
    let export = log.export();
    let forged = String::from_utf8(export.read("checkpoint")).unwrap();
    let (text, line) = forged.rsplit_once(' ').unwrap();
    let mut packed = STANDARD.decode(line.trim_end()).unwrap();
    packed[20] ^= 1;
    export.write("checkpoint", format!("{text} {}\n", STANDARD.encode(&packed)).as_bytes());
    let said = "checkpoint: has a false signature in the name of clinic.example/audit";
    export.is_found(&[], said, said);
    export.write("checkpoint", b"");
    assert!(export.verify(&[]).is_err());
}

#[test]
fn the_proof_of_one_event_can_be_taken_out() {
    let log = Log::new(SIZE);
    let known = [log.signer.verifier().clone()];
    let whole = log.export();
    let part = log.export_part(Coverage::Selection, &[0, 255, 256, 599]);
    let taken = |dir: &Path, seq: u64| {
        let output = slotwright().args(["audit", "proof"]).arg(dir).arg(seq.to_string()).output().unwrap();
        output.status.success().then_some(output.stdout)
    };
    for seq in [0, 255, 256, 599] {
        let from_tiles = taken(whole.dir.path(), seq).unwrap();
        assert_eq!(taken(part.dir.path(), seq).unwrap(), from_tiles);
        let proof = TlogProof::parse(&from_tiles).unwrap();
        assert_eq!(proof.text().as_bytes(), from_tiles);
        let leaf = log.events[usize::try_from(seq).unwrap()].leaf.hash();
        assert_eq!(proof.verify(&leaf, &known), Ok(()));
        assert!(matches!(proof.verify(&[0; 32], &known), Err(TlogProofError::Inclusion(_))));
        let text = String::from_utf8(from_tiles).unwrap();
        assert!(text.starts_with(&format!("c2sp.org/tlog-proof@v1\nindex {seq}\n")));
        for wrong in [
            text.replace("@v1", "@v2"),
            text.replace("index ", "index 0"),
            text.replace("\n\n", "\n"),
            text.replacen("=\n", "\n", 1),
            text.replace("index", "extra ***\nindex"),
            text.replace("index", "extra AAAA\nextra AAAA\nindex"),
        ] {
            assert!(TlogProof::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let extra = text.replace("index", "extra AQI=\nindex");
        assert_eq!(TlogProof::parse(extra.as_bytes()).unwrap().extra, Some(vec![1, 2]));
    }
    assert_eq!(taken(whole.dir.path(), SIZE), None);
    assert_eq!(taken(part.dir.path(), 1), None);
}

#[test]
fn tiles_are_where_others_look_for_them() {
    assert_eq!(tiles::entries_path(1_234_067, 256), "tile/entries/x001/x234/067");
    assert_eq!(tiles::entries_path(0, 7), "tile/entries/000.p/7");
    let names: Vec<_> = tiles::tiles(70_000).map(tiles::Tile::path).collect();
    assert_eq!(names.len(), 273 + 1 + 1 + 1 + 1);
    for name in ["tile/0/272", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"] {
        assert!(names.iter().any(|one| one == name), "{name}");
    }
    let names: Vec<_> = tiles::tiles(256).map(tiles::Tile::path).collect();
    assert_eq!(names, ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(tiles::leaves(&[0, 2, 1]), None);
    assert_eq!(tiles::leaves(&[0]), None);
}

#[test]
fn garbage_is_no_export() {
    let log = Log::new(20);
    let export = log.export();
    export.change_lines(|lines| lines[4] = "no event".to_owned());
    export.is_found(&[], "line 5: is not an event", "line 5: is not an event");
    let missing = log.export();
    std::fs::remove_file(missing.path("export.json")).unwrap();
    assert!(missing.verify(&[]).is_err());
}

#[test]
fn a_key_is_made_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    let keys = dir.path().join("keys");
    let make = || {
        let settings =
            [("SLOTWRIGHT_AUDIT__KEYS", keys.to_str().unwrap()), ("SLOTWRIGHT_AUDIT__ORIGIN", ORIGIN)];
        slotwright()
            .args(["audit", "key"])
            .envs(settings)
            .env_remove("SLOTWRIGHT_R4_EXAMPLES")
            .output()
            .unwrap()
    };
    let made = make();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let files = || std::fs::read_dir(&keys).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
    let path = files().remove(0);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let signer = Signer::from_text(ORIGIN, &std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(String::from_utf8(made.stdout).unwrap().trim(), signer.verifier().to_string());
    // The next one stands beside it: both sign while one takes the place of the other.
    assert!(make().status.success());
    assert_eq!(files().len(), 2);
}
