//! Packet identifiers that versions before 5 reserved.
//!
//! Then a session was saved now and then, and with it the last identifier that might be given out before it was saved again. When it ended
//! without a word, nobody knows which of them the client still holds, and none of them may name another message [MQTT-4.3.3-10].

use headwater_codec::PacketId;

/// At most so many identifiers are avoided: of more, those of the oldest crashes may be given out again.
const AVOIDED_MAX: usize = 32_768;

/// Goes on behind what was reserved, and avoids what lies between.
pub(super) fn avoid(
    last_packet_id: &mut Option<PacketId>,
    reserved: PacketId,
    avoided: &mut Vec<(PacketId, PacketId)>,
) {
    let last = last_packet_id.map_or(0, PacketId::get);
    *last_packet_id = Some(reserved);
    let first = last.checked_add(1).and_then(PacketId::new);
    if last < reserved.get() {
        avoided.extend(first.map(|first| (first, reserved)));
    } else {
        avoided.extend(first.zip(PacketId::new(u16::MAX)));
        avoided.push((PacketId::MIN, reserved));
    }
    let count = |(first, last): &(PacketId, PacketId)| usize::from(last.get() - first.get()) + 1;
    while avoided.iter().map(count).sum::<usize>() > AVOIDED_MAX {
        avoided.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u16) -> PacketId {
        PacketId::new(number).unwrap()
    }

    #[test]
    fn what_was_reserved_is_avoided_around_the_end_too_and_never_more_than_half_of_all() {
        let (mut last, mut avoided) = (Some(id(65_530)), Vec::new());
        avoid(&mut last, id(10), &mut avoided);
        assert_eq!(avoided, [(id(65_531), id(65_535)), (id(1), id(10))]);
        assert_eq!(last, Some(id(10)));
        avoid(&mut last, id(32_770), &mut avoided);
        assert_eq!(avoided, [(id(11), id(32_770))], "the oldest ones go");
    }
}
