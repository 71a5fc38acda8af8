//! How often the codec asks for memory: never to decode, never to encode into room that is there, and in proportion to
//! its input to frame a stream.
//!
//! A binary of its own, since it replaces the allocator. Each thread counts for itself.
#![expect(
    unsafe_code,
    reason = "a global allocator is unsafe to implement; this one passes on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use headwater_codec::{
    Delivery, FanOut, Packet, PacketId, PacketType, Properties, Property, Publish, Receiver, SliceSink,
    TopicName, Version,
};

/// Counts what it is asked for.
struct Counting;

thread_local! {
    // Constants without a destructor, so that touching them allocates nothing.
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    CALLS.set(CALLS.get() + 1);
    BYTES.set(BYTES.get() + bytes);
}

// SAFETY: every call goes unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller's contract is the same.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A packet of every kind, with properties and lists where it has them.
const PACKETS: [(Version, &[u8]); 24] = [
    (Version::V3_1, b"\x10\x11\x00\x06MQIsdp\x03\x02\x00\x0A\x00\x03cid"),
    (Version::V3_1_1, b"\x10\x23\x00\x04MQTT\x04\xCE\x00\x0A\x00\x03cid\x00\x03top\x00\x03pay\x00\x03usr\x00\x03pwd"),
    (Version::V5, b"\x10\x23\x00\x04MQTT\x05\x06\x00\x0A\x08\x11\x00\x00\x00\x09\x21\x00\x05\x00\x03cid\x05\x18\x00\x00\x00\x09\x00\x01t\x00\x00"),
    (Version::V3_1_1, b"\x20\x02\x00\x00"),
    (Version::V5, b"\x20\x0A\x00\x00\x07\x12\x00\x01x\x13\x00\x05"),
    (Version::V3_1_1, b"\x30\x07\x00\x03a/bhi"),
    (Version::V3_1_1, b"\x32\x09\x00\x03a/b\x00\x01hi"),
    (Version::V5, b"\x34\x1F\x00\x03a/b\x00\x01\x15\x02\x00\x00\x00\x09\x08\x00\x01r\x09\x00\x01c\x26\x00\x01n\x00\x02vvhi"),
    (Version::V3_1_1, b"\x40\x02\x00\x01"),
    (Version::V5, b"\x40\x08\x00\x01\x80\x04\x1F\x00\x01x"),
    (Version::V5, b"\x50\x04\x00\x01\x00\x00"),
    (Version::V5, b"\x62\x03\x00\x01\x92"),
    (Version::V5, b"\x70\x02\x00\x01"),
    (Version::V3_1_1, b"\x82\x0B\x00\x01\x00\x01a\x00\x00\x02+/\x01"),
    (Version::V5, b"\x82\x0F\x00\x01\x02\x0B\x05\x00\x01a\x2D\x00\x03b/#\x00"),
    (Version::V3_1_1, b"\x90\x04\x00\x01\x02\x80"),
    (Version::V5, b"\x90\x06\x00\x01\x00\x02\x8F\x01"),
    (Version::V5, b"\xA2\x0A\x00\x01\x00\x00\x01a\x00\x02+/"),
    (Version::V3_1_1, b"\xB0\x02\x00\x01"),
    (Version::V5, b"\xB0\x05\x00\x01\x00\x11\x00"),
    (Version::V5, b"\xC0\x00"),
    (Version::V5, b"\xD0\x00"),
    (Version::V5, b"\xE0\x07\x04\x05\x11\x00\x00\x00\x09"),
    (Version::V5, b"\xF0\x0A\x18\x08\x15\x00\x01m\x16\x00\x01d"),
];

/// Reads every part of a packet that is read lazily.
fn walk(packet: &Packet<'_>) -> usize {
    match packet {
        Packet::Connect(packet) => {
            packet.properties.iter().count() + packet.will.map_or(0, |will| will.properties.iter().count())
        }
        Packet::ConnAck(packet) => packet.properties.iter().count(),
        Packet::Publish(packet) => {
            packet.properties.iter().count() + packet.properties.user_properties().count()
        }
        Packet::PubAck(packet) => packet.properties.reason_string().map_or(0, str::len),
        Packet::Subscribe(packet) => packet.properties.iter().count() + packet.filters.iter().count(),
        Packet::SubAck(packet) => packet.reasons.iter().count(),
        Packet::Unsubscribe(packet) => packet.filters.iter().count(),
        Packet::UnsubAck(packet) => packet.reasons.iter().count(),
        Packet::Disconnect(packet) => packet.properties.iter().count(),
        Packet::Auth(packet) => packet.properties.iter().count(),
        Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) | Packet::PingReq | Packet::PingResp => 0,
    }
}

/// The calls and bytes the allocator was asked for meanwhile.
fn counted<T>(work: impl FnOnce() -> T) -> (usize, usize, T) {
    let (calls, bytes) = (CALLS.get(), BYTES.get());
    let result = work();
    (CALLS.get() - calls, BYTES.get() - bytes, result)
}

#[test]
fn the_counter_counts() {
    assert_eq!(counted(|| drop(std::hint::black_box(Box::new(7_u64)))), (1, 8, ()));
}

#[test]
fn no_packet_is_decoded_or_encoded_with_an_allocation() {
    let mut kinds = Vec::new();
    for (version, bytes) in PACKETS {
        let mut room = [0; 128];
        let (calls, _, outcome) = counted(|| {
            let packet = Packet::decode(bytes, version)?;
            let items = walk(&packet);
            let mut sink = SliceSink::new(&mut room);
            let written = packet.encode(version, &mut sink).is_ok() && !sink.written().is_empty();
            Ok::<_, headwater_codec::DecodeError>((packet.packet_type(), items, written))
        });
        let (kind, _, written) = outcome.unwrap_or_else(|error| panic!("{bytes:02x?}: {error}"));
        assert!(written, "{kind}");
        assert_eq!(calls, 0, "{kind} {bytes:02x?}");
        kinds.push(kind);

        // A wrong packet costs nothing either.
        for length in 0..bytes.len() {
            assert_eq!(counted(|| Packet::decode(&bytes[..length], version).is_err()), (0, 0, true));
        }
    }
    kinds.dedup();
    assert_eq!(kinds, PacketType::ALL, "a packet of every kind");
}

#[test]
fn a_message_is_stamped_for_many_without_an_allocation() {
    let properties = [Property::ContentType("text/plain"), Property::UserProperty("plant", "7")];
    let topic = TopicName::parse("plant/7/line/3").unwrap_or_else(|error| panic!("{error}"));
    let message = Publish::new(topic, b"21.5").with_properties(Properties::new(&properties));
    let mut room = [0; 128];
    let (calls, _, stamped) = counted(|| {
        let mut fan_out = FanOut::new(message, Version::V5, &mut room).ok()?;
        for packet_id in (1..=1000).filter_map(PacketId::new) {
            fan_out.stamp(&Receiver::new(Delivery::AtLeastOnce { packet_id, dup: false })).ok()?;
            fan_out.stamp(&Receiver::new(Delivery::AtMostOnce)).ok()?;
        }
        Some(())
    });
    assert_eq!((calls, stamped), (0, Some(())));
}

#[cfg(feature = "alloc")]
mod framing {
    use bytes::BytesMut;
    use headwater_codec::{FrameReader, Limits, Packet};

    use super::{PACKETS, counted};

    #[test]
    fn no_packet_is_encoded_into_a_reused_buffer_with_an_allocation() {
        for (version, bytes) in PACKETS {
            let Ok(packet) = Packet::decode(bytes, version) else { panic!("{bytes:02x?}") };
            // As much room as the packet has, and not a byte more.
            let size = packet.encoded_len(version).unwrap_or_else(|error| panic!("{error}"));
            let (mut growing, mut vec) = (BytesMut::with_capacity(size), Vec::with_capacity(size));
            let (calls, _, written) = counted(|| {
                growing.clear();
                vec.clear();
                packet.encode(version, &mut growing).is_ok() && packet.encode(version, &mut vec).is_ok()
            });
            assert_eq!((calls, written), (0, true), "{bytes:02x?}");
            assert_eq!((&growing[..], growing.len()), (&vec[..], size), "{bytes:02x?}");
        }
    }

    #[test]
    fn a_large_packet_in_small_pieces_allocates_in_proportion() {
        // 8 MiB in pieces of 64 bytes: a buffer that grew by a piece at a time would ask for 512 GiB in all.
        let size = 8 * 1024 * 1024;
        let (_, bytes, frames) = counted(|| {
            let mut frames = FrameReader::new(Limits::PROTOCOL);
            frames.extend(&[0x30, 0x83, 0x80, 0x80, 0x04, 0, 1, b'a']);
            for _ in 0..size / 64 {
                assert!(matches!(frames.next_frame(), Ok(None)));
                frames.extend(&[0x5A; 64]);
            }
            std::iter::from_fn(|| frames.next_frame().ok().flatten()).count()
        });
        assert_eq!(frames, 1);
        assert!(bytes < 4 * size, "{bytes} bytes for {size}");
    }

    #[test]
    fn many_small_packets_allocate_in_proportion() {
        let packets = [0x40, 2, 0, 1].repeat(100_000);
        let (_, bytes, frames) = counted(|| {
            let mut frames = FrameReader::new(Limits::default());
            let mut count = 0;
            // Pieces that do not end where packets do; each frame is dropped at once.
            for piece in packets.chunks(1021) {
                frames.extend(piece);
                while let Ok(Some(_)) = frames.next_frame() {
                    count += 1;
                }
            }
            count
        });
        assert_eq!(frames, 100_000);
        assert!(bytes < 2 * packets.len(), "{bytes} bytes for {}", packets.len());
    }
}
