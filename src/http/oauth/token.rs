//! `/oauth/token`, `/oauth/revoke`, `/oauth/introspect`.

use super::{answer, bearer_token, credentials, form, refusal};
use crate::app::oauth::introspect::{Asker, asker, introspect as introspected, permitted};
use crate::app::oauth::revoke::revoke as revoked;
use crate::app::oauth::{authenticate, exchange};
use crate::auth::error::OAuthError;
use crate::http::{Http, Shared};
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde_json::{Map, Value};

/// `POST /oauth/token`
pub(super) async fn token(State(http): State<Shared>, request: Request) -> Response {
    let (parts, sent) = request.into_parts();
    let http = http.during(&parts.extensions);
    let done = async {
        let params = form(&parts, sent).await?;
        let bases = http.bases(&parts.headers);
        let audiences = http.audiences(&parts.headers);
        exchange(&http.app, &bases, &audiences, &params, credentials(&parts.headers, &params)).await
    };
    respond(done.await, &parts, "token")
}

/// `POST /oauth/revoke`
pub(super) async fn revoke(State(http): State<Shared>, request: Request) -> Response {
    let (parts, sent) = request.into_parts();
    let http = http.during(&parts.extensions);
    let done = async {
        let params = form(&parts, sent).await?;
        let sent = credentials(&parts.headers, &params)?;
        let client = authenticate(&http.app, &audiences(&http, &parts, "revoke"), &sent).await?;
        let given = params.need("token", "token is missing")?;
        revoked(&http.app, &http.bases(&parts.headers), &client, given).await?;
        Ok(Map::new())
    };
    respond(done.await, &parts, "revoke")
}

/// `POST /oauth/introspect`
pub(super) async fn introspect(State(http): State<Shared>, request: Request) -> Response {
    let (parts, sent) = request.into_parts();
    let http = http.during(&parts.extensions);
    let done = async {
        let params = form(&parts, sent).await?;
        let bases = http.bases(&parts.headers);
        let asker = if is_bearer(&parts) {
            permitted(&http.app, &bases, bearer_token(&parts.headers)?, |client| client.may_introspect)
                .await?;
            Asker::OfAll
        } else {
            let sent = credentials(&parts.headers, &params)?;
            asker(&authenticate(&http.app, &audiences(&http, &parts, "introspect"), &sent).await?)?
        };
        let given = params.need("token", "token is missing")?;
        introspected(&http.app, &bases, &asker, given).await
    };
    respond(done.await, &parts, "introspect")
}

/// An assertion is for the token endpoint, or for the endpoint that it is sent to.
fn audiences(http: &Http, parts: &Parts, endpoint: &str) -> Vec<String> {
    let mut urls = http.audiences(&parts.headers);
    let own: Vec<String> =
        urls.iter().map(|url| url.replace("/oauth/token", &format!("/oauth/{endpoint}"))).collect();
    urls.extend(own);
    urls
}

fn is_bearer(parts: &Parts) -> bool {
    let value = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer ")))
}

fn respond(done: Result<Map<String, Value>, OAuthError>, parts: &Parts, label: &'static str) -> Response {
    match done {
        Ok(body) => answer(StatusCode::OK, body, label),
        Err(error) => refusal(&error, &parts.headers, label),
    }
}
