//! `tests/data/smart.tsv`: every row of the checklist of the authorization server has a test that proves it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Rows of each section. A row that is taken out of the table is missed here.
const ROWS: &[(&str, usize)] = &[("A", 34), ("B", 96), ("C", 189), ("D", 28)];

/// A line of the table.
struct Row {
    section: String,
    id: String,
    proof: String,
}

fn table(file: &str) -> Vec<Row> {
    let text = fs::read_to_string(root().join(file)).expect("the table");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let mut cells = line.split('\t').map(str::to_owned);
            let mut cell = || cells.next().unwrap_or_default();
            Row { section: cell(), id: cell(), proof: cell() }
        })
        .collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files that may hold what is in module `path` below `base`, such as `a/b.rs` and all of `a/b/`.
fn files(base: &Path, path: &[&str]) -> Vec<PathBuf> {
    let mut place = base.to_path_buf();
    place.extend(path);
    let mut found = vec![place.with_extension("rs")];
    let inside = fs::read_dir(&place).into_iter().flatten().flatten().map(|entry| entry.path());
    found.extend(inside.filter(|file| file.extension().is_some_and(|e| e == "rs")));
    found
}

/// Whether a name such as `oauth::tokens::a_code_becomes_tokens` is that of a function.
fn is_function(base: &Path, name: &str) -> bool {
    let mut path: Vec<&str> = name.split("::").collect();
    let Some(function) = path.pop() else { return false };
    let declared = format!("fn {function}(");
    let texts = files(base, &path).into_iter().filter_map(|file| fs::read_to_string(file).ok());
    texts.into_iter().any(|text| text.contains(&declared))
}

fn exists(name: &str) -> bool {
    if let Some(program) = name.strip_prefix("clients::") {
        // It counts only if it is run.
        let run = fs::read_to_string(root().join("tests/clients/run")).unwrap_or_default();
        let program = root().join("tests/clients").join(program);
        let name = program.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        return program.exists() && run.contains(name);
    }
    match name.strip_prefix("unit::") {
        Some(name) => is_function(&root().join("src"), name),
        None => is_function(&root().join("tests/it"), name),
    }
}

#[test]
fn every_row_has_a_test_that_exists() {
    check("tests/data/smart.tsv", ROWS);
}

/// Fails when a row of a table has no test, or one that is not there, and when a row is missing.
pub fn check(file: &str, counts: &[(&str, usize)]) {
    let rows = table(file);
    let ids: BTreeSet<(&str, &str)> =
        rows.iter().map(|row| (row.section.as_str(), row.id.as_str())).collect();
    assert_eq!(ids.len(), rows.len(), "a row is there twice");
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &rows {
        *counted.entry(&row.section).or_default() += 1;
    }
    assert_eq!(counted, counts.iter().copied().collect::<BTreeMap<_, _>>());
    let mut wrong = Vec::new();
    for row in &rows {
        if row.proof.is_empty() {
            wrong.push(format!("{} {}: no test", row.section, row.id));
        }
        for name in row.proof.split_whitespace().filter(|name| !exists(name)) {
            wrong.push(format!("{} {}: there is no test {name}", row.section, row.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
