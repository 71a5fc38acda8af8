//! One PUBLISH for many receivers: encoded once, and stamped for each.

use crate::encode_error::EncodeError;
use crate::frame::PACKET_SIZE_MAX;
use crate::id::SubscriptionId;
use crate::parse::{Integer, integer};
use crate::properties::write_id;
use crate::property::{PropertyId, PropertyPlace};
use crate::publish::{Delivery, Publish, first_byte, write_topic};
use crate::sink::{Counter, Limited, Sink, SliceSink};
use crate::version::Version;
use crate::write::{self, Body, Output, Part, Pass};

/// A PUBLISH that goes to many receivers of one revision.
///
/// All that receivers share is encoded once, into a buffer of the caller's. What differs between them is stamped into it:
///
/// ```text
///  first byte | remaining length | topic name | packet identifier | length | subscription ids | properties | payload
///  ^^^^^^^^^^                                   ^^^^^^^^^^^^^^^^^            ^^^^^^^^^^^^^^^^                 elsewhere
/// ```
///
/// [`FanOut::stamp`] gives the head, which is to be sent or copied before the next receiver's turn; the payload follows from
/// where it lies, [`FanOut::payload`]. While all receivers have QoS 0, or all have another and as many subscription
/// identifiers of the same sizes, a stamp is a few stores; each change encodes the head anew. So sort receivers by that
/// where it is free to do so. There is one `FanOut` for each revision the receivers speak.
///
/// # Examples
///
/// ```
/// use headwater_codec::{Delivery, FanOut, PacketId, Publish, Receiver, TopicName, Version};
///
/// let message = Publish::new(TopicName::parse("plant/7")?, b"21.5");
/// let mut buffer = [0; 64];
/// let mut fan_out = FanOut::new(message, Version::V5, &mut buffer)?;
/// for number in 1..=3 {
///     let packet_id = PacketId::new(number).ok_or("0 is no packet identifier")?;
///     let receiver = Receiver::new(Delivery::AtLeastOnce { packet_id, dup: false });
///     let head = fan_out.stamp(&receiver)?;
///     // Send both slices: [head, fan_out.payload()].
///     assert_eq!(head, [b"\x32\x10\x00\x07plant/7\x00", &[number as u8, 0][..]].concat());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FanOut<'a> {
    message: Publish<'a>,
    version: Version,
    buffer: &'a mut [u8],
    stamped: Option<Stamped>,
}

/// What differs from receiver to receiver of one message.
///
/// # Examples
///
/// ```
/// use headwater_codec::{Delivery, FanOut, Publish, Receiver, SubscriptionId, TopicName, Version};
///
/// let ids = [SubscriptionId::new(7).ok_or("0 is no subscription identifier")?];
/// let receiver = Receiver::new(Delivery::AtMostOnce)
///     .with_retain(true)
///     .with_subscription_ids(&ids)
///     .with_packet_size_max(1024);
/// let mut buffer = [0; 64];
/// let message = Publish::new(TopicName::parse("a")?, b"21.5");
/// let mut fan_out = FanOut::new(message, Version::V5, &mut buffer)?;
/// assert_eq!(fan_out.stamp(&receiver)?, b"\x31\x0A\x00\x01a\x02\x0B\x07");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver<'a> {
    /// QoS, packet identifier and DUP.
    pub delivery: Delivery,
    /// The retain flag: whether this receiver's subscription keeps it, or the message is a retained one. [MQTT-3.3.1-8]
    pub retain: bool,
    /// The identifiers of its subscriptions that the message matches; none before 5.0. [MQTT-3.3.4-3]
    pub subscription_ids: &'a [SubscriptionId],
    /// The largest whole packet the receiver takes, in bytes. [MQTT-3.1.2-24]
    pub packet_size_max: usize,
}

impl<'a> Receiver<'a> {
    /// A receiver without subscription identifiers that takes packets of any size, with the retain flag off.
    pub const fn new(delivery: Delivery) -> Self {
        Self { delivery, retain: false, subscription_ids: &[], packet_size_max: PACKET_SIZE_MAX as usize }
    }

    /// The receiver with another retain flag.
    #[must_use]
    pub const fn with_retain(self, retain: bool) -> Self {
        Self { retain, ..self }
    }

    /// The receiver with the identifiers of its subscriptions.
    #[must_use]
    pub const fn with_subscription_ids(self, subscription_ids: &'a [SubscriptionId]) -> Self {
        Self { subscription_ids, ..self }
    }

    /// The receiver with a largest packet that it takes.
    #[must_use]
    pub const fn with_packet_size_max(self, packet_size_max: usize) -> Self {
        Self { packet_size_max, ..self }
    }
}

/// What the buffer holds, and where what differs stands in it.
#[derive(Clone, Copy, Debug)]
struct Stamped {
    head_len: usize,
    /// The whole packet.
    size: usize,
    /// Where the packet identifier is; `None` for QoS 0.
    packet_id_at: Option<usize>,
    /// Where the first subscription identifier is, and the size of all of them.
    ids_at: usize,
    ids_len: usize,
}

impl<'a> FanOut<'a> {
    /// Takes a message for receivers of one revision. Its own delivery and retain flag are of no account.
    ///
    /// The buffer has to hold the largest head: [`FanOut::stamp`] says how much it needs when it is too small.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoTopic`] without a topic name, and [`EncodeError::PropertyNotAllowed`] with a topic alias, which
    /// means something on one connection only. [MQTT-3.3.2-7]
    pub fn new(message: Publish<'a>, version: Version, buffer: &'a mut [u8]) -> Result<Self, EncodeError> {
        if message.topic.is_none() {
            return Err(EncodeError::NoTopic);
        }
        if message.properties.contains(PropertyId::TopicAlias) {
            let (property, place) = (PropertyId::TopicAlias, PropertyPlace::Publish);
            return Err(EncodeError::PropertyNotAllowed { property, place });
        }
        Ok(Self { message, version, buffer, stamped: None })
    }

    /// What follows each head.
    #[inline]
    pub const fn payload(&self) -> &'a [u8] {
        self.message.payload
    }

    /// The head of the packet for one receiver: all but the payload.
    ///
    /// # Errors
    ///
    /// See [`EncodeError`]; above all [`EncodeError::PacketTooLarge`] for this receiver. The next receiver is not affected.
    #[inline]
    pub fn stamp(&mut self, receiver: &Receiver<'_>) -> Result<&[u8], EncodeError> {
        let head_len = match self.restamp(receiver) {
            Some(head_len) => head_len,
            None => self.encode(receiver)?,
        };
        Ok(self.buffer.get(..head_len).unwrap_or_default())
    }

    /// Changes what differs in place, if the buffer holds a head of the same shape.
    #[inline(always)]
    fn restamp(&mut self, receiver: &Receiver<'_>) -> Option<usize> {
        let Stamped { head_len, size, packet_id_at, ids_at, ids_len } = self.stamped?;
        if size > receiver.packet_size_max {
            return None;
        }
        match (receiver.delivery.packet_id(), packet_id_at) {
            (Some(packet_id), Some(at)) => {
                let room = self.buffer.get_mut(at..)?.first_chunk_mut::<2>()?;
                *room = packet_id.get().to_be_bytes();
            }
            (None, None) => {}
            _ => return None,
        }
        let ids = receiver.subscription_ids;
        if ids_len != 0 || !ids.is_empty() {
            if size_of_ids(ids) != ids_len {
                return None;
            }
            put_ids(ids, &mut SliceSink::new(self.buffer.get_mut(ids_at..)?));
        }
        *self.buffer.first_mut()? = first_byte(receiver.delivery, receiver.retain);
        Some(head_len)
    }

    /// Encodes the head of another shape.
    #[inline(never)]
    fn encode(&mut self, receiver: &Receiver<'_>) -> Result<usize, EncodeError> {
        // On an error nothing is written, and the head in the buffer is as good as before.
        let whole = Whole { message: self.message_for(receiver), ids: receiver.subscription_ids };
        let mut sink = Limited::new(SliceSink::new(self.buffer), receiver.packet_size_max);
        write::encode(&whole, self.version, Part::Head, &mut sink)?;
        let head_len = sink.into_inner().written().len();
        let size = head_len + self.message.payload.len();

        // Behind the first byte and the remaining length, behind the topic name, and behind the length of the properties.
        let topic_at = 1 + self.integer_len(1);
        let after_topic = topic_at + 2 + self.message.topic.map_or(0, |topic| topic.as_str().len());
        let packet_id_at = receiver.delivery.packet_id().map(|_| after_topic);
        let properties_at = after_topic + packet_id_at.map_or(0, |_| 2);
        let ids_at = properties_at + self.integer_len(properties_at);
        let ids_len = size_of_ids(receiver.subscription_ids);
        self.stamped = Some(Stamped { head_len, size, packet_id_at, ids_at, ids_len });
        Ok(head_len)
    }

    /// The size of the variable byte integer that was written here.
    fn integer_len(&self, position: usize) -> usize {
        match integer(self.buffer.get(position..).unwrap_or_default()) {
            Integer::Complete(_, len) => len,
            _ => 0,
        }
    }

    #[inline]
    const fn message_for(&self, receiver: &Receiver<'_>) -> Publish<'a> {
        Publish { delivery: receiver.delivery, retain: receiver.retain, ..self.message }
    }
}

/// One receiver's packet.
struct Whole<'a> {
    message: Publish<'a>,
    ids: &'a [SubscriptionId],
}

impl Body for Whole<'_> {
    #[inline]
    fn first_byte(&self) -> u8 {
        self.message.first_byte()
    }

    fn write<O: Output>(&self, version: Version, out: &mut O) -> Result<(), EncodeError> {
        write_topic(&self.message, version, out)?;
        if let Some(packet_id) = self.message.packet_id() {
            out.put(&packet_id.get().to_be_bytes());
        }
        self.message.properties.write_with_ids(version, self.ids, out)
    }

    #[inline]
    fn payload(&self) -> &[u8] {
        self.message.payload
    }
}

/// The size of so many subscription identifiers as properties.
fn size_of_ids(ids: &[SubscriptionId]) -> usize {
    let mut counter = Counter::new();
    put_ids(ids, &mut counter);
    counter.count()
}

/// Writes subscription identifiers as properties.
fn put_ids(ids: &[SubscriptionId], sink: &mut impl Sink) {
    let mut out = Pass::over(sink);
    for id in ids {
        write_id(*id, &mut out);
    }
}
