//! What both roles share: the exchange of messages in both directions and the packets that wait to be written.

use alloc::vec::Vec;

use headwater_codec::{
    Packet, PacketId, PacketType, PubAck, PubComp, PubRec, PubRel, Publish, QoS, ReasonCode, Version,
};

use crate::error::{Misuse, ProtocolError};
use crate::incoming::{Arrival, Incoming, Release};
use crate::outgoing::{Outgoing, Progress};
use crate::state::{Receipt, State};
use crate::transmit::Transmit;

/// So many acknowledgements for identifiers that are not in use are taken for late ones; one more is an attack or a defect.
const UNKNOWN_ACKNOWLEDGEMENTS_MAX: u32 = 1_000;

/// Both directions of one session, and its queue of control packets.
#[derive(Debug)]
pub(crate) struct Exchange<T> {
    pub(crate) version: Version,
    pub(crate) outgoing: Outgoing<T>,
    pub(crate) incoming: Incoming,
    /// Encoded control packets, oldest first.
    control: Vec<u8>,
    /// Those that the last poll lent out; the two take turns, so that neither allocates once it has grown.
    lent: Vec<u8>,
    unknown_acknowledgements: u32,
}

/// What is to be told to the caller about a PUBLISH.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// New; a receipt if it has to be acknowledged.
    New(Option<Receipt>),
    /// Nothing: it was delivered before.
    Before,
}

impl<T> Exchange<T> {
    pub(crate) fn new(version: Version, window: usize, receive_maximum: u16) -> Self {
        Self {
            version,
            outgoing: Outgoing::new(window),
            incoming: Incoming::new(receive_maximum),
            control: Vec::new(),
            lent: Vec::new(),
            unknown_acknowledgements: 0,
        }
    }

    /// Queues a control packet.
    pub(crate) fn queue(&mut self, packet: &Packet<'_>) -> Result<(), Misuse> {
        Ok(packet.encode(self.version, &mut self.control)?)
    }

    /// Queues a packet that consists of numbers only.
    fn queue_small(&mut self, packet: &Packet<'_>) {
        let queued = self.queue(packet);
        assert!(queued.is_ok(), "a packet without strings can be encoded: {packet:?}, {queued:?}");
    }

    /// Bytes of control packets that wait to be written.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.control.len()
    }

    /// Drops what waits to be written.
    pub(crate) fn clear_queue(&mut self) {
        self.control.clear();
    }

    /// All queued control packets, then one message after the other. `messages` tells whether those may go.
    pub(crate) fn poll_transmit(&mut self, messages: bool) -> Option<Transmit<'_, T>> {
        if !self.control.is_empty() {
            core::mem::swap(&mut self.control, &mut self.lent);
            self.control.clear();
            return Some(Transmit::Control(&self.lent));
        }
        if !messages {
            return None;
        }
        self.outgoing.poll().map(|(message, delivery)| Transmit::Publish { message, delivery })
    }

    /// A PUBLISH came.
    pub(crate) fn publish(
        &mut self,
        publish: &Publish<'_>,
        receive_maximum: u16,
    ) -> Result<Delivered, ProtocolError> {
        let Some(packet_id) = publish.delivery.packet_id() else { return Ok(Delivered::New(None)) };
        match self.incoming.publish(packet_id, publish.delivery.qos()) {
            Arrival::New(receipt) => Ok(Delivered::New(Some(receipt))),
            Arrival::Pending => Ok(Delivered::Before),
            Arrival::Repeat => {
                self.pubrec(packet_id, ReasonCode::SUCCESS);
                Ok(Delivered::Before)
            }
            Arrival::TooMany => Err(ProtocolError::ReceiveMaximumExceeded { receive_maximum }),
        }
    }

    /// The caller is done with a received message.
    pub(crate) fn release(&mut self, receipt: Receipt, reason: ReasonCode) {
        self.incoming.release(receipt, reason);
        while let Some(due) = self.incoming.due() {
            match due.qos {
                QoS::AtMostOnce => {}
                QoS::AtLeastOnce => {
                    let reason = self.sayable(due.reason);
                    self.queue_small(&Packet::PubAck(PubAck::with_reason(due.packet_id, reason)));
                }
                QoS::ExactlyOnce => self.pubrec(due.packet_id, due.reason),
            }
        }
    }

    fn pubrec(&mut self, packet_id: PacketId, reason: ReasonCode) {
        let reason = self.sayable(reason);
        self.queue_small(&Packet::PubRec(PubRec::with_reason(packet_id, reason)));
    }

    /// Before 5.0 an acknowledgement has no reason.
    fn sayable(&self, reason: ReasonCode) -> ReasonCode {
        if self.version == Version::V5 { reason } else { ReasonCode::SUCCESS }
    }

    fn pubrel(&mut self, packet_id: PacketId, reason: ReasonCode) {
        let reason = self.sayable(reason);
        self.queue_small(&Packet::PubRel(PubRel::with_reason(packet_id, reason)));
    }

    /// One of the four acknowledgements came. Gives back the message whose exchange is complete, and how it ended.
    pub(crate) fn acknowledgement(
        &mut self,
        packet: &Packet<'_>,
    ) -> Result<Option<(T, ReasonCode)>, ProtocolError> {
        let (progress, packet_id, reason) = match packet {
            Packet::PubAck(ack) => (self.outgoing.puback(ack.packet_id), ack.packet_id, ack.reason),
            // The receiver took the message with PUBREC. That it no longer knows the identifier only means that an earlier
            // PUBCOMP was lost.
            Packet::PubComp(ack) => {
                (self.outgoing.pubcomp(ack.packet_id), ack.packet_id, ReasonCode::SUCCESS)
            }
            Packet::PubRec(ack) => {
                (self.outgoing.pubrec(ack.packet_id, ack.reason.is_error()), ack.packet_id, ack.reason)
            }
            Packet::PubRel(ack) => return self.released(ack.packet_id).map(|()| None),
            other => return Err(ProtocolError::WrongDirection { packet: other.packet_type() }),
        };
        match progress {
            Progress::Complete(message) => Ok(Some((message, reason))),
            Progress::Release => {
                self.pubrel(packet_id, ReasonCode::SUCCESS);
                Ok(None)
            }
            Progress::Wrong => {
                Err(ProtocolError::WrongAcknowledgement { packet: packet.packet_type(), packet_id })
            }
            Progress::Unknown => {
                // The quota stays as it is: only what was counted is given back.
                self.count_unknown()?;
                if packet.packet_type() == PacketType::PubRec && !reason.is_error() {
                    // The sender of PUBREC waits for PUBREL; without one it would hang.
                    self.pubrel(packet_id, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND);
                }
                Ok(None)
            }
        }
    }

    fn released(&mut self, packet_id: PacketId) -> Result<(), ProtocolError> {
        let reason = match self.incoming.pubrel(packet_id) {
            Release::Done => ReasonCode::SUCCESS,
            Release::Unknown => {
                self.count_unknown()?;
                self.sayable(ReasonCode::PACKET_IDENTIFIER_NOT_FOUND)
            }
            Release::TooEarly => {
                return Err(ProtocolError::WrongAcknowledgement { packet: PacketType::PubRel, packet_id });
            }
        };
        // [MQTT-4.3.3-11]: PUBCOMP in any case.
        self.queue_small(&Packet::PubComp(PubComp::with_reason(packet_id, reason)));
        Ok(())
    }

    fn count_unknown(&mut self) -> Result<(), ProtocolError> {
        self.unknown_acknowledgements += 1;
        if self.unknown_acknowledgements > UNKNOWN_ACKNOWLEDGEMENTS_MAX {
            return Err(ProtocolError::UnknownAcknowledgements { count: self.unknown_acknowledgements });
        }
        Ok(())
    }

    /// Acknowledgements that named no exchange, on this connection.
    pub(crate) fn unknown_acknowledgements(&self) -> u32 {
        self.unknown_acknowledgements
    }

    /// Begins a connection: what is in flight is sent again, in order [MQTT-4.4.0-1].
    pub(crate) fn resume(&mut self, receive_maximum: u16) {
        self.unknown_acknowledgements = 0;
        for packet_id in self.outgoing.resume(receive_maximum) {
            self.pubrel(packet_id, ReasonCode::SUCCESS);
        }
    }

    /// Takes kept state in; for a fresh exchange.
    pub(crate) fn restore(&mut self, state: State<T>) {
        self.outgoing.restore(state.outgoing);
        self.incoming.restore(state.incoming, state.next_receipt);
    }

    /// A copy of what must outlive the connection.
    pub(crate) fn state(&self) -> State<T>
    where
        T: Clone,
    {
        State {
            outgoing: self.outgoing.in_flight(),
            incoming: self.incoming.kept(),
            next_receipt: self.incoming.next_receipt(),
        }
    }

    /// What must outlive the connection, leaving nothing behind.
    pub(crate) fn take_state(&mut self) -> State<T> {
        self.incoming.disconnect();
        let incoming = self.incoming.kept();
        let next_receipt = self.incoming.next_receipt();
        self.incoming.clear();
        State { outgoing: self.outgoing.take(), incoming, next_receipt }
    }
}
