//! The OpenAPI 3.1 description of every route, generated from the registry and the element table.

mod envelopes;
mod examples;
mod exports;
mod operations;
mod parameters;
mod required;
mod schemas;
mod subscriptions;

use super::capability;
use super::registry::{ResourceType, TYPES};
use operations::{Operation, describe};
use serde_json::{Map, Value, json};

/// A route beside the FHIR endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Its path, with parameters in braces.
    pub path: &'a str,
    /// Methods that it answers, in capitals.
    pub methods: &'a [&'a str],
    /// What it is for.
    pub summary: &'a str,
}

/// The description. `pages` are the routes beside the FHIR endpoint.
pub fn document(pages: &[Page<'_>]) -> Value {
    let mut paths = Map::new();
    for one in pages {
        paths.insert(one.path.to_owned(), page(one));
    }
    add_system(&mut paths);
    for rtype in TYPES {
        add_type(&mut paths, rtype);
    }
    add_compartments(&mut paths);
    exports::add(&mut paths);
    subscriptions::add(&mut paths);
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Slotwright",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A FHIR R4 scheduling gateway that never sells a minute twice",
            "description": "FHIR R4 (4.0.1). Bodies of requests are described without extensions of primitives (`_name`), which are accepted too. /fhir/metadata says the same as a CapabilityStatement.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "/" }],
        "tags": tags(),
        "paths": paths,
        "components": {
            "parameters": parameters::components(),
            "headers": operations::headers(),
            "responses": operations::responses(),
            "schemas": schemas::components()
        }
    })
}

fn tags() -> Value {
    let mut tags = vec![json!({ "name": "System" }), json!({ "name": "Pages" })];
    tags.extend(TYPES.iter().map(|rtype| {
        let link = format!("https://hl7.org/fhir/R4/{}.html", rtype.name.to_lowercase());
        json!({ "name": rtype.name, "externalDocs": { "url": link } })
    }));
    Value::Array(tags)
}

fn page(page: &Page<'_>) -> Value {
    let name: String = page.path.chars().filter(char::is_ascii_alphanumeric).collect();
    let in_path = page.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let parameters: Vec<Value> = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let mut item = Map::new();
    // What answers GET answers HEAD likewise.
    for method in page.methods.iter().filter(|method| **method != "HEAD") {
        let method = method.to_lowercase();
        let prefix = if method == "get" { "page" } else { method.as_str() };
        let mut operation = Map::new();
        let mut put = |name: &str, value: Value| operation.insert(name.to_owned(), value);
        put("tags", json!(["Pages"]));
        put("operationId", format!("{prefix}{name}").into());
        put("summary", page.summary.into());
        if !parameters.is_empty() {
            put("parameters", json!(parameters));
        }
        if method != "get" {
            put("requestBody", json!({ "content": { "*/*": {} } }));
        }
        let page = json!({ "description": "The page", "content": { "*/*": {} } });
        put("responses", json!({ "200": page, "default": { "$ref": "#/components/responses/Refused" } }));
        item.insert(method, operation.into());
    }
    Value::Object(item)
}

/// Adds the operations of one path, in the order given.
fn put(paths: &mut Map<String, Value>, path: &str, operations: Vec<Operation>) {
    let mut item = Map::new();
    for operation in operations {
        item.insert(operation.method.to_owned(), describe(&operation));
    }
    paths.insert(path.to_owned(), Value::Object(item));
}

fn add_system(paths: &mut Map<String, Value>) {
    let mut statement = Operation::new("get", "capabilities", "What this server can do", &[200, 406]);
    statement.answer = "CapabilityStatement";
    put(paths, "/fhir/metadata", vec![statement]);

    let mut search = Operation::new("get", "searchSystem", "Search several types", &[200, 400, 406]);
    search.answer = "Bundle";
    search.parameters = parameters::system_search();
    let statuses = [200, 400, 404, 406, 409, 410, 412, 413, 415, 422];
    let mut bundle = Operation::new("post", "bundle", "Carry out a batch or transaction", &statuses);
    bundle.answer = "Bundle";
    bundle.body = Some("RequestBundle".to_owned());
    bundle.parameters = parameters::refs(&["Prefer", "IdempotencyKey", "OverrideReason"]);
    put(paths, "/fhir", vec![search, bundle]);

    let mut form =
        Operation::new("post", "searchSystemByForm", "Search several types", &[200, 400, 406, 415]);
    form.answer = "Bundle";
    form.form = Some(parameters::system_form());
    put(paths, "/fhir/_search", vec![form]);

    let mut history = Operation::new("get", "historySystem", "All versions of everything", &[200, 400, 406]);
    history.answer = "Bundle";
    history.parameters = parameters::history();
    put(paths, "/fhir/_history", vec![history]);
}

fn add_type(paths: &mut Map<String, Value>, rtype: &'static ResourceType) {
    let name = rtype.name;
    let of = |method, id: &str, summary: &str, statuses: &[u16]| {
        let mut operation = Operation::new(method, &format!("{id}{name}"), summary, statuses);
        operation.tag = name;
        operation.answer = name;
        operation
    };
    let conditional = |mut operation: Operation| {
        operation.parameters.extend(parameters::criteria(rtype));
        operation
    };

    let mut search = of("get", "search", "Search", &[200, 400, 406]);
    search.answer = "Bundle";
    search.parameters = parameters::search(rtype);
    search.parameters.extend(parameters::result(rtype));
    let written = [200, 400, 406, 409, 412, 413, 415, 422];
    let mut create = of("post", "create", "Create", &[&written[..], &[201]].concat());
    create.body = Some(name.to_owned());
    create.parameters = parameters::refs(&["IfNoneExist", "IdempotencyKey", "OverrideReason", "Prefer"]);
    create.links = true;
    let mut update = of(
        "put",
        "conditionalUpdate",
        "Update the one that matches, by any search parameters",
        &[&written[..], &[201]].concat(),
    );
    update.body = Some(schemas::change(name));
    update.parameters = parameters::refs(&["IfMatch", "OverrideReason", "Prefer"]);
    let mut patch = of(
        "patch",
        "conditionalPatch",
        "Patch the one that matches, by any search parameters",
        &[&written[..], &[404, 410]].concat(),
    );
    patch.patch = true;
    patch.parameters = parameters::refs(&["IfMatch", "OverrideReason", "Prefer"]);
    let mut delete = of(
        "delete",
        "conditionalDelete",
        "Delete the one that matches, by any search parameters",
        &[204, 400, 409, 412],
    );
    delete.parameters = parameters::refs(&["IfMatch"]);
    let operations = vec![search, create, conditional(update), conditional(patch), conditional(delete)];
    put(paths, &format!("/fhir/{name}"), operations);

    let mut form = of("post", "searchByForm", "Search", &[200, 400, 406, 415]);
    form.answer = "Bundle";
    form.form = Some(parameters::form(rtype));
    put(paths, &format!("/fhir/{name}/_search"), vec![form]);

    let mut history = of("get", "historyOf", "All versions of all of them", &[200, 400, 406]);
    history.answer = "Bundle";
    history.parameters = parameters::history();
    put(paths, &format!("/fhir/{name}/_history"), vec![history]);

    let mut validate = of("post", "validate", "Check one without storing it", &[200, 400, 406, 413, 415]);
    validate.answer = "OperationOutcome";
    validate.body = Some(schemas::change(name));
    put(paths, &format!("/fhir/{name}/$validate"), vec![validate]);

    add_instance(paths, rtype);
}

fn add_instance(paths: &mut Map<String, Value>, rtype: &'static ResourceType) {
    let name = rtype.name;
    let of = |method, id: &str, summary: &str, statuses: &[u16]| {
        let mut operation = Operation::new(method, &format!("{id}{name}"), summary, statuses);
        operation.tag = name;
        operation.answer = name;
        operation.parameters = parameters::refs(&["Id"]);
        operation
    };
    let written = [200, 400, 404, 406, 409, 412, 413, 415, 422];
    let mut read = of("get", "read", "Read", &[200, 304, 400, 404, 406, 410]);
    let reading = parameters::refs(&["IfNoneMatch", "IfModifiedSince", "Summary", "Elements"]);
    read.parameters.extend(reading);
    let mut update = of("put", "update", "Update, or create under this id", &[&written[..], &[201]].concat());
    update.body = Some(schemas::change(name));
    let writing = || parameters::refs(&["IfMatch", "IfNoneMatch", "OverrideReason", "Prefer"]);
    update.parameters.extend(writing());
    let mut patch = of("patch", "patch", "Patch", &[&written[..], &[410]].concat());
    patch.patch = true;
    patch.parameters.extend(parameters::refs(&["IfMatch", "OverrideReason", "Prefer"]));
    let mut delete = of("delete", "delete", "Delete", &[204, 400, 404, 409, 412]);
    delete.parameters.extend(parameters::refs(&["IfMatch"]));
    put(paths, &format!("/fhir/{name}/{{id}}"), vec![read, update, patch, delete]);

    let mut history = of("get", "history", "All versions", &[200, 400, 404, 406]);
    history.answer = "Bundle";
    history.parameters.extend(parameters::history());
    put(paths, &format!("/fhir/{name}/{{id}}/_history"), vec![history]);

    let mut version = of("get", "vread", "Read one version", &[200, 400, 404, 406, 410]);
    version.parameters.extend(parameters::refs(&["Vid"]));
    put(paths, &format!("/fhir/{name}/{{id}}/_history/{{vid}}"), vec![version]);

    let mut validate =
        of("post", "validateThis", "Check a change or a deletion", &[200, 400, 404, 406, 413, 415]);
    validate.answer = "OperationOutcome";
    validate.body = Some("ValidateParameters".to_owned());
    put(paths, &format!("/fhir/{name}/{{id}}/$validate"), vec![validate]);
}

fn add_compartments(paths: &mut Map<String, Value>) {
    type Members = fn(&ResourceType) -> &'static [&'static str];
    let compartments: [(&'static str, Members); 2] =
        [("Patient", |t| t.patient_compartment), ("Practitioner", |t| t.practitioner_compartment)];
    for (owner, members) in compartments {
        for rtype in TYPES.iter().filter(|rtype| !members(rtype).is_empty()) {
            let id = format!("searchIn{owner}{}", rtype.name);
            let summary = format!("Search what belongs to a {owner}");
            let mut search = Operation::new("get", &id, &summary, &[200, 400, 406]);
            search.tag = owner;
            search.answer = "Bundle";
            search.parameters = parameters::refs(&["Id"]);
            search.parameters.extend(parameters::search(rtype));
            search.parameters.extend(parameters::result(rtype));
            put(paths, &format!("/fhir/{owner}/{{id}}/{}", rtype.name), vec![search]);
        }
    }
}

/// `Type:param` values for `_include` and `_revinclude`.
fn include_values(rtype: &ResourceType) -> (Vec<String>, Vec<String>) {
    (capability::includes(rtype), capability::revincludes(rtype))
}

#[cfg(test)]
mod tests;
