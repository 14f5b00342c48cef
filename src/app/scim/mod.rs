//! Accounts and roles kept by a provisioning source: SCIM 2.0 (RFC 7643, RFC 7644).
//!
//! A User is an account, a Group a role in one organisation or in all. A source may read and change every account,
//! with these exceptions: it sets no passwords; it takes away only roles that it gave itself; it lets nobody in again
//! whom an administrator took out of use; and what concerns administrators is for it to end, not to give or to
//! change, unless `auth.provision_administrators` says otherwise.

mod attributes;
pub mod discovery;
mod error;
mod filter;
mod group;
mod list;
mod patch;
mod path;
pub mod token;
mod user;

pub use attributes::Type;
pub use error::{Error, Kind};
pub use list::{MOST, Page, Query, search};

use crate::app::App;
use crate::app::oauth::introspect::permitted;
use crate::auth::client::Client;
use crate::auth::error::Code;
use crate::auth::secret::fingerprint;
use serde_json::{Map, Value};

/// A client that keeps accounts and roles.
#[derive(Clone, Debug)]
pub struct Source {
    /// What is written down of it: `scim:` and its id.
    by: String,
    /// Whether it may deal with administrators.
    administers: bool,
}

/// The source that brings this access token; `bases` are the FHIR bases under which this server is known.
///
/// # Errors
/// [`Kind::Unauthorized`], [`Kind::Forbidden`].
pub async fn source(app: &App, bases: &[String], bearer: Option<&str>) -> Result<Source, Error> {
    let unauthorized = |told: &str| Error::new(Kind::Unauthorized, told);
    let bearer = bearer.ok_or_else(|| unauthorized("An access token is needed: Authorization: Bearer …"))?;
    if token::is_one(bearer) {
        let client =
            token::bearer(app, bearer).await?.ok_or_else(|| unauthorized("The token is not valid"))?;
        return of_client(app, &client);
    }
    let found = permitted(app, bases, bearer, |client| client.may_provision).await;
    let client = found.map_err(|error| match error.code {
        Code::InvalidToken => unauthorized("The access token is not valid"),
        Code::InsufficientScope => Error::new(Kind::Forbidden, "The client may not keep accounts"),
        Code::TemporarilyUnavailable => Error::new(Kind::Unavailable, "Please try again"),
        _ => Error::internal(error.to_string()),
    })?;
    of_client(app, &client)
}

fn of_client(app: &App, client: &Client) -> Result<Source, Error> {
    if !client.may_provision {
        return Err(Error::new(Kind::Forbidden, "The client may not keep accounts"));
    }
    let administers = app.config.auth.provision_administrators;
    Ok(Source { by: format!("scim:{}", client.id), administers })
}

/// What a write may depend on: versions that a client knows.
#[derive(Clone, Debug, Default)]
pub struct Precondition(Option<Vec<String>>);

impl Precondition {
    /// From the header `If-Match`.
    pub fn read(header: Option<&str>) -> Self {
        Self(header.map(|text| text.split(',').map(|tag| tag.trim().to_owned()).collect()))
    }

    fn check(&self, document: &Map<String, Value>) -> Result<(), Error> {
        let Some(tags) = &self.0 else { return Ok(()) };
        let current = version(document);
        let strong = current.trim_start_matches("W/");
        if tags.iter().any(|tag| tag == "*" || tag.trim_start_matches("W/") == strong) {
            Ok(())
        } else {
            Err(Error::new(Kind::Precondition, "The resource has changed since"))
        }
    }
}

/// A resource as it is answered, without its location.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its type.
    pub of: Type,
    /// All of it, `meta.version` too.
    pub document: Map<String, Value>,
}

impl Resource {
    fn new(of: Type, mut document: Map<String, Value>) -> Self {
        let version = version(&document);
        if let Some(Value::Object(meta)) = document.get_mut("meta") {
            meta.insert("version".to_owned(), version.into());
        }
        Self { of, document }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        self.document.get("id").and_then(Value::as_str).unwrap_or_default()
    }

    /// Its entity tag.
    pub fn version(&self) -> &str {
        self.document.get("meta").and_then(|meta| meta.get("version")?.as_str()).unwrap_or_default()
    }
}

/// The entity tag of a document: what it says is what it is.
fn version(document: &Map<String, Value>) -> String {
    let text = serde_json::to_string(document).unwrap_or_default();
    let tag = fingerprint(&text);
    format!("W/\"{}\"", tag.get(..22).unwrap_or(&tag))
}

/// Makes a resource.
///
/// # Errors
/// What is wrong with it; [`Kind::Uniqueness`].
pub async fn create(app: &App, source: &Source, of: Type, body: &Value) -> Result<Resource, Error> {
    match of {
        Type::User => user::create(app, source, body).await,
        Type::Group => group::create(app, source, body).await,
    }
}

/// One resource.
///
/// # Errors
/// [`Kind::NotFound`].
pub async fn read(app: &App, of: Type, id: &str) -> Result<Resource, Error> {
    let mut tx = app.store.reader().await?;
    match of {
        Type::User => user::shown(&mut tx, id).await,
        Type::Group => group::shown(&mut tx, id).await,
    }
}

/// What becomes of a resource.
#[derive(Clone, Debug)]
pub enum Change {
    /// PUT: all that may be set is as it says.
    Replace(Value),
    /// PATCH.
    Patch(Value),
}

impl Change {
    /// Carries it out on what may be set of a document.
    fn apply(&self, of: Type, document: &mut Map<String, Value>) -> Result<(), Error> {
        match self {
            Self::Patch(request) => patch::apply(of, document, request),
            Self::Replace(body) => {
                *document = kept(of, body)?;
                Ok(())
            }
        }
    }
}

/// Changes a resource.
///
/// # Errors
/// [`Kind::NotFound`], [`Kind::Precondition`], what is wrong with the change.
pub async fn change(
    app: &App,
    source: &Source,
    of: Type,
    id: &str,
    change: Change,
    precondition: Precondition,
) -> Result<Resource, Error> {
    match of {
        Type::User => user::change(app, source, id, change, precondition).await,
        Type::Group => group::change(app, source, id, change, precondition).await,
    }
}

/// Deletes a resource.
///
/// # Errors
/// [`Kind::NotFound`], [`Kind::Precondition`].
pub async fn delete(
    app: &App,
    source: &Source,
    of: Type,
    id: &str,
    precondition: Precondition,
) -> Result<(), Error> {
    match of {
        Type::User => user::delete(app, source, id, precondition).await,
        Type::Group => group::delete(app, source, id, precondition).await,
    }
}

/// What is kept of the body of POST or PUT.
fn kept(of: Type, body: &Value) -> Result<Map<String, Value>, Error> {
    let object = body.as_object().ok_or_else(|| Error::new(Kind::InvalidSyntax, "The body is an object"))?;
    let schemas = object.iter().find(|(name, _)| name.eq_ignore_ascii_case("schemas"));
    let mut schemas = schemas.and_then(|(_, list)| list.as_array()).into_iter().flatten();
    if !schemas.any(|schema| schema.as_str().is_some_and(|text| text.eq_ignore_ascii_case(of.schema()))) {
        return Err(Error::new(Kind::InvalidSyntax, format!("schemas must hold {}", of.schema())));
    }
    Ok(of.kept(object))
}

/// A text of a document; none when it is absent.
fn text(document: &Map<String, Value>, name: &str) -> Result<Option<String>, Error> {
    match document.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= 512 && !text.contains('\0') => {
            Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
        }
        Some(_) => Err(Error::value(format!("{name} is a text of at most 512 characters"))),
    }
}
