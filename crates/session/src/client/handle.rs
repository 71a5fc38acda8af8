//! Packets from the server.

use alloc::vec::Vec;

use headwater_codec::{ConnAck, Packet, PacketType, Publish, ReasonCode, Version};

use super::{Event, Phase, Session};
use crate::error::ProtocolError;
use crate::exchange::Delivered;
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
        let Packet::ConnAck(connack) = packet else {
            return Err(ProtocolError::NotConnected { packet: packet.packet_type() });
        };
        if connack.reason.is_error() {
            self.phase = Phase::Closed;
            return Ok(Some(Event::Refused(connack)));
        }
        self.enter(&connack)?;
        let mut unfinished = Vec::new();
        if !connack.session_present {
            // [MQTT-3.2.2-5]: the server knows nothing of it, so nothing can be completed.
            self.exchange.incoming.clear();
            unfinished = self.exchange.outgoing.forget_sent();
        }
        self.phase = Phase::Open { ping: None };
        let receive_maximum =
            connack.properties.receive_maximum().map_or(u16::MAX, core::num::NonZeroU16::get);
        self.exchange.resume(receive_maximum);
        Ok(Some(Event::Connected { connack, unfinished }))
    }

    /// Takes in what CONNACK settles.
    fn enter(&mut self, connack: &ConnAck<'_>) -> Result<(), ProtocolError> {
        // [MQTT-3.2.2-4]. A client that did not ask for a clean start has a session, were it an empty one.
        if connack.session_present && self.clean_start {
            return Err(ProtocolError::SessionPresentUnexpected);
        }
        let properties = &connack.properties;
        // [MQTT-3.2.2-21]
        self.keep_alive_secs = properties.server_keep_alive().unwrap_or(self.keep_alive_secs);
        self.session_expiry_secs = properties.session_expiry_interval().unwrap_or(self.session_expiry_secs);
        self.packet_size_max = properties.maximum_packet_size().map_or(u32::MAX, core::num::NonZeroU32::get);
        Ok(())
    }

    fn handle_open<'p>(&mut self, packet: Packet<'p>) -> Result<Option<Event<'p, T>>, ProtocolError> {
        match packet {
            Packet::Publish(publish) => self.handle_publish(publish),
            Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => {
                let delivered = self.exchange.acknowledgement(&packet)?;
                Ok(delivered.map(|(message, reason)| Event::Delivered { message, reason }))
            }
            Packet::SubAck(suback) => {
                if !self.finish(suback.packet_id) {
                    let packet = PacketType::SubAck;
                    return Err(ProtocolError::UnexpectedResponse { packet, packet_id: suback.packet_id });
                }
                Ok(Some(Event::Subscribed(suback)))
            }
            Packet::UnsubAck(unsuback) => {
                if !self.finish(unsuback.packet_id) {
                    let packet = PacketType::UnsubAck;
                    return Err(ProtocolError::UnexpectedResponse { packet, packet_id: unsuback.packet_id });
                }
                Ok(Some(Event::Unsubscribed(unsuback)))
            }
            Packet::PingResp => {
                self.phase = Phase::Open { ping: None };
                Ok(None)
            }
            Packet::Disconnect(disconnect) if self.exchange.version == Version::V5 => {
                self.phase = Phase::Closed;
                self.exchange.clear_queue();
                Ok(Some(Event::Disconnect(disconnect)))
            }
            Packet::Auth(_) => Err(ProtocolError::UnexpectedAuth),
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq
            | Packet::Disconnect(_) => Err(ProtocolError::WrongDirection { packet: packet.packet_type() }),
        }
    }

    fn handle_publish<'p>(&mut self, publish: Publish<'p>) -> Result<Option<Event<'p, T>>, ProtocolError> {
        if let Some(alias) = publish.properties.topic_alias() {
            // CONNECT offered none [MQTT-3.1.2-27].
            return Err(ProtocolError::TopicAliasInvalid { alias: alias.get(), maximum: 0 });
        }
        match self.exchange.publish(&publish, self.receive_maximum)? {
            Delivered::New(receipt) => Ok(Some(Event::Publish { publish, receipt })),
            Delivered::Before => Ok(None),
        }
    }

    /// Queues what the protocol wants said about an error, and closes.
    pub(super) fn fail(&mut self, error: &ProtocolError) {
        // Before 5.0 a DISCONNECT would say that all is well.
        if self.exchange.version == Version::V5 {
            self.disconnect(error.reason_code());
        }
        self.phase = Phase::Closed;
    }

    /// Ends the connection because bytes could not be decoded, with the decoder's reason (5.0).
    pub fn reject(&mut self, reason: ReasonCode) {
        if self.exchange.version == Version::V5 {
            self.disconnect(reason);
        }
        self.phase = Phase::Closed;
    }
}
