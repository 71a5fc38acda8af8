//! What the caller asks for.

use core::num::NonZeroU16;

use headwater_codec::{
    Connect, Filters, Packet, PacketId, Properties, QoS, ReasonCode, Subscribe, SubscribeFilter,
    TopicFilters, Unsubscribe, Version,
};
use headwater_topic::TopicFilter;

use super::{Phase, Session};
use crate::auth::{Authentication, Step};
use crate::error::{Misuse, Refused};
use crate::explained::Explained;
use crate::outgoing::Request;
use crate::state::Receipt;
use crate::time::Millis;

impl<T> Session<T> {
    /// Begins a network connection that was just made. A clean start gives the session up that there is; what was under way comes back
    /// in [`Event::Connected`](super::Event::Connected). A topic alias maximum in its properties is what the server may set: each alias keeps a
    /// topic name of at most 64 KiB. An authentication method among them begins enhanced authentication (5.0, section 4.12): the server may
    /// ask for more by [`Event::Auth`](super::Event::Auth), and CONNACK may bring data, too.
    ///
    /// # Errors
    ///
    /// Nothing has changed then. [`Misuse::WrongPhase`] while another connection is in use, [`Misuse::ClientIdNeeded`] without a
    /// client identifier where there has to be one (before 5.0, for a session that is kept), [`Misuse::Encode`] when CONNECT cannot be
    /// encoded.
    pub fn connect(&mut self, connect: &Connect<'_>, now: Millis) -> Result<(), Misuse> {
        if self.phase != Phase::Idle {
            return Err(Misuse::WrongPhase);
        }
        // 3.1.1: [MQTT-3.1.3-7]; 3.1 wants an identifier in any case.
        let needed =
            connect.version == Version::V3_1 || connect.version == Version::V3_1_1 && !connect.clean_start;
        if needed && connect.client_id.is_empty() {
            return Err(Misuse::ClientIdNeeded);
        }
        let properties = &connect.properties;
        self.exchange.clear_queue();
        // What the last server said does not hold for this one.
        self.exchange.packet_size_max = u32::MAX;
        self.exchange.queue(&Packet::Connect(*connect))?;
        self.exchange.version = connect.version;
        self.receive_maximum = properties.receive_maximum().map_or(u16::MAX, NonZeroU16::get);
        self.exchange.incoming.begin(
            self.receive_maximum,
            self.config.held_max.get(),
            connect.version == Version::V5,
        );
        self.exchange.aliases_in.begin(properties.topic_alias_maximum().unwrap_or(0));
        self.keep_alive_secs = connect.keep_alive_secs;
        self.session_expiry_secs = match connect.version {
            Version::V5 => properties.session_expiry_interval().unwrap_or(0),
            Version::V3_1 | Version::V3_1_1 if connect.clean_start => 0,
            Version::V3_1 | Version::V3_1_1 => u32::MAX,
        };
        if connect.clean_start {
            // [MQTT-3.1.2-4]: also if the server's answer is lost.
            self.give_up();
        }
        self.spoke = now;
        let deadline = now.after(self.config.response_timeout_millis);
        self.auth = Authentication::begin(properties, Step::Theirs { deadline });
        self.phase = Phase::Asked { deadline };
        Ok(())
    }

    /// Gives the session up; messages that were never sent stay.
    pub(super) fn give_up(&mut self) {
        self.exists = false;
        self.unfinished.extend(self.exchange.forget());
    }

    /// Nobody waits for CONNACK any longer, if somebody did: the server may have let us in, and its answer may be lost.
    pub(super) fn leave_unanswered(&mut self) {
        if let Phase::Asked { .. } = self.phase {
            self.exists |= self.session_expiry_secs > 0;
        }
    }

    /// The network connection is gone, for whatever reason. What is in flight stays; QoS 0 messages that waited are dropped.
    pub fn connection_lost(&mut self) {
        self.leave_unanswered();
        self.phase = Phase::Idle;
        self.auth = Authentication::default();
        self.exchange.clear_queue();
        self.exchange.incoming.disconnect();
        self.exchange.outgoing.disconnect();
    }

    /// Takes a message to be sent to the server, now or on the next connection; gives the packet identifier that it will have, `None`
    /// for QoS 0.
    ///
    /// # Errors
    ///
    /// The message comes back: with [`Misuse::Full`] when as many are in flight or waiting as may be, see [`room`](Self::room), with
    /// [`Misuse::WrongPhase`] for QoS 0 without a connection, with [`Misuse::QosNotSupported`] for a QoS that the server does not take
    /// [MQTT-3.2.2-11].
    pub fn publish(&mut self, message: T, qos: QoS) -> Result<Option<PacketId>, Refused<T>> {
        if qos == QoS::AtMostOnce && !self.is_open() {
            return Err(Refused { message, misuse: Misuse::WrongPhase });
        }
        if qos > self.offer.maximum_qos {
            return Err(Refused { message, misuse: Misuse::QosNotSupported });
        }
        self.exchange.send(message, qos)
    }

    /// Gives a message up, as if its exchange were complete: one that is larger than the server takes, whose time is over before it was
    /// sent, or that cannot be encoded. Gives the message back if there was one.
    pub fn discard(&mut self, packet_id: PacketId) -> Option<T> {
        self.exchange.discard(packet_id)
    }

    /// The message under this receipt is safe, or refused with an error: PUBACK or PUBREC leaves as soon as those of all earlier
    /// messages have left [MQTT-4.6.0-2] [MQTT-4.6.0-3]. A stale receipt does nothing. Without a connection nothing is sent, but the state
    /// is settled.
    ///
    /// O(1) for the oldest message, O(receive maximum) for others.
    ///
    /// # Errors
    ///
    /// [`Misuse::ReasonNotAllowed`] for a reason that PUBACK cannot carry; the receipt is still good.
    pub fn acknowledge<'a>(
        &mut self,
        receipt: Receipt,
        reason: impl Into<Explained<'a>>,
    ) -> Result<(), Misuse> {
        let open = self.is_open();
        self.exchange.release(receipt, &reason.into(), open)
    }

    /// Asks for subscriptions; the answer is [`Event::Subscribed`](super::Event::Subscribed) under the packet identifier that this
    /// returns.
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongPhase`] without a connection, [`Misuse::Full`] when all packet identifiers are in use, [`Misuse::Encode`] when
    /// the packet cannot be encoded, or is larger than the server takes, [`Misuse::WildcardSubscriptionsNotAvailable`],
    /// [`Misuse::SharedSubscriptionsNotAvailable`] and [`Misuse::SubscriptionIdentifiersNotAvailable`] for what CONNACK said that
    /// there is not.
    pub fn subscribe(
        &mut self,
        subscriptions: &[SubscribeFilter<'_>],
        properties: Properties<'_>,
    ) -> Result<PacketId, Misuse> {
        if self.is_open() {
            self.offer.check_subscribe(subscriptions, &properties)?;
        }
        self.request(Request::Subscribe(subscriptions.len()), |packet_id| {
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
        self.request(Request::Unsubscribe(filters.len()), |packet_id| {
            Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters: TopicFilters::from(filters) })
        })
    }

    fn request<'a>(
        &mut self,
        request: Request,
        packet: impl FnOnce(PacketId) -> Packet<'a>,
    ) -> Result<PacketId, Misuse> {
        if !self.is_open() {
            return Err(Misuse::WrongPhase);
        }
        let packet_id = self.exchange.begin_request(request).ok_or(Misuse::Full)?;
        if let Err(error) = self.exchange.queue(&packet(packet_id)) {
            self.exchange.outgoing.finish_request(packet_id);
            return Err(error);
        }
        Ok(packet_id)
    }

    /// Takes leave: DISCONNECT, then the end [MQTT-3.14.4-1]. Before 5.0 the reason is not sent; in 5.0 it is
    /// [`PROTOCOL_ERROR`](ReasonCode::PROTOCOL_ERROR) in place of one that DISCONNECT cannot carry.
    ///
    /// Also the answer to bytes of a 5.0 server that could not be decoded, with the decoder's reason.
    pub fn disconnect<'a>(&mut self, reason: impl Into<Explained<'a>>) {
        self.say_farewell(&reason.into());
        self.leave_unanswered();
        self.phase = Phase::Closed;
    }

    /// DISCONNECT, if one may be sent now.
    pub(super) fn say_farewell(&mut self, explained: &Explained<'_>) {
        // [MQTT-3.1.2-30]: also in the middle of an authentication.
        let in_exchange = matches!(self.phase, Phase::Asked { .. }) && self.auth.has_method();
        if self.is_open() || in_exchange {
            let sayable = self.exchange.version == Version::V5;
            let success = Explained::new(ReasonCode::SUCCESS);
            self.exchange.queue_farewell(if sayable { explained } else { &success });
        }
    }
}
