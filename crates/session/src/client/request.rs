//! What the caller asks for.

use headwater_codec::{
    Connect, Disconnect, Filters, Packet, PacketId, Properties, QoS, ReasonCode, Subscribe, SubscribeFilter,
    TopicFilters, Unsubscribe, Version,
};
use headwater_topic::TopicFilter;

use super::{Phase, Session};
use crate::error::Misuse;
use crate::state::Receipt;
use crate::time::Millis;

impl<T> Session<T> {
    /// Begins a network connection that was just made.
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongPhase`] while another connection is in use, [`Misuse::Encode`] when CONNECT cannot be encoded.
    pub fn connect(&mut self, connect: &Connect<'_>, now: Millis) -> Result<(), Misuse> {
        if self.phase != Phase::Idle {
            return Err(Misuse::WrongPhase);
        }
        self.exchange.clear_queue();
        self.exchange.version = connect.version;
        self.exchange.queue(&Packet::Connect(*connect))?;
        let properties = &connect.properties;
        self.receive_maximum = properties.receive_maximum().map_or(u16::MAX, core::num::NonZeroU16::get);
        self.exchange.incoming.set_receive_maximum(self.receive_maximum);
        self.keep_alive_secs = connect.keep_alive_secs;
        self.clean_start = connect.clean_start;
        self.session_expiry_secs = match connect.version {
            Version::V5 => properties.session_expiry_interval().unwrap_or(0),
            Version::V3_1 | Version::V3_1_1 if connect.clean_start => 0,
            Version::V3_1 | Version::V3_1_1 => u32::MAX,
        };
        self.spoke = now;
        self.phase = Phase::Asked { deadline: now.after(self.config.response_timeout_millis) };
        Ok(())
    }

    /// The network connection is gone, for whatever reason. What is in flight stays; QoS 0 messages that waited are dropped.
    pub fn connection_lost(&mut self) {
        self.phase = Phase::Idle;
        self.exchange.clear_queue();
        self.exchange.incoming.disconnect();
    }

    /// How many more messages of this QoS [`publish`](Self::publish) takes now.
    #[must_use]
    pub fn room(&self, qos: QoS) -> usize {
        self.exchange.outgoing.room(qos)
    }

    /// Takes a message to be sent to the server, now or on the next connection.
    ///
    /// # Errors
    ///
    /// [`Misuse::Full`] when as many are in flight or waiting as may be: see [`room`](Self::room); the message is dropped then.
    /// [`Misuse::WrongPhase`] for QoS 0 without a connection.
    pub fn publish(&mut self, message: T, qos: QoS) -> Result<(), Misuse> {
        if qos == QoS::AtMostOnce && !self.is_open() {
            return Err(Misuse::WrongPhase);
        }
        self.exchange.outgoing.publish(message, qos).map_err(|_message| Misuse::Full)
    }

    /// The message under this receipt is safe, or refused with an error: PUBACK or PUBREC leaves as soon as those of all earlier
    /// messages have left [MQTT-4.6.0-2].
    pub fn acknowledge(&mut self, receipt: Receipt, reason: ReasonCode) {
        self.exchange.release(receipt, reason);
    }

    /// Asks for subscriptions; the answer is [`Event::Subscribed`](super::Event::Subscribed) under the packet identifier that this
    /// returns.
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongPhase`] without a connection, [`Misuse::Full`] when all packet identifiers are in use, [`Misuse::Encode`] when
    /// the packet cannot be encoded.
    pub fn subscribe(
        &mut self,
        subscriptions: &[SubscribeFilter<'_>],
        properties: Properties<'_>,
    ) -> Result<PacketId, Misuse> {
        self.request(|packet_id| {
            Packet::Subscribe(Subscribe { packet_id, properties, filters: Filters::from(subscriptions) })
        })
    }

    /// Ends subscriptions; the answer is [`Event::Unsubscribed`](super::Event::Unsubscribed).
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn unsubscribe(
        &mut self,
        filters: &[TopicFilter<'_>],
        properties: Properties<'_>,
    ) -> Result<PacketId, Misuse> {
        self.request(|packet_id| {
            Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters: TopicFilters::from(filters) })
        })
    }

    fn request<'a>(&mut self, packet: impl FnOnce(PacketId) -> Packet<'a>) -> Result<PacketId, Misuse> {
        if !self.is_open() {
            return Err(Misuse::WrongPhase);
        }
        let packet_id = self.exchange.outgoing.begin_request().ok_or(Misuse::Full)?;
        if let Err(error) = self.exchange.queue(&packet(packet_id)) {
            self.exchange.outgoing.finish_request(packet_id);
            return Err(error);
        }
        Ok(packet_id)
    }

    /// Takes leave: DISCONNECT with this reason, then the end [MQTT-3.14.4-1]. Before 5.0 the reason is not sent.
    pub fn disconnect(&mut self, reason: ReasonCode) {
        if self.is_open() {
            let reason = if self.exchange.version == Version::V5 { reason } else { ReasonCode::SUCCESS };
            let queued = self
                .exchange
                .queue(&Packet::Disconnect(Disconnect { reason, properties: Properties::EMPTY }));
            debug_assert!(queued.is_ok(), "a packet without strings can be encoded");
        }
        self.phase = Phase::Closed;
    }
}
