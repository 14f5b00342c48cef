//! What clients find out by themselves: SMART configuration, OpenID Connect discovery.

use super::brand;
use crate::auth::token::issuer_of;
use crate::config::Config;
use serde_json::{Map, Value, json};

/// SMART capabilities (SMART 2.2 "Capabilities"): those that work, no others.
const CAPABILITIES: &[&str] = &[
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-style",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-encounter",
    "context-standalone-patient",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
];

const SCOPES: &[&str] = &[
    "openid",
    "fhirUser",
    "profile",
    "launch",
    "launch/patient",
    "launch/encounter",
    "offline_access",
    "online_access",
    "patient/*.cruds",
    "patient/*.read",
    "patient/*.write",
    "user/*.cruds",
    "user/*.read",
    "user/*.write",
    "system/*.cruds",
    "system/*.read",
    "system/*.write",
];

/// Path of the documentation for developers, which anybody may read.
pub const DOCUMENTATION: &str = "/openapi";

/// `{base}/.well-known/smart-configuration`
pub fn smart(config: &Config, base: &str) -> Value {
    let mut document = common(base);
    let origin = issuer_of(base);
    let mut put = |name: &str, value: Value| document.insert(name.to_owned(), value);
    put("capabilities", json!(CAPABILITIES));
    put("management_endpoint", format!("{origin}/apps").into());
    if config.brand.name.is_some() {
        put("user_access_brand_bundle", format!("{origin}{}", brand::PATH).into());
        put("user_access_brand_identifier", brand::identifier(&config.brand));
    }
    let associated: Vec<Value> = config
        .fhir
        .associated_endpoints
        .iter()
        .map(|endpoint| json!({ "url": endpoint.url, "capabilities": endpoint.capabilities }))
        .collect();
    if !associated.is_empty() {
        put("associated_endpoints", associated.into());
    }
    Value::Object(document)
}

/// `{issuer}/.well-known/openid-configuration`
pub fn openid(base: &str) -> Value {
    let mut document = common(base);
    let mut put = |name: &str, value: Value| document.insert(name.to_owned(), value);
    put("subject_types_supported", json!(["public"]));
    put("id_token_signing_alg_values_supported", json!(["RS256"]));
    put(
        "claims_supported",
        json!(["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "fhirUser", "profile"]),
    );
    put("prompt_values_supported", json!(["login", "consent", "select_account"]));
    put("request_parameter_supported", false.into());
    put("request_uri_parameter_supported", false.into());
    put("claims_parameter_supported", false.into());
    Value::Object(document)
}

fn common(base: &str) -> Map<String, Value> {
    let origin = issuer_of(base);
    let at = |path: &str| Value::from(format!("{origin}{path}"));
    let methods = json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]);
    let mut document = Map::new();
    let mut put = |name: &str, value: Value| document.insert(name.to_owned(), value);
    put("issuer", origin.into());
    put("service_documentation", at(DOCUMENTATION));
    put("jwks_uri", at("/oauth/jwks"));
    put("authorization_endpoint", at("/oauth/authorize"));
    put("token_endpoint", at("/oauth/token"));
    put("registration_endpoint", at("/oauth/register"));
    put("introspection_endpoint", at("/oauth/introspect"));
    put("revocation_endpoint", at("/oauth/revoke"));
    put("grant_types_supported", json!(["authorization_code", "refresh_token", "client_credentials"]));
    put("response_types_supported", json!(["code"]));
    put("response_modes_supported", json!(["query"]));
    put("code_challenge_methods_supported", json!(["S256"]));
    put("scopes_supported", json!(SCOPES));
    let public = json!(["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]);
    put("token_endpoint_auth_methods_supported", public.clone());
    put("token_endpoint_auth_signing_alg_values_supported", json!(["RS384", "ES384"]));
    put("revocation_endpoint_auth_methods_supported", public);
    put("introspection_endpoint_auth_methods_supported", methods);
    document
}

/// `/smart-style.json`: how applications can look like these pages (SMART "Styling").
pub fn style() -> Value {
    json!({
        "color_background": "#ffffff",
        "color_error": "#a4262c",
        "color_highlight": "#1d6fa5",
        "color_modal_backdrop": "#00000080",
        "color_success": "#2b7a3d",
        "color_text": "#1c1c1c",
        "dim_border_radius": "4px",
        "dim_font_size": "16px",
        "dim_spacing_size": "16px",
        "font_family_body": "system-ui, sans-serif",
        "font_family_heading": "system-ui, sans-serif"
    })
}
