//! What a Subscription asks for: by criteria of its own (R4 `subscription.html`), or by a topic (Subscriptions R5
//! Backport 1.1). Criteria that are an absolute URL name a topic; `Type?query` are criteria of R4.

use super::channel::{self, Channel};
use super::filter::Filter;
use super::payload::{self, Payload};
use super::topic::{Topic, topic};
use super::words;
use crate::clock::Micros;
use crate::fhir::date;
use crate::fhir::outcome::Issue;
use crate::fhir::registry::ResourceType;
use serde_json::Value;
use std::time::Duration;

/// The most filters of one subscription.
const MOST_FILTERS: usize = 20;

/// A Subscription as it is understood here.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Logical id; empty before the resource has one.
    pub id: String,
    /// What is subscribed to.
    pub kind: Kind,
    /// Where notifications go.
    pub channel: Channel,
    /// What notifications hold.
    pub payload: Payload,
    /// How long after the last notification a heartbeat is due; absent: none is.
    pub heartbeat: Option<Duration>,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// The most events of one notification.
    pub max_count: Option<u32>,
    /// From then on it is off.
    pub ends_us: Option<Micros>,
    /// E-mail addresses of whoever is to be told of trouble (`contact`).
    pub contacts: Vec<String>,
}

/// What is subscribed to.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Events of a topic that pass all filters.
    Topic {
        /// The topic.
        topic: &'static Topic,
        /// All of them must match.
        filters: Vec<Filter>,
    },
    /// Resources of a type that match when they were written.
    Classic {
        /// The type.
        rtype: &'static ResourceType,
        /// What must match.
        filter: Filter,
    },
}

impl Definition {
    /// Reads a Subscription.
    ///
    /// # Errors
    /// Everything in it that is not offered here, each with its element.
    pub fn read(resource: &Value) -> Result<Self, Vec<Issue>> {
        let mut issues = Vec::new();
        refuse_extensions(resource, &mut issues);
        let kind = noted(kind(resource), &mut issues);
        let is_topic = criteria(resource).is_some_and(is_url);
        let said = resource.get("channel").unwrap_or(&Value::Null);
        let channel = noted(channel::read(said), &mut issues);
        let payload = noted(payload::read(said, is_topic), &mut issues);
        if let (Some(channel), Some(payload)) = (&channel, &payload) {
            issues.extend(payload::fits(payload, channel, is_topic));
        }
        let heartbeat = noted(period(said, "backport-heartbeat-period"), &mut issues).flatten();
        let timeout = noted(period(said, "backport-timeout"), &mut issues).flatten();
        let max_count = noted(number(said, "backport-max-count"), &mut issues).flatten();
        let ends_us = noted(end(resource), &mut issues).flatten();
        if !is_topic && heartbeat.is_some() {
            let told = "A heartbeat is a notification of a topic; classic criteria have none";
            issues.push(Issue::error("business-rule", told).at("Subscription.channel.extension"));
        }
        match (kind, channel, payload) {
            (Some(kind), Some(channel), Some(payload)) if issues.is_empty() => Ok(Self {
                id: resource.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
                kind,
                channel,
                payload,
                heartbeat,
                timeout,
                max_count,
                ends_us,
                contacts: contacts(resource),
            }),
            _ => Err(issues),
        }
    }

    /// The type of the resources that its events are about.
    pub fn rtype(&self) -> Option<&'static ResourceType> {
        match &self.kind {
            Kind::Topic { topic, .. } => crate::fhir::registry::resource_type(topic.resource),
            Kind::Classic { rtype, .. } => Some(rtype),
        }
    }

    /// The canonical URL of its topic; absent for classic criteria.
    pub fn topic(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::Topic { topic, .. } => Some(topic.url),
            Kind::Classic { .. } => None,
        }
    }

    /// What must match, all of it.
    pub fn filters(&self) -> &[Filter] {
        match &self.kind {
            Kind::Topic { filters, .. } => filters,
            Kind::Classic { filter, .. } => std::slice::from_ref(filter),
        }
    }
}

/// The value; what is wrong with it is kept.
fn noted<T>(read: Result<T, Issue>, issues: &mut Vec<Issue>) -> Option<T> {
    read.map_err(|issue| issues.push(issue)).ok()
}

fn criteria(resource: &Value) -> Option<&str> {
    resource.get("criteria").and_then(Value::as_str)
}

/// Whether criteria name a topic. The query of classic criteria may hold a URL, its type can't.
fn is_url(criteria: &str) -> bool {
    criteria.split('?').next().unwrap_or_default().contains(':')
}

/// Extensions by which R5 elements are written in other ways than this IG's, and those that change the meaning.
fn refuse_extensions(resource: &Value, issues: &mut Vec<Issue>) {
    let mut seen = Vec::new();
    collect(resource, &mut seen);
    if let Some(url) = seen.iter().find(|url| url.starts_with(words::CROSS_VERSION)) {
        let told = format!(
            "{url:.200} is a cross-version extension; say the same by the extensions of the Subscriptions R5 Backport IG"
        );
        issues.push(Issue::error("not-supported", told).at("Subscription.extension"));
    }
    if resource.get("modifierExtension").is_some() {
        let told = "No modifier extension of Subscription is understood here";
        issues.push(Issue::error("not-supported", told).at("Subscription.modifierExtension"));
    }
}

/// The URLs of all extensions.
fn collect<'a>(value: &'a Value, urls: &mut Vec<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, urls)),
        Value::Object(members) => {
            for (name, child) in members {
                if name == "extension" {
                    let items = child.as_array().into_iter().flatten();
                    urls.extend(items.filter_map(|item| item.get("url")?.as_str()));
                }
                collect(child, urls);
            }
        }
        _ => {}
    }
}

fn kind(resource: &Value) -> Result<Kind, Issue> {
    let at = "Subscription.criteria";
    let Some(criteria) = criteria(resource) else {
        let told = "criteria name a topic of this server, or are a search such as Appointment?status=booked";
        return Err(Issue::error("required", told).at(at));
    };
    let beside = resource.get("_criteria").unwrap_or(&Value::Null);
    let filters: Vec<&Value> = words::extensions(beside, "backport-filter-criteria").collect();
    if !is_url(criteria) {
        if !filters.is_empty() {
            let told = "Filters belong to a topic; classic criteria say everything in their query";
            return Err(Issue::error("business-rule", told).at(at));
        }
        let filter = Filter::read("", criteria).map_err(|told| refused(told).at(at))?;
        return Ok(Kind::Classic { rtype: filter.rtype(), filter });
    }
    let Some(topic) = topic(criteria) else {
        let told = format!("{criteria:.200?} is not a topic of this server; see its CapabilityStatement");
        return Err(Issue::error("not-supported", told).at(at));
    };
    if filters.len() > MOST_FILTERS {
        return Err(Issue::error("too-costly", format!("There may be {MOST_FILTERS} filters")).at(at));
    }
    let filters = filters.into_iter().enumerate().map(|(index, filter)| {
        let at = format!("Subscription.criteria.extension[{index}]");
        let Some(text) = filter.get("valueString").and_then(Value::as_str) else {
            return Err(Issue::error("required", "A filter is a valueString").at(at));
        };
        Filter::read_for("", topic, text).map_err(|told| refused(told).at(at))
    });
    Ok(Kind::Topic { topic, filters: filters.collect::<Result<_, _>>()? })
}

/// Criteria that are not taken. References to this server are relative in what is stored.
fn refused(told: String) -> Issue {
    Issue::error("not-supported", format!("These criteria are not supported: {told}"))
}

/// A positive number in an extension of the channel.
fn number(channel: &Value, name: &str) -> Result<Option<u32>, Issue> {
    let mut found = words::extensions(channel, name);
    let Some(extension) = found.next() else { return Ok(None) };
    let value = ["valueUnsignedInt", "valuePositiveInt"].iter().find_map(|key| extension.get(*key)?.as_u64());
    let value = value.and_then(|value| u32::try_from(value).ok()).filter(|value| *value > 0);
    match value {
        Some(value) if found.next().is_none() => Ok(Some(value)),
        _ => {
            let told = format!("{name} is given once, as a valueUnsignedInt of 1 or more");
            Err(Issue::error("value", told).at("Subscription.channel.extension"))
        }
    }
}

/// A period in seconds.
fn period(channel: &Value, name: &str) -> Result<Option<Duration>, Issue> {
    Ok(number(channel, name)?.map(|seconds| Duration::from_secs(seconds.into())))
}

fn end(resource: &Value) -> Result<Option<Micros>, Issue> {
    let Some(end) = resource.get("end").and_then(Value::as_str) else { return Ok(None) };
    let at = date::instant(end);
    at.map(Some).ok_or_else(|| Issue::error("value", "end is an instant").at("Subscription.end"))
}

fn contacts(resource: &Value) -> Vec<String> {
    let contacts = resource.get("contact").and_then(Value::as_array).into_iter().flatten();
    let mails = contacts.filter(|contact| contact.get("system").and_then(Value::as_str) == Some("email"));
    mails.filter_map(|contact| contact.get("value")?.as_str().map(str::to_owned)).collect()
}
