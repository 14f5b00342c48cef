//! OperationOutcome and the one error type of the FHIR side.
//!
//! Every refusal that a FHIR client can see is an [`Error`]; [`Kind`] is the table that gives it its
//! HTTP status and default issue code (R4 `http.html`, `valueset-issue-type.html`).

use serde_json::{Map, Value, json};

/// Severity of an [`Issue`] (R4 `issue-severity`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The request can't be carried out and nothing was tried.
    Fatal,
    /// The request was refused.
    Error,
    /// Carried out, with something the caller should know.
    Warning,
    /// Carried out; a remark.
    Information,
}

impl Severity {
    /// The R4 code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Information => "information",
        }
    }
}

/// One line of an OperationOutcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// R4 `issue-type` code, such as `required` or `business-rule`.
    pub code: &'static str,
    /// What is wrong and what would be right, for a person. Never internal detail.
    pub diagnostics: String,
    /// FHIRPath of the element at fault, such as `Appointment.participant[0].actor`.
    pub expression: Option<String>,
    /// A machine-readable reason, `(system, code)`, where a code says more than the issue type.
    pub details: Option<(&'static str, &'static str)>,
}

impl Issue {
    /// An error with an R4 issue type and a message.
    pub fn error(code: &'static str, diagnostics: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            diagnostics: diagnostics.into(),
            expression: None,
            details: None,
        }
    }

    /// A warning with an R4 issue type and a message.
    pub fn warning(code: &'static str, diagnostics: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, diagnostics) }
    }

    /// An informational remark.
    pub fn information(diagnostics: impl Into<String>) -> Self {
        Self { severity: Severity::Information, ..Self::error("informational", diagnostics) }
    }

    /// Names the element at fault.
    #[must_use]
    pub fn at(mut self, expression: impl Into<String>) -> Self {
        self.expression = Some(expression.into());
        self
    }

    /// Adds a machine-readable reason.
    #[must_use]
    pub fn coded(mut self, system: &'static str, code: &'static str) -> Self {
        self.details = Some((system, code));
        self
    }

    /// Whether this issue refuses the request.
    pub fn is_error(&self) -> bool {
        matches!(self.severity, Severity::Fatal | Severity::Error)
    }

    /// The R4 JSON form.
    pub fn to_json(&self) -> Value {
        let mut issue = Map::new();
        let mut set = |key: &str, value: Value| issue.insert(key.to_owned(), value);
        set("severity", self.severity.code().into());
        set("code", self.code.into());
        if let Some((system, code)) = self.details {
            set("details", json!({ "coding": [{ "system": system, "code": code }] }));
        }
        set("diagnostics", self.diagnostics.as_str().into());
        if let Some(expression) = &self.expression {
            set("expression", json!([expression]));
        }
        Value::Object(issue)
    }
}

/// An OperationOutcome resource of `issues`; an empty list becomes one `informational` "All OK".
pub fn operation_outcome(issues: &[Issue]) -> Value {
    let lines: Vec<Value> = if issues.is_empty() {
        vec![Issue::information("All OK").to_json()]
    } else {
        issues.iter().map(Issue::to_json).collect()
    };
    json!({ "resourceType": "OperationOutcome", "issue": lines })
}

/// Why a request was refused: the error table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 400: can't be understood.
    BadRequest,
    /// 401: no proof of who asks, or one that is not valid (any more).
    Unauthorized,
    /// 403: the role or the scopes of whoever asks do not allow it.
    Forbidden,
    /// 404: no such resource, version or route.
    NotFound,
    /// 405: the interaction is not offered here.
    MethodNotAllowed,
    /// 406: none of the accepted formats can be produced.
    NotAcceptable,
    /// 408: the client was too slow.
    RequestTimeout,
    /// 409: the state of the server stands in the way (taken time, edited meanwhile, still referenced).
    Conflict,
    /// 410: deleted.
    Gone,
    /// 412: a condition that the client set does not hold.
    PreconditionFailed,
    /// 413: larger than the server takes.
    TooLarge,
    /// 414: the URL is longer than the server takes.
    UriTooLong,
    /// 415: a format that the server does not read.
    UnsupportedMediaType,
    /// 422: understood, and against a rule.
    Unprocessable,
    /// 429: more requests than are taken.
    TooManyRequests,
    /// 500: our fault.
    Internal,
    /// 503: try again later (the database is away or busy, or shutting down).
    Unavailable,
}

impl Kind {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::NotAcceptable => 406,
            Self::RequestTimeout => 408,
            Self::Conflict => 409,
            Self::Gone => 410,
            Self::PreconditionFailed => 412,
            Self::TooLarge => 413,
            Self::UriTooLong => 414,
            Self::UnsupportedMediaType => 415,
            Self::Unprocessable => 422,
            Self::TooManyRequests => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    /// The issue code used when the error brings no issues of its own.
    pub fn issue_code(self) -> &'static str {
        match self {
            Self::BadRequest => "invalid",
            Self::Unauthorized => "login",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed | Self::NotAcceptable | Self::UnsupportedMediaType => "not-supported",
            Self::RequestTimeout => "timeout",
            Self::Conflict | Self::PreconditionFailed => "conflict",
            Self::Gone => "deleted",
            Self::TooLarge | Self::UriTooLong => "too-long",
            Self::Unprocessable => "processing",
            Self::TooManyRequests => "throttled",
            Self::Internal => "exception",
            Self::Unavailable => "transient",
        }
    }
}

/// A refused FHIR request: what the client is told, and what only the log is told.
#[derive(Clone, Debug)]
pub struct Error {
    /// Row of the error table.
    pub kind: Kind,
    /// What the client reads. Never empty.
    pub issues: Vec<Issue>,
    /// Internal cause for the log; never sent.
    pub detail: Option<String>,
    /// The transaction lost a race inside the database and may be run again as it is.
    pub retry: bool,
    /// Seconds after which the client may try again.
    pub retry_after: Option<u64>,
}

impl Error {
    /// An error with the kind's own issue code and a message.
    pub fn new(kind: Kind, diagnostics: impl Into<String>) -> Self {
        Self::of(kind, vec![Issue::error(kind.issue_code(), diagnostics)])
    }

    /// An error with issues of its own.
    pub fn of(kind: Kind, issues: Vec<Issue>) -> Self {
        Self { kind, issues, detail: None, retry: false, retry_after: None }
    }

    /// 400 with issue code `invalid`.
    pub fn bad_request(diagnostics: impl Into<String>) -> Self {
        Self::new(Kind::BadRequest, diagnostics)
    }

    /// 404 for `{type}/{id}`.
    pub fn not_found(rtype: &str, id: &str) -> Self {
        Self::new(Kind::NotFound, format!("{rtype}/{id} is not known"))
    }

    /// 422 with one issue.
    pub fn unprocessable(issue: Issue) -> Self {
        Self::of(Kind::Unprocessable, vec![issue])
    }

    /// 500; `detail` goes to the log and the client reads a general sentence.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..Self::new(Kind::Internal, "The server could not complete the request")
        }
    }

    /// The OperationOutcome that the client reads.
    pub fn outcome(&self) -> Value {
        operation_outcome(&self.issues)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.kind.status())?;
        for issue in &self.issues {
            write!(f, " {}: {}", issue.code, issue.diagnostics)?;
        }
        match &self.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
