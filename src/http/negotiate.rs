//! Which format a client sends and which it takes (R4 `http.html`, mime types and parameters).

use crate::fhir::outcome::{Error, Kind};
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};

/// A format of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Xml,
    /// A page for people; only where one exists.
    Html,
}

impl Format {
    /// The `Content-Type` of an answer.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/fhir+json; charset=utf-8",
            Self::Xml => "application/fhir+xml; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
        }
    }

    /// The format of a media type without parameters, lower case, or of R4's short form.
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "json" | "application/fhir+json" | "application/json" | "text/json" => Self::Json,
            "xml" | "application/fhir+xml" | "application/xml" | "text/xml" => Self::Xml,
            "html" | "text/html" => Self::Html,
            _ => return None,
        })
    }
}

/// What an answer should look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) format: Format,
    /// Indented, for people.
    pub(super) pretty: bool,
}

impl Wanted {
    /// JSON without spaces: what a client gets that asks for nothing.
    pub(super) const PLAIN: Self = Self { format: Format::Json, pretty: false };

    /// What `query` (`_format`, `_pretty`) and else `Accept` ask for; `page` when there is a page for people.
    ///
    /// # Errors
    /// 406 when nothing that is accepted can be produced.
    pub(super) fn of(query: &str, headers: &HeaderMap, page: bool) -> Result<Self, Error> {
        let mut pretty = false;
        let mut format = None;
        if query.contains("_format") || query.contains("_pretty") {
            for (name, value) in form_urlencoded::parse(query.as_bytes()) {
                match &*name {
                    "_pretty" => pretty = value == "true",
                    "_format" => format = Some(by_parameter(&value, page)?),
                    _ => {}
                }
            }
        }
        let format = match format {
            Some(format) => format,
            None => by_accept(headers, page)?,
        };
        Ok(Self { format, pretty })
    }
}

/// `_format`; a `+` that was not percent-encoded arrives as a space.
fn by_parameter(value: &str, page: bool) -> Result<Format, Error> {
    let (name, parameters) = split(value);
    let format = Format::of(&name.replace(' ', "+"));
    match format.filter(|format| (page || *format != Format::Html) && right_version(parameters)) {
        Some(format) => Ok(format),
        None => Err(not_acceptable()),
    }
}

fn by_accept(headers: &HeaderMap, page: bool) -> Result<Format, Error> {
    let mut best: Option<(u16, u8, Format)> = None;
    let mut asked = false;
    for header in headers.get_all(ACCEPT) {
        let Ok(text) = header.to_str() else { continue };
        if matches!(text, "*/*" | "application/fhir+json") && !asked {
            best = Some((1000, 0, Format::Json));
            asked = true;
            continue;
        }
        for range in text.split(',').filter(|range| !range.trim().is_empty()) {
            asked = true;
            let Some((format, specific, quality)) = accepted(range, page) else { continue };
            // Among equals the first named wins, and a name wins over a wildcard.
            if best.is_none_or(|(q, s, _)| (quality, specific) > (q, s)) {
                best = Some((quality, specific, format));
            }
        }
    }
    match best {
        Some((_, _, format)) => Ok(format),
        None if asked => Err(not_acceptable()),
        None => Ok(Format::Json),
    }
}

/// The format, how precisely it is named, and the quality in thousandths of one range of `Accept`.
fn accepted(range: &str, page: bool) -> Option<(Format, u8, u16)> {
    let (name, parameters) = split(range);
    let (format, specific) = match name.as_str() {
        "*/*" => (Format::Json, 0),
        "application/*" | "text/*" => (Format::Json, 1),
        name => (Format::of(name).filter(|_| name.contains('/'))?, 2),
    };
    let quality = parameter(parameters, "q").map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
    let quality = (quality.clamp(0.0, 1.0) * 1000.0) as u16;
    let offered = (page || format != Format::Html) && right_version(parameters) && quality > 0;
    offered.then_some((format, specific, quality))
}

fn not_acceptable() -> Error {
    Error::new(
        Kind::NotAcceptable,
        "None of the accepted formats can be produced; accept application/fhir+json or application/fhir+xml \
         (fhirVersion=4.0)",
    )
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Json,
    Xml,
    JsonPatch,
    /// The parameters of a search.
    Form,
}

impl Sent {
    /// What `Content-Type` says of a body that is not empty.
    ///
    /// # Errors
    /// 415 when it says nothing or something that is not read here.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let unsupported = |what: &str| {
            Error::new(
                Kind::UnsupportedMediaType,
                format!(
                    "{what}; send application/fhir+json, application/fhir+xml, or for a PATCH application/json-patch+json"
                ),
            )
        };
        if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Err(unsupported("A Content-Encoding is not read here"));
        }
        let Some(value) = headers.get(CONTENT_TYPE) else {
            return Err(unsupported("The body has no Content-Type"));
        };
        let (name, parameters) = split(value.to_str().map_err(|_| unsupported("Content-Type is not ASCII"))?);
        if parameter(parameters, "charset").is_some_and(|charset| {
            !charset.eq_ignore_ascii_case("utf-8") && !charset.eq_ignore_ascii_case("us-ascii")
        }) {
            return Err(unsupported("The body must be UTF-8"));
        }
        if !right_version(parameters) {
            return Err(unsupported("The body must be of FHIR version 4.0"));
        }
        match (name.as_str(), Format::of(&name)) {
            ("application/json-patch+json", _) => Ok(Self::JsonPatch),
            ("application/x-www-form-urlencoded", _) => Ok(Self::Form),
            (name, Some(Format::Json)) if name.contains('/') => Ok(Self::Json),
            (name, Some(Format::Xml)) if name.contains('/') => Ok(Self::Xml),
            (name, _) => Err(unsupported(&format!("Content-Type {name} is not read here"))),
        }
    }
}

/// A media type in lower case and its parameters.
fn split(value: &str) -> (String, &str) {
    let (name, parameters) = value.split_once(';').unwrap_or((value, ""));
    (name.trim().to_ascii_lowercase(), parameters)
}

fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

/// Whether a `fhirVersion` parameter, if there is one, means R4.
fn right_version(parameters: &str) -> bool {
    parameter(parameters, "fhirVersion").is_none_or(|version| matches!(version, "4.0" | "4.0.1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn wanted(query: &str, accept: &str) -> Result<Format, u16> {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
        }
        Wanted::of(query, &headers, false).map(|wanted| wanted.format).map_err(|error| error.kind.status())
    }

    #[test]
    fn accept_is_weighed() {
        for (accept, expected) in [
            ("", Ok(Format::Json)),
            ("*/*", Ok(Format::Json)),
            ("application/fhir+xml", Ok(Format::Xml)),
            ("application/xml;q=0.5, application/json;q=0.9", Ok(Format::Json)),
            ("application/json;q=0.5, text/xml", Ok(Format::Xml)),
            ("application/fhir+xml, application/fhir+json", Ok(Format::Xml)),
            ("*/*, application/fhir+xml", Ok(Format::Xml)),
            ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", Ok(Format::Xml)),
            ("text/html, */*;q=0.8", Ok(Format::Json)),
            ("application/fhir+json; fhirVersion=4.0", Ok(Format::Json)),
            ("application/fhir+json; fhirVersion=3.0", Err(406)),
            ("application/fhir+json; charset=utf-8", Ok(Format::Json)),
            ("application/fhir+json;q=0", Err(406)),
            ("image/png", Err(406)),
            ("json", Err(406)),
        ] {
            assert_eq!(wanted("", accept), expected, "{accept}");
        }
    }

    #[test]
    fn the_format_parameter_wins() {
        for (query, expected) in [
            ("_format=xml", Ok(Format::Xml)),
            ("_format=application/fhir+xml", Ok(Format::Xml)),
            ("_format=application%2Ffhir%2Bjson", Ok(Format::Json)),
            ("_format=text/html", Err(406)),
            ("_format=ttl", Err(406)),
            ("_format=application/fhir%2Bjson%3BfhirVersion=5.0", Err(406)),
        ] {
            assert_eq!(wanted(query, "application/fhir+json"), expected, "{query}");
        }
        assert!(Wanted::of("_pretty=true", &HeaderMap::new(), false).unwrap().pretty);
        assert_eq!(Wanted::of("_format=text/html", &HeaderMap::new(), true).unwrap().format, Format::Html);
    }

    #[test]
    fn content_types() {
        let sent = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(value).unwrap());
            Sent::of(&headers).map_err(|error| error.kind.status())
        };
        assert_eq!(sent("application/fhir+json; charset=UTF-8"), Ok(Sent::Json));
        assert_eq!(sent("text/xml"), Ok(Sent::Xml));
        assert_eq!(sent("Application/JSON-Patch+json"), Ok(Sent::JsonPatch));
        assert_eq!(sent("application/x-www-form-urlencoded"), Ok(Sent::Form));
        assert_eq!(sent("application/fhir+json; charset=latin1"), Err(415));
        assert_eq!(sent("application/fhir+json; fhirVersion=5.0"), Err(415));
        assert_eq!(sent("json"), Err(415));
        assert_eq!(sent("text/plain"), Err(415));
        assert_eq!(Sent::of(&HeaderMap::new()).unwrap_err().kind.status(), 415);
    }
}
