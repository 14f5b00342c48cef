//! Inclusion and consistency cases in the shapes of the published vectors of transparency-dev/merkle (its `testdata`
//! has 518: a sound case for each pair, and the same with one thing wrong), made here from the RFC's own definitions by
//! code that shares nothing with what it judges.

use super::reference::{Hash, entries, mth, path, proof};
use sha2::{Digest, Sha256};
use slotwright::audit::path::{verify_consistency, verify_inclusion};

/// A case of inclusion.
#[derive(Clone)]
struct Inclusion {
    leaf: u64,
    size: u64,
    hash: Hash,
    proof: Vec<Hash>,
    root: Hash,
    what: String,
    wrong: bool,
}

/// A case of consistency.
#[derive(Clone)]
struct Consistency {
    old: u64,
    new: u64,
    old_root: Hash,
    new_root: Hash,
    proof: Vec<Hash>,
    what: String,
    wrong: bool,
}

fn sha(text: &[u8]) -> Hash {
    Sha256::digest(text).into()
}

fn flipped(hash: &Hash) -> Hash {
    let mut other = *hash;
    other[7] ^= 1 << 3;
    other
}

/// What can be wrong with a proof: its name, and what it became. A change that changes nothing is left out.
fn wrong_proofs(proof: &[Hash], root: &Hash, leaf: &Hash) -> Vec<(String, Vec<Hash>)> {
    let with = |more: &[&[Hash]]| more.concat();
    let mut all = vec![
        ("random in front".to_owned(), with(&[&[sha(b"")], proof])),
        ("random behind".to_owned(), with(&[proof, &[sha(b"")]])),
        ("root in front".to_owned(), with(&[&[*root], proof])),
        ("root behind".to_owned(), with(&[proof, &[*root]])),
        ("leaf in front".to_owned(), with(&[&[*leaf], proof])),
        ("leaf behind".to_owned(), with(&[proof, &[*leaf]])),
        ("twice".to_owned(), with(&[proof, proof])),
        ("empty".to_owned(), Vec::new()),
        ("without its first".to_owned(), proof.get(1..).unwrap_or_default().to_vec()),
        ("without its last".to_owned(), proof[..proof.len().saturating_sub(1)].to_vec()),
        ("backwards".to_owned(), proof.iter().rev().copied().collect()),
        ("its first twice".to_owned(), with(&[&proof[..proof.len().min(1)], proof])),
    ];
    for at in 0..proof.len() {
        let mut one = proof.to_vec();
        one[at] = flipped(&proof[at]);
        all.push((format!("a bit of {at}"), one));
        let mut one = proof.to_vec();
        one[at] = [0; 32];
        all.push((format!("zeros at {at}"), one));
        let mut one = proof.to_vec();
        one.remove(at);
        all.push((format!("without {at}"), one));
        let mut one = proof.to_vec();
        one.insert(at, sha(b"inserted"));
        all.push((format!("inserted at {at}"), one));
        if at > 0 {
            let mut one = proof.to_vec();
            one.swap(at, at - 1);
            all.push((format!("{at} and {} exchanged", at - 1), one));
        }
    }
    all.retain(|(_, one)| one != proof);
    all
}

fn inclusions(all: &[Vec<u8>]) -> Vec<Inclusion> {
    let mut cases = Vec::new();
    // The pairs of the published vectors, and those around each power of two.
    let mut pairs = vec![(0, 1), (0, 8), (5, 8), (2, 3), (1, 5)];
    pairs.extend(
        [2, 3, 4, 7, 9, 16, 17].into_iter().flat_map(|size| [(0, size), (size / 2, size), (size - 1, size)]),
    );
    for (leaf, size) in pairs {
        let tree = &all[..size];
        let hash = sha(&[&[0][..], &tree[leaf]].concat());
        let (index, n) = (leaf as u64, size as u64);
        let sound = Inclusion {
            leaf: index,
            size: n,
            hash,
            proof: path(leaf, tree),
            root: mth(tree),
            what: format!("{leaf} of {size}"),
            wrong: false,
        };
        let mut add = |what: &str, change: &dyn Fn(&mut Inclusion)| {
            let mut case =
                Inclusion { what: format!("{}: {what}", sound.what), wrong: true, ..sound.clone() };
            change(&mut case);
            cases.push(case);
        };
        add("index before", &|case| case.leaf = index.wrapping_sub(1));
        add("index behind", &|case| case.leaf = index + 1);
        add("index flipped", &|case| case.leaf = index ^ 2);
        add("index beyond", &|case| case.leaf = n);
        add("index far beyond", &|case| case.leaf = index | 1 << 63);
        add("size doubled", &|case| case.size = n * 2);
        add("size halved", &|case| case.size = n / 2);
        add("size of nothing", &|case| case.size = 0);
        add("size enormous", &|case| case.size = u64::MAX);
        add("another leaf", &|case| case.hash = sha(b"\x00another"));
        add("the entry itself", &|case| case.hash = sha(&tree[leaf]));
        add("another root", &|case| case.root = flipped(&case.root));
        add("the root of nothing", &|case| case.root = sha(b""));
        add("root of zeros", &|case| case.root = [0; 32]);
        for (what, proof) in wrong_proofs(&sound.proof, &sound.root, &hash) {
            add(&what, &|case| case.proof.clone_from(&proof));
        }
        cases.push(sound);
    }
    cases
}

fn consistencies(all: &[Vec<u8>]) -> Vec<Consistency> {
    let mut cases = Vec::new();
    let mut pairs = vec![(1, 1), (1, 8), (6, 8), (2, 5), (6, 7), (0, 0), (0, 8)];
    pairs.extend([(3, 4), (4, 4), (4, 5), (7, 8), (8, 8), (8, 9), (5, 16), (9, 17), (16, 17), (15, 16)]);
    for (old, new) in pairs {
        let (old_root, new_root) = (mth(&all[..old]), mth(&all[..new]));
        let made = if old == 0 || old == new { Vec::new() } else { proof(old, &all[..new]) };
        let (m, n) = (old as u64, new as u64);
        let sound = Consistency {
            old: m,
            new: n,
            old_root,
            new_root,
            proof: made,
            what: format!("{old} to {new}"),
            wrong: false,
        };
        let mut add = |what: &str, change: &dyn Fn(&mut Consistency)| {
            let mut case =
                Consistency { what: format!("{}: {what}", sound.what), wrong: true, ..sound.clone() };
            change(&mut case);
            cases.push(case);
        };
        add("backwards", &|case| (case.old, case.new) = (n + 1, n));
        if old > 0 {
            add("size before", &|case| case.old = m - 1);
            add("size behind", &|case| case.old = m + 1);
            add("size flipped", &|case| case.old = m ^ 2);
            add("new size doubled", &|case| case.new = n * 2);
            add("new size halved", &|case| case.new = n / 2);
            add("new size enormous", &|case| case.new = u64::MAX);
            add("another new root", &|case| case.new_root = flipped(&case.new_root));
            add("new root of zeros", &|case| case.new_root = [0; 32]);
        }
        add("another old root", &|case| case.old_root = flipped(&case.old_root));
        add("old root of zeros", &|case| case.old_root = [0; 32]);
        if old_root != new_root {
            add("roots exchanged", &|case| (case.old_root, case.new_root) = (new_root, old_root));
        }
        for (what, proof) in wrong_proofs(&sound.proof, &new_root, &old_root) {
            add(&what, &|case| case.proof.clone_from(&proof));
        }
        cases.push(sound);
    }
    cases
}

#[test]
fn t1_inclusion() {
    let cases = inclusions(&entries(17));
    let (mut sound, mut refused) = (0, 0);
    for Inclusion { leaf, size, hash, proof, root, what, wrong } in &cases {
        let shown = verify_inclusion(*leaf, *size, hash, proof, root);
        assert_eq!(shown.is_err(), *wrong, "{what}: {shown:?}");
        if *wrong { refused += 1 } else { sound += 1 }
    }
    assert!(sound >= 26 && refused > 500, "{sound} sound and {refused} wrong cases");
}

#[test]
fn t1_consistency() {
    let cases = consistencies(&entries(17));
    let (mut sound, mut refused) = (0, 0);
    for Consistency { old, new, old_root, new_root, proof, what, wrong } in &cases {
        let shown = verify_consistency((*old, old_root), (*new, new_root), proof);
        assert_eq!(shown.is_err(), *wrong, "{what}: {shown:?}");
        if *wrong { refused += 1 } else { sound += 1 }
    }
    assert!(sound >= 17 && refused > 300, "{sound} sound and {refused} wrong cases");
}
