//! Conditions as SQL.

use super::driver::{narrows, rank};
use super::sql::{Sql, all, any};
use super::value;
use crate::auth::SearchPermit;
use crate::clock::Micros;
use crate::fhir::date::{Interval, Prefix};
use crate::fhir::registry::{Column, ParamKind, ResourceType, SearchParam};
use crate::fhir::search::{Condition, ReferenceValue, Test};
use crate::store::Engine;

/// Tables with one typed row per resource; the others have several.
const ONE_ROW: &[&str] = &["slot", "appointment"];

/// The resource that a condition is about.
#[derive(Clone, Debug)]
pub(super) struct About<'a> {
    /// Its type; absent in a system-wide search.
    pub(super) rt: Option<&'static ResourceType>,
    /// Alias of its row in `resource`.
    pub(super) alias: String,
    /// Alias of its row in the typed table, which the statement joins.
    pub(super) typed: Option<String>,
    /// Another typed column chooses better than the status does.
    status_last: bool,
    /// Tests of the appointment's start, which `appointment_actor` repeats.
    start: Vec<&'a [(Prefix, Interval)]>,
}

/// What every condition needs.
pub(super) struct Compiler<'p> {
    pub(super) sql: Sql,
    /// For `ap`.
    now: Micros,
    /// What may be found.
    pub(super) permits: &'p SearchPermit,
    /// Whether a filter of `permits` is being written, which may look at all there is.
    pub(super) filtering: bool,
}

/// A row of the index that passes a test.
struct IndexRow {
    table: &'static str,
    /// The parameter's code in that table.
    code: String,
    alias: String,
    test: String,
}

impl IndexRow {
    /// Asks it of each candidate.
    fn exists(&self, about: &About<'_>) -> String {
        let Self { table, code, alias: x, test } = self;
        let rid = &about.alias;
        format!(
            "EXISTS (SELECT 1 FROM {table} {x} WHERE {x}.rid = {rid}.rid AND {x}.param = '{code}' AND {test})"
        )
    }

    /// Reads all candidates from the index.
    fn in_set(&self, about: &About<'_>) -> String {
        let Self { table, code, alias: x, test } = self;
        let of_type = about.rt.map(|rt| format!("{x}.type = '{}' AND ", rt.name)).unwrap_or_default();
        let rid = &about.alias;
        format!(
            "{rid}.rid IN (SELECT {x}.rid FROM {table} {x} WHERE {of_type}{x}.param = '{code}' AND {test})"
        )
    }
}

/// FROM and WHERE of the resources of a type that satisfy some conditions.
pub(super) struct Selection<'a> {
    pub(super) about: About<'a>,
    pub(super) from: String,
    pub(super) filter: String,
}

/// The typed table of a type, if it has one row per resource.
fn typed_table(rt: &ResourceType) -> Option<&'static str> {
    let columns = rt.params.iter().filter_map(|p| p.column);
    columns.map(|c| c.table).find(|table| ONE_ROW.contains(table))
}

impl<'p> Compiler<'p> {
    /// For finding what `permits` leave; `now` is for `ap`.
    pub(super) fn new(engine: Engine, permits: &'p SearchPermit, now: Micros) -> Self {
        Self { sql: Sql::of(engine), now, permits, filtering: false }
    }

    /// Selects what is live, of these types, permitted, and satisfies all `conditions`. `join_typed` asks for the typed
    /// row even if no condition does.
    pub(super) fn select<'a>(
        &mut self,
        types: &[&'static ResourceType],
        conditions: &'a [Condition],
        join_typed: bool,
    ) -> Selection<'a> {
        let rt = match types {
            [only] => Some(*only),
            _ => None,
        };
        let own = rt.and_then(|rt| self.filter_of(rt));
        let alias = self.sql.alias('r');
        let table = rt
            .and_then(typed_table)
            .filter(|table| join_typed || conditions.iter().chain(own).any(|c| asks_column_of(c, table)));
        let typed = table.map(|_| self.sql.alias('k'));
        let from = match (table, &typed) {
            (Some(table), Some(k)) => format!("{table} {k} JOIN resource {alias} ON {alias}.rid = {k}.rid"),
            _ => format!("resource {alias}"),
        };
        let start = conditions.iter().filter_map(|c| match c {
            Condition::Param(p, Test::Date(values)) if p.column.is_some_and(|c| c.name == "start_us") => {
                Some(values.as_slice())
            }
            _ => None,
        });
        let status_last = conditions.iter().any(|c| {
            column_of(c).is_some_and(|col| col.name == "schedule") && !matches!(c, Condition::Missing(..))
        });
        let about = About { rt, alias, typed, status_last, start: start.collect() };
        // A typed row is of its type; saying so again would only tempt SQLite to walk the type.
        let live = if about.typed.is_some() { live(&[], &about.alias) } else { live(types, &about.alias) };
        let mut parts = vec![live];
        // The most selective condition may be read as a set from its index; the others are asked of each
        // candidate. Typed conditions are better than any set.
        let bounds = about.start.len();
        let driver = if bounds > 1 || conditions.iter().any(narrows) {
            None
        } else {
            let ranked = conditions.iter().enumerate().filter_map(|(i, c)| Some((rank(c)?, i)));
            ranked.min().map(|(_, i)| i)
        };
        for (i, condition) in conditions.iter().enumerate() {
            parts.push(self.condition(&about, condition, driver == Some(i)));
        }
        if let Some(filter) = own {
            parts.push(self.filter(|compiler| compiler.condition(&about, filter, false)));
        }
        if rt.is_none_or(|rt| !self.allows(rt)) {
            parts.extend(self.guard(types, &about.alias));
        }
        Selection { about, from, filter: parts.join(" AND ") }
    }

    pub(super) fn condition(&mut self, about: &About<'_>, condition: &Condition, driver: bool) -> String {
        match condition {
            Condition::Param(param, test) => self.param(about, param, test, driver),
            Condition::Missing(param, missing) => self.missing(about, param, *missing),
            Condition::Chain(param, targets) => self.chain(about, param, targets),
            Condition::Has(source, param, inner) => self.has(about, source, param, inner),
            Condition::Any(ways) => {
                let mut parts = Vec::new();
                for (rt, inner) in ways {
                    let narrowed = About { rt: Some(rt), ..about.clone() };
                    let test = self.condition(&narrowed, inner, about.rt.is_some());
                    let of_type = format!("{}.type = '{}'", about.alias, rt.name);
                    parts.push(if about.rt.is_some() { test } else { all(vec![of_type, test]) });
                }
                any(parts)
            }
            Condition::All(parts) => {
                all(parts.iter().map(|part| self.condition(about, part, false)).collect())
            }
            Condition::Either(ways) => {
                any(ways.iter().map(|way| self.condition(about, way, false)).collect())
            }
            Condition::Not(inner) => format!("NOT ({})", self.condition(about, inner, false)),
        }
    }

    fn param(&mut self, about: &About<'_>, param: &SearchParam, test: &Test, driver: bool) -> String {
        if let Some(column) = param.column
            && let Some(done) = self.column(about, param, column, test)
        {
            return done;
        }
        let row = self.index_row(about, param, test);
        match test {
            Test::Token { not: true, .. } => format!("NOT {}", row.exists(about)),
            _ if driver => row.in_set(about),
            _ => row.exists(about),
        }
    }

    /// The index row that passes a test.
    fn index_row(&mut self, about: &About<'_>, param: &SearchParam, test: &Test) -> IndexRow {
        let own = param.code.to_owned();
        let alias = self.sql.alias('x');
        let x = alias.as_str();
        let now = self.now;
        let sql = &mut self.sql;
        let (table, code, test) = match test {
            Test::Token { any, .. } => ("idx_token", own, value::token(sql, x, any)),
            Test::TokenText(values) => {
                let column = format!("{x}.text_norm");
                let tests = values.iter().map(|v| value::starts(sql, &column, v)).collect();
                ("idx_token", own, all(vec![format!("{column} <> ''"), any(tests)]))
            }
            Test::ReferenceIdentifier(values) => {
                ("idx_token", format!("{own}:identifier"), value::token(sql, x, values))
            }
            Test::Date(values) => ("idx_date", own, value::interval(sql, x, values, now)),
            Test::String(how, values) => ("idx_string", own, value::string(sql, x, *how, values)),
            Test::Uri(values) => {
                ("idx_uri", own, format!("{x}.value IN {}", sql.list(values.iter().map(String::as_str))))
            }
            Test::Among(target, ids) => {
                let (code, _) = stored(about, param);
                let within = sql.among(&format!("{x}.target_id"), "", ids);
                ("idx_reference", code.to_owned(), format!("{x}.target_type = '{target}' AND {within}"))
            }
            Test::Quantity(values) => ("idx_quantity", own, value::quantity(sql, x, values)),
            Test::Near(values) => ("idx_position", own, value::near(sql, x, values)),
            Test::Reference(values) => {
                let (code, _) = stored(about, param);
                let tests = values.iter().map(|v| reference_row(sql, x, v)).collect();
                ("idx_reference", code.to_owned(), any(tests))
            }
        };
        IndexRow { table, code, alias, test }
    }

    /// A test of a typed column; `None` when only the index can tell.
    fn column(
        &mut self,
        about: &About<'_>,
        param: &SearchParam,
        column: Column,
        test: &Test,
    ) -> Option<String> {
        if column.table == "resource" {
            return self.column_test(&format!("{}.{}", about.alias, column.name), param, test);
        }
        if ONE_ROW.contains(&column.table) {
            let k = about.typed.as_ref()?;
            // As an expression it can't be looked up, so SQLite, which has no statistics, takes the index of
            // the other column.
            let hidden = column.name == "status" && about.status_last;
            let name = if hidden { format!("({k}.status || '')") } else { format!("{k}.{}", column.name) };
            return self.column_test(&name, param, test);
        }
        let a = self.sql.alias('a');
        if let Test::Among(target, ids) = test {
            // Asked of each candidate: the set may be larger than what is searched.
            let within = self.sql.among(&format!("{a}.{}", column.name), &format!("{target}/"), ids);
            let (rid, table) = (format!("{}.rid", about.alias), column.table);
            return Some(format!("EXISTS (SELECT 1 FROM {table} {a} WHERE {a}.rid = {rid} AND {within})"));
        }
        let mut parts = vec![self.column_test(&format!("{a}.{}", column.name), param, test)?];
        if column.table == "appointment_actor" {
            for values in &about.start {
                parts.push(value::point(&mut self.sql, &format!("{a}.start_us"), values, self.now));
            }
        }
        let (rid, test) = (format!("{}.rid", about.alias), parts.join(" AND "));
        Some(format!("{rid} IN (SELECT {a}.rid FROM {} {a} WHERE {test})", column.table))
    }

    fn column_test(&mut self, column: &str, param: &SearchParam, test: &Test) -> Option<String> {
        match test {
            Test::Token { not, any } => {
                let test = value::code_column(&mut self.sql, column, any);
                Some(if *not { format!("NOT {test}") } else { test })
            }
            Test::Among(target, ids) => {
                let prefix =
                    if param.kind == ParamKind::Reference { format!("{target}/") } else { String::new() };
                Some(self.sql.among(column, &prefix, ids))
            }
            Test::Date(values) => Some(value::point(&mut self.sql, column, values, self.now)),
            Test::Reference(values) => {
                if let [ReferenceValue::Outside(inside)] = values.as_slice() {
                    return Some(value::outside(&mut self.sql, column, inside));
                }
                if let [ReferenceValue::Any(rtype)] = values.as_slice() {
                    return Some(value::of_type(&mut self.sql, column, rtype));
                }
                let mut keys = Vec::new();
                for value in values {
                    let ReferenceValue::Local(types, id) = value else { return None };
                    if types.is_empty() {
                        return None;
                    }
                    keys.extend(
                        types
                            .iter()
                            .filter(|t| param.targets.contains(&t.as_str()))
                            .map(|t| format!("{t}/{id}")),
                    );
                }
                Some(match keys.as_slice() {
                    [] => any(Vec::new()),
                    [one] => format!("{column} = {}", self.sql.bind(one.as_str())),
                    _ => format!("{column} IN {}", self.sql.list(keys)),
                })
            }
            _ => None,
        }
    }

    fn missing(&mut self, about: &About<'_>, param: &SearchParam, missing: bool) -> String {
        if let Some(Column { table, name }) = param.column {
            if table == "resource" {
                return if missing { any(Vec::new()) } else { all(Vec::new()) };
            }
            if let Some(k) = about.typed.as_ref().filter(|_| ONE_ROW.contains(&table)) {
                return format!("{k}.{name} IS {}NULL", if missing { "" } else { "NOT " });
            }
        }
        let tables: &[(&'static str, &str)] = match param.kind {
            ParamKind::Token => &[("idx_token", "")],
            ParamKind::Reference => &[("idx_reference", ""), ("idx_token", ":identifier")],
            ParamKind::Date => &[("idx_date", "")],
            ParamKind::String => &[("idx_string", "")],
            ParamKind::Uri => &[("idx_uri", "")],
            ParamKind::Quantity => &[("idx_quantity", "")],
            ParamKind::Special => &[("idx_position", "")],
            // Its parameters are asked instead (`composite`).
            ParamKind::Composite => &[],
        };
        let mut present = Vec::new();
        for (table, suffix) in tables {
            let x = self.sql.alias('x');
            let (mut code, mut test) = (param.code, all(Vec::new()));
            if *table == "idx_reference"
                && let (stored_code, Some(target)) = stored(about, param)
            {
                (code, test) = (stored_code, format!("{x}.target_type = '{target}'"));
            }
            let code = format!("{code}{suffix}");
            present.push(IndexRow { table, code, alias: x, test }.exists(about));
        }
        let present = any(present);
        if missing { format!("NOT {present}") } else { present }
    }

    fn chain(
        &mut self,
        about: &About<'_>,
        param: &SearchParam,
        targets: &[(&'static ResourceType, Condition)],
    ) -> String {
        let mut ways = Vec::new();
        for (target, condition) in targets {
            let there = self.select(&[*target], std::slice::from_ref(condition), false);
            let (t, from, filter) = (&there.about.alias, &there.from, &there.filter);
            let keys = format!("SELECT '{}/' || {t}.id FROM {from} WHERE {filter}", target.name);
            let rid = format!("{}.rid", about.alias);
            ways.push(match (param.column, &about.typed) {
                (Some(Column { table, name }), Some(k)) if ONE_ROW.contains(&table) => {
                    format!("{k}.{name} IN ({keys})")
                }
                (Some(Column { table, name }), _) if !ONE_ROW.contains(&table) => {
                    let a = self.sql.alias('a');
                    format!("{rid} IN (SELECT {a}.rid FROM {table} {a} WHERE {a}.{name} IN ({keys}))")
                }
                _ => {
                    let x = self.sql.alias('x');
                    let (code, _) = stored(about, param);
                    let of_type = about.rt.map_or("", |rt| rt.name);
                    format!(
                        "{rid} IN (SELECT {x}.rid FROM idx_reference {x} WHERE {x}.type = '{of_type}' \
                         AND {x}.param = '{code}' AND {x}.target_type = '{}' \
                         AND {x}.target_id IN (SELECT {t}.id FROM {from} WHERE {filter}))",
                        target.name
                    )
                }
            });
        }
        any(ways)
    }

    fn has(
        &mut self,
        about: &About<'_>,
        source: &'static ResourceType,
        param: &SearchParam,
        inner: &Condition,
    ) -> String {
        let there = self.select(&[source], std::slice::from_ref(inner), false);
        let x = self.sql.alias('x');
        let whole = param_of(source, param);
        let here = about.rt.map_or("", |rt| rt.name);
        format!(
            "{}.id IN (SELECT {x}.target_id FROM idx_reference {x} WHERE {x}.param = '{whole}' \
             AND {x}.target_type = '{here}' AND {x}.rid IN (SELECT {}.rid FROM {} WHERE {}))",
            about.alias, there.about.alias, there.from, there.filter
        )
    }
}

/// What every resource that a search reaches must be, however it is reached: as a match, through a chain,
/// `_has` or an include. No `types` when they are known.
pub(super) fn live(types: &[&'static ResourceType], alias: &str) -> String {
    match types {
        [] => return format!("{alias}.deleted = 0"),
        [only] => return format!("{alias}.type = '{}' AND {alias}.deleted = 0", only.name),
        _ => {}
    }
    let names: Vec<String> = types.iter().map(|t| format!("'{}'", t.name)).collect();
    format!("{alias}.type IN ({}) AND {alias}.deleted = 0", names.join(", "))
}

/// The code under which the index holds a reference parameter, and the type that it is narrowed to.
fn stored(about: &About<'_>, param: &SearchParam) -> (&'static str, Option<&'static str>) {
    let whole = about.rt.and_then(|rt| rt.stored_as(param));
    whole.map_or((param.code, None), |(whole, target)| (whole.code, Some(target)))
}

/// The code under which the index of `rt` holds a reference parameter.
pub(super) fn param_of(rt: &ResourceType, param: &SearchParam) -> &'static str {
    rt.stored_as(param).map_or(param.code, |(whole, _)| whole.code)
}

fn reference_row(sql: &mut Sql, x: &str, value: &ReferenceValue) -> String {
    match value {
        ReferenceValue::Url(url) => format!("({x}.url <> '' AND {x}.url = {})", sql.bind(url.as_str())),
        ReferenceValue::Any(rtype) => format!("{x}.target_type = {}", sql.bind(*rtype)),
        ReferenceValue::Outside(inside) => {
            let local = format!("({x}.target_type || '/' || {x}.target_id)");
            let elsewhere = value::outside(sql, &local, inside);
            format!("({x}.url <> '' OR ({x}.target_type <> '' AND {elsewhere}))")
        }
        ReferenceValue::Local(types, id) => {
            let id = format!("{x}.target_id = {}", sql.bind(id.as_str()));
            match types.as_slice() {
                [] => all(vec![id, format!("{x}.target_type <> ''")]),
                types => {
                    let types = sql.list(types.iter().map(String::as_str));
                    all(vec![id, format!("{x}.target_type IN {types}")])
                }
            }
        }
    }
}

fn column_of(condition: &Condition) -> Option<Column> {
    match condition {
        Condition::Param(p, _) | Condition::Missing(p, _) | Condition::Chain(p, _) => p.column,
        _ => None,
    }
}

/// Whether a condition, or one inside it that is about the same resource, asks for a column of `table`.
fn asks_column_of(condition: &Condition, table: &str) -> bool {
    match condition {
        Condition::All(parts) | Condition::Either(parts) => parts.iter().any(|c| asks_column_of(c, table)),
        Condition::Not(inner) => asks_column_of(inner, table),
        Condition::Any(ways) => ways.iter().any(|(_, c)| asks_column_of(c, table)),
        _ => column_of(condition).is_some_and(|column| column.table == table),
    }
}
