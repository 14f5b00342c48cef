//! What pages say, in the reader's language: `locales/{en,es}/*.ftl`.

use fluent_templates::{LanguageIdentifier, Loader, fluent_bundle::FluentValue, static_loader};
use std::borrow::Cow;
use std::collections::HashMap;
use unic_langid::langid;

static_loader! {
    static LOCALES = {
        locales: "./locales",
        fallback_language: "en",
        // Marks around every inserted word would be read aloud by some screen readers.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

/// Languages that pages are written in.
pub(super) const LANGUAGES: [LanguageIdentifier; 2] = [langid!("en"), langid!("es")];

/// The words of one language. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Words {
    language: LanguageIdentifier,
}

impl Words {
    /// The language that a person chose or, failing that, the one that their browser asks for.
    pub(super) fn choose(locale: Option<&str>, accepted: Option<&str>) -> Self {
        let spoken = |tag: &str| {
            let primary = tag.split('-').next().unwrap_or_default();
            LANGUAGES.into_iter().find(|known| known.language.as_str().eq_ignore_ascii_case(primary))
        };
        let language = locale.and_then(spoken).or_else(|| preferred(accepted?).into_iter().find_map(spoken));
        Self { language: language.unwrap_or(langid!("en")) }
    }

    /// The language as the `lang` attribute has it.
    pub(super) fn lang(&self) -> String {
        self.language.to_string()
    }

    /// The text called `id`.
    pub(super) fn t(&self, id: &str) -> String {
        LOCALES.lookup(&self.language, id)
    }

    /// The text called `id`, if there is one.
    pub(super) fn find(&self, id: &str) -> Option<String> {
        LOCALES.try_lookup(&self.language, id)
    }

    /// The text called `id` with a word put in.
    pub(super) fn with(&self, id: &str, name: &'static str, value: &str) -> String {
        self.args(id, &[(name, value)])
    }

    /// The text called `id` with a number put in.
    pub(super) fn number(&self, id: &str, name: &'static str, value: i64) -> String {
        let args = HashMap::from([(Cow::Borrowed(name), FluentValue::from(value))]);
        LOCALES.lookup_with_args(&self.language, id, &args)
    }

    /// The text called `id` with words put in.
    pub(super) fn args(&self, id: &str, pairs: &[(&'static str, &str)]) -> String {
        let pair = |(name, value): &(&'static str, &str)| {
            (Cow::Borrowed(*name), FluentValue::from((*value).to_owned()))
        };
        LOCALES.lookup_with_args(&self.language, id, &pairs.iter().map(pair).collect())
    }
}

/// The tags of an `Accept-Language` header, the most wanted first.
fn preferred(header: &str) -> Vec<&str> {
    let mut wanted: Vec<(f32, &str)> = header
        .split(',')
        .take(20)
        .filter_map(|part| {
            let (tag, parameters) = part.split_once(';').unwrap_or((part, ""));
            let weight = match parameters.trim().strip_prefix("q=") {
                Some(weight) => weight.trim().parse().ok()?,
                None => 1.0,
            };
            (weight > 0.0).then_some((weight, tag.trim()))
        })
        .collect();
    wanted.sort_by(|one, other| other.0.total_cmp(&one.0));
    wanted.into_iter().map(|(_, tag)| tag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::registry::TYPES;
    use std::collections::BTreeSet;

    fn lang(locale: Option<&str>, accepted: Option<&str>) -> String {
        Words::choose(locale, accepted).lang()
    }

    #[test]
    fn the_chosen_language_wins_over_the_browsers() {
        assert_eq!(lang(Some("es"), Some("en")), "es");
        assert_eq!(lang(Some("fr"), Some("es-MX,en;q=0.5")), "es");
        assert_eq!(lang(None, Some("en;q=0.4, es-419;q=0.9")), "es");
        assert_eq!(lang(None, Some("de, es;q=0")), "en");
        assert_eq!(lang(None, None), "en");
    }

    /// Names of the messages of one locale.
    fn names(locale: &str) -> BTreeSet<String> {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("locales").join(locale);
        let files = std::fs::read_dir(dir).expect("a locale").flatten();
        let text: String = files.map(|file| std::fs::read_to_string(file.path()).expect("a file")).collect();
        let name = |line: &str| {
            let (name, _) = line.split_once(" =")?;
            (!name.starts_with([' ', '#', '-'])).then(|| name.to_owned())
        };
        text.lines().filter_map(name).collect()
    }

    #[test]
    fn both_languages_say_the_same_things() {
        let (english, spanish) = (names("en"), names("es"));
        assert!(english.len() > 100, "{}", english.len());
        let missing: Vec<_> = english.symmetric_difference(&spanish).collect();
        assert!(missing.is_empty(), "only in one language: {missing:?}");
    }

    #[test]
    fn every_word_that_templates_use_is_there() {
        let known = names("en");
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let mut used = BTreeSet::new();
        for file in std::fs::read_dir(dir).expect("templates").flatten() {
            let text = std::fs::read_to_string(file.path()).expect("a template");
            for call in [".t(\"", ".with(\"", ".number(\"", ".args(\""] {
                used.extend(
                    text.split(call).skip(1).filter_map(|rest| rest.split('"').next().map(str::to_owned)),
                );
            }
        }
        assert!(used.len() > 50, "{used:?}");
        let missing: Vec<_> = used.difference(&known).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn every_type_has_a_name_that_people_understand() {
        for language in ["en", "es"] {
            let words = Words::choose(Some(language), None);
            for rtype in TYPES {
                let id = format!("type-{}", rtype.name);
                assert!(words.find(&id).is_some(), "{language}: {id}");
            }
        }
    }
}
