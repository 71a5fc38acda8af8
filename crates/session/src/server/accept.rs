//! Letting a client in, or not.

use alloc::vec::Vec;

use headwater_codec::{ConnAck, Packet, Properties, Property, QoS, ReasonCode, Version};

use super::{Phase, Session};
use crate::error::Misuse;
use crate::state::State;
use crate::time::Millis;

/// What the caller adds to the CONNACK of a client that it lets in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Accept<'a> {
    /// The identifier made up for a client that sent none. Needed by 5.0 clients then [MQTT-3.2.2-16].
    pub assigned_client_id: Option<&'a str>,
}

impl<T> Session<T> {
    /// Lets the client in, after [`Event::Connect`](super::Event::Connect). `resumed` is the kept state of its session, if it has one
    /// and did not ask for a clean start; it decides what CONNACK says about the session [MQTT-3.2.2-2] [MQTT-3.2.2-3]. What was in
    /// flight is sent again.
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongPhase`] if no CONNECT is waiting for an answer, [`Misuse::CleanStart`] if the client wants no old session,
    /// [`Misuse::Encode`] if CONNACK cannot be encoded.
    pub fn accept(
        &mut self,
        resumed: Option<State<T>>,
        accept: &Accept<'_>,
        now: Millis,
    ) -> Result<(), Misuse> {
        if !matches!(self.phase, Phase::Asked { .. }) {
            return Err(Misuse::WrongPhase);
        }
        if self.client.clean_start && resumed.is_some() {
            return Err(Misuse::CleanStart);
        }
        let mut properties = Vec::new();
        if self.exchange.version == Version::V5 {
            self.announce(accept, &mut properties);
        }
        self.exchange.queue(&Packet::ConnAck(ConnAck {
            // 3.1 has no such flag: its clients know what they asked for.
            session_present: resumed.is_some() && self.exchange.version != Version::V3_1,
            reason: ReasonCode::SUCCESS,
            properties: Properties::from(properties.as_slice()),
        }))?;
        if let Some(state) = resumed {
            self.exchange.restore(state);
        }
        self.exchange.resume(self.client.receive_maximum);
        self.phase = Phase::Open;
        self.heard = now;
        Ok(())
    }

    /// The properties of CONNACK: only what differs from the protocol's own defaults.
    fn announce<'a>(&mut self, accept: &Accept<'a>, properties: &mut Vec<Property<'a>>) {
        let config = self.config;
        let expiry = self.client.session_expiry_secs.min(config.session_expiry_secs_max);
        if expiry != self.client.session_expiry_secs {
            self.client.session_expiry_secs = expiry;
            properties.push(Property::SessionExpiryInterval(expiry));
        }
        properties.push(Property::ReceiveMaximum(config.receive_maximum));
        if config.maximum_qos != QoS::ExactlyOnce {
            properties.push(Property::MaximumQoS(config.maximum_qos));
        }
        if !config.retain_available {
            properties.push(Property::RetainAvailable(false));
        }
        properties.push(Property::MaximumPacketSize(config.packet_size_max));
        if let Some(client_id) = accept.assigned_client_id {
            properties.push(Property::AssignedClientIdentifier(client_id));
        }
        if !config.wildcard_subscription_available {
            properties.push(Property::WildcardSubscriptionAvailable(false));
        }
        if !config.subscription_identifier_available {
            properties.push(Property::SubscriptionIdentifierAvailable(false));
        }
        if !config.shared_subscription_available {
            properties.push(Property::SharedSubscriptionAvailable(false));
        }
        if let Some(most) = config.keep_alive_secs_max.map(core::num::NonZeroU16::get) {
            // Zero is no keep alive at all, which is longer than any.
            if self.client.keep_alive_secs == 0 || self.client.keep_alive_secs > most {
                self.client.keep_alive_secs = most;
                properties.push(Property::ServerKeepAlive(most));
            }
        }
    }

    /// Turns the client away, after [`Event::Connect`](super::Event::Connect): CONNACK with this reason, then the end.
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongPhase`] if no CONNECT is waiting for an answer.
    pub fn refuse(&mut self, reason: ReasonCode) -> Result<(), Misuse> {
        if !matches!(self.phase, Phase::Asked { .. }) {
            return Err(Misuse::WrongPhase);
        }
        self.phase = Phase::Closed;
        self.queue_refusal(reason)
    }

    pub(super) fn queue_refusal(&mut self, reason: ReasonCode) -> Result<(), Misuse> {
        // [MQTT-3.2.2-6]: no session is present in a refusal.
        let refusal = ConnAck { session_present: false, reason, properties: Properties::EMPTY };
        self.exchange.queue(&Packet::ConnAck(refusal))
    }
}
