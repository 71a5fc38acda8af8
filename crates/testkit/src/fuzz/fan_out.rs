//! One message for many receivers.

use headwater_codec::sink::Limited;
use headwater_codec::{
    EncodeError, FanOut, Properties, Property, PropertyId, Publish, Receiver, SliceSink, SubscriptionId,
    Version,
};

use super::build::Input;

/// How many receivers there are at most.
const RECEIVERS: u8 = 8;

/// Stamps a message for receivers that are read from the input; each stamp is what encoding for that receiver alone gives,
/// errors included.
///
/// # Panics
///
/// When it is not.
pub(super) fn fan_out(message: Publish<'_>, version: Version, input: &mut Input<'_>) {
    let mut buffer = vec![0xA5; usize::from(input.byte()) * 4];
    let room = buffer.len();
    let alias = message.properties.contains(PropertyId::TopicAlias);
    let mut fan_out = match FanOut::new(message, version, &mut buffer) {
        Ok(fan_out) => fan_out,
        Err(EncodeError::NoTopic) => return assert_eq!(message.topic, None),
        Err(EncodeError::PropertyNotAllowed { property, .. }) => {
            return assert!(alias && property == PropertyId::TopicAlias);
        }
        Err(other) => unreachable!("{other}"),
    };
    assert!(message.topic.is_some() && !alias);
    assert_eq!(fan_out.payload(), message.payload);

    let receivers = input.byte() % RECEIVERS;
    for _ in 0..receivers {
        let delivery = input.delivery();
        let bits = input.byte();
        let ids: Vec<SubscriptionId> =
            (0..bits >> 4 & 0b11).filter_map(|_| input.subscription_id()).collect();
        let mut receiver = Receiver::new(delivery).with_retain(bits & 1 == 1).with_subscription_ids(&ids);
        let list = with_ids(message, &ids);
        let publish = for_receiver(message, &receiver, &list);
        if bits & 0b10 != 0 {
            // A limit that the packet just fits, or just does not.
            let size = publish.encoded_len(version).unwrap_or_default();
            receiver =
                receiver.with_packet_size_max((size + usize::from(bits >> 2 & 0b11)).saturating_sub(2));
        }
        let stamped = fan_out.stamp(&receiver).map(<[u8]>::to_vec);
        assert_eq!(stamped, alone(publish, receiver.packet_size_max, version, room), "for {receiver:?}");
    }
}

/// The properties of a message and these identifiers in front of them.
fn with_ids<'a>(message: Publish<'a>, ids: &[SubscriptionId]) -> Vec<Property<'a>> {
    ids.iter().copied().map(Property::SubscriptionIdentifier).chain(message.properties.iter()).collect()
}

/// The message as it is without any regard to other receivers.
fn for_receiver<'a>(message: Publish<'a>, receiver: &Receiver<'_>, list: &'a [Property<'a>]) -> Publish<'a> {
    let (delivery, retain) = (receiver.delivery, receiver.retain);
    Publish { delivery, retain, properties: Properties::new(list), ..message }
}

/// The head of a packet in as much room.
fn alone(
    publish: Publish<'_>,
    packet_size_max: usize,
    version: Version,
    room: usize,
) -> Result<Vec<u8>, EncodeError> {
    let mut buffer = vec![0; room];
    let mut sink = Limited::new(SliceSink::new(&mut buffer), packet_size_max);
    publish.encode_head(version, &mut sink)?;
    Ok(sink.into_inner().written().to_vec())
}
