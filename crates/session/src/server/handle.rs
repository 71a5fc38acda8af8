//! What goes in: packets, time, and what the caller has to say.

use headwater_codec::{
    Connect, Disconnect, Packet, PacketId, Properties, Publish, QoS, ReasonCode, ReasonCodes, SubAck,
    UnsubAck, Version,
};

use super::{Client, Event, Phase, Session};
use crate::error::{Misuse, ProtocolError};
use crate::exchange::Delivered;
use crate::state::{Receipt, State};
use crate::time::Millis;

impl<T> Session<T> {
    /// Takes a packet that came from the client.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] when the client broke the protocol: the session is closed, the farewell is queued.
    pub fn handle<'p>(
        &mut self,
        packet: Packet<'p>,
        now: Millis,
    ) -> Result<Option<Event<'p, T>>, ProtocolError> {
        self.heard = now;
        let event = match self.phase {
            Phase::Fresh { deadline } => self.handle_first(packet, deadline),
            Phase::Asked { .. } => Err(ProtocolError::NotConnected { packet: packet.packet_type() }),
            Phase::Open => self.handle_open(packet),
            // What still comes after the end is not looked at.
            Phase::Closed => Ok(None),
        };
        event.inspect_err(|error| self.fail(error))
    }

    fn handle_first<'p>(
        &mut self,
        packet: Packet<'p>,
        deadline: Millis,
    ) -> Result<Option<Event<'p, T>>, ProtocolError> {
        // [MQTT-3.1.0-1]
        let Packet::Connect(connect) = packet else {
            return Err(ProtocolError::NotConnected { packet: packet.packet_type() });
        };
        self.exchange.version = connect.version;
        self.client = Client::new(&connect);
        self.phase = Phase::Asked { deadline };
        // [MQTT-3.1.3-8] of 3.1.1: without an identifier there is nothing to resume by. 3.1 wants one in any case; in 5.0 the
        // server assigns one.
        let needs_client_id = match connect.version {
            Version::V3_1 => true,
            Version::V3_1_1 => !connect.clean_start,
            Version::V5 => false,
        };
        if self.client.empty_client_id && needs_client_id {
            return Err(ProtocolError::EmptyClientId);
        }
        if let Some(will) = &connect.will {
            // [MQTT-3.2.2-12] [MQTT-3.2.2-13]
            self.check_offer(will.qos, will.retain)?;
        }
        Ok(Some(Event::Connect(connect)))
    }

    fn handle_open<'p>(&mut self, packet: Packet<'p>) -> Result<Option<Event<'p, T>>, ProtocolError> {
        match packet {
            Packet::Publish(publish) => self.handle_publish(publish),
            Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => {
                let delivered = self.exchange.acknowledgement(&packet)?;
                Ok(delivered.map(|(message, reason)| Event::Delivered { message, reason }))
            }
            Packet::Subscribe(subscribe) => Ok(Some(Event::Subscribe(subscribe))),
            Packet::Unsubscribe(unsubscribe) => Ok(Some(Event::Unsubscribe(unsubscribe))),
            Packet::PingReq => {
                // [MQTT-3.12.4-1]
                self.queue(&Packet::PingResp);
                Ok(None)
            }
            Packet::Disconnect(disconnect) => {
                self.set_expiry(&disconnect)?;
                self.phase = Phase::Closed;
                self.exchange.clear_queue();
                Ok(Some(Event::Disconnect(disconnect)))
            }
            // [MQTT-3.1.0-2]
            Packet::Connect(_) => Err(ProtocolError::SecondConnect),
            // No authentication method was negotiated: `accept` offers none.
            Packet::Auth(_) => Err(ProtocolError::UnexpectedAuth),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                Err(ProtocolError::WrongDirection { packet: packet.packet_type() })
            }
        }
    }

    fn handle_publish<'p>(&mut self, publish: Publish<'p>) -> Result<Option<Event<'p, T>>, ProtocolError> {
        self.check_offer(publish.delivery.qos(), publish.retain)?;
        if let Some(alias) = publish.properties.topic_alias() {
            // None was offered in CONNACK [MQTT-3.2.2-17].
            return Err(ProtocolError::TopicAliasInvalid { alias: alias.get(), maximum: 0 });
        }
        // [MQTT-3.3.4-6]
        if publish.properties.subscription_identifiers().next().is_some() {
            return Err(ProtocolError::SubscriptionIdentifierFromClient);
        }
        match self.exchange.publish(&publish, self.config.receive_maximum.get())? {
            Delivered::New(receipt) => Ok(Some(Event::Publish { publish, receipt })),
            Delivered::Before => Ok(None),
        }
    }

    fn check_offer(&self, qos: QoS, retain: bool) -> Result<(), ProtocolError> {
        if qos > self.config.maximum_qos {
            return Err(ProtocolError::QosNotSupported);
        }
        if retain && !self.config.retain_available {
            return Err(ProtocolError::RetainNotSupported);
        }
        Ok(())
    }

    fn set_expiry(&mut self, disconnect: &Disconnect<'_>) -> Result<(), ProtocolError> {
        if let Some(secs) = disconnect.properties.session_expiry_interval() {
            // [MQTT-3.14.2-2]
            if self.client.session_expiry_secs == 0 && secs != 0 {
                return Err(ProtocolError::SessionExpiryRaised);
            }
            self.client.session_expiry_secs = secs.min(self.config.session_expiry_secs_max);
        }
        Ok(())
    }

    /// A deadline may have passed: call it when [`next_deadline`](Self::next_deadline) is reached; earlier does no harm.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::ConnectTimeout`] and [`ProtocolError::KeepAliveTimeout`]; the session is closed.
    pub fn handle_timeout(&mut self, now: Millis) -> Result<(), ProtocolError> {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        let error = match self.phase {
            Phase::Fresh { .. } | Phase::Asked { .. } => ProtocolError::ConnectTimeout,
            Phase::Open | Phase::Closed => ProtocolError::KeepAliveTimeout,
        };
        self.fail(&error);
        Err(error)
    }

    /// Queues what the protocol wants said about an error, and closes.
    fn fail(&mut self, error: &ProtocolError) {
        match self.phase {
            // The client knows no answer yet, or would not understand it.
            Phase::Fresh { .. } | Phase::Closed => self.phase = Phase::Closed,
            Phase::Asked { .. } => {
                self.phase = Phase::Closed;
                let refused = self.queue_refusal(error.reason_code());
                debug_assert!(refused.is_ok(), "a refusal without properties can be encoded");
            }
            Phase::Open => self.disconnect(error.reason_code()),
        }
    }

    /// Ends the connection from this side: a 5.0 client is told the reason [MQTT-3.14.0-1].
    ///
    /// Also the answer to bytes that could not be decoded, with the decoder's reason.
    pub fn disconnect(&mut self, reason: ReasonCode) {
        if self.phase == Phase::Open && self.exchange.version == Version::V5 {
            self.queue(&Packet::Disconnect(Disconnect { reason, properties: Properties::EMPTY }));
        }
        self.phase = Phase::Closed;
    }

    fn queue(&mut self, packet: &Packet<'_>) {
        let queued = self.exchange.queue(packet);
        debug_assert!(queued.is_ok(), "a packet without strings can be encoded");
    }

    /// Takes a message to be sent to the client.
    ///
    /// # Errors
    ///
    /// [`Misuse::Full`] when as many are in flight or waiting as may be: see [`room`](Self::room). [`Misuse::WrongPhase`] when the
    /// connection is not open. The message is dropped then: look before you publish.
    pub fn publish(&mut self, message: T, qos: QoS) -> Result<(), Misuse> {
        if self.phase != Phase::Open {
            return Err(Misuse::WrongPhase);
        }
        self.exchange.outgoing.publish(message, qos).map_err(|_message| Misuse::Full)
    }

    /// The message under this receipt is safe, or refused with an error: PUBACK or PUBREC leaves as soon as those of all earlier
    /// messages have left [MQTT-4.6.0-2]. A stale receipt does nothing.
    ///
    /// Before 5.0 an acknowledgement cannot refuse: a message that must not be taken for safe is best answered by closing the
    /// connection, so that the client sends it again.
    pub fn acknowledge(&mut self, receipt: Receipt, reason: ReasonCode) {
        self.exchange.release(receipt, reason);
    }

    /// Answers a SUBSCRIBE: one reason for each of its filters, in order [MQTT-3.8.4-6].
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongPhase`] when the connection is not open, [`Misuse::Encode`] for reasons that SUBACK cannot carry.
    pub fn acknowledge_subscribe(
        &mut self,
        packet_id: PacketId,
        reasons: &[ReasonCode],
    ) -> Result<(), Misuse> {
        self.answer(&Packet::SubAck(SubAck {
            packet_id,
            properties: Properties::EMPTY,
            reasons: ReasonCodes::from(reasons),
        }))
    }

    /// Answers an UNSUBSCRIBE: one reason for each of its filters, in order [MQTT-3.11.3-1]. Before 5.0 they are not sent.
    ///
    /// # Errors
    ///
    /// As [`acknowledge_subscribe`](Self::acknowledge_subscribe).
    pub fn acknowledge_unsubscribe(
        &mut self,
        packet_id: PacketId,
        reasons: &[ReasonCode],
    ) -> Result<(), Misuse> {
        let reasons = if self.exchange.version == Version::V5 { reasons } else { &[] };
        self.answer(&Packet::UnsubAck(UnsubAck {
            packet_id,
            properties: Properties::EMPTY,
            reasons: ReasonCodes::from(reasons),
        }))
    }

    fn answer(&mut self, packet: &Packet<'_>) -> Result<(), Misuse> {
        if self.phase != Phase::Open {
            return Err(Misuse::WrongPhase);
        }
        self.exchange.queue(packet)
    }

    /// Ends the session on this connection and gives what outlives it.
    #[must_use]
    pub fn into_state(mut self) -> State<T> {
        self.exchange.take_state()
    }
}

impl Client {
    fn new(connect: &Connect<'_>) -> Self {
        let properties = &connect.properties;
        let session_expiry_secs = match connect.version {
            Version::V5 => properties.session_expiry_interval().unwrap_or(0),
            // Clean session is clean start and an expiry of zero in one; without it a session never ends.
            Version::V3_1 | Version::V3_1_1 if connect.clean_start => 0,
            Version::V3_1 | Version::V3_1_1 => u32::MAX,
        };
        Self {
            clean_start: connect.clean_start,
            keep_alive_secs: connect.keep_alive_secs,
            session_expiry_secs,
            receive_maximum: properties.receive_maximum().map_or(u16::MAX, core::num::NonZeroU16::get),
            packet_size_max: properties.maximum_packet_size().map_or(u32::MAX, core::num::NonZeroU32::get),
            empty_client_id: connect.client_id.is_empty(),
            problem_information: properties.request_problem_information().unwrap_or(true),
        }
    }
}
