//! A statement under construction: text and arguments grow together.

use crate::store::Arg;

/// SQL text whose values are all bound, never pasted in.
#[derive(Debug, Default)]
pub(super) struct Sql {
    args: Vec<Arg>,
    aliases: usize,
}

impl Sql {
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
