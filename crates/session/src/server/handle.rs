//! What the network and the clock have to say.

use core::num::{NonZeroU16, NonZeroU32};

use headwater_codec::{Connect, Disconnect, Packet, Publish, ReasonCode, Version};

use super::{Client, Config, Event, Phase, Request, Session};
use crate::auth::{Authentication, Step};
use crate::error::ProtocolError;
use crate::exchange::Delivered;
use crate::explained::Explained;
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
            Phase::Asked { .. } => self.handle_asked(packet, now),
            Phase::Open => self.handle_open(packet, now),
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
        self.exchange.packet_size_max =
            connect.properties.maximum_packet_size().map_or(u32::MAX, NonZeroU32::get);
        self.client = Client::new(&connect, &self.config);
        self.auth = Authentication::begin(&connect.properties, Step::Ours { deadline });
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

    fn handle_open<'p>(
        &mut self,
        packet: Packet<'p>,
        now: Millis,
    ) -> Result<Option<Event<'p, T>>, ProtocolError> {
        match packet {
            Packet::Publish(publish) => self.handle_publish(publish),
            Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => {
                let delivered = self.exchange.acknowledgement(&packet)?;
                Ok(delivered.map(|(message, reason)| Event::Delivered { message, reason }))
            }
            Packet::Subscribe(subscribe) => {
                self.check_subscribe(&subscribe)?;
                let request = Request {
                    packet_id: subscribe.packet_id,
                    filters: subscribe.filters.len(),
                    subscribe: true,
                };
                Ok(Some(Event::Subscribe { subscribe, request }))
            }
            Packet::Unsubscribe(unsubscribe) => {
                let request = Request {
                    packet_id: unsubscribe.packet_id,
                    filters: unsubscribe.filters.len(),
                    subscribe: false,
                };
                Ok(Some(Event::Unsubscribe { unsubscribe, request }))
            }
            Packet::PingReq => {
                // [MQTT-3.12.4-1]
                self.exchange.queue_small(&Packet::PingResp);
                Ok(None)
            }
            Packet::Disconnect(disconnect) => self.handle_disconnect(disconnect),
            // [MQTT-3.1.0-2]
            Packet::Connect(_) => Err(ProtocolError::SecondConnect),
            Packet::Auth(auth) => self.handle_auth(auth, now),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                Err(ProtocolError::WrongDirection { packet: packet.packet_type() })
            }
        }
    }

    fn handle_publish<'p>(&mut self, publish: Publish<'p>) -> Result<Option<Event<'p, T>>, ProtocolError> {
        self.check_offer(publish.qos(), publish.retain)?;
        // Also for one that was delivered before: it may set an alias.
        let topic = self.exchange.aliases_in.resolve(&publish)?;
        // [MQTT-3.3.4-6]
        if publish.properties.subscription_identifiers().next().is_some() {
            return Err(ProtocolError::SubscriptionIdentifierFromClient);
        }
        match self.exchange.publish(&publish, self.config.receive_maximum.get())? {
            Delivered::New(receipt) => Ok(Some(Event::Publish { publish, topic, receipt })),
            Delivered::Nothing => Ok(None),
        }
    }

    pub(super) fn handle_disconnect<'p>(
        &mut self,
        disconnect: Disconnect<'p>,
    ) -> Result<Option<Event<'p, T>>, ProtocolError> {
        self.set_expiry(&disconnect)?;
        self.phase = Phase::Closed;
        self.exchange.clear_queue();
        Ok(Some(Event::Disconnect(disconnect)))
    }

    fn set_expiry(&mut self, disconnect: &Disconnect<'_>) -> Result<(), ProtocolError> {
        if let Some(secs) = disconnect.properties.session_expiry_interval() {
            // 5.0, section 3.14.2.2.2: it counts what CONNECT asked for, not what the server made of it.
            if self.client.asked_expiry_secs == 0 && secs != 0 {
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
    /// [`ProtocolError::ConnectTimeout`], [`ProtocolError::AuthTimeout`] and [`ProtocolError::KeepAliveTimeout`]; the session is closed.
    pub fn handle_timeout(&mut self, now: Millis) -> Result<(), ProtocolError> {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        let error = match self.phase {
            // The client was asked for more, and did not answer.
            Phase::Asked { .. } if self.is_challenged() => ProtocolError::AuthTimeout,
            Phase::Fresh { .. } | Phase::Asked { .. } => ProtocolError::ConnectTimeout,
            Phase::Open if self.auth.deadline().is_some_and(|deadline| now >= deadline) => {
                ProtocolError::AuthTimeout
            }
            Phase::Open | Phase::Closed => ProtocolError::KeepAliveTimeout,
        };
        self.fail(&error);
        Err(error)
    }

    /// Queues what the protocol wants said about an error, and closes.
    fn fail(&mut self, error: &ProtocolError) {
        match self.phase {
            // The client has said nothing that could be answered.
            Phase::Fresh { .. } | Phase::Closed => {}
            Phase::Asked { .. } => {
                // Before 5.0 there are return codes for few things; for the others the connection is just closed [MQTT-3.1.4-1].
                let said = self.exchange.version == Version::V5
                    || matches!(error, ProtocolError::EmptyClientId | ProtocolError::ConnectTimeout);
                if said {
                    // A client that takes no CONNACK of five bytes is told nothing.
                    let _too_large = self.refuse(error.reason_code());
                }
            }
            Phase::Open => self.disconnect(error.reason_code()),
        }
        self.phase = Phase::Closed;
    }

    /// Ends the connection from this side: a 5.0 client is told the reason [MQTT-3.14.0-1], or
    /// [`PROTOCOL_ERROR`](ReasonCode::PROTOCOL_ERROR) for a reason that a server cannot say in DISCONNECT.
    ///
    /// Also the answer to bytes that could not be decoded, with the decoder's reason.
    pub fn disconnect<'a>(&mut self, reason: impl Into<Explained<'a>>) {
        let mut explained = reason.into();
        if self.phase == Phase::Open && self.exchange.version == Version::V5 {
            // 5.0, section 3.14.2.1: this one is the client's alone.
            if explained.reason == ReasonCode::DISCONNECT_WITH_WILL {
                explained.reason = ReasonCode::PROTOCOL_ERROR;
            }
            self.exchange.queue_farewell(&explained);
        }
        self.phase = Phase::Closed;
    }
}

impl Client {
    fn new(connect: &Connect<'_>, config: &Config) -> Self {
        let properties = &connect.properties;
        let asked_expiry_secs = match connect.version {
            Version::V5 => properties.session_expiry_interval().unwrap_or(0),
            // Clean session is clean start and an expiry of zero in one; without it a session never ends.
            Version::V3_1 | Version::V3_1_1 if connect.clean_start => 0,
            Version::V3_1 | Version::V3_1_1 => u32::MAX,
        };
        Self {
            clean_start: connect.clean_start,
            keep_alive_secs: connect.keep_alive_secs,
            asked_expiry_secs,
            session_expiry_secs: asked_expiry_secs.min(config.session_expiry_secs_max),
            receive_maximum: properties.receive_maximum().map_or(u16::MAX, NonZeroU16::get),
            empty_client_id: connect.client_id.is_empty(),
            topic_alias_maximum: properties.topic_alias_maximum().unwrap_or(0),
            wants_response_information: properties.request_response_information().unwrap_or(false),
            problem_information: properties.request_problem_information().unwrap_or(true),
        }
    }
}
