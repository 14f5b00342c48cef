//! Search through HTTP, on both engines.

mod graph;
mod paging;
mod request;
mod scheduling;
mod values;

use crate::support::{Client, Reply, text};
use serde_json::Value;

/// `Type/id` of the entries of a searchset with this `search.mode`, in order.
fn entries(reply: &Reply, mode: &str) -> Vec<String> {
    let entries = reply.json.pointer("/entry").and_then(Value::as_array);
    entries
        .into_iter()
        .flatten()
        .filter(|entry| text(entry, "/search/mode") == mode)
        .map(|entry| format!("{}/{}", text(entry, "/resource/resourceType"), text(entry, "/resource/id")))
        .collect()
}

/// The ids that a search finds, sorted and separated by blanks.
async fn found(app: &Client, search: &str) -> String {
    let reply = app.get(search).await.is(200);
    assert_eq!(entries(&reply, "outcome"), Vec::<String>::new(), "{search}: {reply}");
    let mut ids: Vec<String> = reply.ids().into_iter().map(str::to_owned).collect();
    ids.sort();
    ids.join(" ")
}

/// Asserts what searches find: pairs of a search and ids as [`found`] gives them.
async fn assert_found(app: &Client, expected: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (search, ids) in expected {
        let got = found(app, search).await;
        if got != *ids {
            wrong.push(format!("{search}: expected [{ids}], found [{got}]"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The URL of a Bundle's link, empty when it has none.
fn link<'a>(bundle: &'a Value, relation: &str) -> &'a str {
    let links = bundle.pointer("/link").and_then(Value::as_array);
    let link = links.into_iter().flatten().find(|link| text(link, "/relation") == relation);
    link.map_or("", |link| text(link, "/url"))
}
