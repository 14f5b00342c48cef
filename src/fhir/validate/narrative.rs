//! Narrative: XHTML that is well formed, says something, and can do nothing (`txt-1`, `txt-2`).

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// The namespace of `Narrative.div`.
const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// Deeper than any text that a person reads.
const MAX_DEPTH: usize = 64;

/// Elements of HTML 4.0 chapters 7 to 11 (without 9.4) and 15, links and images.
const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "address",
    "b",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "font",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
];

/// Attributes that only describe or place.
const ATTRIBUTES: &[&str] = &[
    "abbr",
    "accesskey",
    "align",
    "alt",
    "axis",
    "bgcolor",
    "border",
    "cellhalign",
    "cellpadding",
    "cellspacing",
    "cellvalign",
    "char",
    "charoff",
    "charset",
    "cite",
    "class",
    "color",
    "colspan",
    "compact",
    "coords",
    "dir",
    "face",
    "frame",
    "headers",
    "height",
    "href",
    "hreflang",
    "hspace",
    "id",
    "lang",
    "longdesc",
    "name",
    "noshade",
    "nowrap",
    "rel",
    "rev",
    "rowspan",
    "rules",
    "scope",
    "shape",
    "size",
    "span",
    "src",
    "start",
    "style",
    "summary",
    "tabindex",
    "title",
    "type",
    "valign",
    "value",
    "vspace",
    "width",
    "xml:lang",
    "xml:space",
    "xmlns",
];

/// What is wrong with a `div`, if anything.
pub(crate) fn problem(div: &str) -> Option<String> {
    let mut reader = Reader::from_str(div);
    reader.config_mut().check_comments = true;
    let mut depth = 0_usize;
    let mut closed = false;
    let mut says_something = false;
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => return Some(format!("the narrative is not well-formed XHTML: {error}")),
        };
        if closed && !matches!(event, Event::Eof) {
            return Some("the narrative goes on after its div".into());
        }
        match event {
            Event::Start(tag) => {
                if let Some(problem) = tag_problem(&tag, depth == 0) {
                    return Some(problem);
                }
                says_something |= tag.name().into_inner() == b"img";
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some(format!("the narrative is nested deeper than {MAX_DEPTH}"));
                }
            }
            Event::Empty(tag) => {
                if let Some(problem) = tag_problem(&tag, depth == 0) {
                    return Some(problem);
                }
                says_something |= tag.name().into_inner() == b"img";
                closed = depth == 0;
            }
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                closed = depth == 0;
            }
            Event::Text(text) if depth > 0 => {
                if text.iter().any(|b| !b.is_ascii_whitespace()) {
                    says_something = true;
                }
            }
            Event::GeneralRef(entity) => {
                let known =
                    entity.is_char_ref() || matches!(&*entity, b"amp" | b"lt" | b"gt" | b"quot" | b"apos");
                if depth == 0 || !known || entity.resolve_char_ref().is_err() {
                    return Some(format!(
                        "the narrative uses &{};, which XML does not know; write the character itself",
                        String::from_utf8_lossy(&entity)
                    ));
                }
                says_something = true;
            }
            Event::Comment(_) if depth > 0 => {}
            Event::Eof if !closed => return Some("the narrative must be one closed div".into()),
            Event::Eof => break,
            _ => return Some("the narrative must be one div of plain XHTML".into()),
        }
    }
    (!says_something).then(|| "the narrative says nothing (txt-2)".into())
}

fn tag_problem(tag: &BytesStart<'_>, is_root: bool) -> Option<String> {
    let name = String::from_utf8_lossy(tag.name().into_inner()).into_owned();
    if is_root && name != "div" {
        return Some("the narrative must be one div".into());
    }
    if !ELEMENTS.contains(&name.as_str()) {
        return Some(format!("the element <{name}> is not allowed in a narrative (txt-1)"));
    }
    let mut in_namespace = false;
    for attribute in tag.attributes() {
        let Ok(attribute) = attribute else {
            return Some(format!("the narrative has a malformed attribute in <{name}>"));
        };
        let key = String::from_utf8_lossy(attribute.key.into_inner()).into_owned();
        let Ok(value) = attribute.unescape_value() else {
            return Some(format!("the narrative has a malformed attribute {key} in <{name}>"));
        };
        if value.contains('<') || attribute.value.contains(&b'<') {
            return Some(format!("the narrative has a bare < in the attribute {key}"));
        }
        if !ATTRIBUTES.contains(&key.as_str()) {
            return Some(format!("the attribute {key} is not allowed in a narrative (txt-1)"));
        }
        if key == "xmlns" {
            if value != XHTML {
                return Some(format!("the namespace of a narrative is {XHTML}"));
            }
            in_namespace = true;
        }
        let link: String = value.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
        let link = link.to_ascii_lowercase();
        if link.starts_with("javascript:") || link.starts_with("vbscript:") {
            return Some(format!("the attribute {key} of a narrative may not run a script (txt-1)"));
        }
    }
    (is_root && !in_namespace).then(|| format!("the narrative's div must have xmlns=\"{XHTML}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn div(inner: &str) -> String {
        format!("<div xmlns=\"{XHTML}\">{inner}</div>")
    }

    #[test]
    fn plain_text_is_fine() {
        for inner in ["x", "<p>a<br/>b &amp; c &#160;</p>", "<img src=\"#a\" alt=\"b\"/>", "<!-- a -->x"] {
            assert_eq!(problem(&div(inner)), None, "{inner}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for inner in [
            "",
            " \n ",
            "<script>x</script>",
            "<p onclick=\"x\">y</p>",
            "<p>x",
            "x</div><div>y",
            "&nbsp;",
            "&#0;",
            "<a href=\"java&#10;script:x\">y</a>",
            "<p a=b>x</p>",
            "<![CDATA[x]]>",
            "<?x y?>x",
            "<form/>",
            "<a href=\"<\">x</a>",
            "<p class=\"a\" class=\"b\">x</p>",
        ] {
            assert!(problem(&div(inner)).is_some(), "{inner}");
        }
        assert!(problem("<div>x</div>").is_some());
        assert!(problem("x").is_some());
        assert!(problem("").is_some());
        assert!(problem(&format!("<!DOCTYPE div>{}", div("x"))).is_some());
        assert!(problem(&div(&"<b>".repeat(100_000))).is_some());
    }
}
