//! SMART scopes (SMART App Launch 2.2, "Scopes and Launch Context"): their grammar and algebra.
//!
//! The algebra never widens: what is granted is covered by what was asked and by what is allowed.

use std::fmt;

/// Longest `scope` parameter that is read, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// On whose behalf a resource scope speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// One patient, who is in context.
    Patient,
    /// Whatever the user may.
    User,
    /// The client itself.
    System,
}

/// One thing that can be done to resources of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// `c`
    Create,
    /// `r`: read, vread, instance history.
    Read,
    /// `u`: update and patch, and update-as-create.
    Update,
    /// `d`
    Delete,
    /// `s`: search, type and system history.
    Search,
}

impl Right {
    /// Every right, in the order of the grammar.
    pub const ALL: [Self; 5] = [Self::Create, Self::Read, Self::Update, Self::Delete, Self::Search];

    /// Its letter.
    pub fn letter(self) -> char {
        match self {
            Self::Create => 'c',
            Self::Read => 'r',
            Self::Update => 'u',
            Self::Delete => 'd',
            Self::Search => 's',
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of [`Right`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Rights(u8);

impl Rights {
    /// These rights.
    pub fn of(rights: &[Right]) -> Self {
        Self(rights.iter().fold(0, |all, right| all | right.bit()))
    }

    /// Whether `right` is one of them.
    pub fn has(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    /// Whether all of `other` are.
    pub fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What both have.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// A subset of `cruds`, in that order.
    fn parse(letters: &str) -> Option<Self> {
        let mut rights = Self::default();
        let mut left = Right::ALL.iter();
        for letter in letters.chars() {
            let right = left.by_ref().find(|right| right.letter() == letter)?;
            rights.0 |= right.bit();
        }
        (!rights.is_empty()).then_some(rights)
    }

    /// The rights of a v1 scope.
    fn parse_v1(word: &str) -> Option<Self> {
        Some(match word {
            "read" => Self::of(&[Right::Read, Right::Search]),
            "write" => Self::of(&[Right::Create, Right::Update, Right::Delete]),
            "*" => Self::of(&Right::ALL),
            _ => return None,
        })
    }

    /// As a v1 scope writes them, if one can.
    fn v1(self) -> Option<&'static str> {
        ["read", "write", "*"].into_iter().find(|word| Self::parse_v1(word) == Some(self))
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for right in Right::ALL.into_iter().filter(|right| self.has(*right)) {
            write!(f, "{}", right.letter())?;
        }
        Ok(())
    }
}

/// `(patient|user|system)/(Type|*).rights[?param=value&…]`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResourceScope {
    /// On whose behalf.
    pub level: Level,
    /// The resource type; none: `*`.
    pub rtype: Option<String>,
    /// What may be done.
    pub rights: Rights,
    /// Search parameters that a resource must satisfy, decoded, all of them.
    pub filter: Vec<(String, String)>,
    /// Whether it was written in the syntax of SMART 1, and is answered in it.
    pub v1: bool,
}

impl ResourceScope {
    fn parse(text: &str) -> Option<Self> {
        let (level, rest) = text.split_once('/')?;
        let level = match level {
            "patient" => Level::Patient,
            "user" => Level::User,
            "system" => Level::System,
            _ => return None,
        };
        let (head, query) = match rest.split_once('?') {
            Some((head, query)) => (head, Some(query)),
            None => (rest, None),
        };
        let (rtype, letters) = head.split_once('.')?;
        let rtype = match rtype {
            "*" => None,
            name if is_type_name(name) => Some(name.to_owned()),
            _ => return None,
        };
        let filter = query.map_or(Some(Vec::new()), parse_filter)?;
        // `.*`, `.read` and `.write` are no subsets of `cruds`, so a scope is of one version only.
        let (rights, v1) = match Rights::parse_v1(letters) {
            Some(rights) => (rights, true),
            None => (Rights::parse(letters)?, false),
        };
        if v1 && !filter.is_empty() {
            return None;
        }
        Some(Self { level, rtype, rights, filter, v1 })
    }

    /// Whether it speaks of resources of `rtype`.
    pub fn is_about(&self, rtype: &str) -> bool {
        self.rtype.as_deref().is_none_or(|own| own == rtype)
    }

    /// What both allow: fewer rights, the narrower type, the conditions of both.
    fn and(&self, allowed: &Self) -> Option<Self> {
        if self.level != allowed.level {
            return None;
        }
        let rtype = match (&self.rtype, &allowed.rtype) {
            (Some(own), Some(other)) if own != other => return None,
            (Some(own), _) => Some(own.clone()),
            (None, other) => other.clone(),
        };
        let rights = self.rights.and(allowed.rights);
        if rights.is_empty() {
            return None;
        }
        let mut filter = self.filter.clone();
        filter.extend(allowed.filter.iter().filter(|pair| !self.filter.contains(pair)).cloned());
        let v1 = self.v1 && filter.is_empty() && rights.v1().is_some();
        Some(Self { level: self.level, rtype, rights, filter, v1 })
    }

    /// Whether everything that it allows, `other` allows.
    fn is_within(&self, other: &Self) -> bool {
        self.level == other.level
            && (other.rtype.is_none() || self.rtype == other.rtype)
            && other.rights.covers(self.rights)
            && other.filter.iter().all(|pair| self.filter.contains(pair))
    }
}

impl fmt::Display for ResourceScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Patient => "patient",
            Level::User => "user",
            Level::System => "system",
        };
        write!(f, "{level}/{}.", self.rtype.as_deref().unwrap_or("*"))?;
        match self.rights.v1().filter(|_| self.v1) {
            Some(word) => f.write_str(word)?,
            None => write!(f, "{}", self.rights)?,
        }
        for (i, (name, value)) in self.filter.iter().enumerate() {
            let pair = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
            write!(f, "{}{pair}", if i == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

/// One scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Access to resources.
    Resource(ResourceScope),
    /// `openid`
    OpenId,
    /// `fhirUser`, and `profile`, its name in SMART 1.
    FhirUser,
    /// `profile`
    Profile,
    /// `launch`
    Launch,
    /// `launch/patient`, `launch/encounter` and others, with their `role`.
    LaunchContext {
        /// Resource type in lower case, as written.
        kind: String,
        /// `?role=`
        role: Option<String>,
    },
    /// `offline_access`
    OfflineAccess,
    /// `online_access`
    OnlineAccess,
}

impl Scope {
    /// Understands one scope; none when it is none of ours, which is ignored (RFC 6749 §3.3).
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "openid" => Self::OpenId,
            "fhirUser" => Self::FhirUser,
            "profile" => Self::Profile,
            "launch" => Self::Launch,
            "offline_access" => Self::OfflineAccess,
            "online_access" => Self::OnlineAccess,
            _ => match text.strip_prefix("launch/") {
                Some(context) => parse_context(context)?,
                None => Self::Resource(ResourceScope::parse(text)?),
            },
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource(scope) => write!(f, "{scope}"),
            Self::OpenId => f.write_str("openid"),
            Self::FhirUser => f.write_str("fhirUser"),
            Self::Profile => f.write_str("profile"),
            Self::Launch => f.write_str("launch"),
            Self::LaunchContext { kind, role: None } => write!(f, "launch/{kind}"),
            Self::LaunchContext { kind, role: Some(role) } => write!(f, "launch/{kind}?role={role}"),
            Self::OfflineAccess => f.write_str("offline_access"),
            Self::OnlineAccess => f.write_str("online_access"),
        }
    }
}

/// The scopes of a request, a registration or a token, in order and without repetition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Understands a `scope` parameter; scopes that are none of ours are left out.
    pub fn parse(text: &str) -> Self {
        text.split(' ').filter(|word| !word.is_empty()).filter_map(Scope::parse).collect()
    }

    /// Whether this very scope is there.
    pub fn has(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those about resources.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceScope> {
        self.0.iter().filter_map(|scope| match scope {
            Scope::Resource(scope) => Some(scope),
            _ => None,
        })
    }

    /// Those that give `right` on resources of `rtype`.
    pub fn giving<'a>(&'a self, right: Right, rtype: &'a str) -> impl Iterator<Item = &'a ResourceScope> {
        self.resources().filter(move |scope| scope.is_about(rtype) && scope.rights.has(right))
    }

    /// Whether any speaks for one patient.
    pub fn need_patient(&self) -> bool {
        self.resources().any(|scope| scope.level == Level::Patient)
    }

    /// What is left of these when no more than `allowed` may be given. A wildcard becomes the allowed types.
    #[must_use]
    pub fn narrowed_to(&self, allowed: &Self) -> Self {
        let narrowed = self.0.iter().flat_map(|scope| match scope {
            Scope::Resource(asked) => {
                if allowed.resources().any(|other| asked.is_within(other)) {
                    return vec![scope.clone()];
                }
                allowed.resources().filter_map(|other| asked.and(other)).map(Scope::Resource).collect()
            }
            other if allowed.has(other) => vec![other.clone()],
            _ => Vec::new(),
        });
        narrowed.collect()
    }

    /// Whether each of these is within one of `allowed`.
    pub fn is_within(&self, allowed: &Self) -> bool {
        self.0.iter().all(|scope| match scope {
            Scope::Resource(asked) => allowed.resources().any(|other| asked.is_within(other)),
            other => allowed.has(other),
        })
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        let mut all = Vec::new();
        for scope in scopes {
            if !all.contains(&scope) {
                all.push(scope);
            }
        }
        Self(all)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.0.iter().enumerate() {
            write!(f, "{}{scope}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// Whether a text has the form of a resource type.
fn is_type_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphabetic())
}

/// The query of a granular scope: at least one parameter, each with a value. Modifiers and chains are
/// experimental in SMART 2.2 and refused.
fn parse_filter(query: &str) -> Option<Vec<(String, String)>> {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let plain = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') // no ':', '.' or '_'
    };
    let sound = pairs.iter().all(|(name, value)| {
        plain(name) && !value.is_empty() && value.len() <= 1024 && !value.contains('\u{fffd}')
    });
    (!pairs.is_empty() && sound).then_some(pairs)
}

fn parse_context(text: &str) -> Option<Scope> {
    let (kind, role) = match text.split_once('?') {
        Some((kind, query)) => (kind, Some(query.strip_prefix("role=")?.to_owned())),
        None => (text, None),
    };
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    let role_is_sound = role.as_deref().is_none_or(|role| !role.is_empty() && role.len() <= 256);
    (is_word(kind) && role_is_sound).then(|| Scope::LaunchContext { kind: kind.to_owned(), role })
}

#[cfg(test)]
mod tests;
