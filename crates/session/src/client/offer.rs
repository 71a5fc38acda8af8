//! What the server takes, as CONNACK said, and whether what is to be sent keeps to it.

use headwater_codec::sink::{Counter, Limited};
use headwater_codec::{ConnAck, Properties, Publish, QoS, SubscribeFilter};

use super::Session;
use crate::error::Misuse;

/// What the server takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer {
    pub(super) maximum_qos: QoS,
    retain: bool,
    wildcard_subscription: bool,
    shared_subscription: bool,
    subscription_identifier: bool,
    topic_alias_maximum: u16,
}

impl Offer {
    /// What holds where nothing is said: no topic alias, and everything else.
    pub(super) const DEFAULT: Self = Self {
        maximum_qos: QoS::ExactlyOnce,
        retain: true,
        wildcard_subscription: true,
        shared_subscription: true,
        subscription_identifier: true,
        topic_alias_maximum: 0,
    };

    pub(super) fn of(connack: &ConnAck<'_>) -> Self {
        let properties = &connack.properties;
        Self {
            maximum_qos: properties.maximum_qos().unwrap_or(QoS::ExactlyOnce),
            retain: properties.retain_available().unwrap_or(true),
            wildcard_subscription: properties.wildcard_subscription_available().unwrap_or(true),
            shared_subscription: properties.shared_subscription_available().unwrap_or(true),
            subscription_identifier: properties.subscription_identifier_available().unwrap_or(true),
            topic_alias_maximum: properties.topic_alias_maximum().unwrap_or(0),
        }
    }

    /// Whether a SUBSCRIBE keeps to it (5.0, sections 3.2.2.3.11 to 3.2.2.3.13).
    pub(super) fn check_subscribe(
        &self,
        subscriptions: &[SubscribeFilter<'_>],
        properties: &Properties<'_>,
    ) -> Result<(), Misuse> {
        if !self.subscription_identifier && properties.subscription_identifiers().next().is_some() {
            return Err(Misuse::SubscriptionIdentifiersNotAvailable);
        }
        for SubscribeFilter { filter, .. } in subscriptions {
            if !self.shared_subscription && filter.shared().is_some() {
                return Err(Misuse::SharedSubscriptionsNotAvailable);
            }
            if !self.wildcard_subscription && filter.has_wildcard() {
                return Err(Misuse::WildcardSubscriptionsNotAvailable);
            }
        }
        Ok(())
    }
}

impl<T> Session<T> {
    /// Whether the server takes this PUBLISH, by what its CONNACK said. The session does not see what the caller encodes: ask before
    /// it is written, and [`discard`](Self::discard) what is not taken; a message that was published on an earlier connection may go
    /// against what the server says now. O(1), but for the properties.
    ///
    /// # Errors
    ///
    /// [`Misuse::QosNotSupported`] [MQTT-3.2.2-11], [`Misuse::RetainNotAvailable`] [MQTT-3.2.2-14], [`Misuse::TopicAliasInvalid`] for an
    /// alias above the server's maximum [MQTT-3.2.2-17] [MQTT-3.2.2-18], [`Misuse::SubscriptionIdentifier`] [MQTT-3.3.4-6],
    /// [`Misuse::Encode`] if it cannot be encoded or is larger than the server takes [MQTT-3.2.2-15].
    ///
    /// # Examples
    ///
    /// ```
    /// use headwater_codec::{ConnAck, Connect, Packet, Properties, Property, Publish, Version};
    /// use headwater_session::client::{Config, Session};
    /// use headwater_session::{Millis, Misuse};
    /// use headwater_topic::TopicName;
    ///
    /// let mut session: Session<&str> = Session::new(Config::default());
    /// session.connect(&Connect::new(Version::V5, "line-7"), Millis(0))?;
    /// let properties = [Property::RetainAvailable(false)];
    /// let connack = ConnAck { properties: Properties::from(&properties), ..ConnAck::accepted(false) };
    /// session.handle(Packet::ConnAck(connack), Millis(1))?;
    ///
    /// let publish = Publish::new(TopicName::parse("temperature")?, b"21.5");
    /// assert_eq!(session.check(&publish), Ok(()));
    /// assert_eq!(session.check(&publish.with_retain(true)), Err(Misuse::RetainNotAvailable));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check(&self, publish: &Publish<'_>) -> Result<(), Misuse> {
        if publish.qos() > self.offer.maximum_qos {
            return Err(Misuse::QosNotSupported);
        }
        if publish.retain && !self.offer.retain {
            return Err(Misuse::RetainNotAvailable);
        }
        let maximum = self.offer.topic_alias_maximum;
        if let Some(alias) = publish.properties.topic_alias()
            && alias.get() > maximum
        {
            return Err(Misuse::TopicAliasInvalid { alias: alias.get(), maximum });
        }
        if publish.properties.subscription_identifiers().next().is_some() {
            return Err(Misuse::SubscriptionIdentifier);
        }
        let limit = usize::try_from(self.exchange.packet_size_max).unwrap_or(usize::MAX);
        Ok(publish.encode_head(self.exchange.version, &mut Limited::new(Counter::default(), limit))?)
    }
}
