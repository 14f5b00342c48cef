//! The order of matches, and the place of one in it.

use super::condition::{About, param_of};
use super::sql::{Sql, all, any};
use crate::fhir::registry::{ParamKind, SearchParam};
use crate::fhir::search::cursor::{Key, Position};
use crate::fhir::search::{Condition, SearchQuery, Test};

/// What matches are sorted by; the internal key always comes last.
pub(super) struct Order {
    keys: Vec<OrderKey>,
}

/// How the values of a key are stored.
#[derive(Clone, Copy)]
pub(super) enum KeyKind {
    Int,
    Real,
    Text,
}

struct OrderKey {
    param: &'static SearchParam,
    descending: bool,
    /// Every match has a value.
    always: bool,
}

impl Order {
    /// The order that the query asks for. Without one, searches of slots by a typed column and of appointments
    /// by their start are in order of start, which the index gives for nothing; all others are in order of
    /// creation.
    pub(super) fn of(query: &SearchQuery) -> Self {
        let asked = query.sort.iter().map(|key| OrderKey {
            param: key.param,
            descending: key.descending,
            always: key.param.column.is_some_and(|c| c.table == "resource" || c.table == "slot"),
        });
        let mut keys: Vec<OrderKey> = asked.collect();
        if query.sort.is_empty() {
            // Every slot has a start, and every appointment that passes a test of it.
            let start = if query.conditions.iter().any(by_start) { start_of(query) } else { None };
            keys.extend(start.map(|param| OrderKey { param, descending: false, always: true }));
        }
        Self { keys }
    }

    /// Whether a key is in the typed row.
    pub(super) fn needs_typed(&self) -> bool {
        self.keys.iter().any(|k| k.param.column.is_some_and(|c| matches!(c.table, "slot" | "appointment")))
    }

    /// In order of creation.
    pub(super) fn of_creation() -> Self {
        Self { keys: Vec::new() }
    }

    /// The SQL of each key.
    pub(super) fn expressions(&self, about: &About<'_>) -> Vec<String> {
        self.keys.iter().map(|key| key.expression(about)).collect()
    }

    /// The kind of each key.
    pub(super) fn kinds(&self) -> impl Iterator<Item = KeyKind> {
        self.keys.iter().map(OrderKey::kind)
    }

    /// What follows ORDER BY, when `before` columns come before the keys.
    pub(super) fn by(&self, about: &About<'_>, before: usize) -> String {
        self.terms(|i| (before + i + 1).to_string(), tie(about))
    }

    /// The same outside of the SELECT, which is called `m` and whose keys are called `k1`, `k2` and so on.
    pub(super) fn again(&self, m: &str) -> String {
        self.terms(|i| format!("{m}.k{}", i + 1), format!("{m}.rid"))
    }

    fn terms(&self, name: impl Fn(usize) -> String, tie: String) -> String {
        let mut parts: Vec<String> = Vec::new();
        for (i, key) in self.keys.iter().enumerate() {
            let direction = if key.descending { " DESC" } else { "" };
            let nulls = if key.always { "" } else { " NULLS LAST" };
            parts.push(format!("{}{direction}{nulls}", name(i)));
        }
        parts.push(tie);
        parts.join(", ")
    }

    /// The condition that a match comes after `position`.
    pub(super) fn behind(
        &self,
        sql: &mut Sql,
        about: &About<'_>,
        keys: &[String],
        position: &Position,
    ) -> String {
        let mut ways = Vec::new();
        let mut equal: Vec<String> = Vec::new();
        let mut bound = None;
        for ((order, key), value) in self.keys.iter().zip(keys).zip(&position.keys) {
            let Some(mark) = bind(sql, value) else {
                // Nothing comes after a missing value but another one.
                equal.push(format!("{key} IS NULL"));
                continue;
            };
            let than = if order.descending { "<" } else { ">" };
            let mut further = vec![format!("{key} {than} {mark}")];
            if !order.always {
                further.push(format!("{key} IS NULL"));
            } else if equal.is_empty() && bound.is_none() {
                // Redundant, but an index can start from it.
                bound = Some(format!("{key} {than}= {mark}"));
            }
            ways.push(all(equal.iter().cloned().chain([any(further)]).collect()));
            equal.push(format!("{key} = {mark}"));
        }
        equal.push(format!("{} > {}", tie(about), sql.bind(position.rid)));
        ways.push(all(equal));
        all(bound.into_iter().chain([any(ways)]).collect())
    }
}

/// Whether the matches of a condition come in order of start.
fn by_start(condition: &Condition) -> bool {
    let (Condition::Param(param, _) | Condition::Chain(param, _)) = condition else { return false };
    param.column.is_some_and(|c| match c.table {
        "slot" => true,
        "appointment" => c.name == "start_us" && matches!(condition, Condition::Param(_, Test::Date(_))),
        _ => false,
    })
}

/// The parameter of the start column of the type searched.
fn start_of(query: &SearchQuery) -> Option<&'static SearchParam> {
    let [only] = query.types.as_slice() else { return None };
    only.params.iter().find(|p| p.column.is_some_and(|c| c.name == "start_us"))
}

/// The internal key, by the alias whose index has it.
fn tie(about: &About<'_>) -> String {
    format!("{}.rid", about.typed.as_ref().unwrap_or(&about.alias))
}

fn bind(sql: &mut Sql, key: &Key) -> Option<String> {
    Some(match key {
        Key::Int(value) => sql.bind(*value),
        Key::Real(value) => sql.bind(*value),
        Key::Text(value) => sql.bind(value.as_str()),
        Key::Null => return None,
    })
}

impl OrderKey {
    fn expression(&self, about: &About<'_>) -> String {
        let r = &about.alias;
        if let Some(column) = self.param.column {
            match (column.table, &about.typed) {
                ("resource", _) => return format!("{r}.{}", column.name),
                ("slot" | "appointment", Some(k)) => return format!("{k}.{}", column.name),
                _ => {}
            }
        }
        let (table, value) = match self.param.kind {
            // Nothing is sorted by a composite (`Controls::sort`).
            ParamKind::Token | ParamKind::Composite => ("idx_token", "s.code"),
            ParamKind::Reference => ("idx_reference", "s.target_type || '/' || s.target_id || s.url"),
            ParamKind::Date => ("idx_date", if self.descending { "s.hi_us" } else { "s.lo_us" }),
            ParamKind::String => ("idx_string", "s.norm"),
            ParamKind::Uri => ("idx_uri", "s.value"),
            ParamKind::Quantity => ("idx_quantity", "s.value"),
            ParamKind::Special => ("idx_position", "s.latitude"),
        };
        let pick = if self.descending { "MAX" } else { "MIN" };
        let narrowed = about.rt.and_then(|rt| rt.stored_as(self.param));
        let code = about.rt.map_or(self.param.code, |rt| param_of(rt, self.param));
        let of_type = narrowed.map(|(_, t)| format!(" AND s.target_type = '{t}'")).unwrap_or_default();
        format!(
            "(SELECT {pick}({value}) FROM {table} s WHERE s.rid = {r}.rid AND s.param = '{code}'{of_type})"
        )
    }

    fn kind(&self) -> KeyKind {
        match self.param.kind {
            ParamKind::Token
            | ParamKind::Reference
            | ParamKind::String
            | ParamKind::Uri
            | ParamKind::Composite => KeyKind::Text,
            ParamKind::Quantity | ParamKind::Special => KeyKind::Real,
            ParamKind::Date => KeyKind::Int,
        }
    }
}
