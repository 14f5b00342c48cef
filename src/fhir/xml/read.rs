//! XML as it comes in: checked, and rewritten into elements with plain names and three attributes.

use std::ops::Range;

use quick_xml::NsReader;
use quick_xml::escape::escape;
use quick_xml::events::{BytesDecl, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};

use super::{FHIR, ID_STAND_IN, XHTML, stand_in};
use crate::fhir::parse::is_text;

/// Deeper than any real resource.
const MAX_DEPTH: usize = 64;
/// Attributes of one tag, namespaces included; comparing many with one another would take long.
const MAX_ATTRIBUTES: usize = 32;
/// Where `xsi:schemaLocation` comes from, which says nothing about the resource.
const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// XML that fhirbolt reads well, and the narratives that were taken out of it.
pub(super) struct Clean {
    pub(super) text: String,
    pub(super) narratives: Vec<String>,
}

/// Checks and rewrites a document.
///
/// # Errors
/// What is wrong with it, for a person.
pub(super) fn clean(source: &str) -> Result<Clean, String> {
    let mut reader = NsReader::from_str(source);
    let mut state =
        State { open: Vec::new(), out: String::with_capacity(source.len()), narratives: Vec::new() };
    let mut started = false;
    loop {
        let before = position(&reader);
        let event = reader.read_event().map_err(|error| error.to_string())?;
        if let Event::Start(tag) | Event::Empty(tag) = &event
            && tag.attributes().with_checks(false).take(MAX_ATTRIBUTES + 1).count() > MAX_ATTRIBUTES
        {
            return Err(format!("a tag has more than {MAX_ATTRIBUTES} attributes"));
        }
        match event {
            Event::Decl(decl) if before == 0 => declaration(&decl)?,
            Event::Decl(_) => return Err("the XML declaration must come first".into()),
            Event::Start(_) | Event::Empty(_) if started && state.open.is_empty() => {
                return Err("there must be one root element".into());
            }
            Event::Start(tag) => {
                started = true;
                if is_narrative(&reader, &tag) {
                    let div = narrative(&mut reader, source, before)?;
                    state.narrative(source.get(div).unwrap_or_default())?;
                } else {
                    state.open(&reader, &tag)?;
                }
            }
            Event::Empty(tag) => {
                started = true;
                if is_narrative(&reader, &tag) {
                    state.narrative(source.get(before..position(&reader)).unwrap_or_default())?;
                } else {
                    state.open(&reader, &tag)?;
                    state.close()?;
                }
            }
            Event::End(_) => state.close()?,
            Event::Text(text) => {
                if text.iter().any(|b| !b.is_ascii_whitespace()) {
                    return Err("there is text outside of a narrative; values are attributes".into());
                }
            }
            Event::Comment(_) => {}
            Event::CData(_) | Event::GeneralRef(_) => {
                return Err("there is text outside of a narrative; values are attributes".into());
            }
            Event::DocType(_) => return Err("a document type is not allowed".into()),
            Event::PI(_) => return Err("a processing instruction is not allowed".into()),
            Event::Eof if !state.open.is_empty() => return Err("it ends before its last element does".into()),
            Event::Eof if !started => return Err("it has no root element".into()),
            Event::Eof => break,
        }
    }
    Ok(Clean { text: state.out, narratives: state.narratives })
}

fn position(reader: &NsReader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn declaration(decl: &BytesDecl<'_>) -> Result<(), String> {
    if decl.version().map_err(|error| error.to_string())?.as_ref() != b"1.0" {
        return Err("only XML 1.0 is read".into());
    }
    match decl.encoding() {
        None => Ok(()),
        Some(Ok(encoding)) if encoding.eq_ignore_ascii_case(b"utf-8") => Ok(()),
        Some(_) => Err("only UTF-8 is read".into()),
    }
}

fn namespace_is(resolved: &ResolveResult<'_>, name: &str) -> bool {
    *resolved == ResolveResult::Bound(Namespace(name.as_bytes()))
}

fn is_narrative(reader: &NsReader<&[u8]>, tag: &BytesStart<'_>) -> bool {
    let (namespace, _) = reader.resolve_element(tag.name());
    namespace_is(&namespace, XHTML)
}

/// Reads to the end of the narrative whose first tag began at `from`; the validator judges its content.
fn narrative(reader: &mut NsReader<&[u8]>, source: &str, from: usize) -> Result<Range<usize>, String> {
    let mut depth = 1_usize;
    while depth > 0 {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            Event::DocType(_) => return Err("a document type is not allowed".into()),
            Event::PI(_) => return Err("a processing instruction is not allowed".into()),
            Event::Eof => return Err("it ends before its narrative does".into()),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(format!("its narrative is nested deeper than {MAX_DEPTH}"));
        }
    }
    Ok(from..position(reader).min(source.len()))
}

/// An element that is still open.
struct Open {
    name: String,
    has_attributes: bool,
    children: usize,
    holds_resource: bool,
}

struct State {
    open: Vec<Open>,
    out: String,
    narratives: Vec<String>,
}

impl State {
    fn open(&mut self, reader: &NsReader<&[u8]>, tag: &BytesStart<'_>) -> Result<(), String> {
        let (namespace, local) = reader.resolve_element(tag.name());
        let name = std::str::from_utf8(local.into_inner()).map_err(|error| error.to_string())?;
        if !namespace_is(&namespace, FHIR) {
            return Err(format!("<{name}> is not in the namespace {FHIR}"));
        }
        if !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || !name.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            return Err(format!("<{name}> is not an element of FHIR"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("it is nested deeper than {MAX_DEPTH}"));
        }
        let is_resource = is_resource(name);
        if self.open.is_empty() && !is_resource {
            return Err(format!("the root element must be a resource, not <{name}>"));
        }
        self.child(name, is_resource)?;
        self.out.push('<');
        self.out.push_str(name);
        if self.open.is_empty() {
            self.out.push_str(" xmlns=\"");
            self.out.push_str(FHIR);
            self.out.push('"');
        }
        let mut id = None;
        let has_attributes = self.attributes(reader, tag, name, &mut id)?;
        self.out.push('>');
        if let Some(id) = id {
            let carried = escape(id.as_str());
            self.out.push_str("<extension url=\"");
            self.out.push_str(ID_STAND_IN);
            self.out.push_str("\"><valueString value=\"");
            self.out.push_str(&carried);
            self.out.push_str("\"></valueString></extension>");
        }
        self.open.push(Open { name: name.to_owned(), has_attributes, children: 0, holds_resource: false });
        Ok(())
    }

    /// Counts a child in; a resource is the only child of what holds it.
    fn child(&mut self, name: &str, is_resource: bool) -> Result<(), String> {
        let Some(parent) = self.open.last_mut() else { return Ok(()) };
        let crowded =
            is_resource && (parent.children > 0 || parent.has_attributes || is_resource_name(parent));
        if parent.holds_resource || crowded {
            return Err(format!("<{name}> can't stand there in <{}>", parent.name));
        }
        parent.children += 1;
        parent.holds_resource = is_resource;
        Ok(())
    }

    /// Writes `url` and `value` and hands over `id`; whether there was any.
    fn attributes(
        &mut self,
        reader: &NsReader<&[u8]>,
        tag: &BytesStart<'_>,
        name: &str,
        id: &mut Option<String>,
    ) -> Result<bool, String> {
        let mut any = false;
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let (namespace, local) = reader.resolve_attribute(attribute.key);
            if namespace_is(&namespace, SCHEMA_INSTANCE) {
                continue;
            }
            let key = std::str::from_utf8(local.into_inner()).map_err(|error| error.to_string())?;
            if namespace != ResolveResult::Unbound || !matches!(key, "id" | "url" | "value") {
                return Err(format!("<{name}> has no attribute {key}"));
            }
            if is_resource(name) {
                return Err(format!("the {key} of <{name}> is an element, not an attribute"));
            }
            let value = attribute
                .unescape_value()
                .map_err(|error| format!("the attribute {key} of <{name}>: {error}"))?;
            if value.is_empty() {
                return Err(format!("the attribute {key} of <{name}> is empty"));
            }
            if !value.chars().all(is_text) {
                return Err(format!("the attribute {key} of <{name}> holds a character that is not allowed"));
            }
            any = true;
            if key == "id" {
                *id = Some(value.into_owned());
                continue;
            }
            if value == ID_STAND_IN {
                return Err(format!("the attribute {key} of <{name}> is not allowed to be {value}"));
            }
            self.out.push(' ');
            self.out.push_str(key);
            self.out.push_str("=\"");
            self.out.push_str(&escape(value.as_ref()));
            self.out.push('"');
        }
        Ok(any)
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(element) = self.open.pop() else { return Err("an end tag has no start tag".into()) };
        if element.children == 0 && !element.has_attributes && !is_resource(&element.name) {
            return Err(format!("<{}> has neither a value nor children", element.name));
        }
        self.out.push_str("</");
        self.out.push_str(&element.name);
        self.out.push('>');
        Ok(())
    }

    fn narrative(&mut self, div: &str) -> Result<(), String> {
        if self.open.is_empty() {
            return Err("the root element must be a resource, not a narrative".into());
        }
        self.child("div", false)?;
        self.out.push_str(&stand_in(self.narratives.len()));
        self.narratives.push(div.to_owned());
        Ok(())
    }
}

fn is_resource(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
}

fn is_resource_name(element: &Open) -> bool {
    is_resource(&element.name)
}
