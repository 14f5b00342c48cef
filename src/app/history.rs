//! `_history` of an instance, a type or the system.

use super::{Answer, App, Context};
use crate::auth::SearchPermit;
use crate::auth::scope::Right;
use crate::clock::{Micros, instant_text};
use crate::fhir::date;
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::fhir::registry::ResourceType;
use crate::store::history::{Entry, Page, Scope, page};
use crate::store::{Tx, resource};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use std::fmt::Write as _;

/// What the query asks for.
struct Wanted {
    count: usize,
    before: i64,
    since: Micros,
    until: Micros,
    /// The parameters, without the page's own position.
    text: String,
}

/// A page of history, newest first (R4 `http.html#history`): `_count`, `_since`, `_at`, and links that stay
/// valid while versions are added.
pub async fn history(
    app: &App,
    ctx: &Context,
    rtype: Option<&'static ResourceType>,
    id: Option<&str>,
    query: &str,
) -> Result<Answer, Error> {
    history_in(&mut app.store.snapshot().await?, app, ctx, rtype, id, query).await
}

/// The same inside a transaction, seeing its writes.
pub async fn history_in(
    tx: &mut Tx,
    app: &App,
    ctx: &Context,
    rtype: Option<&'static ResourceType>,
    id: Option<&str>,
    query: &str,
) -> Result<Answer, Error> {
    let path = match (rtype, id) {
        (Some(rtype), Some(id)) => format!("{}/{id}/_history", rtype.name),
        (Some(rtype), None) => format!("{}/_history", rtype.name),
        _ => "_history".to_owned(),
    };
    let wanted = parse(app, ctx, &path, query)?;
    let some = Page { before: wanted.before, since: wanted.since, until: wanted.until, count: wanted.count };
    let found = match (rtype, id) {
        (Some(rtype), Some(id)) => {
            let permit = ctx.access.permit(Right::Read, rtype)?;
            let permits = SearchPermit::from(permit.clone());
            let found = page(tx, &permits, Scope::Instance(rtype.name, id), some).await?;
            // None of its versions may be seen, or none is of the time that was asked for.
            if found.entries.is_empty() && resource::find(tx, &permit, rtype, id).await?.is_none() {
                return Err(Error::not_found(rtype.name, id));
            }
            found
        }
        (Some(rtype), None) => {
            let permits = SearchPermit::from(ctx.access.permit(Right::Search, rtype)?);
            page(tx, &permits, Scope::Type(rtype.name), some).await?
        }
        _ => page(tx, &ctx.access.search_everything()?, Scope::System, some).await?,
    };
    let next = found.next.map(|hid| sign(app, &path, hid));
    Ok(Answer {
        status: 200,
        resource: Some(bundle(ctx, &path, &wanted, &found.entries, next)?),
        ..Answer::default()
    })
}

fn parse(app: &App, ctx: &Context, path: &str, query: &str) -> Result<Wanted, Error> {
    let mut wanted = Wanted {
        count: app.config.fhir.default_count,
        before: i64::MAX,
        since: i64::MIN,
        until: i64::MAX,
        text: String::new(),
    };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let refused = || Error::bad_request(format!("{name} has a value that can't be read"));
        match name.as_ref() {
            "_count" => wanted.count = value.parse::<usize>().map_err(|_| refused())?,
            "_since" => wanted.since = date::parse(&value).ok_or_else(refused)?.lo,
            "_at" => {
                let at = date::parse(&value).ok_or_else(refused)?;
                (wanted.since, wanted.until) = (at.lo, at.hi - 1);
            }
            "_position" => {
                wanted.before = unsign(app, path, &value).ok_or_else(refused)?;
                continue;
            }
            "_format" | "_pretty" => {}
            _ if ctx.strict => {
                let issue =
                    Issue::error("not-supported", format!("History does not know the parameter {name}"));
                return Err(Error::of(Kind::BadRequest, vec![issue]));
            }
            _ => continue,
        }
        let sep = if wanted.text.is_empty() { "?" } else { "&" };
        let pair = form_urlencoded::Serializer::new(String::new()).append_pair(&name, &value).finish();
        let _ = write!(wanted.text, "{sep}{pair}");
    }
    if wanted.count > app.config.fhir.max_count {
        return Err(Error::bad_request(format!("_count may be at most {}", app.config.fhir.max_count)));
    }
    Ok(wanted)
}

fn tag(app: &App, path: &str, hid: i64) -> Option<[u8; 16]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(app.link_key.as_ref()).ok()?;
    mac.update(format!("{path}\n{hid}").as_bytes());
    mac.finalize().into_bytes().first_chunk().copied()
}

fn sign(app: &App, path: &str, hid: i64) -> String {
    let mut position = hid.to_be_bytes().to_vec();
    position.extend(tag(app, path, hid).unwrap_or_default());
    URL_SAFE_NO_PAD.encode(position)
}

fn unsign(app: &App, path: &str, text: &str) -> Option<i64> {
    let position = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (hid, said) = position.split_first_chunk::<8>()?;
    let hid = i64::from_be_bytes(*hid);
    (said == tag(app, path, hid)?).then_some(hid)
}

/// The Bundle, stored bodies copied in as they are.
fn bundle(
    ctx: &Context,
    path: &str,
    wanted: &Wanted,
    entries: &[Entry],
    next: Option<String>,
) -> Result<Bytes, Error> {
    let own = format!("{}/{path}{}", ctx.base, wanted.text);
    let mut links = vec![json!({ "relation": "self", "url": own })];
    if let Some(next) = next {
        let sep = if wanted.text.is_empty() { "?" } else { "&" };
        links.push(json!({ "relation": "next", "url": format!("{own}{sep}_position={next}") }));
    }
    let head = json!({ "resourceType": "Bundle", "type": "history", "link": links }).to_string();
    let mut out = head.into_bytes();
    out.pop();
    if !entries.is_empty() {
        out.extend_from_slice(b",\"entry\":[");
        for (i, entry) in entries.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            write_entry(&mut out, ctx, entry)?;
        }
        out.push(b']');
    }
    out.push(b'}');
    Ok(Bytes::from(out))
}

fn write_entry(out: &mut Vec<u8>, ctx: &Context, entry: &Entry) -> Result<(), Error> {
    let Entry { rtype, id, vid, method, .. } = entry;
    let status = match (method.as_str(), vid) {
        ("DELETE", _) => "204",
        (_, 1) => "201",
        _ => "200",
    };
    let url = if method == "POST" { rtype.clone() } else { format!("{rtype}/{id}") };
    let mut write = |value: serde_json::Value| serde_json::to_writer(&mut *out, &value);
    let failed = |e: serde_json::Error| Error::internal(e.to_string());
    let full_url = format!("{}/{rtype}/{id}", ctx.base);
    let request = json!({ "method": method, "url": url });
    let etag = format!("W/\"{vid}\"");
    let response = json!({ "status": status, "etag": etag, "lastModified": instant_text(entry.at_us) });
    let tail = json!({ "request": request, "response": response });
    match &entry.body {
        None => {
            write(json!({ "fullUrl": full_url, "request": request, "response": response })).map_err(failed)
        }
        Some(body) => {
            out.extend_from_slice(b"{\"fullUrl\":");
            serde_json::to_writer(&mut *out, &full_url).map_err(failed)?;
            out.extend_from_slice(b",\"resource\":");
            out.extend_from_slice(body);
            let tail = tail.to_string();
            out.push(b',');
            out.extend_from_slice(tail.get(1..).unwrap_or_default().as_bytes());
            Ok(())
        }
    }
}
