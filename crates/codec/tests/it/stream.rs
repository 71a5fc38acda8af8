//! Framing: any split of a stream gives the same frames.

use bytes::Bytes;
use headwater_codec::frame::first;
use headwater_codec::{Frame, FrameReader, Limits, Packet, PacketType, Status, Version};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::generate::{encode, packet};

/// All frames that can be taken now.
fn take(frames: &mut FrameReader) -> Vec<Frame> {
    std::iter::from_fn(|| frames.next_frame().expect("right so far")).collect()
}

/// A stream of packets of 5.0, and the packets.
fn stream() -> impl Strategy<Value = (Vec<u8>, Vec<Vec<u8>>)> {
    vec(packet(Version::V5), 1..12).prop_map(|packets| {
        let parts: Vec<_> = packets.iter().map(|packet| encode(Version::V5, packet)).collect();
        (parts.concat(), parts)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_split_of_a_stream_gives_the_same_frames(
        (bytes, parts) in stream(),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut frames = FrameReader::new(Limits::default());
        let mut taken = Vec::new();
        for pair in cuts.windows(2) {
            frames.extend(&bytes[pair[0]..pair[1]]);
            taken.extend(take(&mut frames));
        }
        prop_assert!(taken.iter().map(Frame::as_ref).eq(parts.iter().map(Vec::as_slice)));
        prop_assert_eq!(frames.buffered(), 0);
        for (frame, part) in taken.iter().zip(&parts) {
            prop_assert_eq!(frame.packet(Version::V5), Packet::decode(part, Version::V5));
            let kind = frame.packet(Version::V5).map(|packet| packet.packet_type());
            prop_assert_eq!(kind, Ok(frame.packet_type()));
        }
    }

    #[test]
    fn needed_is_what_it_takes((bytes, _) in stream()) {
        // Whoever gives exactly what is needed gets each frame, and never one byte of the next.
        let mut frames = FrameReader::new(Limits::default());
        let mut given = 0;
        let mut taken = 0;
        while given < bytes.len() {
            let needed = frames.needed();
            prop_assert!(needed > 0 && given + needed <= bytes.len());
            frames.extend(&bytes[given..given + needed]);
            given += needed;
            for frame in take(&mut frames) {
                taken += frame.bytes().len();
                prop_assert_eq!((taken, frames.buffered()), (given, 0));
            }
        }
        prop_assert_eq!(taken, bytes.len());
    }

    #[test]
    fn the_first_packet_of_a_slice_is_the_first_frame((bytes, parts) in stream()) {
        let mut rest = &bytes[..];
        for part in &parts {
            prop_assert_eq!(first(rest, &Limits::default()), Ok(Status::Complete(&part[..])));
            rest = &rest[part.len()..];
        }
        prop_assert!(rest.is_empty());
    }
}

#[test]
fn a_stream_that_comes_byte_by_byte_gives_the_same_frames() {
    let packets = b"\xC0\x00\x30\x05\x00\x01ahi\x40\x02\x00\x01\xE0\x00";
    let mut frames = FrameReader::new(Limits::default());
    let mut kinds = Vec::new();
    for byte in packets {
        frames.extend(&[*byte]);
        kinds.extend(take(&mut frames).iter().map(Frame::packet_type));
    }
    use PacketType::{Disconnect, PingReq, PubAck, Publish};
    assert_eq!(kinds, [PingReq, Publish, PubAck, Disconnect]);
}

#[test]
fn bytes_may_be_read_into_the_buffer_itself() {
    let mut frames = FrameReader::new(Limits::default());
    frames.buffer_mut().extend_from_slice(&[0xC0, 0x00, 0xD0]);
    assert_eq!(take(&mut frames).len(), 1);
    frames.buffer_mut().extend_from_slice(&[0x00]);
    assert_eq!(take(&mut frames).first().map(Frame::packet_type), Some(PacketType::PingResp));
}

#[test]
fn a_part_of_a_frame_is_shared_and_a_foreign_slice_is_copied() {
    let mut frames = FrameReader::new(Limits::default());
    frames.extend(b"\x30\x09\x00\x03a/bdata");
    let frame = take(&mut frames).pop().expect("one frame");
    let Ok(Packet::Publish(publish)) = frame.packet(Version::V3_1_1) else { panic!("a PUBLISH") };
    let payload = frame.slice(publish.payload);
    assert_eq!(payload, b"data"[..]);
    assert_eq!(payload.as_ptr(), publish.payload.as_ptr());
    let topic = publish.topic.expect("a topic").as_str().as_bytes();
    assert_eq!(frame.slice(topic).as_ptr(), topic.as_ptr());
    assert_eq!(frame.slice(frame.bytes()).as_ptr(), frame.bytes().as_ptr());
    let foreign = b"elsewhere".to_vec();
    assert_eq!(frame.slice(&foreign), foreign);
    assert_ne!(frame.slice(&foreign).as_ptr(), foreign.as_ptr());
    assert_eq!(frame.slice(&[]), Bytes::new());
    drop(frame);
    assert_eq!(payload, b"data"[..]);
}
