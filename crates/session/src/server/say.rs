//! What the caller has to say.

use alloc::vec::Vec;

use headwater_codec::{Packet, PacketId, QoS, ReasonCode, SubAck, UnsubAck, Version};

use super::{Phase, Request, Session};
use crate::error::{Misuse, Refused};
use crate::explained::{Explained, Words};
use crate::state::{Receipt, State};
use crate::time::Millis;

impl<T> Session<T> {
    /// Takes a message to be sent to the client; gives the packet identifier that it will have, `None` for QoS 0.
    ///
    /// # Errors
    ///
    /// The message comes back: with [`Misuse::Full`] when as many are in flight or waiting as may be, see [`room`](Self::room), with
    /// [`Misuse::WrongPhase`] when the connection is not open.
    pub fn publish(&mut self, message: T, qos: QoS) -> Result<Option<PacketId>, Refused<T>> {
        if self.phase != Phase::Open {
            return Err(Refused { message, misuse: Misuse::WrongPhase });
        }
        self.exchange.send(message, qos)
    }

    /// Lets packet identifiers be given out up to and with this one, in the order of giving them out: they count up and go on with 1
    /// after 65,535. Until this is called for the first time, all may be.
    ///
    /// For who keeps the [`State`] where a crash does not reach it. An identifier that was given out after the state was kept must not be
    /// given out again for another message, for the client may still hold it [MQTT-4.3.3-10]. So keep with the state one that is some
    /// thousands ahead, see [`packet_id_ahead`](State::packet_id_ahead), and once that is on the disk, let the session go as far: it costs
    /// one write for thousands of messages. When [`packet_ids_left`](Self::packet_ids_left) says that they run out, keep the state
    /// again. After a crash, go on behind what was reserved, and avoid what lies between.
    pub fn reserve_packet_ids(&mut self, through: PacketId) {
        self.exchange.outgoing.ids.reserve(through);
    }

    /// Gives a message up, as if its exchange were complete: one that is larger than the client takes [MQTT-3.1.2-25], whose time is over
    /// before it was sent, or that cannot be encoded. Gives the message back if there was one.
    pub fn discard(&mut self, packet_id: PacketId) -> Option<T> {
        self.exchange.discard(packet_id)
    }

    /// The message under this receipt is safe, or refused with an error: PUBACK or PUBREC leaves as soon as those of all earlier
    /// messages have left [MQTT-4.6.0-2] [MQTT-4.6.0-3]. A stale receipt does nothing. After the end of the connection nothing is sent,
    /// but the state is settled.
    ///
    /// Before 5.0 an acknowledgement cannot refuse, and the reason is not looked at: a message that must not be taken for safe is best
    /// answered by closing the connection, so that the client sends it again.
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
        let mut explained = reason.into();
        if !self.client.problem_information {
            // [MQTT-3.1.2-29]
            explained.words = Words::default();
        }
        let open = self.phase == Phase::Open;
        self.exchange.release(receipt, &explained, open)
    }

    /// Answers a SUBSCRIBE or UNSUBSCRIBE: one reason for each of its filters, in order [MQTT-3.8.4-6] [MQTT-3.11.3-1]. Before 5.0, SUBACK
    /// knows one error for all, and UNSUBACK no reasons.
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongPhase`] when the connection is not open, [`Misuse::ReasonCount`] for another number of reasons,
    /// [`Misuse::Encode`] for reasons that do not go there, or a packet that is larger than the client takes. The client waits for its
    /// answer then; it is best to close.
    pub fn answer(&mut self, request: Request, reasons: &[ReasonCode]) -> Result<(), Misuse> {
        self.answer_explained(request, reasons, None, &[])
    }

    /// The same with a reason string and user properties; they are left out before 5.0, where the client wants none [MQTT-3.1.2-29] or has
    /// no room for them [MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2].
    ///
    /// # Errors
    ///
    /// As [`answer`](Self::answer).
    pub fn answer_explained(
        &mut self,
        request: Request,
        reasons: &[ReasonCode],
        reason_string: Option<&str>,
        user_properties: &[(&str, &str)],
    ) -> Result<(), Misuse> {
        let Request { packet_id, filters, subscribe } = request;
        if self.phase != Phase::Open {
            return Err(Misuse::WrongPhase);
        }
        if reasons.len() != filters {
            return Err(Misuse::ReasonCount { filters, reasons: reasons.len() });
        }
        let mut properties = Vec::new();
        if self.client.problem_information {
            Words { reason_string, user_properties }.push_onto(&mut properties);
        }
        if subscribe {
            return self.exchange.queue_explained(&properties, 0, |properties| {
                Packet::SubAck(SubAck { properties, ..SubAck::new(packet_id, reasons) })
            });
        }
        let reasons = if self.exchange.version == Version::V5 { reasons } else { &[] };
        self.exchange.queue_explained(&properties, 0, |properties| {
            Packet::UnsubAck(UnsubAck { properties, ..UnsubAck::new(packet_id, reasons) })
        })
    }

    /// The caller had stopped reading, because [`wants_packet`](Self::wants_packet) said no or for reasons of its own, and reads again: the
    /// silence meanwhile was not the client's.
    pub fn read_again(&mut self, now: Millis) {
        self.heard = now;
    }

    /// Ends the session on this connection and gives what outlives it; `None` if the client was never let in, so that whatever was kept
    /// of its session before still holds.
    #[must_use]
    pub fn into_state(mut self) -> Option<State<T>> {
        self.accepted.then(|| self.exchange.take_state())
    }
}
