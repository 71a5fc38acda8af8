//! What the client gets.

use bytes::BytesMut;
use headwater::codec::sink::Limited;
use headwater::codec::{Delivery as Sending, EncodeError, PacketId, QoS, Version};
use headwater::session::Transmit;
use headwater::store::{Delivery, Next};
use headwater_examples::show::now_ms;

use super::end::End;
use super::outbox::Outbox;
use super::{Connection, OUTBOX_BYTES_MAX};
use crate::hub::count;

/// How many messages are taken from the store before the connection looks at its client again.
const MESSAGES_A_TURN: usize = 256;

impl Connection {
    /// Takes messages from the store while there is room; tells whether there is more to look at right away.
    pub(super) fn deliver(&mut self) -> Result<bool, End> {
        let now_ms = now_ms();
        let mut took = false;
        for _ in 0..MESSAGES_A_TURN {
            let has_room = self.session.is_open()
                && self.outbox.len() <= OUTBOX_BYTES_MAX
                && self.session.room(QoS::ExactlyOnce) > 0;
            let Some(client) = self.client.as_mut().filter(|_| has_room) else { break };
            let delivery = match client.attached.next(now_ms).map_err(End::Read)? {
                Next::Delivery(delivery) => delivery,
                Next::Again => {
                    self.note_delivered(took);
                    return Ok(true);
                }
                Next::Idle => {
                    self.note_delivered(took);
                    return Ok(false);
                }
            };
            if self.fits(&delivery, now_ms) {
                let qos = delivery.qos;
                self.session.publish(delivery, qos).map_err(End::Misuse)?;
                took |= qos != QoS::AtMostOnce;
                self.transmit()?;
            } else {
                // [MQTT-3.1.2-24] [MQTT-3.1.2-25]: as if it had been sent.
                count(&self.hub.counters.too_large);
            }
        }
        self.note_delivered(took);
        // All the room was used, or all the turns: an acknowledgement, a write or the next turn goes on.
        Ok(self.session.room(QoS::ExactlyOnce) > 0
            && self.outbox.len() <= OUTBOX_BYTES_MAX
            && self.session.is_open())
    }

    fn note_delivered(&mut self, took: bool) {
        if took {
            self.mark_unsaved();
        }
    }

    /// Whether the client takes a packet of this size.
    fn fits(&self, delivery: &Delivery, now_ms: i64) -> bool {
        let limit = self.session.peer_packet_size_max();
        if limit == u32::MAX {
            return true;
        }
        let sending = match delivery.qos {
            QoS::AtMostOnce => Sending::AtMostOnce,
            QoS::AtLeastOnce => Sending::AtLeastOnce { packet_id: PacketId::MIN, dup: false },
            QoS::ExactlyOnce => Sending::ExactlyOnce { packet_id: PacketId::MIN, dup: false },
        };
        let mut counter = headwater::codec::sink::Counter::new();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        encode(delivery, sending, self.session.version(), now_ms, |publish, version| {
            publish.encode(version, &mut Limited::new(&mut counter, limit))
        })
        .is_ok()
    }

    /// Puts what the session wants to be written into the outbox.
    pub(super) fn transmit(&mut self) -> Result<(), End> {
        let version = self.session.version();
        // Control packets are small and bounded by what was read; messages wait while there is much to write.
        while self.outbox.len() <= OUTBOX_BYTES_MAX {
            match self.session.poll_transmit() {
                Some(Transmit::Control(bytes)) => self.outbox.extend(bytes),
                Some(Transmit::Publish { message, delivery }) => {
                    count(&self.hub.counters.sent);
                    write(&mut self.outbox, message, delivery, version).map_err(End::Encode)?;
                }
                None => break,
            }
        }
        Ok(())
    }
}

/// The head is encoded, the payload follows as it is.
fn write(
    outbox: &mut Outbox,
    message: &Delivery,
    sending: Sending,
    version: Version,
) -> Result<(), EncodeError> {
    encode(message, sending, version, now_ms(), |publish, version| {
        outbox.write(|buffer: &mut BytesMut| publish.encode_head(version, buffer))?;
        outbox.payload(&message.message.payload);
        Ok(())
    })
}

/// Lends the packet of a delivery.
fn encode<R>(
    delivery: &Delivery,
    sending: Sending,
    version: Version,
    now_ms: i64,
    encode: impl FnOnce(&headwater::codec::Publish<'_>, Version) -> Result<R, EncodeError>,
) -> Result<R, EncodeError> {
    let mut properties = Vec::new();
    if version == Version::V5 {
        delivery.message.fill(&delivery.subscription_ids, now_ms, &mut properties);
    }
    encode(&delivery.message.publish(sending, delivery.retain, &properties), version)
}
