//! Whether what the client asks for keeps to what CONNACK announced.

use headwater_codec::{QoS, ReasonCode, Subscribe, Version};
use headwater_topic::TopicFilter;

use super::Session;
use crate::error::ProtocolError;

impl<T> Session<T> {
    /// PUBLISH and the will [MQTT-3.2.2-11] [MQTT-3.2.2-14].
    pub(super) fn check_offer(&self, qos: QoS, retain: bool) -> Result<(), ProtocolError> {
        if qos > self.config.maximum_qos {
            return Err(ProtocolError::QosNotSupported);
        }
        if retain && !self.config.retain_available {
            return Err(ProtocolError::RetainNotSupported);
        }
        Ok(())
    }

    /// SUBSCRIBE of a 5.0 client, which was told (sections 3.2.2.3.11 to 3.2.2.3.13).
    pub(super) fn check_subscribe(&self, subscribe: &Subscribe<'_>) -> Result<(), ProtocolError> {
        if self.exchange.version != Version::V5 {
            return Ok(());
        }
        if !self.config.subscription_identifier_available
            && subscribe.properties.subscription_identifiers().next().is_some()
        {
            return Err(ProtocolError::SubscriptionIdentifiersNotSupported);
        }
        subscribe.filters.iter().try_for_each(|asked| self.check(asked.filter))
    }

    fn check(&self, filter: TopicFilter<'_>) -> Result<(), ProtocolError> {
        if !self.config.shared_subscription_available && filter.shared().is_some() {
            return Err(ProtocolError::SharedSubscriptionsNotSupported);
        }
        if !self.config.wildcard_subscription_available && filter.has_wildcard() {
            return Err(ProtocolError::WildcardSubscriptionsNotSupported);
        }
        Ok(())
    }

    /// The reason to refuse a filter with, if it asks for what [`Config`](super::Config) says is not available. For clients of before
    /// 5.0, which could not be told: those of 5.0 are held to it by [`handle`](Self::handle).
    #[must_use]
    pub fn filter_refusal(&self, filter: TopicFilter<'_>) -> Option<ReasonCode> {
        self.check(filter).err().map(|error| error.reason_code())
    }
}
