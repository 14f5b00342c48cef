//! What accounts are looked for by, as SQL whose values are all bound.

use crate::store::Arg;

/// A column that has an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// `id`
    Id,
    /// The folded username.
    Username,
    /// The name that people are shown, compared without regard to case.
    Name,
    /// The source's own id.
    ExternalId,
    /// When anything changed last.
    Modified,
    /// Since when it can't be used.
    Disabled,
}

impl Column {
    fn sql(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Username => "username",
            Self::Name => "lower(name)",
            Self::ExternalId => "external_id",
            Self::Modified => "COALESCE(modified_us, created_us)",
            Self::Disabled => "disabled_us",
        }
    }
}

/// How a column is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal, or not there.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
}

/// What an account must satisfy.
#[derive(Clone, Debug)]
pub enum Condition {
    /// All of these; none: everything.
    All(Vec<Self>),
    /// One of these.
    Any(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// The column has a value.
    There(Column),
    /// The column compares so with a value.
    Is(Column, Comparison, Arg),
}

impl Condition {
    /// The condition as SQL that is true or false, never unknown; its values go to `args`.
    pub(super) fn sql(&self, args: &mut Vec<Arg>) -> String {
        match self {
            Self::All(parts) => joined(parts, " AND ", "1 = 1", args),
            Self::Any(parts) => joined(parts, " OR ", "1 = 0", args),
            Self::Not(part) => format!("NOT {}", part.sql(args)),
            Self::There(column) => format!("({} IS NOT NULL)", column.sql()),
            Self::Is(column, op, value) => compared(*column, *op, value.clone(), args),
        }
    }
}

fn joined(parts: &[Condition], with: &str, none: &str, args: &mut Vec<Arg>) -> String {
    if parts.is_empty() {
        return format!("({none})");
    }
    let parts: Vec<String> = parts.iter().map(|part| part.sql(args)).collect();
    format!("({})", parts.join(with))
}

fn compared(column: Column, op: Comparison, value: Arg, args: &mut Vec<Arg>) -> String {
    args.push(value);
    let (column, mark) = (column.sql(), format!("${}", args.len()));
    let test = match op {
        Comparison::Eq | Comparison::Ne => format!("{column} = {mark}"),
        Comparison::Gt => format!("{column} > {mark}"),
        Comparison::Ge => format!("{column} >= {mark}"),
        Comparison::Lt => format!("{column} < {mark}"),
        Comparison::Le => format!("{column} <= {mark}"),
        // Without patterns, so that no character of the value means anything, and alike on both engines.
        Comparison::Co => {
            format!("(length(replace({column}, {mark}, '')) < length({column}) OR {mark} = '')")
        }
        Comparison::Sw => format!("substr({column}, 1, length({mark})) = {mark}"),
        Comparison::Ew => format!(
            "(length({column}) >= length({mark}) \
             AND substr({column}, length({column}) - length({mark}) + 1) = {mark})"
        ),
    };
    match op {
        Comparison::Ne => format!("(NOT COALESCE({test}, 1 = 0))"),
        _ => format!("COALESCE({test}, 1 = 0)"),
    }
}
