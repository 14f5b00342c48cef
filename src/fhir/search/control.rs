//! The parameters that shape the result instead of choosing it.

use super::parse::{Parsed, Parser, include};
use super::{Condition, Include, Rules, SearchQuery, SortKey, Summary, Total};
use crate::fhir::outcome::Issue;
use crate::fhir::registry::{ParamKind, ResourceType};
use crate::fhir::summary::names;

/// Most `_include` and `_revinclude` together, and most sort keys.
const MAX_INCLUDES: usize = 32;
const MAX_SORT_KEYS: usize = 8;
/// A `_count` over the cap is cut down to it, as R4 allows; one this many times over is no page any more.
const FAR_BEYOND: u32 = 100;

/// Result parameters as they come in.
pub(super) struct Controls {
    includes: Vec<Include>,
    revincludes: Vec<Include>,
    sort: Vec<SortKey>,
    count: u32,
    max_count: u32,
    total: Total,
    summary: Option<Summary>,
    count_only: bool,
    elements: Vec<String>,
    cursor: Option<String>,
}

impl Controls {
    pub(super) fn new(rules: &Rules<'_>) -> Self {
        Self {
            includes: Vec::new(),
            revincludes: Vec::new(),
            sort: Vec::new(),
            count: rules.default_count.max(1),
            max_count: rules.max_count.max(1),
            total: Total::None,
            summary: None,
            count_only: false,
            elements: Vec::new(),
            cursor: None,
        }
    }

    /// Takes a result parameter; `None` when `name` is not one.
    pub(super) fn take(
        &mut self,
        parser: &Parser<'_>,
        name: &str,
        raw: &str,
    ) -> Option<Result<Parsed<()>, Issue>> {
        let taken = match name {
            "_include" | "_include:iterate" | "_include:recurse" => {
                include(name, raw, name != "_include").map(|i| self.includes.push(i))
            }
            "_revinclude" | "_revinclude:iterate" | "_revinclude:recurse" => {
                include(name, raw, name != "_revinclude").map(|i| self.revincludes.push(i))
            }
            "_sort" => self.sort(parser, raw),
            "_count" => self.count(raw),
            "_total" => match raw {
                "none" => Ok(Total::None),
                "estimate" | "accurate" => Ok(Total::Accurate),
                _ => Err(Issue::error("invalid", "_total is none, estimate or accurate")),
            }
            .map(|total| self.total = total),
            "_summary" => Summary::parse(raw)
                .ok_or_else(|| Issue::error("invalid", "_summary is true, text, data, count or false"))
                .map(|summary| self.summary = Some(summary)),
            "_elements" => {
                self.elements.extend(names(raw));
                Ok(())
            }
            "_contained" if raw == "false" => Ok(()),
            "_page" => {
                self.cursor = Some(raw.to_owned());
                Ok(())
            }
            _ => return None,
        };
        let taken = taken.and_then(|()| {
            if self.includes.len() + self.revincludes.len() > MAX_INCLUDES {
                Err(Issue::error("too-costly", format!("a search takes at most {MAX_INCLUDES} includes")))
            } else {
                Ok(Parsed::Known(()))
            }
        });
        Some(taken)
    }

    fn sort(&mut self, parser: &Parser<'_>, raw: &str) -> Result<(), Issue> {
        for key in raw.split(',').map(str::trim).filter(|k| !k.is_empty()) {
            let (code, descending) = key.strip_prefix('-').map_or((key, false), |code| (code, true));
            let param = parser
                .param(code)
                .filter(|p| !matches!(p.kind, ParamKind::Special | ParamKind::Composite))
                .ok_or_else(|| Issue::error("invalid", format!("_sort: can't sort by '{code}'")))?;
            self.sort.push(SortKey { param, descending });
        }
        if self.sort.len() > MAX_SORT_KEYS {
            return Err(Issue::error("too-costly", format!("_sort takes at most {MAX_SORT_KEYS} keys")));
        }
        Ok(())
    }

    fn count(&mut self, raw: &str) -> Result<(), Issue> {
        let digits = !raw.is_empty() && raw.bytes().all(|b| b.is_ascii_digit());
        if !digits {
            return Err(Issue::error("invalid", "_count is a whole number, 0 or more"));
        }
        // Beyond u32 is beyond the cap as well.
        let count = raw.parse().unwrap_or(u32::MAX);
        if count > self.max_count.saturating_mul(FAR_BEYOND) {
            let limit = self.max_count;
            return Err(Issue::error(
                "too-costly",
                format!("_count may be at most {limit}; follow the next links"),
            ));
        }
        self.count_only = count == 0;
        self.count = count.clamp(1, self.max_count);
        Ok(())
    }

    pub(super) fn into_query(
        self,
        types: Vec<&'static ResourceType>,
        conditions: Vec<Condition>,
    ) -> SearchQuery {
        let summary = if self.count_only { Summary::Count } else { self.summary.unwrap_or(Summary::False) };
        SearchQuery {
            types,
            conditions,
            includes: self.includes,
            revincludes: self.revincludes,
            sort: self.sort,
            count: self.count,
            total: self.total,
            summary,
            elements: self.elements,
            cursor: self.cursor,
            compartment: None,
            unknown: Vec::new(),
            used: Vec::new(),
        }
    }
}
