//! What somebody with the whole database in their hands changes is found and located, and what nobody changed is
//! clean, also while a server writes.

use crate::support::auth::{AUDIT_LOG, audit_signer};
use crate::support::clinic::seed;
use crate::support::{Database, Engine, ServerProcess, TestApp, both_engines, slotwright};
use slotwright::audit::checkpoint::Checkpoint;
use slotwright::audit::leaf::content_hash;
use slotwright::audit::packed;
use slotwright::audit::posting;
use slotwright::audit::tree::Frontier;
use slotwright::store::audit::event;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const TABLES: [&str; 8] = [
    "audit_event",
    "audit_pending",
    "audit_leaf",
    "audit_node",
    "audit_checkpoint",
    "audit_sequencer",
    "audit_index",
    "audit_term",
];

fn verify(database: &Database, more: &[&str]) -> Output {
    slotwright(database, &[&["audit", "verify", "--database", &database.url], more].concat())
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}

/// Takes away what keeps rows from being changed.
async fn drop_triggers(database: &Database) {
    let drop = match database.engine {
        Engine::Sqlite => {
            "SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'audit%'"
        }
        Engine::Postgres => {
            "SELECT 'DROP TRIGGER ' || tgname || ' ON ' || CAST(CAST(tgrelid AS regclass) AS text) \
             FROM pg_trigger WHERE NOT tgisinternal AND CAST(CAST(tgrelid AS regclass) AS text) LIKE 'audit%'"
        }
    };
    for statement in database.texts(drop).await {
        database.execute(&statement).await;
    }
}

/// The log of a clinic, of which there is a copy in the middle (`early_…`) and one at the end (`keep_…`), and whose
/// triggers are gone.
struct Log {
    app: TestApp,
    /// Leaves at the middle and at the end.
    early: i64,
    size: i64,
    /// The checkpoint of the end.
    saved: PathBuf,
}

impl Log {
    async fn of(app: TestApp) -> Self {
        seed(&app).await;
        for _ in 0..30 {
            let _ = app.get("Patient/pat-1").await.is(200);
        }
        app.sequence().await;
        copy(app.database(), "early").await;
        let early = app.database().number("SELECT COUNT(*) FROM audit_leaf").await;
        for _ in 0..30 {
            let _ = app.get("Patient/pat-2").await.is(200);
        }
        app.sequence().await;
        copy(app.database(), "keep").await;
        let size = app.database().number("SELECT COUNT(*) FROM audit_leaf").await;
        assert_eq!(size, early + 30);
        drop_triggers(app.database()).await;
        let saved = app.database().dir().join("saved");
        let note =
            app.database().texts(&format!("SELECT note FROM audit_checkpoint WHERE size = {size}")).await;
        std::fs::write(&saved, &note[0]).unwrap();
        Self { app, early, size, saved }
    }

    fn database(&self) -> &Database {
        self.app.database()
    }

    async fn execute(&self, statements: &[String]) {
        for statement in statements {
            assert!(self.database().execute(statement).await > 0, "{statement} changed nothing");
        }
    }

    /// Puts back what was copied.
    async fn restore(&self, copy: &str) {
        for table in TABLES {
            self.database().execute(&format!("DELETE FROM {table}")).await;
            self.database().execute(&format!("INSERT INTO {table} SELECT * FROM {copy}_{table}")).await;
        }
    }

    /// After these statements the verifier says all of `expected`, and does not let it pass.
    async fn is_found(&self, statements: &[String], expected: &[String]) {
        self.execute(statements).await;
        let output = verify(self.database(), &[]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{statements:?}: {text}");
        for expected in expected {
            assert!(text.contains(expected.as_str()), "{statements:?}: expected {expected}, got {text}");
        }
        self.restore("keep").await;
    }

    fn holds(&self, more: &[&str]) {
        let output = verify(self.database(), more);
        assert!(output.status.success(), "{}", said(&output));
    }

    async fn id(&self, seq: i64) -> String {
        self.database().texts(&format!("SELECT id FROM audit_leaf WHERE seq = {seq}")).await.remove(0)
    }

    /// The JSON of the event at a place.
    async fn content(&self, seq: i64) -> String {
        let mut tx = self.app.library().store.reader().await.unwrap();
        let entry = event::entries(&mut tx, seq, 1).await.unwrap().pop().unwrap();
        String::from_utf8(entry.event.unwrap().1).unwrap()
    }
}

/// Bytes as a literal.
fn bytes(database: &Database, bytes: &[u8]) -> String {
    let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    match database.engine {
        Engine::Sqlite => format!("X'{hex}'"),
        Engine::Postgres => format!("'\\x{hex}'::bytea"),
    }
}

async fn copy(database: &Database, name: &str) {
    for table in TABLES {
        database.execute(&format!("CREATE TABLE {name}_{table} AS SELECT * FROM {table}")).await;
    }
}

both_engines! {
    async fn what_is_changed_is_found_and_located(app: TestApp) {
        let log = Log::of(app).await;
        let key = audit_signer().verifier().to_string();
        let saved = log.saved.to_str().unwrap();
        log.holds(&["--key", &key, "--checkpoint", saved]);
        let (one, two, size) = (log.early + 4, log.early + 7, log.size);
        let id = log.id(one).await;
        let eid = |seq: i64| format!("(SELECT eid FROM audit_leaf WHERE seq = {seq})");
        // An event's content (packed, as it is, or nothing that was packed), an event, a leaf.
        let json = log.content(one).await.replacen("\"action\":\"R\"", "\"action\":\"C\"", 1);
        for edited in [packed::pack(json.as_bytes()), json.into_bytes(), vec![1, 9, 0, 0, 0, 255, 255]] {
            log.is_found(
                &[format!("UPDATE audit_event SET body = {} WHERE eid = {}", bytes(log.database(), &edited), eid(one))],
                &[format!("event {one} ({id}): its content is not what was logged (edited)")],
            ).await;
        }
        log.is_found(
            &[format!("UPDATE audit_event SET recorded_us = recorded_us + 1 WHERE eid = {}", eid(one))],
            &[format!("event {one} ({id}): its row names another event or time (edited)")],
        ).await;
        log.is_found(
            &[format!("DELETE FROM audit_event WHERE eid = {}", eid(one))],
            &[format!("event {one} is gone, and no purge event says so (deleted)")],
        ).await;
        // Who may delete is not who says what was deleted: a row says nothing that is in no tree.
        log.is_found(
            &["INSERT INTO audit_purge (before_us, at_us, by_whom) VALUES (4102444800000000, 0, 'me')".to_owned(),
              format!("DELETE FROM audit_event WHERE eid = {}", eid(one))],
            &[format!("event {one} is gone, and no purge event says so (deleted)")],
        ).await;
        log.is_found(
            &[format!("DELETE FROM audit_leaf WHERE seq = {one}")],
            &[format!("leaf {one} is missing (deleted)"), format!("event {id} is stored, but no leaf of the log is about it")],
        ).await;
        // An id that holds what stands between columns and rows where many are read as one.
        let (ends, chr) = match log.database().engine {
            Engine::Sqlite => ("X'1f1e1a'", "char"),
            Engine::Postgres => ("'\\x1f1e1a'", "chr"),
        };
        for code in [26, 30, 31] {
            log.is_found(
                &[format!("UPDATE audit_leaf SET id = 'a' || {chr}({code}) || 'b' WHERE seq = {one}")],
                &[format!("leaf {one} (a")],
            ).await;
            // The mark of NULL reads as if no event were there.
            let said = match code {
                26 => format!("event {one} is gone, and no purge event says so (deleted)"),
                _ => format!("event {one} ({id}): its row names another event or time (edited)"),
            };
            log.is_found(&[format!("UPDATE audit_event SET id = {chr}({code}) WHERE eid = {}", eid(one))], &[said]).await;
        }
        log.is_found(
            &[format!("UPDATE audit_event SET salt = {ends}, body = {ends} WHERE eid = {}", eid(one))],
            &[format!("event {one} ({id}): its content is not what was logged (edited)")],
        ).await;
        // So far behind the others that nothing can be counted up to it.
        for far in [1 << 62, i64::MAX] {
            log.is_found(
                &[format!("INSERT INTO audit_leaf (seq, eid, id, recorded_us, content, hash) SELECT {far}, 900007, 'far', recorded_us, content, hash FROM audit_leaf WHERE seq = {one}"),
                  format!("INSERT INTO audit_term (term, recorded_us, seq) VALUES ('i:far', 0, {})", far - 1)],
                &[format!("leaves {size} to {} are missing (deleted)", far - 1), format!("event {}: the index finds it by a term that is not its own", far - 1)],
            ).await;
        }
        log.is_found(
            &[format!("UPDATE audit_leaf SET recorded_us = recorded_us - 1 WHERE seq = {one}")],
            &[format!("leaf {one} ({id}): is not what was hashed (edited)")],
        ).await;
        // Two events exchanged.
        let swap = |at: i64, other: i64| format!(
            "UPDATE audit_event SET salt = (SELECT salt FROM keep_audit_event WHERE eid = {other}), \
             body = (SELECT body FROM keep_audit_event WHERE eid = {other}) WHERE eid = {at}",
            at = eid(at), other = eid(other)
        );
        log.is_found(
            &[swap(one, two), swap(two, one)],
            &[format!("event {one} ({id}): is that of leaf {two} (exchanged)"), format!("is that of leaf {one} (exchanged)")],
        ).await;
        // Inserted: with a leaf, without one, before the beginning.
        let event = format!("INSERT INTO audit_event (eid, id, recorded_us, salt, body) \
            SELECT 900000, 'forged', recorded_us, salt, body FROM audit_event WHERE eid = {}", eid(one));
        let leaf = |seq: i64| format!("INSERT INTO audit_leaf (seq, eid, id, recorded_us, content, hash) \
            SELECT {seq}, 900000, 'forged', recorded_us, content, hash FROM audit_leaf WHERE seq = {one}");
        log.is_found(&[event.clone(), leaf(size)], &[
            format!("leaf {size} (forged): is not what was hashed"),
            format!("leaves {size} to {size} are covered by no checkpoint (inserted)"),
            format!("the sequencer gave {size} places, but the log has {}", size + 1),
        ]).await;
        log.is_found(std::slice::from_ref(&event), &["event forged is stored, but no leaf of the log is about it (inserted)".to_owned()]).await;
        log.is_found(&[event, leaf(-1)], &["leaf -1 (forged): the log has no such place (inserted)".to_owned()]).await;
        // Nodes, checkpoints, the sequencer.
        let zeros = bytes(log.database(), &[0; 32]);
        log.is_found(
            &[format!("UPDATE audit_node SET hash = {zeros} WHERE level = 1 AND idx = 3")],
            &["node 1/3, over leaves 6 to 7: is not that of the leaves below it".to_owned()],
        ).await;
        log.is_found(
            &["DELETE FROM audit_node WHERE level = 2 AND idx = 1".to_owned()],
            &["node 2/1, over leaves 4 to 7: is missing".to_owned()],
        ).await;
        log.is_found(
            &[format!("INSERT INTO audit_node (level, idx, hash) VALUES (1, {size}, {zeros})")],
            &[format!("node 1/{size}: is stored, but the log does not reach it")],
        ).await;
        log.is_found(
            &[format!("UPDATE audit_checkpoint SET note = replace(note, 'localhost', 'elsewhere') WHERE size = {}", log.early)],
            &[format!("checkpoint {}: ", log.early)],
        ).await;
        log.is_found(
            &[format!("UPDATE audit_checkpoint SET root = {zeros} WHERE size = {}", log.early)],
            &[format!("checkpoint {}: its row says something else than its note (edited)", log.early)],
        ).await;
        log.is_found(
            &[format!("DELETE FROM audit_checkpoint WHERE size = {size}")],
            &[format!("leaves {} to {} are covered by no checkpoint", log.early, size - 1)],
        ).await;
        log.is_found(
            &[format!("UPDATE audit_sequencer SET edge = {}", bytes(log.database(), &[0; 64]))],
            &[format!("the sequencer goes on from another tree than that of the first {size} leaves")],
        ).await;
        // A tail that is gone, of which something is left.
        log.is_found(
            &[format!("DELETE FROM audit_leaf WHERE seq >= {}", log.early)],
            &[format!("leaves {} to {} are missing (truncated)", log.early, size - 1)],
        ).await;
        // What waited for its place.
        log.is_found(&["INSERT INTO audit_pending (eid) VALUES (900001)".to_owned()], &["1 events were recorded and are gone".to_owned()]).await;
        log.holds(&["--checkpoint", saved]);
    }

    async fn an_index_that_hides_or_invents_is_found(app: TestApp) {
        let log = Log::of(app).await;
        let one = log.early + 4;
        let id = log.id(one).await;
        let rows = log.database().texts("SELECT CAST(recorded_us AS TEXT) || ' ' || CAST(seq AS TEXT) || ' ' || others \
            FROM audit_term WHERE term = 'r:Patient/pat-2' ORDER BY recorded_us").await;
        let places = |row: &String| {
            let parts: Vec<&str> = row.split(' ').collect();
            posting::places((parts[0].parse().unwrap(), parts[1].parse().unwrap()), parts[2]).unwrap()
        };
        let mut places = rows.iter().map(places).find(|places| places.len() > 1).unwrap();
        places.reverse();
        let (hidden, last) = (places[0].1, places[places.len() - 1].1);
        let (others, row) = (posting::others(&places[1..]), format!("term = 'r:Patient/pat-2' AND seq = {last}"));
        log.is_found(
            &[format!("UPDATE audit_term SET others = '{others}' WHERE {row}")],
            &[format!("event {hidden}: the index does not find it by its term \"r:Patient/pat-2\"")],
        ).await;
        for others in ["1,x", "1", "0,0", "200001,1"] {
            log.is_found(
                &[format!("UPDATE audit_term SET others = '{others}' WHERE {row}")],
                &["the index has a row of \"r:Patient/pat-2\" that can't be read (edited)".to_owned()],
            ).await;
        }
        // A row that reads like two when what stands between them is taken for granted.
        let forged = |word: &str| match log.database().engine {
            Engine::Sqlite => format!("'{word}' || char(31) || '1' || char(31) || '1' || char(31) || char(30) || 'r:Patient/pat-2'"),
            Engine::Postgres => format!("'{word}' || chr(31) || '1' || chr(31) || '1' || chr(31) || chr(30) || 'r:Patient/pat-2'"),
        };
        log.is_found(
            &[format!("UPDATE audit_term SET term = {} WHERE {row}", forged("i:x"))],
            &[format!("event {hidden}: the index does not find it by its term \"r:Patient/pat-2\"")],
        ).await;
        log.is_found(
            &[format!("INSERT INTO audit_term (term, recorded_us, seq) SELECT 'i:nobody', recorded_us, seq FROM audit_leaf WHERE seq = {one}")],
            &[format!("event {one}: the index finds it by a term that is not its own: \"i:nobody\"")],
        ).await;
        log.is_found(
            &[format!("UPDATE audit_index SET outcome = 8 WHERE seq = {one}")],
            &[format!("event {one} ({id}): the index says something else about it")],
        ).await;
        log.is_found(
            &[format!("DELETE FROM audit_index WHERE seq = {one}")],
            &[format!("event {one} ({id}): the index does not have it")],
        ).await;
        let beyond = log.size + 5;
        log.is_found(
            &[format!("INSERT INTO audit_index (seq, recorded_us, type, action, outcome) VALUES ({beyond}, 0, 'rest', 'R', 0)"),
              format!("INSERT INTO audit_term (term, recorded_us, seq) VALUES ('i:x', 0, {beyond})")],
            &[format!("the index has an event {beyond}, which the log does not have"),
              format!("the index finds an event {beyond} by \"i:x\", which the log does not have")],
        ).await;
        log.holds(&[]);
    }

    async fn a_log_that_was_cut_back_is_caught_by_a_checkpoint_that_was_kept(app: TestApp) {
        let log = Log::of(app).await;
        // As if the later half had never been: nothing in the database tells of it.
        log.restore("early").await;
        log.holds(&[]);
        let output = verify(log.database(), &["--checkpoint", log.saved.to_str().unwrap()]);
        let expected = format!("leaves {} to {} are missing (truncated)", log.early, log.size - 1);
        assert!(!output.status.success() && said(&output).contains(&expected), "{}", said(&output));
    }

    async fn what_is_changed_before_it_has_a_place_is_found(app: TestApp) {
        seed(&app).await;
        app.sequence().await;
        let seq = app.database().number("SELECT COUNT(*) FROM audit_leaf").await;
        let _ = app.get("Patient/pat-2").await.is(200);
        drop_triggers(app.database()).await;
        let waiting = "eid IN (SELECT eid FROM audit_pending)";
        let other = bytes(app.database(), &packed::pack(b"{}"));
        let changed = app.database().execute(&format!("UPDATE audit_event SET body = {other} WHERE {waiting}")).await;
        assert_eq!(changed, 1);
        app.sequence().await;
        let id = app.database().texts(&format!("SELECT id FROM audit_leaf WHERE seq = {seq}")).await;
        let output = verify(app.database(), &[]);
        let expected = format!("event {seq} ({}): its content is not what was logged (edited)", id[0]);
        assert!(!output.status.success() && said(&output).contains(&expected), "{}", said(&output));
    }

    async fn a_history_that_was_rewritten_and_signed_again_is_caught_by_an_older_checkpoint(app: TestApp) {
        let log = Log::of(app).await;
        let seq = log.early + 4;
        let mut tx = log.app.library().store.reader().await.unwrap();
        let entries = event::entries(&mut tx, 0, i64::MAX).await.unwrap();
        drop(tx);
        let mut tree = Frontier::new();
        let (mut statements, mut nodes) = (Vec::new(), Vec::new());
        let sizes = log.database().texts("SELECT CAST(size AS TEXT) FROM audit_checkpoint").await;
        for entry in entries {
            let mut leaf = entry.leaf;
            if leaf.seq == seq as u64 {
                let (salt, body) = entry.event.unwrap();
                // Nothing is found by a display, so that the index stays as it is.
                let body = String::from_utf8(body).unwrap().replacen("\"display\":\"", "\"display\":\"not ", 1);
                leaf.content = content_hash(&salt.try_into().unwrap(), body.as_bytes());
                statements.push(format!("UPDATE audit_event SET body = {} WHERE id = '{}'", bytes(log.database(), body.as_bytes()), leaf.id));
                statements.push(format!("UPDATE audit_leaf SET content = {}, hash = {} WHERE seq = {seq}", bytes(log.database(), &leaf.content), bytes(log.database(), &leaf.hash())));
            }
            nodes.extend(tree.append(leaf.hash()));
            if sizes.contains(&tree.size().to_string()) {
                let checkpoint = Checkpoint { origin: AUDIT_LOG.to_owned(), size: tree.size(), root: tree.root() };
                let note = checkpoint.sign([&audit_signer()]);
                statements.push(format!("UPDATE audit_checkpoint SET root = {}, note = '{note}' WHERE size = {}", bytes(log.database(), &tree.root()), tree.size()));
            }
        }
        statements.extend(nodes.iter().map(|node| format!("UPDATE audit_node SET hash = {} WHERE level = {} AND idx = {}", bytes(log.database(), &node.hash), node.id.level, node.id.index)));
        statements.push(format!("UPDATE audit_sequencer SET edge = {}", bytes(log.database(), &tree.edge().concat())));
        log.execute(&statements).await;
        // With the stolen key it is a log without fault...
        log.holds(&[]);
        // ... but not the one that was.
        let output = verify(log.database(), &["--checkpoint", log.saved.to_str().unwrap()]);
        let expected = format!("the saved checkpoint: was signed over other leaves than the first {} of this log", log.size);
        assert!(!output.status.success() && said(&output).contains(&expected), "{}", said(&output));
        assert!(said(&output).contains(&format!("from leaf {} on (rewritten)", log.early)), "{}", said(&output));
    }

    async fn another_key_believes_nothing(app: TestApp) {
        let log = Log::of(app).await;
        let other = slotwright::audit::key::Signer::from_seed(AUDIT_LOG, &[8; 32]).unwrap();
        let output = verify(log.database(), &["--key", &other.verifier().to_string()]);
        assert!(!output.status.success() && said(&output).contains("no checkpoint that can be believed"), "{}", said(&output));
    }

    async fn a_log_is_clean_while_a_server_writes(engine: Engine) {
        let database = Database::create(engine).await;
        let server = ServerProcess::start(&database).await;
        seed(&server.client()).await;
        let stop = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..4).map(|_| {
            let (client, stop) = (server.client(), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let _ = client.get("Patient/pat-1").await.is(200);
                    let _ = client.get("Patient/nobody").await.is(404);
                }
            })
        }).collect();
        let mut sizes = Vec::new();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let output = verify(&database, &[]);
            assert!(output.status.success(), "{}", said(&output));
            sizes.push(said(&output));
        }
        assert!(sizes[0] != sizes[2], "nothing was written meanwhile: {sizes:?}");
        stop.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.await.unwrap();
        }
        assert!(server.stop().await);
        let output = verify(&database, &[]);
        assert!(output.status.success(), "{}", said(&output));
    }
}
