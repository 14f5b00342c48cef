//! Roots, inclusion and consistency proofs: equal to the recursive definitions, and false ones refused.

use super::reference::{Hash, entries, mth, path, proof};
use proptest::prelude::*;
use slotwright::audit::path::{Plan, ProofError, verify_consistency, verify_inclusion};
use slotwright::audit::tree::{Frontier, NodeId, edge, empty_root, leaf_hash, node_hash};
use std::collections::BTreeMap;

const EXHAUSTIVE: usize = 70;

/// All complete nodes of a tree, as a database holds them.
struct Grown {
    nodes: BTreeMap<NodeId, Hash>,
    roots: Vec<Hash>,
}

fn grow(entries: &[Vec<u8>]) -> Grown {
    let mut frontier = Frontier::new();
    let mut grown = Grown { nodes: BTreeMap::new(), roots: vec![frontier.root()] };
    for (seq, entry) in entries.iter().enumerate() {
        let leaf = leaf_hash(entry);
        grown.nodes.insert(NodeId { level: 0, index: seq as u64 }, leaf);
        for node in frontier.append(leaf) {
            assert!(grown.nodes.insert(node.id, node.hash).is_none(), "{:?} twice", node.id);
        }
        grown.roots.push(frontier.root());
    }
    grown
}

#[test]
fn roots_are_those_of_the_definition() {
    let all = entries(EXHAUSTIVE);
    let grown = grow(&all);
    for n in 0..=all.len() {
        assert_eq!(grown.roots[n], mth(&all[..n]), "{n} leaves");
    }
    assert_eq!(grown.roots[0], empty_root());
}

#[test]
fn every_complete_node_is_made_once_and_says_what_is_below_it() {
    let all = entries(EXHAUSTIVE);
    let grown = grow(&all);
    let mut expected = 0;
    for level in 0..7u8 {
        for index in 0..all.len() >> level {
            let (from, to) = (index << level, (index + 1) << level);
            let id = NodeId { level, index: index as u64 };
            assert_eq!(grown.nodes.get(&id), Some(&mth(&all[from..to])), "{id:?}");
            expected += 1;
        }
    }
    assert_eq!(grown.nodes.len(), expected);
}

#[test]
fn a_tree_goes_on_from_its_edge() {
    let all = entries(EXHAUSTIVE);
    let grown = grow(&all);
    for (n, entry) in all.iter().enumerate() {
        let hashes = edge(n as u64).iter().map(|id| grown.nodes[id]).collect();
        let mut frontier = Frontier::restore(n as u64, hashes).unwrap();
        assert_eq!(frontier.root(), grown.roots[n]);
        frontier.append(leaf_hash(entry));
        assert_eq!((frontier.size(), frontier.root()), (n as u64 + 1, grown.roots[n + 1]));
    }
    assert_eq!(Frontier::restore(3, vec![[0; 32]]), None);
}

#[test]
fn inclusion_proofs_are_those_of_the_definition() {
    let all = entries(EXHAUSTIVE);
    let grown = grow(&all);
    for n in 1..=all.len() {
        for m in 0..n {
            let plan = Plan::inclusion(m as u64, n as u64).unwrap();
            let made = plan.assemble(|id| grown.nodes.get(&id).copied()).unwrap();
            assert_eq!(made, path(m, &all[..n]), "leaf {m} of {n}");
            assert!(plan.nodes().all(|id| (id.index + 1) << id.level <= n as u64));
            assert!(made.len() <= (n as f64).log2().ceil() as usize);
            let leaf = leaf_hash(&all[m]);
            assert_eq!(verify_inclusion(m as u64, n as u64, &leaf, &made, &grown.roots[n]), Ok(()));
        }
        assert_eq!(Plan::inclusion(n as u64, n as u64), None);
    }
}

#[test]
fn consistency_proofs_are_those_of_the_definition() {
    let all = entries(EXHAUSTIVE);
    let grown = grow(&all);
    for n in 0..=all.len() {
        for m in 0..=n {
            let plan = Plan::consistency(m as u64, n as u64).unwrap();
            let made = plan.assemble(|id| grown.nodes.get(&id).copied()).unwrap();
            let expected = if m == 0 { Vec::new() } else { proof(m, &all[..n]) };
            assert_eq!(made, expected, "{m} to {n}");
            let (old, new) = ((m as u64, &grown.roots[m]), (n as u64, &grown.roots[n]));
            assert_eq!(verify_consistency(old, new, &made), Ok(()), "{m} to {n}");
        }
        assert_eq!(Plan::consistency(n as u64 + 1, n as u64), None);
    }
}

/// What someone may do to a proof; never gives back the same.
fn corrupted(proof: &[Hash], other: &Hash) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for at in 0..proof.len() {
        let mut one = proof.to_vec();
        one[at][at % 32] ^= 1;
        all.push(one);
        let mut one = proof.to_vec();
        one.remove(at);
        all.push(one);
        let mut one = proof.to_vec();
        one[at] = *other;
        all.push(one);
        if at > 0 {
            let mut one = proof.to_vec();
            one.swap(at - 1, at);
            all.push(one);
        }
    }
    for extra in [*other, [0; 32], empty_root()] {
        all.push([proof, &[extra]].concat());
        all.push([&[extra], proof].concat());
    }
    all.push([proof, proof].concat());
    all.retain(|one| one != proof);
    all
}

#[test]
fn false_inclusion_proofs_are_refused() {
    let all = entries(40);
    let grown = grow(&all);
    for n in 1..=all.len() {
        let root = &grown.roots[n];
        for m in 0..n {
            let (leaf, made) = (leaf_hash(&all[m]), path(m, &all[..n]));
            for wrong in corrupted(&made, root) {
                assert!(verify_inclusion(m as u64, n as u64, &leaf, &wrong, root).is_err(), "{m} of {n}");
            }
            for other in (0..n + 3).filter(|other| *other != m) {
                let shown = verify_inclusion(other as u64, n as u64, &leaf, &made, root);
                assert!(shown.is_err(), "leaf {m} of {n} passed for {other}");
            }
            for other in [u64::MAX, 1 << 63, 1 << 32] {
                assert_eq!(verify_inclusion(other, n as u64, &leaf, &made, root), Err(ProofError::Range));
                assert!(verify_inclusion(m as u64, other, &leaf, &made, root).is_err());
            }
            let wrong_root = grown.roots[n - 1];
            let shown = verify_inclusion(m as u64, n as u64, &leaf, &made, &wrong_root);
            assert_eq!(shown, Err(ProofError::Root));
            let unhashed = verify_inclusion(m as u64, n as u64, &[7; 32], &made, root);
            assert_eq!(unhashed, Err(ProofError::Root));
        }
    }
    assert_eq!(verify_inclusion(0, 0, &[0; 32], &[], &empty_root()), Err(ProofError::Range));
}

#[test]
fn false_consistency_proofs_are_refused() {
    let all = entries(40);
    let grown = grow(&all);
    for n in 1..=all.len() {
        for m in 1..n {
            let (old, new) = ((m as u64, &grown.roots[m]), (n as u64, &grown.roots[n]));
            let made = proof(m, &all[..n]);
            for wrong in corrupted(&made, old.1) {
                assert!(verify_consistency(old, new, &wrong).is_err(), "{m} to {n}");
            }
            assert!(verify_consistency((m as u64, new.1), new, &made).is_err());
            assert!(verify_consistency(old, (n as u64, old.1), &made).is_err());
            assert!(verify_consistency(new, old, &made) == Err(ProofError::Range));
            assert!(verify_consistency(old, (u64::MAX, new.1), &made).is_err());
            assert!(verify_consistency((m as u64 + 1, old.1), new, &made).is_err(), "{m} to {n}");
        }
        let same = (n as u64, &grown.roots[n]);
        assert_eq!(verify_consistency(same, same, &[[0; 32]]), Err(ProofError::Length));
        assert_eq!(verify_consistency((n as u64, &grown.roots[n - 1]), same, &[]), Err(ProofError::Root));
        assert_eq!(verify_consistency((0, same.1), same, &[]), Err(ProofError::Root));
    }
}

#[test]
fn a_node_is_no_leaf() {
    // Without the byte in front, the concatenation of two hashes would pass for a leaf.
    let (left, right) = (leaf_hash(b"a"), leaf_hash(b"b"));
    assert_ne!(leaf_hash(&[left, right].concat()), node_hash(&left, &right));
}

#[test]
fn a_history_that_was_rewritten_is_not_consistent() {
    let all = entries(33);
    let grown = grow(&all);
    for changed in 0..20 {
        let mut other = all.clone();
        other[changed] = b"something else".to_vec();
        let rewritten = grow(&other);
        let plan = Plan::consistency(20, 33).unwrap();
        let made = plan.assemble(|id| rewritten.nodes.get(&id).copied()).unwrap();
        let shown = verify_consistency((20, &grown.roots[20]), (33, &rewritten.roots[33]), &made);
        assert_eq!(shown, Err(ProofError::Root), "entry {changed}");
    }
}

#[test]
fn a_missing_node_is_named() {
    let plan = Plan::inclusion(5, 8).unwrap();
    let missing = NodeId { level: 1, index: 3 };
    let made = plan.assemble(|id| (id != missing).then_some([0; 32]));
    assert_eq!(made, Err(missing));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_leaf_of_any_large_tree(n in 1usize..3000, m: prop::sample::Index, old: prop::sample::Index) {
        let all = entries(n);
        let grown = grow(&all);
        let root = mth(&all);
        prop_assert_eq!(grown.roots[n], root);
        let m = m.index(n);
        let plan = Plan::inclusion(m as u64, n as u64).unwrap();
        let made = plan.assemble(|id| grown.nodes.get(&id).copied()).unwrap();
        prop_assert_eq!(&made, &path(m, &all));
        prop_assert_eq!(verify_inclusion(m as u64, n as u64, &leaf_hash(&all[m]), &made, &root), Ok(()));
        let old = old.index(n) + 1;
        let plan = Plan::consistency(old as u64, n as u64).unwrap();
        let made = plan.assemble(|id| grown.nodes.get(&id).copied()).unwrap();
        prop_assert_eq!(&made, &proof(old, &all));
        let shown = verify_consistency((old as u64, &grown.roots[old]), (n as u64, &root), &made);
        prop_assert_eq!(shown, Ok(()));
    }

    #[test]
    fn hostile_proofs_end(index: u64, size: u64, old: u64, proof in prop::collection::vec(any::<[u8; 32]>(), 0..130)) {
        prop_assert!(verify_inclusion(index, size, &[0; 32], &proof, &[1; 32]).is_err());
        prop_assert!(verify_consistency((old, &[0; 32]), (size, &[1; 32]), &proof).is_err());
    }
}
