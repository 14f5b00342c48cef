//! `/admin/clients`: registered applications, in the words of RFC 7591.

use super::{AdminError, allowed, answer, present, sent, with};
use crate::app::oauth::clients::{self, Change, NewClient};
use crate::app::oauth::register::{described, keys_reminder};
use crate::auth::client::{Client, ClientKeys, Proof};
use crate::auth::rule::{Act, Area};
use crate::http::pages::visit::Visit;
use crate::http::{RouteInfo, Shared};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Routes about clients.
pub(super) const ROUTES: &[RouteInfo] = &[
    RouteInfo {
        methods: &["GET", "HEAD", "POST"],
        path: "/admin/clients",
        is_fhir: false,
        summary: "List applications, register one",
        handler: || get(list).post(create),
    },
    RouteInfo {
        methods: &["GET", "HEAD", "PUT"],
        path: "/admin/clients/{id}",
        is_fhir: false,
        summary: "Read or change an application",
        handler: || get(read).put(change),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/admin/clients/{id}/secret",
        is_fhir: false,
        summary: "Make a new secret",
        handler: || post(secret),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/admin/clients/{id}/disable",
        is_fhir: false,
        summary: "Switch an application off",
        handler: || post(disable),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/admin/clients/{id}/enable",
        is_fhir: false,
        summary: "Switch an application on again",
        handler: || post(enable),
    },
];

fn administered(client: &Client) -> Value {
    let mut out = described(client);
    let mut put = |name: &str, value: bool| out.insert(name.to_owned(), value.into());
    put("system", client.system);
    put("may_introspect", client.may_introspect);
    put("may_launch", client.may_launch);
    put("may_provision", client.may_provision);
    put("disabled", client.disabled);
    if let Some(reminder) = keys_reminder(client) {
        out.insert("jwks_reminder".to_owned(), reminder.into());
    }
    Value::Object(out)
}

async fn one(http: &Shared, id: &str) -> Result<Response, AdminError> {
    let found = clients::find(&http.app, id).await.map_err(AdminError::broken)?;
    let client = found.ok_or(AdminError::Unknown("There is no such client"))?;
    Ok(answer(StatusCode::OK, &administered(&client)))
}

/// `GET /admin/clients`
async fn list(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(listed(&http, &visit).await)
}

async fn listed(http: &Shared, visit: &Visit) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Read, Area::Clients).await?;
    let all = clients::all(&http.app).await.map_err(AdminError::broken)?;
    let all: Vec<Value> = all.iter().map(administered).collect();
    Ok(answer(StatusCode::OK, &json!({ "clients": all })))
}

/// What is sent of a client, to register or to change it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sent {
    client_id: Option<String>,
    client_name: String,
    token_endpoint_auth_method: Option<String>,
    system: Option<bool>,
    scope: String,
    redirect_uris: Vec<String>,
    launch_uri: Option<String>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    may_introspect: bool,
    may_launch: bool,
    may_provision: bool,
}

impl Sent {
    fn proof(&self) -> Result<Proof, AdminError> {
        match self.token_endpoint_auth_method.as_deref() {
            Some("none") => Ok(Proof::None),
            Some("client_secret_basic" | "client_secret_post") => Ok(Proof::Secret),
            Some("private_key_jwt") => Ok(Proof::Key),
            _ => {
                let told = "one of none, client_secret_basic, client_secret_post and private_key_jwt";
                Err(AdminError::invalid("token_endpoint_auth_method", told))
            }
        }
    }

    fn keys(&self) -> Result<Option<ClientKeys>, AdminError> {
        match (self.jwks.clone(), self.jwks_uri.clone()) {
            (Some(_), Some(_)) => Err(AdminError::invalid("jwks", "jwks and jwks_uri exclude each other")),
            (Some(set), None) => Ok(Some(ClientKeys::Set(set))),
            (None, url) => Ok(url.map(ClientKeys::Url)),
        }
    }

    fn new_client(self) -> Result<NewClient, AdminError> {
        let (proof, keys) = (self.proof()?, self.keys()?);
        Ok(NewClient {
            id: self.client_id,
            name: self.client_name,
            proof,
            system: self.system.unwrap_or(false),
            scope: self.scope,
            redirect_uris: self.redirect_uris,
            launch_uri: self.launch_uri,
            keys,
            may_introspect: self.may_introspect,
            may_launch: self.may_launch,
            may_provision: self.may_provision,
        })
    }

    /// What is changed of `old`; what can't be is sent as it was, or not at all.
    fn change_of(self, old: &Client) -> Result<Change, AdminError> {
        let fixed = |field| Err(AdminError::invalid(field, "this can't be changed: register another client"));
        if self.client_id.as_ref().is_some_and(|id| *id != old.id) {
            return fixed("client_id");
        }
        if self.token_endpoint_auth_method.is_some() && self.proof()? != old.proof {
            return fixed("token_endpoint_auth_method");
        }
        if self.system.is_some_and(|system| system != old.system) {
            return fixed("system");
        }
        let keys = self.keys()?;
        Ok(Change {
            name: self.client_name,
            scope: self.scope,
            redirect_uris: self.redirect_uris,
            launch_uri: self.launch_uri,
            keys,
            may_introspect: self.may_introspect,
            may_launch: self.may_launch,
            may_provision: self.may_provision,
        })
    }
}

/// `POST /admin/clients`
async fn create(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, body) = Visit::bare(http.clone(), request);
    present(created(&http, &visit, body).await)
}

async fn created(http: &Shared, visit: &Visit, body: Body) -> Result<Response, AdminError> {
    let by = allowed(http, visit, Act::Create, Area::Clients).await?.account.id;
    let new = sent::<Sent>(visit, body).await?.new_client()?;
    let (client, secret) = clients::create(&http.app, new, &by).await?;
    let mut out = administered(&client);
    if let Some(secret) = secret {
        out = with(out, "client_secret", secret.expose_secret());
    }
    Ok(answer(StatusCode::CREATED, &out))
}

/// `GET /admin/clients/{id}`
async fn read(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    let result = match allowed(&http, &visit, Act::Read, Area::Clients).await {
        Ok(_) => one(&http, &visit.segment(2)).await,
        Err(error) => Err(error),
    };
    present(result)
}

/// `PUT /admin/clients/{id}`
async fn change(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, body) = Visit::bare(http.clone(), request);
    present(changed(&http, &visit, body).await)
}

async fn changed(http: &Shared, visit: &Visit, body: Body) -> Result<Response, AdminError> {
    let by = allowed(http, visit, Act::Update, Area::Clients).await?.account.id;
    let sent = sent::<Sent>(visit, body).await?;
    let id = visit.segment(2);
    let old = clients::find(&http.app, &id).await.map_err(AdminError::broken)?;
    let old = old.ok_or(AdminError::Unknown("There is no such client"))?;
    let client = clients::change(&http.app, &id, sent.change_of(&old)?, &by).await?;
    Ok(answer(StatusCode::OK, &administered(&client)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSecret {
    /// Hours for which the old secret stays good.
    #[serde(default)]
    keep_old: u32,
}

/// `POST /admin/clients/{id}/secret`
async fn secret(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, body) = Visit::bare(http.clone(), request);
    present(renewed(&http, &visit, body).await)
}

async fn renewed(http: &Shared, visit: &Visit, body: Body) -> Result<Response, AdminError> {
    let by = allowed(http, visit, Act::Update, Area::Clients).await?.account.id;
    let NewSecret { keep_old } = sent(visit, body).await?;
    let id = visit.segment(2);
    let overlap = Duration::from_secs(u64::from(keep_old) * 3600);
    let secret = clients::renew_secret(&http.app, &id, overlap, &by).await?;
    let told = json!({ "client_id": id, "client_secret": secret.expose_secret() });
    Ok(answer(StatusCode::OK, &told))
}

/// `POST /admin/clients/{id}/disable`
async fn disable(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(switch(&http, &visit, false).await)
}

/// `POST /admin/clients/{id}/enable`
async fn enable(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(switch(&http, &visit, true).await)
}

async fn switch(http: &Shared, visit: &Visit, on: bool) -> Result<Response, AdminError> {
    let by = allowed(http, visit, Act::Update, Area::Clients).await?.account.id;
    let id = visit.segment(2);
    // False as well when it was so already, which is no error here; `one` knows which it is.
    clients::switch(&http.app, &id, on, &by).await.map_err(AdminError::broken)?;
    one(http, &id).await
}
