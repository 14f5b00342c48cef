//! `Prefer` (RFC 7240) as R4 `http.html` uses it.

use http::HeaderMap;

/// What a write should answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Return {
    Minimal,
    Representation,
    OperationOutcome,
}

/// The preferences that this server knows; others are ignored, as the RFC says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prefer {
    pub(super) returning: Option<Return>,
    /// `handling`: whether parameters that are not understood refuse the request.
    pub(super) strict: Option<bool>,
    /// `respond-async`
    pub(super) respond_async: bool,
}

impl Prefer {
    /// The preferences of all `Prefer` headers; the first of a kind counts.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut prefer = Self::default();
        let values = headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok());
        for preference in values.flat_map(|value| value.split([',', ';'])) {
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let value = value.trim().trim_matches('"');
            if name.trim().eq_ignore_ascii_case("respond-async") {
                prefer.respond_async = true;
            } else if name.trim().eq_ignore_ascii_case("return") && prefer.returning.is_none() {
                prefer.returning = match value {
                    "minimal" => Some(Return::Minimal),
                    "representation" => Some(Return::Representation),
                    "OperationOutcome" => Some(Return::OperationOutcome),
                    _ => None,
                };
            } else if name.trim().eq_ignore_ascii_case("handling") && prefer.strict.is_none() {
                prefer.strict = match value {
                    "strict" => Some(true),
                    "lenient" => Some(false),
                    _ => None,
                };
            }
        }
        prefer
    }

    /// `Preference-Applied`: what was honoured, when something was asked for.
    pub(super) fn applied(self, is_write: bool) -> Option<&'static str> {
        if is_write {
            return self.returning.map(|returning| match returning {
                Return::Minimal => "return=minimal",
                Return::Representation => "return=representation",
                Return::OperationOutcome => "return=OperationOutcome",
            });
        }
        self.strict.map(|strict| if strict { "handling=strict" } else { "handling=lenient" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn known_preferences_are_read_and_others_ignored() {
        let mut headers = HeaderMap::new();
        headers.append("prefer", HeaderValue::from_static("respond-async, return=minimal; handling=strict"));
        headers.append("prefer", HeaderValue::from_static("return=representation"));
        let prefer = Prefer::of(&headers);
        assert_eq!(
            prefer,
            Prefer { returning: Some(Return::Minimal), strict: Some(true), respond_async: true }
        );
        assert_eq!(prefer.applied(true), Some("return=minimal"));
        assert_eq!(prefer.applied(false), Some("handling=strict"));
        assert_eq!(Prefer::of(&HeaderMap::new()).applied(true), None);
    }
}
