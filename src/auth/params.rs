//! Parameters of an OAuth request (RFC 6749 §3.1, §3.2): each at most once, and an empty one is none.

use super::error::{Code, OAuthError};

/// The parameters of a query or a form, in order.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query or a form.
    pub fn parse(text: &str) -> Self {
        let pairs = form_urlencoded::parse(text.as_bytes());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The parameters as a form, in order.
    pub fn form(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    /// One parameter; none when it is absent, empty or repeated.
    pub fn only(&self, name: &str) -> Option<&str> {
        self.get(name).ok().flatten()
    }

    /// One parameter; none when it is absent or empty.
    ///
    /// # Errors
    /// `invalid_request` when it is repeated.
    pub fn get(&self, name: &str) -> Result<Option<&str>, OAuthError> {
        let mut all = self.0.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str());
        let found = all.next().filter(|value| !value.is_empty());
        match all.next() {
            None => Ok(found),
            Some(_) => Err(OAuthError::new(Code::InvalidRequest, "a parameter is repeated")),
        }
    }

    /// One parameter that must be there.
    ///
    /// # Errors
    /// `invalid_request` with `missing` when it is not, or is repeated.
    pub fn need(&self, name: &str, missing: &'static str) -> Result<&str, OAuthError> {
        self.get(name)?.ok_or_else(|| OAuthError::new(Code::InvalidRequest, missing))
    }
}
