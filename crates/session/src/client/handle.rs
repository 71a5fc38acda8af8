//! Packets from the server.

use core::num::{NonZeroU16, NonZeroU32};

use headwater_codec::{ConnAck, Disconnect, Packet, PacketId, PacketType, Publish, Version};

use super::offer::Offer;
use super::{Event, Phase, Session};
use crate::auth::Step;
use crate::error::ProtocolError;
use crate::exchange::Delivered;
use crate::outgoing::Request;
use crate::time::Millis;

impl<T> Session<T> {
    /// Takes a packet that came from the server.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] when the server broke the protocol: the session is closed, the farewell is queued.
    pub fn handle<'p>(
        &mut self,
        packet: Packet<'p>,
        _now: Millis,
    ) -> Result<Option<Event<'p, T>>, ProtocolError> {
        let event = match self.phase {
            Phase::Asked { .. } => self.handle_first(packet),
            Phase::Open { .. } => self.handle_open(packet),
            Phase::Idle | Phase::Closed => Ok(None),
        };
        event.inspect_err(|error| self.fail(error))
    }

    fn handle_first<'p>(&mut self, packet: Packet<'p>) -> Result<Option<Event<'p, T>>, ProtocolError> {
        // [MQTT-3.2.0-1]
        let connack = match packet {
            Packet::ConnAck(connack) => connack,
            Packet::Auth(auth) => return self.handle_auth(auth),
            _ => return Err(ProtocolError::NotConnected { packet: packet.packet_type() }),
        };
        if connack.reason.is_error() {
            self.phase = Phase::Closed;
            return Ok(Some(Event::Refused(connack)));
        }
        self.auth.check(PacketType::ConnAck, &connack.properties)?;
        // [MQTT-3.2.2-4]. Before 5.0 a client may find that it has a session.
        if connack.session_present && !self.exists && self.exchange.version == Version::V5 {
            return Err(ProtocolError::SessionPresentUnexpected);
        }
        // 3.1 has no such flag.
        if !connack.session_present && self.exchange.version != Version::V3_1 {
            // [MQTT-3.2.2-5]: the server knows nothing of it, so nothing can be completed.
            self.give_up();
        }
        self.enter(&connack);
        let unfinished = core::mem::take(&mut self.unfinished);
        Ok(Some(Event::Connected { connack, unfinished }))
    }

    /// Takes in what CONNACK settles.
    fn enter(&mut self, connack: &ConnAck<'_>) {
        let properties = &connack.properties;
        // [MQTT-3.2.2-21]
        self.keep_alive_secs = properties.server_keep_alive().unwrap_or(self.keep_alive_secs);
        self.session_expiry_secs = properties.session_expiry_interval().unwrap_or(self.session_expiry_secs);
        self.exchange.packet_size_max = properties.maximum_packet_size().map_or(u32::MAX, NonZeroU32::get);
        self.offer = Offer::of(connack);
        let topic_alias_maximum = properties.topic_alias_maximum().unwrap_or(0);
        self.exchange.aliases_out.begin(topic_alias_maximum, self.config.topic_aliases_out);
        self.exists = self.session_expiry_secs > 0;
        self.auth.step = Step::Idle;
        self.phase = Phase::Open { ping: None };
        self.exchange.resume(properties.receive_maximum().map_or(u16::MAX, NonZeroU16::get));
    }

    fn handle_open<'p>(&mut self, packet: Packet<'p>) -> Result<Option<Event<'p, T>>, ProtocolError> {
        match packet {
            Packet::Publish(publish) => self.handle_publish(publish),
            Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => {
                let delivered = self.exchange.acknowledgement(&packet)?;
                Ok(delivered.map(|(message, reason)| Event::Delivered { message, reason }))
            }
            Packet::SubAck(suback) => {
                let answered = Request::Subscribe(suback.reasons.len());
                self.finish(PacketType::SubAck, suback.packet_id, |request| request == answered)?;
                Ok(Some(Event::Subscribed(suback)))
            }
            Packet::UnsubAck(unsuback) => {
                let answered = unsuback.reasons.len();
                let counted = self.exchange.version == Version::V5;
                self.finish(PacketType::UnsubAck, unsuback.packet_id, |request| match request {
                    Request::Unsubscribe(asked) => asked == answered || !counted,
                    Request::Subscribe(_) => false,
                })?;
                Ok(Some(Event::Unsubscribed(unsuback)))
            }
            Packet::PingResp => {
                self.phase = Phase::Open { ping: None };
                Ok(None)
            }
            Packet::Disconnect(disconnect) if self.exchange.version == Version::V5 => {
                self.handle_disconnect(disconnect)
            }
            Packet::Auth(auth) => self.handle_auth(auth),
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq
            | Packet::Disconnect(_) => Err(ProtocolError::WrongDirection { packet: packet.packet_type() }),
        }
    }

    fn finish(
        &mut self,
        packet: PacketType,
        packet_id: PacketId,
        fits: impl FnOnce(Request) -> bool,
    ) -> Result<(), ProtocolError> {
        match self.exchange.outgoing.finish_request(packet_id) {
            Some(request) if fits(request) => Ok(()),
            _ => Err(ProtocolError::UnexpectedResponse { packet, packet_id }),
        }
    }

    fn handle_publish<'p>(&mut self, publish: Publish<'p>) -> Result<Option<Event<'p, T>>, ProtocolError> {
        // Also for one that was delivered before: it may set an alias.
        let topic = self.exchange.aliases_in.resolve(&publish)?;
        match self.exchange.publish(&publish, self.receive_maximum)? {
            Delivered::New(receipt) => Ok(Some(Event::Publish { publish, topic, receipt })),
            Delivered::Nothing => Ok(None),
        }
    }

    fn handle_disconnect<'p>(
        &mut self,
        disconnect: Disconnect<'p>,
    ) -> Result<Option<Event<'p, T>>, ProtocolError> {
        // [MQTT-3.14.2-2]
        if disconnect.properties.session_expiry_interval().is_some() {
            return Err(ProtocolError::SessionExpiryFromServer);
        }
        self.phase = Phase::Closed;
        self.exchange.clear_queue();
        Ok(Some(Event::Disconnect(disconnect)))
    }

    /// Queues what the protocol wants said about an error, and closes.
    fn fail(&mut self, error: &ProtocolError) {
        // Before 5.0 a DISCONNECT would say that all is well.
        if self.exchange.version == Version::V5 {
            self.say_farewell(&error.reason_code().into());
        }
        self.phase = Phase::Closed;
    }
}
