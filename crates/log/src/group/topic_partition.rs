use std::fmt;
use std::sync::Arc;

/// A partition by name: its topic and its number. Kafka's `TopicPartition`.
///
/// # Examples
///
/// ```
/// use headwater_log::TopicPartition;
///
/// assert_eq!(TopicPartition::new("telemetry", 3).to_string(), "telemetry-3");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's number, from 0.
    pub partition: u32,
}

impl TopicPartition {
    /// Names a partition, whether or not there is one.
    pub fn new(topic: impl Into<Arc<str>>, partition: u32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}
