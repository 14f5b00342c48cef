//! A statement under construction: text and arguments grow together.

use crate::fhir::search::IdSet;
use crate::store::{Arg, Engine, dialect};
use std::sync::Arc;

/// SQL text whose values are all bound, never pasted in.
#[derive(Debug)]
pub(super) struct Sql {
    engine: Engine,
    args: Vec<Arg>,
    aliases: usize,
    /// Sets that are bound, and their placeholders.
    sets: Vec<(Arc<IdSet>, String)>,
}

impl Sql {
    /// Nothing yet.
    pub(super) fn of(engine: Engine) -> Self {
        Self { engine, args: Vec::new(), aliases: 0, sets: Vec::new() }
    }

    /// Whether a text is `prefix` and one of these ids. It is bound as one value, once.
    pub(super) fn among(&mut self, text: &str, prefix: &str, ids: &Arc<IdSet>) -> String {
        let known = self.sets.iter().find(|(set, _)| Arc::ptr_eq(set, ids));
        let mark = if let Some((_, mark)) = known {
            mark.clone()
        } else {
            let mark = self.bind(ids.json());
            self.sets.push((Arc::clone(ids), mark.clone()));
            mark
        };
        // As an expression it can't be looked up in an index, once for every id of the set.
        format!("({text} || '') IN ({})", dialect::texts_of(self.engine, &mark, prefix))
    }

    /// Binds a value and returns its placeholder.
    pub(super) fn bind(&mut self, value: impl Into<Arg>) -> String {
        self.args.push(value.into());
        format!("${}", self.args.len())
    }

    /// Binds several values and returns `($1, $2)`.
    pub(super) fn list<T: Into<Arg>>(&mut self, values: impl IntoIterator<Item = T>) -> String {
        let marks: Vec<String> = values.into_iter().map(|v| self.bind(v)).collect();
        format!("({})", marks.join(", "))
    }

    /// A table alias that no other part of the statement has.
    pub(super) fn alias(&mut self, letter: char) -> String {
        self.aliases += 1;
        format!("{letter}{}", self.aliases)
    }

    /// The arguments, in the order of their placeholders.
    pub(super) fn into_args(self) -> Vec<Arg> {
        self.args
    }
}

/// `a` or `(a OR b)`; false when there is none.
pub(super) fn any(parts: Vec<String>) -> String {
    join(parts, " OR ", "1 = 0")
}

/// `a` or `(a AND b)`; true when there is none.
pub(super) fn all(parts: Vec<String>) -> String {
    join(parts, " AND ", "1 = 1")
}

fn join(mut parts: Vec<String>, with: &str, none: &str) -> String {
    match parts.len() {
        0 => none.to_owned(),
        1 => parts.pop().unwrap_or_default(),
        _ => format!("({})", parts.join(with)),
    }
}
