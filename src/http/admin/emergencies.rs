//! Declared emergencies and their review.

use super::{AdminError, allowed, answer, present, sent};
use crate::app::emergency::{self, Declared, EmergencyError, State as Stands};
use crate::auth::emergency::Finding;
use crate::auth::rule::{Act, Area};
use crate::clock::instant_text;
use crate::http::pages::visit::Visit;
use crate::http::{RouteInfo, Shared};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

/// Reviewed emergencies in one answer.
const PAGE: i64 = 100;

/// The routes about emergencies.
pub(super) const ROUTES: &[RouteInfo] = &[
    RouteInfo {
        methods: &["GET", "HEAD"],
        path: "/admin/emergencies",
        is_fhir: false,
        summary: "Emergencies to be reviewed, or those that were",
        handler: || get(list),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/admin/emergencies/{id}/review",
        is_fhir: false,
        summary: "Say whether an emergency was justified",
        handler: || post(review),
    },
];

impl From<EmergencyError> for AdminError {
    fn from(error: EmergencyError) -> Self {
        match error {
            EmergencyError::Unknown => Self::Unknown("There is no such emergency to review"),
            EmergencyError::NotAllowed => Self::NotAllowed,
            EmergencyError::Running | EmergencyError::Own => {
                Self::Invalid { field: None, told: error.to_string() }
            }
            other => Self::Broken(other.to_string()),
        }
    }
}

fn described(stands: Stands, declared: &Declared) -> Value {
    json!({
        "id": declared.id,
        "state": stands.code(),
        "account": declared.account,
        "username": declared.username,
        "name": declared.name,
        "patient": format!("Patient/{}", declared.patient),
        "purposeOfUse": declared.purpose,
        "reason": declared.reason,
        "began": instant_text(declared.began_us),
        "until": instant_text(declared.until_us),
        "ended": declared.ended_us.map(instant_text),
        "endedHow": declared.ended_how,
        "review": declared.review.as_ref().map(|review| json!({
            "at": instant_text(review.at_us),
            "by": review.by,
            "finding": review.finding,
            "note": review.note,
        })),
    })
}

/// `GET /admin/emergencies`, `?reviewed=true&before=ID`
async fn list(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(listed(&http, &visit).await)
}

async fn listed(http: &Shared, visit: &Visit) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Read, Area::Emergencies).await?;
    let queue = if visit.query("reviewed").is_some_and(|value| value == "true") {
        emergency::reviewed(&http.app, visit.query("before").as_deref(), PAGE).await?
    } else {
        emergency::queue(&http.app).await?
    };
    let full = i64::try_from(queue.len()).is_ok_and(|count| count == PAGE);
    let next = queue.last().filter(|(stands, _)| full && *stands == Stands::Reviewed);
    let next = next.map(|(_, last)| last.id.clone());
    let all: Vec<Value> = queue.iter().map(|(stands, declared)| described(*stands, declared)).collect();
    Ok(answer(StatusCode::OK, &json!({ "emergencies": all, "next": next })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Judgement {
    finding: String,
    #[serde(default)]
    note: String,
}

/// `POST /admin/emergencies/{id}/review`
async fn review(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, body) = Visit::bare(http.clone(), request);
    present(reviewed(&http, &visit, body).await)
}

async fn reviewed(http: &Shared, visit: &Visit, body: axum::body::Body) -> Result<Response, AdminError> {
    let by = allowed(http, visit, Act::Update, Area::Emergencies).await?.account.id;
    let Judgement { finding, note } = sent(visit, body).await?;
    let finding = Finding::from_code(&finding)
        .ok_or_else(|| AdminError::invalid("finding", "justified or not-justified"))?;
    let declared = emergency::judge(&http.app, &by, &visit.segment(2), finding, &note).await?;
    Ok(answer(StatusCode::OK, &described(Stands::Reviewed, &declared)))
}
