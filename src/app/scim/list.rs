//! Lists of users and groups (RFC 7644 §3.4.2): filter, order, page.

use super::attributes::Type;
use super::error::{Error, Kind};
use super::filter::Filter;
use super::{Resource, group, user};
use crate::app::App;
use crate::app::account::folded;
use crate::fhir::date::instant;
use crate::store::scim::{self, Column, Comparison, Condition, Order};
use crate::store::{Arg, Tx};
use serde_json::Value;

/// Most resources of one answer.
pub const MOST: usize = 200;

/// What is asked of a list.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// `filter`
    pub filter: Option<String>,
    /// `sortBy`
    pub sort_by: Option<String>,
    /// `sortOrder=descending`
    pub descending: bool,
    /// `startIndex`, from 1.
    pub start: i64,
    /// `count`
    pub count: Option<i64>,
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// How many match in all.
    pub total: i64,
    /// The index of the first, from 1.
    pub start: i64,
    /// Those of the page.
    pub resources: Vec<Resource>,
}

/// The resources of `types` that match, in this order of types.
///
/// # Errors
/// `invalidFilter`, `invalidPath` for an order that is not offered.
pub async fn search(app: &App, types: &[Type], query: &Query) -> Result<Page, Error> {
    let filter = query.filter.as_deref().map(Filter::parse).transpose()?;
    let start = query.start.max(1);
    let most = MOST as i64;
    let count = query.count.unwrap_or(most).clamp(0, most);
    let mut page = Page { total: 0, start, resources: Vec::new() };
    let mut tx = app.store.reader().await?;
    for of in types {
        let skip = (start - 1 - page.total).max(0);
        let left = count - page.resources.len() as i64;
        let (total, found) = match of {
            Type::User => users(&mut tx, filter.as_ref(), query, skip, left).await?,
            Type::Group => groups(&mut tx, filter.as_ref(), query, skip, left).await?,
        };
        page.total += total;
        page.resources.extend(found);
    }
    Ok(page)
}

async fn users(
    tx: &mut Tx,
    filter: Option<&Filter>,
    query: &Query,
    skip: i64,
    limit: i64,
) -> Result<(i64, Vec<Resource>), Error> {
    let condition = filter.map_or(Ok(Condition::All(Vec::new())), condition)?;
    let order = order(Type::User, query.sort_by.as_deref())?;
    let total = scim::count(tx, &condition).await?;
    let mut found = Vec::new();
    if limit > 0 {
        for one in scim::list(tx, &condition, order, query.descending, skip, limit).await? {
            found.push(user::resource(tx, &one).await?);
        }
    }
    Ok((total, found))
}

async fn groups(
    tx: &mut Tx,
    filter: Option<&Filter>,
    query: &Query,
    skip: i64,
    limit: i64,
) -> Result<(i64, Vec<Resource>), Error> {
    if let Some(filter) = filter {
        check(filter)?;
    }
    let order = order(Type::Group, query.sort_by.as_deref())?;
    let mut found = Vec::new();
    // There are as many as roles in organisations: few enough to look at each.
    for one in scim::groups(tx).await? {
        let resource = group::resource(tx, &one).await?;
        if filter.is_none_or(|filter| filter.matches(&Value::Object(resource.document.clone()))) {
            found.push(resource);
        }
    }
    let key = |resource: &Resource| {
        let text = |name: &str| resource.document.get(name).and_then(Value::as_str).unwrap_or_default();
        let of_meta = |name: &str| {
            let meta = resource.document.get("meta").and_then(|meta| meta.get(name)?.as_str());
            meta.unwrap_or_default().to_owned()
        };
        match order {
            Order::Name | Order::Username => text("displayName").to_lowercase(),
            Order::ExternalId => text("externalId").to_owned(),
            Order::Modified => of_meta("lastModified"),
            Order::Id => text("id").to_owned(),
            Order::Created => of_meta("created"),
        }
    };
    found.sort_by_cached_key(key);
    if query.descending {
        found.reverse();
    }
    let total = found.len() as i64;
    let (skip, limit) = (usize::try_from(skip).unwrap_or(0), usize::try_from(limit).unwrap_or(0));
    Ok((total, found.into_iter().skip(skip).take(limit).collect()))
}

/// The name of an attribute without its schema.
fn plain(name: &str) -> String {
    let name = Type::Group.without_schema(Type::User.without_schema(name));
    name.to_ascii_lowercase()
}

fn order(of: Type, by: Option<&str>) -> Result<Order, Error> {
    let Some(by) = by else { return Ok(Order::Created) };
    match (of, plain(by).as_str()) {
        (_, "id") => Ok(Order::Id),
        (Type::User, "username") => Ok(Order::Username),
        (_, "displayname") => Ok(Order::Name),
        (_, "externalid") => Ok(Order::ExternalId),
        (_, "meta.created") => Ok(Order::Created),
        (_, "meta.lastmodified") => Ok(Order::Modified),
        _ => Err(Error::new(
            Kind::InvalidPath,
            "sortBy is id, userName, displayName, externalId, meta.created or meta.lastModified",
        )),
    }
}

fn not_filterable() -> Error {
    Error::new(
        Kind::InvalidFilter,
        "A filter is about id, userName, displayName, externalId, active or meta.lastModified",
    )
}

/// Refuses a filter of groups about anything that could not be searched for.
fn check(filter: &Filter) -> Result<(), Error> {
    match filter {
        Filter::And(one, other) | Filter::Or(one, other) => check(one).and_then(|()| check(other)),
        Filter::Not(one) => check(one),
        Filter::Present(name) | Filter::Compare(name, ..) => match plain(name).as_str() {
            "id" | "displayname" | "externalid" | "meta.lastmodified" => Ok(()),
            _ => Err(not_filterable()),
        },
    }
}

/// A filter of users as a condition on what is indexed.
fn condition(filter: &Filter) -> Result<Condition, Error> {
    Ok(match filter {
        Filter::And(one, other) => Condition::All(vec![condition(one)?, condition(other)?]),
        Filter::Or(one, other) => Condition::Any(vec![condition(one)?, condition(other)?]),
        Filter::Not(one) => Condition::Not(Box::new(condition(one)?)),
        Filter::Present(name) => match plain(name).as_str() {
            "externalid" => Condition::There(Column::ExternalId),
            // Everybody has these.
            "id" | "username" | "displayname" | "active" | "meta.lastmodified" => Condition::All(Vec::new()),
            _ => return Err(not_filterable()),
        },
        Filter::Compare(name, how, value) => compared(&plain(name), *how, value)?,
    })
}

fn compared(name: &str, how: Comparison, value: &Value) -> Result<Condition, Error> {
    let column = match name {
        "id" => Column::Id,
        "username" => Column::Username,
        "displayname" => Column::Name,
        "externalid" => Column::ExternalId,
        "meta.lastmodified" => Column::Modified,
        "active" => return active(how, value),
        _ => return Err(not_filterable()),
    };
    if value.is_null() {
        let there = Condition::There(column);
        return match how {
            Comparison::Eq => Ok(Condition::Not(Box::new(there))),
            Comparison::Ne => Ok(there),
            _ => Err(Error::new(Kind::InvalidFilter, "null is compared by eq and ne")),
        };
    }
    let Some(text) = value.as_str().filter(|text| !text.contains('\0')) else {
        return Err(Error::new(Kind::InvalidFilter, format!("{name} is compared with a text")));
    };
    let value = match column {
        Column::Modified if matches!(how, Comparison::Co | Comparison::Sw | Comparison::Ew) => {
            return Err(Error::new(Kind::InvalidFilter, "A time is compared by eq, ne, gt, ge, lt and le"));
        }
        Column::Modified => return modified(how, text),
        Column::Username => Arg::Text(folded(text)),
        Column::Name => Arg::Text(text.to_ascii_lowercase()),
        _ => Arg::Text(text.to_owned()),
    };
    Ok(Condition::Is(column, how, value))
}

/// Times are told in milliseconds, so one stands for the whole of its millisecond.
fn modified(op: Comparison, text: &str) -> Result<Condition, Error> {
    let at = instant(text);
    let at =
        at.ok_or_else(|| Error::new(Kind::InvalidFilter, "meta.lastModified is compared with a time"))?;
    let first = at - at.rem_euclid(1000);
    let is = |op, at| Condition::Is(Column::Modified, op, Arg::Int(at));
    Ok(match op {
        Comparison::Ge => is(Comparison::Ge, first),
        Comparison::Lt => is(Comparison::Lt, first),
        Comparison::Gt => is(Comparison::Ge, first + 1000),
        Comparison::Le => is(Comparison::Lt, first + 1000),
        Comparison::Ne => Condition::Any(vec![is(Comparison::Lt, first), is(Comparison::Ge, first + 1000)]),
        _ => Condition::All(vec![is(Comparison::Ge, first), is(Comparison::Lt, first + 1000)]),
    })
}

fn active(how: Comparison, value: &Value) -> Result<Condition, Error> {
    let bad = || Error::new(Kind::InvalidFilter, "active is compared by eq or ne, with true or false");
    let wanted = match value {
        Value::Bool(wanted) => *wanted,
        Value::String(text) => text.to_ascii_lowercase().parse().map_err(|_| bad())?,
        _ => return Err(bad()),
    };
    let disabled = Condition::There(Column::Disabled);
    match how {
        Comparison::Eq if wanted => Ok(Condition::Not(Box::new(disabled))),
        Comparison::Ne if !wanted => Ok(Condition::Not(Box::new(disabled))),
        Comparison::Eq | Comparison::Ne => Ok(disabled),
        _ => Err(bad()),
    }
}
