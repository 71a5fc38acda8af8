//! Routing: which log topic a message goes to, under which key and with which headers beside its own.
//!
//! ```text
//!   MQTT topic --> the first rule whose filter matches --> log topic, key --> partition
//!                  none: log topic `mqtt`, key is the MQTT topic
//! ```

mod rules;
mod template;

use headwater_log::Topic;
use headwater_topic::{InvalidFilter, TopicFilter, TopicFilterBuf, TopicName};

pub(crate) use self::rules::{Routed, Rules};
use self::template::Template;
pub use self::template::TemplateError;
use crate::message::header;
use crate::store::MESSAGES_TOPIC;

/// A routing rule: what messages it is for, and where they go.
///
/// A template is text in which `{topic}` stands for the MQTT topic, `{1}`, `{2}` and so on for its levels, and `{client-id}` for the client
/// identifier of the publisher; `{{` and `}}` are braces. A level that the topic does not have is empty. What is put in is text, whatever
/// it looks like.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), headwater_store::RouteError> {
/// use headwater_store::Route;
///
/// // factory/line-1/press-4/temperature goes to the log topic `telemetry` with the key line-1/press-4.
/// let route = Route::new("factory/+/+/temperature")?.topic("telemetry")?.key("{2}/{3}")?.header("site", "{1}")?;
/// assert_eq!(route.topic_name(), "telemetry");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    filter: TopicFilterBuf,
    topic: Box<str>,
    key: Template,
    headers: Vec<(Box<str>, Template)>,
}

/// A routing rule cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// The filter is none.
    #[error("the filter of a rule: {0}")]
    Filter(InvalidFilter),
    /// The filter is that of a shared subscription.
    #[error("the filter of a rule is not shared: leave $share/ and the name out")]
    Shared,
    /// No log topic can have this name.
    #[error("the log topic of a rule: {0}")]
    Topic(headwater_log::InvalidTopicName),
    /// The log topic is one of those that programs keep for themselves.
    #[error("the log topic of a rule: names that begin with __ are kept for the log's own")]
    ReservedTopic,
    /// The key is no template.
    #[error("the key of a rule: {0}")]
    Key(TemplateError),
    /// The value of a header is no template.
    #[error("the value of a header of a rule: {0}")]
    Header(TemplateError),
    /// The name of a header is empty, or one of the mapping's own.
    #[error("the name of a header of a rule: it is not empty, and does not begin with mqtt.")]
    HeaderName,
}

impl Route {
    /// A rule for what this filter matches. The messages go to `mqtt` with their topic as key, until the rule says more. As for
    /// subscriptions, a wildcard at the beginning does not match topics that begin with `$` [MQTT-4.7.2-1].
    ///
    /// # Errors
    ///
    /// [`RouteError::Filter`], [`RouteError::Shared`].
    pub fn new(filter: &str) -> Result<Self, RouteError> {
        let filter = TopicFilter::parse(filter).map_err(RouteError::Filter)?;
        if filter.shared().is_some() {
            return Err(RouteError::Shared);
        }
        let topic = MESSAGES_TOPIC.into();
        Ok(Self { filter: filter.into(), topic, key: Template::topic(), headers: Vec::new() })
    }

    /// The same with this log topic. It is created when it is missing, with as many partitions as `mqtt`; it has the options of that.
    ///
    /// # Errors
    ///
    /// [`RouteError::Topic`], [`RouteError::ReservedTopic`].
    pub fn topic(self, name: &str) -> Result<Self, RouteError> {
        Topic::check_name(name).map_err(RouteError::Topic)?;
        if name.starts_with("__") {
            return Err(RouteError::ReservedTopic);
        }
        Ok(Self { topic: name.into(), ..self })
    }

    /// The same with this template for the key of the records. The key chooses the partition.
    ///
    /// A key of levels and text alone is the same for all messages of one MQTT topic, so they stay in one partition and in order. With
    /// `{client-id}` the order holds for each publisher and topic, which is what MQTT asks for [MQTT-4.6.0-5].
    ///
    /// # Errors
    ///
    /// [`RouteError::Key`].
    pub fn key(self, template: &str) -> Result<Self, RouteError> {
        Ok(Self { key: self.template(template).map_err(RouteError::Key)?, ..self })
    }

    /// The same with one more header in the records: a template for its value. It is for those who read the log; subscribers of MQTT do not
    /// get it.
    ///
    /// # Errors
    ///
    /// [`RouteError::HeaderName`], [`RouteError::Header`].
    pub fn header(mut self, name: &str, template: &str) -> Result<Self, RouteError> {
        check_header_name(name)?;
        let value = self.template(template).map_err(RouteError::Header)?;
        self.headers.push((name.into(), value));
        Ok(self)
    }

    /// What messages it is for.
    #[must_use]
    pub fn filter(&self) -> TopicFilter<'_> {
        self.filter.as_filter()
    }

    /// The log topic that they go to.
    #[must_use]
    pub fn topic_name(&self) -> &str {
        &self.topic
    }

    /// How much larger a record may be by this rule than without it, for topics and client identifiers of so many bytes at most.
    #[must_use]
    pub fn record_bytes_more(&self, topic_bytes_max: u64, client_id_bytes_max: u64) -> u64 {
        let bytes = |template: &Template| template.bytes_max(topic_bytes_max, client_id_bytes_max);
        let headers = self.headers.iter().map(|(name, value)| {
            HEADER_BYTES
                .saturating_add(u64::try_from(name.len()).unwrap_or(u64::MAX))
                .saturating_add(bytes(value))
        });
        let topic = if self.key.is_topic() { 0 } else { HEADER_BYTES + topic_bytes_max };
        headers.fold(HEADER_BYTES + topic, u64::saturating_add).saturating_add(bytes(&self.key))
    }

    fn template(&self, text: &str) -> Result<Template, TemplateError> {
        let template = Template::parse(text)?;
        let filter = self.filter.as_str();
        if !filter.ends_with('#') {
            template.check_levels(filter.split('/').count())?;
        }
        Ok(template)
    }

    fn matches(&self, topic: TopicName<'_>) -> bool {
        self.filter().matches(topic)
    }
}

/// What one header needs beside a name and a value that were chosen: a name of ours, and lengths.
const HEADER_BYTES: u64 = 64;

/// A header that is none of the mapping's own.
pub(crate) fn check_header_name(name: &str) -> Result<(), RouteError> {
    if name.is_empty() || name.starts_with(header::PREFIX) { Err(RouteError::HeaderName) } else { Ok(()) }
}
