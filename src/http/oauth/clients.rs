//! `/oauth/register`, `/oauth/launch`.

use super::{answer, bearer_token, object, refusal};
use crate::app::oauth::introspect::permitted;
use crate::app::oauth::launch::{Wanted, make};
use crate::app::oauth::register::register as registered;
use crate::auth::error::OAuthError;
use crate::http::Shared;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use serde_json::{Map, Value};

/// `POST /oauth/register`
pub(super) async fn register(State(http): State<Shared>, request: Request) -> Response {
    let (parts, sent) = request.into_parts();
    let http = http.during(&parts.extensions);
    let done = async {
        let initial = bearer_token(&parts.headers)?;
        let body = object(&parts, sent).await?;
        registered(&http.app, initial, Value::Object(body)).await
    };
    respond(done.await, &parts, "register")
}

/// `POST /oauth/launch`
pub(super) async fn launch(State(http): State<Shared>, request: Request) -> Response {
    let (parts, sent) = request.into_parts();
    let http = http.during(&parts.extensions);
    let done = async {
        let token = bearer_token(&parts.headers)?;
        let by = permitted(&http.app, &http.bases(&parts.headers), token, |client| client.may_launch).await?;
        let wanted = Wanted::read(object(&parts, sent).await?)?;
        make(&http.app, &http.base_of(&parts.headers), &by, wanted).await
    };
    respond(done.await, &parts, "launch")
}

fn respond(done: Result<Map<String, Value>, OAuthError>, parts: &Parts, label: &'static str) -> Response {
    match done {
        Ok(body) => answer(StatusCode::CREATED, body, label),
        Err(error) => refusal(&error, &parts.headers, label),
    }
}
