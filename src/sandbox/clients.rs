//! Applications of the sample clinic: one for each kind, so that tokens can be had without registering any.

use super::{Error, TokenError};
use crate::app::App;
use crate::app::oauth::clients::{self, NewClient};
use crate::auth::client::{ClientKeys, Proof};
use crate::auth::jws::base64url;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;

/// The application that acts for people.
pub(super) const PEOPLE: &str = "sandbox-token";
/// The application that acts for itself.
pub(super) const SYSTEM: &str = "sandbox-system";
/// Where answers for [`PEOPLE`] would be sent; nothing listens there.
pub(super) const REDIRECT: &str = "http://127.0.0.1/sandbox-token";
/// The most that [`PEOPLE`] may be given.
const PEOPLE_SCOPE: &str = "openid fhirUser launch/patient patient/*.cruds user/*.cruds";
/// What [`SYSTEM`] is given.
pub(super) const SYSTEM_SCOPE: &str = "system/*.cruds";

/// Registers the clients that are not there.
pub(super) async fn make(app: &App) -> Result<(), Error> {
    for new in [people(), system()?] {
        let known = match &new.id {
            Some(id) => clients::find(app, id).await?.is_some(),
            None => false,
        };
        if !known {
            clients::create(app, new, "sandbox").await.map_err(TokenError::Refused)?;
        }
    }
    Ok(())
}

fn people() -> NewClient {
    NewClient {
        id: Some(PEOPLE.to_owned()),
        name: "Sandbox, from the command line".to_owned(),
        proof: Proof::None,
        system: false,
        scope: PEOPLE_SCOPE.to_owned(),
        redirect_uris: vec![REDIRECT.to_owned()],
        launch_uri: None,
        keys: None,
        may_introspect: false,
        may_launch: false,
        may_provision: false,
    }
}

fn system() -> Result<NewClient, Error> {
    Ok(NewClient {
        id: Some(SYSTEM.to_owned()),
        name: "Sandbox, acting for itself".to_owned(),
        proof: Proof::Key,
        system: true,
        scope: SYSTEM_SCOPE.to_owned(),
        redirect_uris: Vec::new(),
        keys: Some(lost_key()?),
        ..people()
    })
}

/// A public key whose private half nobody keeps: tokens of this client come from the sandbox alone.
fn lost_key() -> Result<ClientKeys, Error> {
    let pair =
        EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map_err(|_| TokenError::Randomness)?;
    // An uncompressed point: a byte that says so, then two coordinates of 48 bytes.
    let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
    let (x, y) = point.split_at_checked(48).unwrap_or_default();
    let key = json!({
        "kty": "EC", "crv": "P-384", "alg": "ES384", "use": "sig", "kid": "none",
        "x": base64url(x), "y": base64url(y)
    });
    Ok(ClientKeys::Set(json!({ "keys": [key] })))
}
