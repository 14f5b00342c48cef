//! `_include` and `_revinclude`.

use super::condition::{Compiler, live, param_of};
use super::gather::{columns, gather};
use super::order::Order;
use super::sql::{all, any};
use super::{Found, show};
use crate::auth::SearchPermit;
use crate::fhir::registry::{ResourceType, TYPES};
use crate::fhir::search::{Include, SearchQuery};
use crate::store::{StoreError, Tx};
use std::collections::HashSet;

/// Resources that one statement starts from.
const CHUNK: usize = 200;

/// How far includes go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most included resources on a page.
    pub most: usize,
    /// How many steps `:iterate` goes from the matches, the first included.
    pub steps: usize,
}

/// The resources that the includes of `query` add to its matches as far as they may be found, none of them
/// twice or a match itself; and whether there were more than a page takes.
pub async fn included(
    tx: &mut Tx,
    permits: &SearchPermit,
    query: &SearchQuery,
    matches: &[Found],
    limits: Limits,
) -> Result<(Vec<Found>, bool), StoreError> {
    let mut seen: HashSet<i64> = matches.iter().map(|f| f.rid).collect();
    let mut all_found: Vec<Found> = Vec::new();
    let mut fresh = matches.to_vec();
    for step in 0..limits.steps {
        let mut next = Vec::new();
        for (include, reverse) in
            query.includes.iter().map(|i| (i, false)).chain(query.revincludes.iter().map(|i| (i, true)))
        {
            if step > 0 && !include.iterate {
                continue;
            }
            for chunk in fresh.chunks(CHUNK) {
                let some = if reverse {
                    referrers(tx, permits, include, chunk, limits.most).await?
                } else {
                    referred(tx, permits, include, chunk, limits.most).await?
                };
                for one in some {
                    if seen.insert(one.rid) {
                        next.push(one);
                    }
                }
            }
            if all_found.len() + next.len() > limits.most {
                all_found.extend(next);
                all_found.truncate(limits.most);
                return Ok((all_found, true));
            }
        }
        if next.is_empty() {
            break;
        }
        all_found.extend(next.iter().cloned());
        fresh = next;
    }
    Ok((all_found, false))
}

/// What `from` refers to.
async fn referred(
    tx: &mut Tx,
    permits: &SearchPermit,
    include: &Include,
    from: &[Found],
    most: usize,
) -> Result<Vec<Found>, StoreError> {
    let sources = from.iter().filter(|f| include.source.is_none_or(|s| s.name == f.rtype)).map(|f| f.rid);
    let sources: Vec<i64> = sources.collect();
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let mut compiler = Compiler::new(tx.engine(), permits, 0);
    let Some(live) = permitted(&mut compiler, permits, include.target) else { return Ok(Vec::new()) };
    let sql = &mut compiler.sql;
    let mut tests = vec![format!("x.rid IN {}", sql.list(sources))];
    tests.extend(by_param(include));
    if let Some(target) = target_type(include) {
        tests.push(format!("x.target_type = '{target}'"));
    }
    let text = format!(
        "SELECT {} FROM resource r WHERE (r.type, r.id) IN \
         (SELECT x.target_type, x.target_id FROM idx_reference x WHERE {}) AND {live} ORDER BY r.rid LIMIT {}",
        columns("r"),
        all(tests),
        most + 1
    );
    run(tx, permits, text, compiler).await
}

/// What refers to `to`.
async fn referrers(
    tx: &mut Tx,
    permits: &SearchPermit,
    include: &Include,
    to: &[Found],
    most: usize,
) -> Result<Vec<Found>, StoreError> {
    let wanted = target_type(include);
    let targets = to.iter().filter(|f| wanted.is_none_or(|t| t == f.rtype));
    let mut compiler = Compiler::new(tx.engine(), permits, 0);
    let mut by_type: Vec<(&str, Vec<&str>)> = Vec::new();
    for target in targets {
        match by_type.iter_mut().find(|(rtype, _)| *rtype == target.rtype) {
            Some((_, ids)) => ids.push(&target.id),
            None => by_type.push((&target.rtype, vec![&target.id])),
        }
    }
    if by_type.is_empty() {
        return Ok(Vec::new());
    }
    let Some(live) = permitted(&mut compiler, permits, include.source) else { return Ok(Vec::new()) };
    let mut ways = Vec::new();
    for (rtype, ids) in by_type {
        let (rtype, ids) = (compiler.sql.bind(rtype), compiler.sql.list(ids));
        ways.push(format!("(x.target_type = {rtype} AND x.target_id IN {ids})"));
    }
    let mut tests = vec![any(ways)];
    tests.extend(include.source.map(|s| format!("x.type = '{}'", s.name)));
    tests.extend(by_param(include));
    let text = format!(
        "SELECT {} FROM resource r WHERE r.rid IN (SELECT x.rid FROM idx_reference x WHERE {}) AND {live} \
         ORDER BY r.rid LIMIT {}",
        columns("r"),
        all(tests),
        most + 1
    );
    run(tx, permits, text, compiler).await
}

async fn run(
    tx: &mut Tx,
    permits: &SearchPermit,
    text: String,
    compiler: Compiler<'_>,
) -> Result<Vec<Found>, StoreError> {
    let mut found = gather(tx, &text, compiler.sql.into_args(), &Order::of_creation()).await?.found;
    show(permits, &mut found)?;
    Ok(found)
}

/// What an included resource, alias `r`, must be; `None` when it can be nothing.
fn permitted(
    compiler: &mut Compiler<'_>,
    permits: &SearchPermit,
    only: Option<&'static ResourceType>,
) -> Option<String> {
    let types = only.map_or_else(|| TYPES.iter().collect(), |rt| vec![rt]);
    let types: Vec<_> = types.into_iter().filter(|rt| permits.allows(rt.name)).collect();
    if types.is_empty() {
        return None;
    }
    let mut parts = vec![live(&types, "r")];
    parts.extend(compiler.guard(&types, "r"));
    Some(parts.join(" AND "))
}

fn by_param(include: &Include) -> Option<String> {
    let (source, param) = (include.source?, include.param?);
    Some(format!("x.param = '{}'", param_of(source, param)))
}

/// The type that the references must be to: named by the client, or by a parameter such as `patient`.
fn target_type(include: &Include) -> Option<&'static str> {
    let narrowed = || include.source?.stored_as(include.param?).map(|(_, target)| target);
    include.target.map(|t| t.name).or_else(narrowed)
}
