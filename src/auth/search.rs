//! Searches: every type that a search touches needs the search right, and gives what its filter leaves.

use super::access::Access;
use super::permit::{Denied, Permit, SearchPermit};
use super::scope::Right;
use crate::fhir::registry::{ParamKind, ResourceType, SearchParam, TYPES};
use crate::fhir::search::{Condition, Include, SearchQuery};

impl Access {
    /// The permits for a search, which is cut down to the types that may be searched where the query leaves the
    /// type open: in a search of the whole system, in a chain or an include that can lead to several types.
    ///
    /// # Errors
    /// [`Denied`] when the query names a type that may not be searched, or asks for values that are not shown.
    pub fn search(&self, query: &mut SearchQuery) -> Result<SearchPermit, Denied> {
        if self.is_whole() {
            return Ok(SearchPermit::of_server("a search without limits"));
        }
        let mut touched = Touched { access: self, permits: Vec::new() };
        touched.types(query)?;
        let types = query.types.clone();
        for condition in &mut query.conditions {
            touched.condition(&types, condition)?;
        }
        for key in &query.sort {
            touched.shown(&types, key.param)?;
        }
        for include in &query.includes {
            touched.include(&types, include)?;
        }
        for include in &query.revincludes {
            touched.revinclude(include)?;
        }
        Ok(SearchPermit::of(touched.permits))
    }

    /// The permits of every type that may be searched.
    ///
    /// # Errors
    /// [`Denied`] when there is none.
    pub fn search_everything(&self) -> Result<SearchPermit, Denied> {
        if self.is_whole() {
            return Ok(SearchPermit::of_server("everything without limits"));
        }
        let permits: Vec<_> =
            TYPES.iter().filter_map(|rt| Some((rt.name, self.permit(Right::Search, rt).ok()?))).collect();
        if permits.is_empty() { Err(nothing()) } else { Ok(SearchPermit::of(permits)) }
    }

    /// The permits to refer to resources of these types, as far as there are any; `in_consent`: as the patient of
    /// a Consent.
    pub fn references(
        &self,
        types: impl Iterator<Item = &'static ResourceType>,
        in_consent: bool,
    ) -> SearchPermit {
        if self.is_whole() {
            return SearchPermit::of_server("references without limits");
        }
        let permit = |rt| self.permit_reference_of(rt, in_consent).ok();
        SearchPermit::of(types.filter_map(|rt| Some((rt.name, permit(rt)?))).collect())
    }
}

fn nothing() -> Denied {
    Denied("Your role and the scopes of this token do not allow to search anything".to_owned())
}

/// The types that a search was found to touch.
struct Touched<'a> {
    access: &'a Access,
    permits: Vec<(&'static str, Permit)>,
}

impl Touched<'_> {
    /// The permit of one type.
    fn permit(&mut self, rt: &'static ResourceType) -> Result<&Permit, Denied> {
        let known = self.permits.iter().position(|(name, _)| *name == rt.name);
        let at = if let Some(at) = known {
            at
        } else {
            let permit = self.access.permit(Right::Search, rt)?;
            self.permits.push((rt.name, permit));
            self.permits.len() - 1
        };
        self.permits.get(at).map(|(_, permit)| permit).ok_or_else(|| Denied(String::new()))
    }

    /// The types searched.
    fn types(&mut self, query: &mut SearchQuery) -> Result<(), Denied> {
        let named = query.types.len() == 1 || query.used.iter().any(|(name, _)| name == "_type");
        if named {
            for rt in &query.types {
                self.permit(rt)?;
            }
            return Ok(());
        }
        query.types.retain(|rt| self.permit(rt).is_ok());
        if query.types.is_empty() {
            return Err(nothing());
        }
        Ok(())
    }

    /// Refuses to search by what is not shown.
    fn shown(&mut self, types: &[&'static ResourceType], param: &SearchParam) -> Result<(), Denied> {
        for rt in types {
            if self.permit(rt)?.hides(param) {
                return Err(Denied(format!("{} is not shown of {}", param.code, rt.name)));
            }
        }
        Ok(())
    }

    fn condition(&mut self, of: &[&'static ResourceType], condition: &mut Condition) -> Result<(), Denied> {
        match condition {
            Condition::Param(param, _) | Condition::Missing(param, _) => self.shown(of, param),
            Condition::Chain(param, targets) => {
                self.shown(of, param)?;
                let mut refused = None;
                let mut kept = Vec::with_capacity(targets.len());
                for (target, mut inner) in targets.drain(..) {
                    let allowed = self.permit(target).map(drop);
                    match allowed.and_then(|()| self.condition(&[target], &mut inner)) {
                        Ok(()) => kept.push((target, inner)),
                        Err(denied) => refused = Some(denied),
                    }
                }
                *targets = kept;
                refused.filter(|_| targets.is_empty()).map_or(Ok(()), Err)
            }
            Condition::Has(source, param, inner) => {
                self.shown(&[source], param)?;
                self.condition(&[source], inner)
            }
            // The compartment that the request names.
            Condition::Any(ways) => ways.iter_mut().try_for_each(|(rt, inner)| match self.permit(rt) {
                Ok(_) => self.condition(&[rt], inner),
                // A type that is left out of the search.
                Err(_) => Ok(()),
            }),
            Condition::All(parts) | Condition::Either(parts) => {
                parts.iter_mut().try_for_each(|part| self.condition(of, part))
            }
            Condition::Not(inner) => self.condition(of, inner),
        }
    }

    /// `_include`: from what is searched, or from what another include found.
    fn include(&mut self, types: &[&'static ResourceType], include: &Include) -> Result<(), Denied> {
        let sources = match include.source {
            Some(source) => vec![source],
            None if include.iterate => TYPES.iter().collect(),
            None => types.to_vec(),
        };
        match include.param {
            Some(param) => self.shown(&sources, param)?,
            None => self.all_references_shown(&sources)?,
        }
        let narrowed = include.source.zip(include.param).and_then(|(rt, param)| rt.stored_as(param));
        let target = include.target.map(|rt| rt.name).or(narrowed.map(|(_, target)| target));
        self.any_of(|rt| match (target, include.param) {
            (Some(target), _) => rt.name == target,
            (None, Some(param)) => param.targets.is_empty() || param.targets.contains(&rt.name),
            (None, None) => true,
        })
    }

    /// `_revinclude`: the source is what is searched for.
    fn revinclude(&mut self, include: &Include) -> Result<(), Denied> {
        match (include.source, include.param) {
            (Some(source), Some(param)) => self.shown(&[source], param),
            (Some(source), None) => {
                self.permit(source)?;
                self.all_references_shown(&[source])
            }
            (None, _) => {
                self.any_of(|_| true)?;
                self.all_references_shown(&TYPES.iter().collect::<Vec<_>>())
            }
        }
    }

    /// Refuses to follow every reference of types of which some are not shown.
    fn all_references_shown(&mut self, types: &[&'static ResourceType]) -> Result<(), Denied> {
        for rt in types {
            let Ok(permit) = self.permit(rt) else { continue };
            let mut references = rt.params.iter().filter(|param| param.kind == ParamKind::Reference);
            if let Some(hidden) = references.find(|param| permit.hides(param)) {
                return Err(Denied(format!("{} is not shown of {}", hidden.code, rt.name)));
            }
        }
        Ok(())
    }

    /// At least one of these types may be searched; the others are left out.
    fn any_of(&mut self, wanted: impl Fn(&ResourceType) -> bool) -> Result<(), Denied> {
        let mut refused = None;
        let mut found = false;
        for rt in TYPES.iter().filter(|rt| wanted(rt)) {
            match self.permit(rt) {
                Ok(_) => found = true,
                Err(denied) => refused = Some(denied),
            }
        }
        refused.filter(|_| !found).map_or(Ok(()), Err)
    }
}
