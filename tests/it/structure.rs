//! The shape of the code: which module may import which, that both engines end in the same tables, and that
//! both take every statement.

use crate::support::{Database, Engine, both_engines};
use slotwright::store;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The table of ARCHITECTURE.md: a module, and the modules of this crate it may name.
/// Change it when the design changes, never alone.
const EDGES: &[(&str, &[&str])] = &[
    ("lib", &[]),
    ("config", &[]),
    ("clock", &[]),
    ("telemetry", &["config"]),
    ("fhir", &["clock"]),
    // Of the clock, the pure modules use the unit of time and its text; see `PURE`.
    ("scheduling", &["fhir", "clock"]),
    // Likewise told the time, and given what it needs to decide.
    ("auth", &["fhir", "clock"]),
    ("audit", &["fhir", "clock"]),
    ("store", &["auth", "audit", "fhir", "scheduling", "clock", "config"]),
    ("app", &["store", "auth", "audit", "fhir", "scheduling", "clock", "config"]),
    ("http", &["app", "auth", "audit", "fhir", "config", "telemetry", "clock"]),
    ("notify", &["config"]),
    ("worker", &["app", "store", "clock", "config", "notify"]),
    (
        "sandbox",
        &["app", "auth", "store", "fhir", "scheduling", "clock", "config", "http", "telemetry", "worker"],
    ),
    (
        "cli",
        &[
            "app",
            "audit",
            "auth",
            "store",
            "fhir",
            "clock",
            "config",
            "http",
            "notify",
            "sandbox",
            "telemetry",
            "worker",
        ],
    ),
    ("main", &["cli"]),
];

/// Crates that only some modules may name: SQL stays in the store, HTTP at the edge, I/O out of the pure modules.
const FENCES: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("axum", &["http"]),
    ("tokio", &["store", "app", "http", "sandbox", "worker", "notify", "cli", "main", "telemetry"]),
];

/// Modules without I/O, which are told the time.
const PURE: &[&str] = &["fhir", "scheduling", "auth", "audit"];

#[test]
fn modules_import_only_what_the_design_allows() {
    let mut wrong = Vec::new();
    let known: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    for path in sources() {
        let module = module_of(&path);
        let Some(allowed) = known.get(module.as_str()) else {
            wrong.push(format!("{}: module {module} is not in the table", path.display()));
            continue;
        };
        let code = without_comments(&fs::read_to_string(&path).expect("a source file"));
        let own_crate = if module == "main" { "slotwright::" } else { "crate::" };
        for named in names_after(&code, own_crate) {
            let is_module = known.contains_key(named.as_str());
            if is_module && named != module && !allowed.contains(&named.as_str()) {
                wrong.push(format!("{}: {module} may not import {named}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sql_http_and_io_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for path in sources() {
        let module = module_of(&path);
        let code = without_comments(&fs::read_to_string(&path).expect("a source file"));
        if PURE.contains(&module.as_str()) && (code.contains("Clock") || code.contains("std::fs")) {
            wrong.push(format!("{}: {module} is pure", path.display()));
        }
        for (name, allowed) in FENCES {
            let used = code.contains(&format!("{name}::")) && !allowed.contains(&module.as_str());
            if used && names_crate(&code, name) {
                wrong.push(format!("{}: {module} may not use {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_migration_exists_for_both_engines() {
    let of = |engine: &str| -> BTreeSet<String> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
        let files = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        files.map(|file| file.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    };
    let sqlite = of("sqlite");
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite, of("postgres"));
}

#[test]
fn both_engines_end_in_the_same_tables() {
    let columns = |engine: Engine| {
        let sql = match engine {
            Engine::Sqlite => {
                "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c \
                 WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> '_sqlx_migrations'"
            }
            Engine::Postgres => {
                "SELECT table_name::text || '.' || column_name::text FROM information_schema.columns \
                 WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'"
            }
        };
        crate::support::block_on(async {
            let database = Database::create(engine).await;
            database.store().await.close().await;
            database.texts(sql).await.into_iter().collect::<BTreeSet<String>>()
        })
    };
    let (sqlite, postgres) = (columns(Engine::Sqlite), columns(Engine::Postgres));
    assert!(sqlite.iter().any(|column| column.starts_with("actor_claim.")), "{sqlite:?}");
    let only_sqlite: Vec<_> = sqlite.difference(&postgres).collect();
    let only_postgres: Vec<_> = postgres.difference(&sqlite).collect();
    assert!(
        only_sqlite.is_empty() && only_postgres.is_empty(),
        "only SQLite: {only_sqlite:?}; only PostgreSQL: {only_postgres:?}"
    );
}

both_engines! {
    async fn every_statement_is_accepted(engine: Engine) {
        let database = Database::create(engine).await;
        let store = database.store().await;
        let statements = store::statements(store.engine());
        assert!(statements.len() > 20, "{} statements", statements.len());
        let mut wrong = Vec::new();
        for (name, sql) in statements {
            // A connection each: PostgreSQL takes nothing more on one that has failed.
            let prepared = store.reader().await.expect("a connection").prepare(sql).await;
            wrong.extend(prepared.err().map(|error| format!("{name}: {error}\n    {sql}")));
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        store.close().await;
    }
}

/// Every Rust file under `src`.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).expect("a source directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 5, "found {found:?}");
    found
}

/// The top-level module a file belongs to.
fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("under src");
    let first = inside.components().next().expect("a file").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

fn without_comments(code: &str) -> String {
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The first path segments that follow `prefix`: `crate::a::b` gives `a`, `crate::{a::x, b}` gives both.
fn names_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (start, _) in code.match_indices(prefix) {
        let whole_word = !code[..start].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        let rest = &code[start + prefix.len()..];
        if !whole_word {
            continue;
        }
        match rest.strip_prefix('{') {
            None => names.extend(identifier(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut expects_name = true;
                for (at, character) in group.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => expects_name = true,
                        c if depth == 0 && expects_name && !c.is_whitespace() => {
                            names.extend(identifier(&group[at..]));
                            expects_name = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    names
}

fn identifier(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// Whether `name` is used as a crate's name and not as a longer word's end, such as `tracing_tokio::`.
fn names_crate(code: &str, name: &str) -> bool {
    let prefix = format!("{name}::");
    code.match_indices(&prefix).any(|(start, _)| {
        !code[..start].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':')
    })
}
