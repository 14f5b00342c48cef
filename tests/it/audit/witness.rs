//! Witnesses: one that was written here from the RFC and C2SP alone, which signs only what it saw proved.

use super::database_export::{exported, holds};
use super::listener::Listener;
use super::reference::Hash;
use crate::support::auth::audit_signer;
use crate::support::{Database, Engine, TestApp, both_engines, slotwright};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use slotwright::app::audit::push::{listeners, progress};
use slotwright::clock::Clock;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NAME: &str = "witness.example/w1";
const SECOND: Duration = Duration::from_secs(1);

fn sha(parts: &[&[u8]]) -> Hash {
    Sha256::digest(parts.concat()).into()
}

/// RFC 9162 section 2.1.4.2, step by step.
fn grew(first: u64, second: u64, first_hash: Hash, second_hash: Hash, path: &[Hash]) -> bool {
    if first == 0 {
        return path.is_empty();
    }
    if first == second {
        return path.is_empty() && first_hash == second_hash;
    }
    if first > second || path.is_empty() {
        return false;
    }
    let mut path = path.to_vec();
    if first.is_power_of_two() {
        path.insert(0, first_hash);
    }
    let (mut f, mut s) = (first - 1, second - 1);
    while f & 1 == 1 {
        (f, s) = (f >> 1, s >> 1);
    }
    let (mut fr, mut sr) = (path[0], path[0]);
    for c in &path[1..] {
        if s == 0 {
            return false;
        }
        if f & 1 == 1 || f == s {
            (fr, sr) = (sha(&[&[1], c, &fr]), sha(&[&[1], c, &sr]));
            while f & 1 == 0 && f != 0 {
                (f, s) = (f >> 1, s >> 1);
            }
        } else {
            sr = sha(&[&[1], &sr, c]);
        }
        (f, s) = (f >> 1, s >> 1);
    }
    fr == first_hash && sr == second_hash && s == 0
}

/// What a witness knows of the log, and how it behaves.
struct Witness {
    pair: Ed25519KeyPair,
    size: u64,
    root: Hash,
    /// Answers with this instead.
    broken: Option<(u16, String)>,
    /// Signs something else than it says.
    lies: bool,
    now: u64,
}

impl Witness {
    fn new() -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[42; 32]).unwrap();
        Self { pair, size: 0, root: sha(&[]), broken: None, lies: false, now: 1_900_000_000 }
    }

    fn id(&self) -> [u8; 4] {
        sha(&[NAME.as_bytes(), b"\n", &[4], self.pair.public_key().as_ref()])[..4].try_into().unwrap()
    }

    /// Its public key as the settings have it.
    fn key(&self) -> String {
        let id: String = self
            .id()
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .filter_map(|digit| char::from_digit(digit.into(), 16))
            .collect();
        let packed = [&[4], self.pair.public_key().as_ref()].concat();
        format!("{NAME}+{id}+{}", STANDARD.encode(packed))
    }

    fn add_checkpoint(&mut self, path: &str, body: &str) -> (u16, &'static str, String) {
        assert_eq!(path, "/slotwright/add-checkpoint");
        if let Some((status, said)) = &self.broken {
            return (*status, "text/plain", said.clone());
        }
        let (proof, note) = body.split_once("\n\n").expect("an empty line");
        let mut lines = proof.lines();
        let old: u64 = lines.next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
        let proof: Vec<Hash> = lines.map(|line| STANDARD.decode(line).unwrap().try_into().unwrap()).collect();
        let (text, signatures) = note.rsplit_once("\n\n").unwrap();
        let text = format!("{text}\n");
        let mut stated = text.lines();
        let origin = stated.next().unwrap();
        let size: u64 = stated.next().unwrap().parse().unwrap();
        let root: Hash = STANDARD.decode(stated.next().unwrap()).unwrap().try_into().unwrap();
        // Of the log's key it knows nothing but its text.
        let known = audit_signer().verifier().to_string();
        let known: Vec<&str> = known.splitn(3, '+').collect();
        if origin != known[0] {
            return (404, "text/plain", String::new());
        }
        let public = STANDARD.decode(known[2]).unwrap()[1..].to_vec();
        let signed = signatures.lines().any(|line| {
            let packed = STANDARD.decode(line.rsplit(' ').next().unwrap()).unwrap();
            UnparsedPublicKey::new(&ED25519, &public).verify(text.as_bytes(), &packed[4..]).is_ok()
        });
        if !signed {
            return (403, "text/plain", String::new());
        }
        if old > size {
            return (400, "text/plain", String::new());
        }
        if old != self.size || (old == size && root != self.root) {
            return (409, "text/x.tlog.size", format!("{}\n", self.size));
        }
        if !grew(old, size, self.root, root, &proof) {
            return (422, "text/plain", String::new());
        }
        (self.size, self.root) = (size, root);
        let message =
            format!("cosignature/v1\ntime {}\n{text}{}", self.now, if self.lies { "!" } else { "" });
        let signature = self.pair.sign(message.as_bytes());
        let packed = [&self.id()[..], &self.now.to_be_bytes(), signature.as_ref()].concat();
        // Signatures of others are no concern of ours.
        let other = STANDARD.encode([&[1, 2, 3, 4], &[0; 72][..]].concat());
        let own = STANDARD.encode(packed);
        (200, "text/plain", format!("\u{2014} someone.example {other}\n\u{2014} {NAME} {own}\n"))
    }
}

/// A server, and a witness that it asks.
struct Watched {
    app: TestApp,
    witness: Arc<Mutex<Witness>>,
    server: Listener,
    key: String,
}

impl Watched {
    async fn start(engine: Engine) -> Self {
        let witness = Arc::new(Mutex::new(Witness::new()));
        let asked = Arc::clone(&witness);
        let server =
            Listener::start(move |path, body| asked.lock().unwrap().add_checkpoint(path, body)).await;
        let key = witness.lock().unwrap().key();
        let setting = format!("{key} http://{}/slotwright", server.host());
        let settings = [
            ("SLOTWRIGHT_AUDIT__WITNESSES", setting.as_str()),
            ("SLOTWRIGHT_AUDIT__WITNESSES_EVERY", "1s"),
            ("SLOTWRIGHT_OUTBOUND__ALLOW", &server.host()),
        ];
        let clock = Clock::fixed(1_900_000_000_000_000);
        let app = TestApp::start_with(Database::create(engine).await, clock, &settings).await;
        Self { app, witness, server, key }
    }

    /// Something new in the log.
    async fn grow(&self, by: usize) {
        for _ in 0..by {
            let _ = self.app.get("Patient/pat-1").await;
        }
        self.app.sequence().await;
    }

    /// The witness's turn; the time goes on.
    async fn ask(&self) {
        let listener = listeners(&self.app.library().config).unwrap().remove(0);
        listener.turn(self.app.library()).await.unwrap();
        self.app.advance(SECOND);
    }

    async fn cosigned(&self) -> i64 {
        self.app.database().number("SELECT COALESCE(MAX(size), 0) FROM audit_cosignature").await
    }

    async fn newest(&self) -> i64 {
        self.app.database().number("SELECT MAX(size) FROM audit_checkpoint").await
    }

    async fn is_failing(&self) -> bool {
        let listeners = listeners(&self.app.library().config).unwrap();
        progress(self.app.library(), &listeners).await.unwrap()[0].failing_us.is_some()
    }

    /// Verifies the database, knowing the keys of log and witness.
    fn verified(&self) -> Result<(), String> {
        let (database, log) = (self.app.database(), audit_signer().verifier().to_string());
        let arguments = ["audit", "verify", "--database", &database.url, "--key", &log, "--key", &self.key];
        let output = slotwright(database, &arguments);
        if output.status.success() { Ok(()) } else { Err(format!("{output:?}")) }
    }
}

both_engines! {
    async fn a_witness_signs_what_it_saw_proved(engine: Engine) {
        let watched = Watched::start(engine).await;
        for by in [1, 1, 2, 3, 7, 40] {
            watched.grow(by).await;
            watched.ask().await;
            assert_eq!(watched.cosigned().await, watched.newest().await);
        }
        assert_eq!(watched.server.heard().len(), 6);
        assert!(watched.server.heard()[0].starts_with("old 0\n\n"));
        // Nothing new, nothing asked.
        watched.ask().await;
        assert_eq!(watched.server.heard().len(), 6);
        watched.verified().unwrap();
        // Exports bear the signature, and both verifiers check it.
        let dir = exported(watched.app.database(), "cosigned", &[]);
        let note = std::fs::read_to_string(dir.join("checkpoint")).unwrap();
        assert!(note.contains(&format!("\u{2014} {NAME} ")), "{note}");
        holds(&dir);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/sandbox/verify_audit.py");
        let log = audit_signer().verifier().to_string();
        let both = |dir: &std::path::Path| {
            let (mut ours, mut theirs) = (Command::new(env!("CARGO_BIN_EXE_slotwright")), Command::new("python3"));
            ours.args(["audit", "verify"]);
            theirs.arg(script);
            [ours, theirs].map(|mut one| one.arg(dir).args(["--key", &log, "--key", &watched.key]).output().unwrap())
        };
        assert!(both(&dir).iter().all(|output| output.status.success()), "{:?}", both(&dir));
        let (text, line) = note.trim_end().rsplit_once(' ').unwrap();
        let mut packed = STANDARD.decode(line).unwrap();
        packed[10] ^= 1;
        std::fs::write(dir.join("checkpoint"), format!("{text} {}\n", STANDARD.encode(packed))).unwrap();
        for output in both(&dir) {
            let said = format!("{output:?}");
            assert!(!output.status.success() && said.contains("false signature in the name of"), "{said}");
        }
    }

    async fn a_witness_that_knows_another_size_is_asked_from_there(engine: Engine) {
        let watched = Watched::start(engine).await;
        watched.grow(5).await;
        watched.ask().await;
        watched.grow(5).await;
        watched.ask().await;
        let before = watched.server.heard().len();
        // We forgot what it knows.
        watched.app.database().execute("UPDATE audit_told SET size = 0").await;
        watched.grow(3).await;
        watched.ask().await;
        assert_eq!((watched.server.heard().len(), watched.is_failing().await), (before + 2, false));
        assert_eq!(watched.cosigned().await, watched.newest().await);
        watched.verified().unwrap();
    }

    async fn what_a_witness_refuses_or_signs_falsely_is_told_and_not_kept(engine: Engine) {
        let watched = Watched::start(engine).await;
        watched.grow(5).await;
        watched.ask().await;
        let signed = watched.cosigned().await;
        watched.grow(5).await;
        let mut asked = watched.server.heard().len();
        for (status, said) in [(404, ""), (403, ""), (422, ""), (500, ""), (409, "9999\n"), (409, "x"), (200, ""), (200, "nonsense\n")] {
            watched.witness.lock().unwrap().broken = Some((status, said.to_owned()));
            watched.app.advance(Duration::from_mins(10));
            watched.ask().await;
            asked += 1;
            assert_eq!((watched.server.heard().len(), watched.is_failing().await), (asked, true), "{status} {said}");
        }
        {
            let mut witness = watched.witness.lock().unwrap();
            (witness.broken, witness.lies) = (None, true);
        }
        watched.app.advance(Duration::from_mins(10));
        watched.ask().await;
        assert_eq!((watched.cosigned().await, watched.is_failing().await), (signed, true));
        // It knows this size by now, although we took its signature for false: it says so, and is asked again.
        watched.witness.lock().unwrap().lies = false;
        watched.app.advance(Duration::from_mins(10));
        watched.ask().await;
        assert_eq!((watched.cosigned().await, watched.is_failing().await), (watched.newest().await, false));
    }

    async fn a_history_that_was_rewritten_finds_no_witness(engine: Engine) {
        let watched = Watched::start(engine).await;
        watched.grow(8).await;
        watched.ask().await;
        let signed = watched.cosigned().await;
        // As if the witness had seen another history of the same size: what a rewritten log looks like to it.
        watched.witness.lock().unwrap().root = [7; 32];
        watched.grow(5).await;
        watched.app.advance(Duration::from_mins(10));
        watched.ask().await;
        assert_eq!((watched.cosigned().await, watched.is_failing().await), (signed, true));
    }

    async fn a_signature_that_was_exchanged_is_found(engine: Engine) {
        let watched = Watched::start(engine).await;
        watched.grow(5).await;
        watched.ask().await;
        watched.grow(5).await;
        watched.ask().await;
        watched.verified().unwrap();
        let database = watched.app.database();
        let error = database.try_execute("DELETE FROM audit_cosignature").await.expect_err("refused");
        assert!(error.to_string().contains("append-only"), "{error}");
        let size = watched.newest().await;
        database.execute(&format!(
            "INSERT INTO audit_cosignature (size, witness, at_us, line) \
             SELECT size, 'other', at_us, (SELECT line FROM audit_cosignature WHERE size <> {size}) \
             FROM audit_cosignature WHERE size = {size}"
        )).await;
        let said = watched.verified().expect_err("a line of another checkpoint");
        assert!(said.contains(&format!("checkpoint {size}, as other signed it")), "{said}");
    }

    async fn an_old_signature_does_not_hold_exports_back(engine: Engine) {
        let watched = Watched::start(engine).await;
        watched.grow(5).await;
        watched.ask().await;
        let signed = watched.cosigned().await;
        watched.grow(5).await;
        let shown = async || {
            let mut tx = watched.app.library().store.reader().await.unwrap();
            slotwright::app::audit::shown(&mut tx).await.unwrap().unwrap().size
        };
        assert_eq!(shown().await, signed);
        watched.app.advance(Duration::from_mins(11));
        watched.grow(1).await;
        assert_eq!(shown().await, watched.newest().await);
    }
}
