//! `[brand]`: who runs this server, for applications that let people find it.

use super::units;
use serde::Deserialize;

/// `[brand]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brand {
    /// What people call the organisation; none: no brand is published.
    #[serde(deserialize_with = "units::optional_text")]
    pub name: Option<String>,
    /// The organisation's web site, which also identifies it where `identifier_value` is empty.
    #[serde(deserialize_with = "units::optional_text")]
    pub website: Option<String>,
    /// Namespace of the identifier.
    #[serde(deserialize_with = "units::optional_text")]
    pub identifier_system: Option<String>,
    /// Identifier of the organisation.
    #[serde(deserialize_with = "units::optional_text")]
    pub identifier_value: Option<String>,
    /// URL of the organisation's logo.
    #[serde(deserialize_with = "units::optional_text")]
    pub logo: Option<String>,
    /// What people call the portal.
    #[serde(deserialize_with = "units::optional_text")]
    pub portal_name: Option<String>,
    /// What people find there.
    #[serde(deserialize_with = "units::optional_text")]
    pub portal_description: Option<String>,
    /// Where people sign in; none: the sign-in page of this server.
    #[serde(deserialize_with = "units::optional_text")]
    pub portal_url: Option<String>,
}

/// The system of identifiers that are URLs.
const URLS: &str = "urn:ietf:rfc:3986";

impl Brand {
    /// System and value of the organisation's identifier.
    pub fn identifier(&self) -> Option<(&str, &str)> {
        match (&self.identifier_value, &self.website) {
            (Some(value), _) => Some((self.identifier_system.as_deref().unwrap_or(URLS), value)),
            (None, Some(website)) => Some((URLS, website)),
            (None, None) => None,
        }
    }
}

/// An endpoint elsewhere at which the tokens of this server are good.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct AssociatedEndpoint {
    /// Its FHIR base URL.
    pub url: String,
    /// SMART capabilities that it has.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// Every rule that is broken.
pub(super) fn problems(brand: &Brand, endpoints: &[AssociatedEndpoint], found: &mut Vec<String>) {
    for (setting, url) in
        [("website", &brand.website), ("logo", &brand.logo), ("portal_url", &brand.portal_url)]
    {
        if url.as_deref().is_some_and(|url| !is_https(url)) {
            found.push(format!("brand.{setting}: must be an https URL"));
        }
    }
    let others =
        [&brand.website, &brand.identifier_value, &brand.logo, &brand.portal_name, &brand.portal_url];
    if brand.name.is_none() && others.iter().any(|other| other.is_some()) {
        found.push("brand.name: must be set, or none of the section".to_owned());
    }
    if brand.name.is_some() && brand.website.is_none() {
        found.push("brand.website: must be set together with brand.name".to_owned());
    }
    for (at, endpoint) in endpoints.iter().enumerate() {
        if !is_https(&endpoint.url) {
            found.push(format!("fhir.associated_endpoints[{at}].url: must be an https URL"));
        }
    }
}

fn is_https(text: &str) -> bool {
    let uri = text.parse::<http::Uri>();
    uri.is_ok_and(|uri| uri.scheme_str() == Some("https") && uri.host().is_some_and(|host| !host.is_empty()))
}
