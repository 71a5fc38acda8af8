//! Letting a client in, or not.

use alloc::vec::Vec;
use core::num::NonZeroU16;

use headwater_codec::sink::{Counter, Limited};
use headwater_codec::{ConnAck, Packet, PacketType, Properties, Property, QoS, Version};

use super::{Phase, Session};
use crate::auth::Step;
use crate::error::Misuse;
use crate::explained::{Explained, Words};
use crate::state::State;
use crate::time::Millis;

/// What the caller adds to the CONNACK of a client that it lets in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accept<'a> {
    /// The identifier made up for a client that sent none. Needed by 5.0 clients then [MQTT-3.2.2-16].
    pub assigned_client_id: Option<&'a str>,
    /// For people and logs; left out before 5.0, and where the client has no room for it [MQTT-3.2.2-19].
    pub reason_string: Option<&'a str>,
    /// Names and values; left out as the reason string is, and before it [MQTT-3.2.2-20].
    pub user_properties: &'a [(&'a str, &'a str)],
    /// What the client may build its response topics from, if it asked for that (5.0, section 3.2.2.3.15).
    pub response_information: Option<&'a str>,
    /// Whether a client that named an authentication method has authenticated itself by it: without this it is not let in.
    pub authenticated: bool,
    /// The last data of the authentication method.
    pub authentication_data: Option<&'a [u8]>,
}

impl<'a> Accept<'a> {
    /// The same with this identifier for a client that sent none.
    #[must_use]
    pub fn assigned_client_id(self, client_id: Option<&'a str>) -> Self {
        Self { assigned_client_id: client_id, ..self }
    }

    /// The same with this reason string.
    #[must_use]
    pub fn reason_string(self, text: Option<&'a str>) -> Self {
        Self { reason_string: text, ..self }
    }

    /// The same with these user properties, names and values.
    #[must_use]
    pub fn user_properties(self, pairs: &'a [(&'a str, &'a str)]) -> Self {
        Self { user_properties: pairs, ..self }
    }

    /// The same with this response information; it is sent only to a client that asked for it.
    #[must_use]
    pub fn response_information(self, text: Option<&'a str>) -> Self {
        Self { response_information: text, ..self }
    }

    /// The same for a client that named an authentication method and has authenticated itself by it, with the method's last data.
    #[must_use]
    pub fn authenticated(self, data: Option<&'a [u8]>) -> Self {
        Self { authenticated: true, authentication_data: data, ..self }
    }
}

impl<T> Session<T> {
    /// Lets the client in, after [`Event::Connect`](super::Event::Connect). `resumed` is the kept state of its session, if it has one
    /// and did not ask for a clean start; it decides what CONNACK says about the session [MQTT-3.2.2-2] [MQTT-3.2.2-3]. What was in
    /// flight is sent again.
    ///
    /// # Errors
    ///
    /// Nothing has changed then, but `resumed` is gone. [`Misuse::WrongPhase`] if no CONNECT is waiting for an answer, or
    /// the client has to answer a challenge first, [`Misuse::CleanStart`] if the client wants no old session, [`Misuse::ClientIdNeeded`] if it has no identifier,
    /// [`Misuse::Authentication`] if it named an authentication method and it is not said that it is authenticated,
    /// [`Misuse::NoAuthenticationMethod`] if it is said and it named none, [`Misuse::Encode`] if CONNACK cannot be encoded, or is larger
    /// than the client takes.
    pub fn accept(
        &mut self,
        resumed: Option<State<T>>,
        accept: &Accept<'_>,
        now: Millis,
    ) -> Result<(), Misuse> {
        if self.client.clean_start && resumed.is_some() {
            return Err(Misuse::CleanStart);
        }
        let mut properties = Vec::new();
        let keep_alive_secs = self.offer(accept, &mut properties)?;
        properties.extend(self.auth.properties(accept.authentication_data));
        // 3.1 has no such flag: its clients know what they asked for.
        let session_present = resumed.is_some() && self.exchange.version != Version::V3_1;
        let needed = properties.len();
        Words { reason_string: accept.reason_string, user_properties: accept.user_properties }
            .push_onto(&mut properties);
        self.exchange.queue_explained(&properties, needed, |properties| {
            Packet::ConnAck(ConnAck { properties, ..ConnAck::accepted(session_present) })
        })?;
        if let Some(state) = resumed {
            self.exchange.restore(state);
        }
        let (receive_maximum, held_max) = (self.config.receive_maximum.get(), self.config.held_max.get());
        self.exchange.incoming.begin(receive_maximum, held_max, self.exchange.version == Version::V5);
        self.exchange.aliases_in.begin(self.config.topic_alias_maximum);
        self.exchange.aliases_out.begin(self.client.topic_alias_maximum, self.config.topic_aliases_out);
        self.exchange.resume(self.client.receive_maximum);
        self.client.keep_alive_secs = keep_alive_secs;
        self.auth.step = Step::Idle;
        self.accepted = true;
        self.phase = Phase::Open;
        self.heard = now;
        Ok(())
    }

    /// Whether [`accept`](Self::accept) can let the client in, so that this is known before anything is done to a session that was kept for
    /// it.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept), but for [`Misuse::CleanStart`].
    pub fn check_accept(&self, accept: &Accept<'_>) -> Result<(), Misuse> {
        let mut properties = Vec::new();
        self.offer(accept, &mut properties)?;
        properties.extend(self.auth.properties(accept.authentication_data));
        let connack =
            ConnAck { properties: Properties::from(properties.as_slice()), ..ConnAck::accepted(false) };
        let limit = usize::try_from(self.exchange.packet_size_max).unwrap_or(usize::MAX);
        let mut counted = Limited::new(Counter::default(), limit);
        Ok(Packet::ConnAck(connack).encode(self.exchange.version, &mut counted)?)
    }

    /// Whether the client can be let in; fills in what CONNACK must say then, and gives the keep alive that holds.
    fn offer<'a>(&self, accept: &Accept<'a>, properties: &mut Vec<Property<'a>>) -> Result<u16, Misuse> {
        let answerable = matches!(self.phase, Phase::Asked { .. }) && !self.is_challenged();
        if !answerable {
            return Err(Misuse::WrongPhase);
        }
        match (self.auth.has_method(), accept.authenticated) {
            (true, false) => return Err(Misuse::Authentication),
            // [MQTT-4.12.0-6]
            (false, true) => return Err(Misuse::NoAuthenticationMethod),
            _ => {}
        }
        let mut keep_alive_secs = self.client.keep_alive_secs;
        if self.exchange.version == Version::V5 {
            if self.client.empty_client_id && accept.assigned_client_id.is_none() {
                return Err(Misuse::ClientIdNeeded);
            }
            keep_alive_secs = self.announce(accept, properties);
        }
        Ok(keep_alive_secs)
    }

    /// The properties of CONNACK: only what differs from the protocol's own defaults. Returns the keep alive that holds.
    fn announce<'a>(&self, accept: &Accept<'a>, properties: &mut Vec<Property<'a>>) -> u16 {
        let (config, client) = (&self.config, &self.client);
        if client.session_expiry_secs != client.asked_expiry_secs {
            properties.push(Property::SessionExpiryInterval(client.session_expiry_secs));
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
        if config.topic_alias_maximum > 0 {
            properties.push(Property::TopicAliasMaximum(config.topic_alias_maximum));
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
        if client.wants_response_information
            && let Some(text) = accept.response_information
        {
            properties.push(Property::ResponseInformation(text));
        }
        let asked = client.keep_alive_secs;
        match config.keep_alive_secs_max.map(NonZeroU16::get) {
            // Zero is no keep alive at all, which is longer than any.
            Some(most) if asked == 0 || asked > most => {
                properties.push(Property::ServerKeepAlive(most));
                most
            }
            _ => asked,
        }
    }

    /// Turns the client away, after [`Event::Connect`](super::Event::Connect): CONNACK with this reason, then the end.
    ///
    /// # Errors
    ///
    /// Nothing has changed then. [`Misuse::WrongPhase`] if no CONNECT is waiting for an answer, [`Misuse::ReasonNotAllowed`] for a reason
    /// that is no error, or that CONNACK cannot carry, [`Misuse::Encode`] if the client takes no packet of that size.
    pub fn refuse<'a>(&mut self, reason: impl Into<Explained<'a>>) -> Result<(), Misuse> {
        let Explained { reason, words } = reason.into();
        if !matches!(self.phase, Phase::Asked { .. }) {
            return Err(Misuse::WrongPhase);
        }
        if !reason.is_error() || !reason.allowed_in(PacketType::ConnAck) {
            return Err(Misuse::ReasonNotAllowed { reason });
        }
        // [MQTT-3.2.2-6]: no session is present in a refusal.
        let mut properties = Vec::new();
        words.push_onto(&mut properties);
        self.exchange.queue_explained(&properties, 0, |properties| {
            Packet::ConnAck(ConnAck { properties, ..ConnAck::refused(reason) })
        })?;
        self.phase = Phase::Closed;
        Ok(())
    }
}
