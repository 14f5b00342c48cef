//! Checkpoints: what is signed is believed, and nothing else.

use proptest::prelude::*;
use slotwright::audit::checkpoint::{Checkpoint, SignedCheckpoint};
use slotwright::audit::key::{KeyError, Kind, Signer, Verifier};
use slotwright::audit::note::NoteError;

const ORIGIN: &str = "clinic.example/audit";

fn signer(seed: u8) -> Signer {
    Signer::from_seed(ORIGIN, &[seed; 32]).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.to_owned(), size: 20, root: [5; 32] }
}

fn known(signers: &[&Signer]) -> Vec<Verifier> {
    signers.iter().map(|signer| signer.verifier().clone()).collect()
}

fn parse(text: &str) -> Result<SignedCheckpoint, NoteError> {
    SignedCheckpoint::parse(text.as_bytes())
}

#[test]
fn what_was_signed_is_read_and_believed() {
    let key = signer(1);
    let text = checkpoint().sign([&key]);
    let read = parse(&text).unwrap();
    assert_eq!(read.checkpoint, checkpoint());
    assert_eq!(read.text(), text);
    let known = known(&[&key]);
    assert_eq!(read.verify(&known).unwrap().len(), 1);
    let lines: Vec<_> = text.split('\n').collect();
    assert_eq!(lines[..4], [ORIGIN, "20", "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=", ""]);
    assert!(lines[4].starts_with("\u{2014} clinic.example/audit ") && lines[5].is_empty());
}

#[test]
fn the_example_of_another_implementation_holds() {
    // A key and a note that the Go implementation of signed notes made.
    let key: Verifier = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
    let text = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n";
    let line = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let note = slotwright::audit::note::Note::parse(format!("{text}\n{line}").as_bytes()).unwrap();
    let known = [key];
    assert_eq!(note.verify(&known).unwrap().len(), 1);
}

#[test]
fn another_key_is_not_believed() {
    let text = checkpoint().sign([&signer(1)]);
    let read = parse(&text).unwrap();
    assert_eq!(read.verify(&known(&[&signer(2)])).unwrap_err(), NoteError::Unsigned);
    assert_eq!(read.verify(&[]).unwrap_err(), NoteError::Unsigned);
    // The key of another log may sign what it likes; it is not this log.
    let elsewhere = Signer::from_seed("other.example", &[1; 32]).unwrap();
    let text = checkpoint().sign([&elsewhere]);
    assert_eq!(parse(&text).unwrap().verify(&known(&[&elsewhere])).unwrap_err(), NoteError::Unsigned);
}

#[test]
fn while_a_key_is_replaced_both_are_believed() {
    let (old, new) = (signer(1), signer(2));
    let read = parse(&checkpoint().sign([&old, &new])).unwrap();
    for known in [known(&[&old]), known(&[&new])] {
        assert_eq!(read.verify(&known).unwrap().len(), 1);
    }
    assert_eq!(read.verify(&known(&[&new, &old])).unwrap().len(), 2);
    // One false signature of a known key spoils the note.
    let mut forged = read.clone();
    forged.note.signatures[1].bytes[0] ^= 1;
    let forged = parse(&forged.text()).unwrap();
    assert_eq!(forged.verify(&known(&[&new, &old])).unwrap_err(), NoteError::False(ORIGIN.to_owned()));
    assert_eq!(forged.verify(&known(&[&old])).unwrap().len(), 1);
}

#[test]
fn witnesses_say_when_they_saw_it() {
    let log = signer(1);
    let witness = Signer::from_seed("witness.example", &[9; 32]).unwrap().as_witness();
    let mut read = parse(&checkpoint().sign([&log])).unwrap();
    let signature = witness.sign(&read.note.text, 1_700_000_000);
    read.add(signature);
    let read = parse(&read.text()).unwrap();
    let known_keys = known(&[&log, &witness]);
    let signed = read.verify(&known_keys).unwrap();
    let witnessed: Vec<_> = signed.iter().filter_map(|by| by.witnessed).collect();
    assert_eq!((signed.len(), witnessed), (2, vec![1_700_000_000]));
    // A witness alone is not the log.
    assert_eq!(read.verify(&known(&[&witness])).unwrap_err(), NoteError::Unsigned);
    // Its time is under the signature.
    let mut later = read.clone();
    later.note.signatures[1].bytes[7] ^= 1;
    assert_eq!(later.verify(&known_keys).unwrap_err(), NoteError::False("witness.example".to_owned()));
    // The same key has another id as a witness than as a log.
    let both = Signer::from_seed("witness.example", &[9; 32]).unwrap();
    assert_ne!(both.verifier().id(), witness.verifier().id());
    assert_eq!(witness.verifier().kind(), Kind::Witness);
    assert_eq!(witness.verifier().to_string().parse(), Ok(witness.verifier().clone()));
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let text = checkpoint().sign([&signer(1)]);
    assert!(parse(&text).is_ok());
    let root = "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=";
    let refused = [
        String::new(),
        "\n".to_owned(),
        text.trim_end().to_owned(),
        format!("{text}\n"),
        format!("{text}more\n"),
        format!("{text} "),
        text.replace('\n', "\r\n"),
        text.replace("\n20\n", "\n020\n"),
        text.replace("\n20\n", "\n+20\n"),
        text.replace("\n20\n", "\n-20\n"),
        text.replace("\n20\n", "\n\n"),
        text.replace("\n20\n", "\n18446744073709551616\n"),
        text.replace(root, "BQUF"),
        text.replace(root, &root.replace("BQU=", "BQV=")),
        text.replace(root, &root.replace('=', "")),
        text.replace(root, &format!("{root}=")),
        text.replace(root, &root.replace('B', "-")),
        text.replacen(ORIGIN, "", 1),
        text.replace("\u{2014} ", "- "),
        text.replace("\u{2014} ", "\u{2014}"),
        text.replace("\n\n", "\n"),
        text.replace(ORIGIN, "clinic\u{7}example"),
        text.replace("\u{2014} clinic.example/audit", "\u{2014} clinic+example"),
        format!("{}\u{2014} a AAAA\n", text.split_once("\u{2014}").unwrap().0),
        format!("{text}{}", "\u{2014} a AAAAAAAA\n".repeat(100)),
        format!("{}{text}", "x".repeat(1 << 20)),
    ];
    for wrong in refused {
        assert!(parse(&wrong).is_err(), "{wrong}");
    }
    assert!(SignedCheckpoint::parse(&[b"\xff\n", text.as_bytes()].concat()).is_err());
    // Sixteen signatures, and lines that a later version may have, must be read.
    assert!(parse(&format!("{text}{}", "\u{2014} a AAAAAAAA\n".repeat(16))).is_ok());
    assert!(parse(&text.replace(root, &format!("{root}\nlater"))).is_ok());
}

#[test]
fn any_change_of_what_is_signed_is_noticed() {
    let key = signer(1);
    let text = checkpoint().sign([&key]);
    let known = known(&[&key]);
    for at in 0..text.len() {
        for bit in [1, 4, 32] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= bit;
            let believed = SignedCheckpoint::parse(&bytes).is_ok_and(|read| read.verify(&known).is_ok());
            assert!(!believed, "byte {at}");
        }
    }
}

#[test]
fn keys_are_read_as_they_are_written() {
    let key = signer(3);
    let again = Signer::from_text(ORIGIN, &key.to_pem().unwrap()).unwrap();
    assert_eq!(again.verifier(), key.verifier());
    let seed = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
    assert_eq!(Signer::from_text(ORIGIN, &format!("{seed}\n")).unwrap().verifier(), key.verifier());
    assert!(!format!("{key:?}").contains("AwMD"));
    let text = key.verifier().to_string();
    assert_eq!(text.parse(), Ok(key.verifier().clone()));
    for (wrong, error) in [
        (String::new(), KeyError::NotPublic),
        (text.replacen("clinic", "other", 1), KeyError::Id),
        (text.replacen("clinic", "a b", 1), KeyError::Name),
        (format!("+{}", text.split_once('+').unwrap().1), KeyError::Name),
        (format!("{text}A"), KeyError::NotPublic),
        ("a+00000000+".to_owned(), KeyError::NotPublic),
        ("a+00000000+Ag==".to_owned(), KeyError::Kind),
        ("a+00000000+AQ==".to_owned(), KeyError::NotPublic),
    ] {
        assert_eq!(wrong.parse::<Verifier>(), Err(error), "{wrong}");
    }
    for wrong in ["", "AwMD", "-----BEGIN PRIVATE KEY-----\nAwMD\n-----END PRIVATE KEY-----\n", "not base64!"]
    {
        assert_eq!(Signer::from_text(ORIGIN, wrong).unwrap_err(), KeyError::NotPrivate, "{wrong}");
    }
    assert_eq!(Signer::from_seed("a b", &[0; 32]).unwrap_err(), KeyError::Name);
}

proptest! {
    #[test]
    fn any_checkpoint_comes_back(size: u64, root: [u8; 32], seed: [u8; 32]) {
        let key = Signer::from_seed(ORIGIN, &seed).unwrap();
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root };
        let read = parse(&checkpoint.sign([&key])).unwrap();
        prop_assert_eq!(&read.checkpoint, &checkpoint);
        prop_assert!(read.verify(&known(&[&key])).is_ok());
    }

    #[test]
    fn bytes_of_any_kind_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), text in ".{0,200}") {
        let _ = SignedCheckpoint::parse(&bytes);
        let _ = parse(&format!("{ORIGIN}\n1\n{text}\n\n\u{2014} {text}\n"));
        let _ = text.parse::<Verifier>();
    }
}
