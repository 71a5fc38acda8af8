//! What the client gets.

use headwater::codec::sink::Limited;
use headwater::codec::{Delivery as Sending, EncodeError, QoS, Version};
use headwater::session::{Aliases, Transmit};
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
        for _ in 0..MESSAGES_A_TURN {
            if !self.has_room() {
                // An acknowledgement or a write goes on.
                return Ok(false);
            }
            let Some(client) = &mut self.client else { return Ok(false) };
            match client.attached.next(now_ms).map_err(End::Read)? {
                Next::Delivery(delivery) => {
                    let qos = delivery.qos;
                    self.session.publish(delivery, qos).map_err(|refused| End::Misuse(refused.misuse))?;
                    self.transmit();
                }
                Next::Again => return Ok(true),
                Next::Idle => return Ok(false),
            }
        }
        Ok(self.has_room())
    }

    fn has_room(&self) -> bool {
        self.session.is_open()
            && self.outbox.len() <= OUTBOX_BYTES_MAX
            && self.session.room(QoS::AtMostOnce) > 0
            && self.session.room(QoS::ExactlyOnce) > 0
    }

    /// A message is done with: the client has it, has refused it, or cannot take it.
    pub(super) fn finish_delivery(&self, delivery: &Delivery) {
        let Some(client) = &self.client else { return };
        if let Err(error) = client.attached.finish(delivery) {
            tracing::warn!(client = client.attached.client_id(), %error, "a shared subscription was not saved");
        }
    }

    /// Puts what the session wants to be written into the outbox. A message that cannot be sent is let go, as if it had been
    /// [MQTT-3.1.2-24] [MQTT-3.1.2-25].
    pub(super) fn transmit(&mut self) {
        let version = self.session.version();
        let limit = usize::try_from(self.session.peer_packet_size_max()).unwrap_or(usize::MAX);
        let mut moment_ms = None;
        self.look_at_changes();
        // Control packets are small and bounded by what was read; messages wait while there is much to write.
        while self.outbox.len() <= OUTBOX_BYTES_MAX {
            match self.session.poll_transmit() {
                Some(Transmit::Control(bytes)) => self.outbox.extend(bytes),
                Some(Transmit::Publish { message, delivery, aliases }) => {
                    let now_ms = *moment_ms.get_or_insert_with(now_ms);
                    if write(&mut self.outbox, message, delivery, aliases, version, limit, now_ms).is_ok() {
                        count(&self.hub.counters.sent);
                        continue;
                    }
                    count(&self.hub.counters.too_large);
                    let discarded =
                        delivery.packet_id().and_then(|packet_id| self.session.discard(packet_id));
                    if let Some(message) = discarded {
                        self.finish_delivery(&message);
                    }
                }
                None => break,
            }
        }
    }
}

/// The head is encoded, the payload follows as it is. Nothing is written on an error.
fn write(
    outbox: &mut Outbox,
    delivery: &Delivery,
    sending: Sending,
    aliases: Aliases<'_>,
    version: Version,
    limit: usize,
    now_ms: i64,
) -> Result<(), EncodeError> {
    let mut properties = Vec::new();
    if version == Version::V5 {
        delivery.message.fill(&delivery.subscription_ids, now_ms, &mut properties);
    }
    // A topic alias last, so that it can be left out.
    let plain = properties.len();
    let alias = aliases.alias(delivery.message.topic.as_name());
    properties.extend(alias.as_ref().map(|alias| alias.property()));
    let mut publish = delivery.message.publish(sending, delivery.retain, &properties);
    if alias.as_ref().is_some_and(|alias| alias.is_known()) {
        publish.topic = None;
    }
    let written = outbox.write(|buffer| publish.encode_head(version, &mut Limited::new(buffer, limit)));
    match (written, alias) {
        (Ok(()), Some(alias)) => alias.written(),
        // To tell an alias takes three bytes more, which may be too many.
        (Err(_), Some(_)) => {
            properties.truncate(plain);
            let publish = delivery.message.publish(sending, delivery.retain, &properties);
            outbox.write(|buffer| publish.encode_head(version, &mut Limited::new(buffer, limit)))?;
        }
        (written, None) => written?,
    }
    outbox.payload(&delivery.message.payload);
    Ok(())
}
