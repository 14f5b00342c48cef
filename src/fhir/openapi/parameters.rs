//! Parameters: search parameters from the registry, and the headers that R4 and this server know.

use super::include_values;
use crate::fhir::capability::kind_code;
use crate::fhir::registry::{COMMON, ParamKind, ResourceType, SearchParam, TYPES};
use serde_json::{Map, Value, json};

const ID: &str = "^[A-Za-z0-9.-]{1,64}$";
const DATE: &str = "^((eq|ne|gt|lt|ge|le|sa|eb|ap)?[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|1[0-9]|2[0-8]))?)?)$";
const TAG: &str = "^(\\*|(W/)?\"[1-9][0-9]{0,8}\")$";
const PRINTABLE: &str = "^[!-~]([ -~]{0,198}[!-~])?$";

/// References to components, by name.
pub(super) fn refs(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| json!({ "$ref": format!("#/components/parameters/{name}") })).collect()
}

/// Every parameter that operations refer to.
pub(super) fn components() -> Value {
    let mut all = Map::new();
    let mut put = |name: &str, place: &str, wire: &str, description: &str, schema: Value| {
        let mut parameter =
            json!({ "name": wire, "in": place, "description": description, "schema": schema });
        if let (true, Some(members)) = (place == "path", parameter.as_object_mut()) {
            members.insert("required".to_owned(), true.into());
        }
        all.insert(name.to_owned(), parameter);
    };
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    put("Id", "path", "id", "Logical id", text(ID));
    put("Vid", "path", "vid", "Version", text("^[1-9][0-9]{0,8}$"));
    put("IfMatch", "header", "If-Match", "Only if this version is current", text(TAG));
    put("IfNoneMatch", "header", "If-None-Match", "Only if it is not this version", text(TAG));
    put(
        "IfModifiedSince",
        "header",
        "If-Modified-Since",
        "Only if it changed since",
        text(
            "^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT$",
        ),
    );
    put(
        "IfNoneExist",
        "header",
        "If-None-Exist",
        "Create only if nothing matches this search",
        text("^identifier=[A-Za-z0-9:/.]{1,40}\\|[A-Za-z0-9]{1,20}$"),
    );
    put(
        "IdempotencyKey",
        "header",
        "Idempotency-Key",
        "The same key and body give the same answer",
        text("^[!-~]{1,64}$"),
    );
    put(
        "OverrideReason",
        "header",
        "X-Override-Reason",
        "Book although the time is taken, for this reason",
        text(PRINTABLE),
    );
    put(
        "RequestId",
        "header",
        "X-Request-Id",
        "Names the request in the server's log",
        text("^[A-Za-z0-9._-]{1,64}$"),
    );
    let prefer = [
        "return=minimal",
        "return=representation",
        "return=OperationOutcome",
        "handling=strict",
        "handling=lenient",
    ];
    put(
        "Prefer",
        "header",
        "Prefer",
        "What to answer with, and what to do with unknown parameters",
        json!({ "enum": prefer }),
    );
    let formats = ["json", "xml", "application/fhir+json", "application/fhir+xml"];
    put("Format", "query", "_format", "Format of the answer, instead of Accept", json!({ "enum": formats }));
    put("Pretty", "query", "_pretty", "Indent the answer", json!({ "type": "boolean" }));
    put(
        "Summary",
        "query",
        "_summary",
        "A part of each resource",
        json!({ "enum": ["true", "text", "data", "count", "false"] }),
    );
    put(
        "Elements",
        "query",
        "_elements",
        "Only these elements",
        text("^[a-z][A-Za-z]{1,20}(,[a-z][A-Za-z]{1,20}){0,3}$"),
    );
    put(
        "Count",
        "query",
        "_count",
        "Matches on a page",
        json!({ "type": "integer", "minimum": 0, "maximum": 1000 }),
    );
    put(
        "Total",
        "query",
        "_total",
        "Whether to count all matches",
        json!({ "enum": ["none", "estimate", "accurate"] }),
    );
    put(
        "Since",
        "query",
        "_since",
        "Only versions since",
        json!({ "type": "string", "format": "date-time" }),
    );
    put(
        "At",
        "query",
        "_at",
        "Versions that were current then",
        text("^[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|1[0-9]|2[0-8]))?)?$"),
    );
    let types = TYPES.iter().map(|rtype| rtype.name).collect::<Vec<_>>();
    put("Types", "query", "_type", "Types to search, by comma", json!({ "enum": types }));
    for param in COMMON {
        put(param.code, "query", param.code, &describe(param), schema(param));
    }
    for rtype in TYPES {
        for param in rtype.params {
            put(
                &format!("{}.{}", rtype.name, param.code),
                "query",
                param.code,
                &describe(param),
                schema(param),
            );
        }
    }
    Value::Object(all)
}

fn describe(param: &SearchParam) -> String {
    format!("{} ({})", param.url, kind_code(param.kind))
}

fn schema(param: &SearchParam) -> Value {
    match param.kind {
        ParamKind::Date => json!({ "type": "string", "pattern": DATE }),
        ParamKind::Reference => {
            let targets = if param.targets.is_empty() {
                "[A-Z][A-Za-z]{3,20}".to_owned()
            } else {
                param.targets.join("|")
            };
            json!({ "type": "string", "pattern": format!("^(({targets})/)?[A-Za-z0-9.-]{{1,64}}$") })
        }
        ParamKind::Quantity => {
            json!({ "type": "string", "pattern": "^(eq|ne|gt|lt|ge|le|sa|eb|ap)?-?[0-9]{1,6}(\\.[0-9]{1,4})?(\\|[^|,$]{0,20}\\|[^|,$]{0,10})?$" })
        }
        ParamKind::Special => {
            json!({ "type": "string", "pattern": "^-?[0-8]?[0-9]\\.[0-9]{1,4}\\|-?(1[0-7])?[0-9]\\.[0-9]{1,4}(\\|[1-9][0-9]{0,3}(\\|(km|m))?)?$" })
        }
        ParamKind::Composite => {
            json!({ "type": "string", "pattern": "^[A-Za-z0-9.-]{1,30}\\$[0-9]{4}$" })
        }
        ParamKind::Uri => {
            json!({ "type": "string", "pattern": "^https?://[a-z]{1,20}\\.example/[A-Za-z0-9/-]{1,40}$" })
        }
        ParamKind::Token => {
            json!({ "type": "string", "pattern": "^([A-Za-z0-9:/.-]{0,40}\\|)?[A-Za-z0-9.-]{1,30}$" })
        }
        ParamKind::String => {
            json!({ "type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[^\\\\,$|\\s]+$" })
        }
    }
}

/// What chooses resources of a type.
pub(super) fn search(rtype: &ResourceType) -> Vec<Value> {
    let own = rtype.params.iter().map(|param| format!("{}.{}", rtype.name, param.code));
    let all: Vec<String> = own.chain(COMMON.iter().map(|param| param.code.to_owned())).collect();
    refs(&all.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What a conditional write is usually aimed by; any other search parameter will do, too.
pub(super) fn criteria(rtype: &ResourceType) -> Vec<Value> {
    let identifier = rtype.params.iter().find(|param| param.code == "identifier");
    let own = identifier.map(|param| format!("{}.{}", rtype.name, param.code));
    let all: Vec<String> = own.into_iter().chain(["_id".to_owned(), "_tag".to_owned()]).collect();
    refs(&all.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What shapes the result of a search.
pub(super) fn result(rtype: &ResourceType) -> Vec<Value> {
    let mut shaping = refs(&["Count", "Total", "Summary", "Elements", "Prefer"]);
    let sortable: Vec<String> = rtype
        .all_params()
        .filter(|param| !matches!(param.kind, ParamKind::Special | ParamKind::Composite))
        .flat_map(|param| [param.code.to_owned(), format!("-{}", param.code)])
        .collect();
    let mut choice = |name: &str, values: Vec<String>| {
        if !values.is_empty() {
            shaping.push(json!({ "name": name, "in": "query", "schema": { "enum": values } }));
        }
    };
    let (includes, revincludes) = include_values(rtype);
    choice("_sort", sortable);
    choice("_include", includes);
    choice("_revinclude", revincludes);
    shaping
}

/// A search across types.
pub(super) fn system_search() -> Vec<Value> {
    let mut all = refs(&["Types", "Count", "Total", "Summary", "Elements", "Prefer"]);
    all.extend(refs(&COMMON.iter().map(|param| param.code).collect::<Vec<_>>()));
    all
}

/// History.
pub(super) fn history() -> Vec<Value> {
    refs(&["Count", "Since", "At", "Prefer"])
}

/// The parameters of a type as a form.
pub(super) fn form(rtype: &ResourceType) -> Value {
    let members: Map<String, Value> =
        rtype.all_params().map(|param| (param.code.to_owned(), schema(param))).collect();
    json!({ "type": "object", "properties": members, "additionalProperties": false })
}

/// The parameters of a search across types as a form.
pub(super) fn system_form() -> Value {
    let types = TYPES.iter().map(|rtype| rtype.name).collect::<Vec<_>>();
    let mut members: Map<String, Value> =
        COMMON.iter().map(|param| (param.code.to_owned(), schema(param))).collect();
    members.insert("_type".to_owned(), json!({ "enum": types }));
    json!({ "type": "object", "properties": members, "additionalProperties": false })
}
