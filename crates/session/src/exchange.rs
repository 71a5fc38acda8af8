//! What both roles share: the exchange of messages in both directions and the packets that wait to be written.

use alloc::vec::Vec;

use headwater_codec::sink::Limited;
use headwater_codec::{
    Disconnect, EncodeError, Packet, PacketId, PacketType, Properties, Property, PubAck, PubComp, PubRec,
    PubRel, Publish, QoS, ReasonCode, Version,
};

use crate::alias;
use crate::error::{Misuse, ProtocolError, Refused};
use crate::explained::{Explained, Kept};
use crate::incoming::{Arrival, Due, Incoming, Release};
use crate::outgoing::{Outgoing, Progress, Request};
use crate::persist::{Journal, Note};
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
    pub(crate) aliases_in: alias::Incoming,
    pub(crate) aliases_out: alias::Outgoing,
    /// The largest packet that the peer takes.
    pub(crate) packet_size_max: u32,
    /// Encoded control packets, oldest first.
    control: Vec<u8>,
    /// Those that the last poll lent out; the two take turns, so that neither allocates once it has grown.
    lent: Vec<u8>,
    unknown_acknowledgements: u32,
    /// Raised whenever what outlives the connection changes.
    revision: u64,
    /// What changed in it, for who asked for that.
    pub(crate) journal: Option<Journal>,
}

/// What is to be told to the caller about a PUBLISH.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// New; a receipt if it has to be acknowledged.
    New(Option<Receipt>),
    /// Nothing: it was delivered before, or is refused.
    Nothing,
}

impl<T> Exchange<T> {
    pub(crate) fn new(version: Version, window: usize, receive_maximum: u16) -> Self {
        Self {
            version,
            outgoing: Outgoing::new(window),
            incoming: Incoming::new(receive_maximum),
            aliases_in: alias::Incoming::default(),
            aliases_out: alias::Outgoing::default(),
            packet_size_max: u32::MAX,
            control: Vec::new(),
            lent: Vec::new(),
            unknown_acknowledgements: 0,
            revision: 0,
            journal: None,
        }
    }

    /// Queues a control packet, if the peer takes one of its size [MQTT-3.1.2-24] [MQTT-3.2.2-15].
    pub(crate) fn queue(&mut self, packet: &Packet<'_>) -> Result<(), Misuse> {
        let limit = usize::try_from(self.packet_size_max).unwrap_or(usize::MAX);
        Ok(packet.encode(self.version, &mut Limited::new(&mut self.control, limit))?)
    }

    /// Queues a packet with as many of its properties as the peer takes: of what is behind the first `needed`, an explanation, user properties
    /// go first, then the reason string [MQTT-3.2.2-19] [MQTT-3.2.2-20].
    pub(crate) fn queue_explained<'a>(
        &mut self,
        properties: &'a [Property<'a>],
        needed: usize,
        packet: impl Fn(Properties<'a>) -> Packet<'a>,
    ) -> Result<(), Misuse> {
        // Before 5.0 there are no properties at all.
        let all = if self.version == Version::V5 { properties.len() } else { needed };
        let string = properties.iter().take(all).skip(needed).take_while(|one| is_reason_string(one)).count();
        let mut queued = Ok(());
        for count in [all, needed + string, needed] {
            let kept = properties.get(..count).unwrap_or(properties);
            queued = self.queue(&packet(Properties::from(kept)));
            if !matches!(queued, Err(Misuse::Encode(EncodeError::PacketTooLarge { .. }))) {
                break;
            }
        }
        queued
    }

    /// Queues a packet of some six bytes, without strings: every peer takes it that took CONNACK, which is larger.
    pub(crate) fn queue_small(&mut self, packet: &Packet<'_>) {
        let queued = packet.encode(self.version, &mut self.control);
        assert!(queued.is_ok(), "its reason was checked: {packet:?}, {queued:?}");
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
        let (message, delivery) = self.outgoing.poll()?;
        if let (Some(journal), Some(packet_id), false) =
            (&mut self.journal, delivery.packet_id(), delivery.dup())
        {
            journal.push(Note::Written(packet_id));
        }
        let aliases = self.aliases_out.lend(delivery.dup());
        Some(Transmit::Publish { message, delivery, aliases })
    }

    /// How often what outlives the connection has changed.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    fn changed(&mut self, note: Note) {
        self.revision += 1;
        self.note(note);
    }

    fn note(&mut self, note: Note) {
        if let Some(journal) = &mut self.journal {
            journal.push(note);
        }
    }

    /// A client asks for something: gives the identifier of the request.
    pub(crate) fn begin_request(&mut self, request: Request) -> Option<PacketId> {
        let packet_id = self.outgoing.begin_request(request)?;
        self.changed(Note::Skipped(packet_id));
        Some(packet_id)
    }

    /// The peer has forgotten the session: gives back what it may have had.
    pub(crate) fn forget(&mut self) -> Vec<T> {
        self.changed(Note::Forgotten);
        self.incoming.clear();
        self.outgoing.forget_sent()
    }

    /// The caller sends a message.
    pub(crate) fn send(&mut self, message: T, qos: QoS) -> Result<Option<PacketId>, Refused<T>> {
        match self.outgoing.publish(message, qos) {
            Ok(None) => Ok(None),
            Ok(Some(packet_id)) => {
                let taken = self.outgoing.taken(packet_id).unwrap_or_default();
                let exactly_once = qos == QoS::ExactlyOnce;
                self.changed(Note::Taken { packet_id, exactly_once, taken });
                Ok(Some(packet_id))
            }
            Err(message) => Err(Refused { message, misuse: Misuse::Full }),
        }
    }

    /// The caller gives a message up.
    pub(crate) fn discard(&mut self, packet_id: PacketId) -> Option<T> {
        let message = self.outgoing.discard(packet_id)?;
        self.changed(Note::Completed(packet_id));
        Some(message)
    }

    /// A PUBLISH came.
    pub(crate) fn publish(
        &mut self,
        publish: &Publish<'_>,
        receive_maximum: u16,
    ) -> Result<Delivered, ProtocolError> {
        let Some(packet_id) = publish.delivery.packet_id() else { return Ok(Delivered::New(None)) };
        match self.incoming.publish(packet_id, publish.delivery.qos()) {
            Arrival::New(receipt) => {
                // One of QoS 1 is sent again as a new one: there is nothing to keep.
                if publish.qos() == QoS::ExactlyOnce {
                    // Told when the caller has it: until then the peer holds the message.
                    self.revision += 1;
                }
                Ok(Delivered::New(Some(receipt)))
            }
            Arrival::Pending => {
                self.acknowledge_due();
                Ok(Delivered::Nothing)
            }
            Arrival::Repeat => {
                self.pubrec(packet_id, ReasonCode::SUCCESS);
                Ok(Delivered::Nothing)
            }
            Arrival::TooMany => Err(ProtocolError::ReceiveMaximumExceeded { receive_maximum }),
            Arrival::TooManyHeld if self.version == Version::V5 => {
                self.incoming.refuse(packet_id, ReasonCode::QUOTA_EXCEEDED);
                self.acknowledge_due();
                Ok(Delivered::Nothing)
            }
            // It cannot be refused; the peer keeps it, and sends it again behind its PUBRELs [MQTT-4.4.0-1].
            Arrival::TooManyHeld => Err(ProtocolError::HeldMaximumExceeded { held: self.incoming.held() }),
        }
    }

    /// The caller is done with a received message. `open` tells whether an acknowledgement may still be sent.
    pub(crate) fn release(
        &mut self,
        receipt: Receipt,
        explained: &Explained<'_>,
        open: bool,
    ) -> Result<(), Misuse> {
        // PUBREC lists the same reasons (5.0, sections 3.4.2.1 and 3.5.2.1). Before 5.0 there are none: what is acknowledged is taken.
        let reason = self.sayable(explained.reason);
        if !reason.allowed_in(PacketType::PubAck) {
            return Err(Misuse::ReasonNotAllowed { reason });
        }
        // Kept only where it is said: nothing is before 5.0.
        let words = if self.version == Version::V5 { explained.words.keep() } else { None };
        if let Some(packet_id) = self.incoming.release(receipt, reason, words) {
            let freed = reason.is_error();
            self.changed(if freed { Note::Released(packet_id) } else { Note::Held(packet_id) });
        }
        if open {
            self.acknowledge_due();
        } else {
            // The connection ends: the state is settled, and nothing follows the farewell [MQTT-3.14.4-1].
            while self.incoming.due().is_some() {}
        }
        Ok(())
    }

    fn acknowledge_due(&mut self) {
        while let Some(due) = self.incoming.due() {
            let Due { packet_id, qos, reason, words } = due;
            // [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3]
            let explained =
                words.is_some_and(|words| self.acknowledge_in_words(packet_id, qos, reason, &words));
            if explained {
                continue;
            }
            if qos == QoS::ExactlyOnce {
                self.pubrec(packet_id, reason);
            } else {
                self.queue_small(&Packet::PubAck(PubAck::with_reason(packet_id, reason)));
            }
        }
    }

    /// Tells whether the words could be encoded.
    fn acknowledge_in_words(
        &mut self,
        packet_id: PacketId,
        qos: QoS,
        reason: ReasonCode,
        words: &Kept,
    ) -> bool {
        let mut properties = Vec::new();
        words.push_onto(&mut properties);
        let queued = self.queue_explained(&properties, 0, |properties| match qos {
            QoS::ExactlyOnce => Packet::PubRec(PubRec { packet_id, reason, properties }),
            QoS::AtMostOnce | QoS::AtLeastOnce => Packet::PubAck(PubAck { packet_id, reason, properties }),
        });
        queued.is_ok()
    }

    fn pubrec(&mut self, packet_id: PacketId, reason: ReasonCode) {
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
            Progress::Complete(message) => {
                self.changed(Note::Completed(packet_id));
                Ok(Some((message, reason)))
            }
            Progress::Release => {
                self.changed(Note::Received(packet_id));
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
            Release::Done => {
                self.changed(Note::Released(packet_id));
                ReasonCode::SUCCESS
            }
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
        let highest = state.outgoing.iter().map(|kept| kept.packet_id).max();
        if let Some(last) = state.last_packet_id.or(highest) {
            self.outgoing.ids.go_on_behind(last);
        }
        self.outgoing.ids.avoid(state.avoided_packet_ids);
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
            last_packet_id: self.outgoing.ids.last(),
            avoided_packet_ids: self.outgoing.ids.avoided().to_vec(),
            next_receipt: self.incoming.next_receipt(),
        }
    }

    /// What must outlive the connection, leaving nothing behind.
    pub(crate) fn take_state(&mut self) -> State<T> {
        self.incoming.disconnect();
        let incoming = self.incoming.kept();
        let next_receipt = self.incoming.next_receipt();
        self.incoming.clear();
        let last_packet_id = self.outgoing.ids.last();
        let avoided_packet_ids = self.outgoing.ids.avoided().to_vec();
        State { outgoing: self.outgoing.take(), incoming, last_packet_id, avoided_packet_ids, next_receipt }
    }

    /// The farewell, with a reason that DISCONNECT can carry.
    pub(crate) fn queue_farewell(&mut self, explained: &Explained<'_>) {
        let sayable = explained.reason.allowed_in(PacketType::Disconnect);
        let reason = if sayable { explained.reason } else { ReasonCode::PROTOCOL_ERROR };
        let mut properties = Vec::new();
        // [MQTT-3.14.2-3] [MQTT-3.14.2-4]
        explained.words.push_onto(&mut properties);
        let queued = self.queue_explained(&properties, 0, |properties| {
            Packet::Disconnect(Disconnect { reason, properties })
        });
        if queued.is_err() {
            // Words that cannot be encoded are not worth a farewell.
            self.queue_small(&Packet::Disconnect(Disconnect::new(reason)));
        }
    }
}

fn is_reason_string(property: &Property<'_>) -> bool {
    matches!(property, Property::ReasonString(_))
}
