//! `/admin/accounts`, `/admin/review`: accounts, roles and the access review.

use super::{AdminError, allowed, answer, present, sent};
use crate::app::account::{self, Account, Change, Grant, NewAccount};
use crate::auth::principal::{Role, RoleGrant};
use crate::auth::rule::{Act, Area};
use crate::clock::{Micros, instant_text};
use crate::http::pages::visit::Visit;
use crate::http::{RouteInfo, Shared};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

/// Accounts in one answer.
const PAGE: i64 = 100;

/// Routes about accounts.
pub(super) const ROUTES: &[RouteInfo] = &[
    RouteInfo {
        methods: &["GET", "HEAD", "POST"],
        path: "/admin/accounts",
        is_fhir: false,
        summary: "List accounts, make one",
        handler: || get(list).post(create),
    },
    RouteInfo {
        methods: &["GET", "HEAD", "PUT"],
        path: "/admin/accounts/{id}",
        is_fhir: false,
        summary: "Read or change an account",
        handler: || get(read).put(change),
    },
    RouteInfo {
        methods: &["PUT"],
        path: "/admin/accounts/{id}/password",
        is_fhir: false,
        summary: "Set a new password",
        handler: || put(password),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/admin/accounts/{id}/disable",
        is_fhir: false,
        summary: "Take an account out of use",
        handler: || post(disable),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/admin/accounts/{id}/enable",
        is_fhir: false,
        summary: "Let an account be used again",
        handler: || post(enable),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/admin/accounts/{id}/roles",
        is_fhir: false,
        summary: "Give or take roles",
        handler: || post(roles),
    },
    RouteInfo {
        methods: &["GET", "HEAD"],
        path: "/admin/review",
        is_fhir: false,
        summary: "Who has which role, and uses it",
        handler: || get(review),
    },
];

fn described(account: &Account, roles: &[Grant]) -> Value {
    let time = |at: Option<Micros>| at.map(instant_text);
    let role = |grant: &Grant| {
        json!({
            "role": grant.role,
            "organization": Some(&grant.organization).filter(|name| !name.is_empty()),
            "since": instant_text(grant.since_us),
            "givenBy": grant.granted_by,
            "lastUsed": time(grant.last_used_us),
        })
    };
    json!({
        "id": account.id,
        "username": account.username,
        "name": account.name,
        "fhirUser": account.fhir_user,
        "locale": account.locale,
        "created": instant_text(account.created_us),
        "disabled": time(account.disabled_us),
        "lastSignIn": time(account.last_sign_in_us),
        "secondFactor": account.totp_since_us.is_some(),
        "roles": roles.iter().map(role).collect::<Vec<_>>(),
    })
}

async fn one(http: &Shared, id: &str, status: StatusCode) -> Result<Response, AdminError> {
    let (account, roles) = account::get(&http.app, id).await?;
    Ok(answer(status, &described(&account, &roles)))
}

/// A role as the API writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleName {
    role: String,
    organization: Option<String>,
}

impl RoleName {
    fn grant(self) -> Result<RoleGrant, AdminError> {
        let unknown = || AdminError::invalid("roles", format!("\"{}\" is not a role", self.role));
        let role = Role::from_code(&self.role).ok_or_else(unknown)?;
        Ok(RoleGrant { role, organization: self.organization })
    }
}

fn grants(names: Vec<RoleName>) -> Result<Vec<RoleGrant>, AdminError> {
    names.into_iter().map(RoleName::grant).collect()
}

/// `GET /admin/accounts?after=USERNAME`
async fn list(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(listed(&http, &visit).await)
}

async fn listed(http: &Shared, visit: &Visit) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Read, Area::Users).await?;
    let page = account::list(&http.app, &visit.query("after").unwrap_or_default(), PAGE).await?;
    let next = page.last().filter(|_| page.len() as i64 == PAGE).map(|last| last.username.clone());
    let mut accounts = Vec::new();
    for found in &page {
        let (account, roles) = account::get(&http.app, &found.id).await?;
        accounts.push(described(&account, &roles));
    }
    Ok(answer(StatusCode::OK, &json!({ "accounts": accounts, "next": next })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Creation {
    username: String,
    name: String,
    password: Option<String>,
    fhir_user: Option<String>,
    locale: Option<String>,
    #[serde(default)]
    roles: Vec<RoleName>,
}

/// `POST /admin/accounts`
async fn create(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, body) = Visit::bare(http.clone(), request);
    present(created(&http, &visit, body).await)
}

async fn created(http: &Shared, visit: &Visit, body: axum::body::Body) -> Result<Response, AdminError> {
    let by = allowed(http, visit, Act::Create, Area::Users).await?.account.id;
    let Creation { username, name, password, fhir_user, locale, roles } = sent(visit, body).await?;
    let password = password.map(SecretString::from);
    let new = NewAccount { username, name, password, fhir_user, locale, roles: grants(roles)? };
    let account = account::create(&http.app, new, &by).await?;
    one(http, &account.id, StatusCode::CREATED).await
}

/// `GET /admin/accounts/{id}`
async fn read(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    let result = match allowed(&http, &visit, Act::Read, Area::Users).await {
        Ok(_) => one(&http, &visit.segment(2), StatusCode::OK).await,
        Err(error) => Err(error),
    };
    present(result)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Changed {
    name: String,
    fhir_user: Option<String>,
    locale: Option<String>,
}

/// `PUT /admin/accounts/{id}`
async fn change(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, body) = Visit::bare(http.clone(), request);
    present(changed(&http, &visit, body).await)
}

async fn changed(http: &Shared, visit: &Visit, body: axum::body::Body) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Update, Area::Users).await?;
    let Changed { name, fhir_user, locale } = sent(visit, body).await?;
    let id = visit.segment(2);
    account::change(&http.app, &id, Change { name, fhir_user, locale }).await?;
    one(http, &id, StatusCode::OK).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    password: String,
}

/// `PUT /admin/accounts/{id}/password`
async fn password(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, body) = Visit::bare(http.clone(), request);
    present(set_password(&http, &visit, body).await)
}

async fn set_password(http: &Shared, visit: &Visit, body: axum::body::Body) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Update, Area::Users).await?;
    let NewPassword { password } = sent(visit, body).await?;
    let id = visit.segment(2);
    account::set_password(&http.app, &id, &SecretString::from(password)).await?;
    one(http, &id, StatusCode::OK).await
}

/// `POST /admin/accounts/{id}/disable`
async fn disable(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(switch(&http, &visit, false).await)
}

/// `POST /admin/accounts/{id}/enable`
async fn enable(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(switch(&http, &visit, true).await)
}

async fn switch(http: &Shared, visit: &Visit, on: bool) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Update, Area::Users).await?;
    let id = visit.segment(2);
    if on {
        account::enable(&http.app, &id).await?;
    } else {
        account::disable(&http.app, &id).await?;
    }
    one(http, &id, StatusCode::OK).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleChange {
    #[serde(default)]
    add: Vec<RoleName>,
    #[serde(default)]
    remove: Vec<RoleName>,
}

/// `POST /admin/accounts/{id}/roles`
async fn roles(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, body) = Visit::bare(http.clone(), request);
    present(change_roles(&http, &visit, body).await)
}

async fn change_roles(http: &Shared, visit: &Visit, body: axum::body::Body) -> Result<Response, AdminError> {
    let by = allowed(http, visit, Act::Update, Area::Users).await?.account.id;
    let RoleChange { add, remove } = sent(visit, body).await?;
    let (id, add, remove) = (visit.segment(2), grants(add)?, grants(remove)?);
    for role in &add {
        account::give_role(&http.app, &id, role, &by).await?;
    }
    for role in &remove {
        account::take_role(&http.app, &id, role).await?;
    }
    one(http, &id, StatusCode::OK).await
}

/// `GET /admin/review`, as JSON or with `format=csv`
async fn review(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(reviewed(&http, &visit).await)
}

async fn reviewed(http: &Shared, visit: &Visit) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Read, Area::Users).await?;
    let rows = account::review(&http.app).await?;
    if visit.query("format").as_deref() != Some("csv") {
        return Ok(answer(StatusCode::OK, &account::json(&rows)));
    }
    let mut response = account::csv(&rows).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers
        .insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"access-review.csv\""));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
