//! What one side of a pair sends and receives.

use headwater_codec::{Properties, Publish, QoS, ReasonCode, Version};
use headwater_session::{Receipt, Topic, Transmit};
use headwater_testkit::wire::Direction;
use headwater_topic::TopicName;

/// Fewer than there are topics.
pub(crate) const ALIASES: u16 = 3;

const TOPICS: [&str; 5] = ["topic/0", "topic/1", "topic/2", "topic/3", "topic/4"];

/// The topic of a message.
fn topic_of(number: u32) -> &'static str {
    TOPICS[number as usize % TOPICS.len()]
}

/// What is sent: a number and a QoS; the payload is the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) number: u32,
    pub(crate) qos: QoS,
}

/// What one side received, in order, and what of it is not acknowledged yet.
#[derive(Debug, Default)]
pub(crate) struct Side {
    pub(crate) received: Vec<Message>,
    pub(crate) receipts: Vec<(Receipt, u32)>,
    pub(crate) delivered: Vec<Message>,
    /// Messages that were refused at least once.
    pub(crate) refused: Vec<u32>,
    /// Messages whose receipt was lost with the process: once for each time.
    pub(crate) forgotten: Vec<u32>,
    /// Numbers of messages that were written out.
    written: Vec<u32>,
}

impl Side {
    pub(crate) fn take(&mut self, publish: &Publish<'_>, topic: &Topic<'_>, receipt: Option<Receipt>) {
        let number = u32::from_be_bytes(publish.payload.try_into().unwrap());
        assert_eq!(topic.name().as_str(), topic_of(number), "whatever aliases there were");
        assert!(!publish.dup() || publish.topic.is_some(), "a resend has its full topic");
        self.received.push(Message { number, qos: publish.delivery.qos() });
        self.receipts.extend(receipt.map(|receipt| (receipt, number)));
    }

    pub(crate) fn forget_receipts(&mut self) {
        self.forgotten.extend(self.receipts.drain(..).map(|(_, number)| number));
    }

    pub(crate) fn take_receipt(&mut self, which: usize, reason: ReasonCode) -> Option<Receipt> {
        if self.receipts.is_empty() {
            return None;
        }
        let (receipt, number) = self.receipts.remove(which % self.receipts.len());
        if reason.is_error() && !self.refused.contains(&number) {
            self.refused.push(number);
        }
        Some(receipt)
    }
}

/// Puts what is to be written on the wire, one packet each.
pub(crate) fn write(
    transmit: Transmit<'_, Message>,
    version: Version,
    wire: &mut Direction,
    side: &mut Side,
    scratch: &mut Vec<u8>,
) {
    match transmit {
        Transmit::Control(mut bytes) => {
            // Control packets are small here: the length is one byte.
            while let [_, length, ..] = bytes {
                assert!(*length < 128);
                let (packet, rest) = bytes.split_at(2 + usize::from(*length));
                wire.send(packet);
                bytes = rest;
            }
        }
        Transmit::Publish { message, delivery, aliases } => {
            let before = side.written.contains(&message.number);
            // [MQTT-3.3.1-1] [MQTT-3.3.1-2]
            assert_eq!(delivery.dup(), before, "DUP says whether it was written before");
            if !before {
                side.written.push(message.number);
            }
            let payload = message.number.to_be_bytes();
            let topic = TopicName::parse(topic_of(message.number)).unwrap();
            let alias = aliases.alias(topic);
            let property = alias.as_ref().map(|alias| alias.property());
            let mut publish = Publish::new(topic, &payload)
                .with_delivery(delivery)
                .with_properties(Properties::from(property.as_slice()));
            if let Some(alias) = alias {
                publish.topic = publish.topic.filter(|_| !alias.is_known());
                alias.written();
            }
            scratch.clear();
            publish.encode(version, scratch).unwrap();
            wire.send(scratch);
        }
    }
}
