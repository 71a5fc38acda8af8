//! The codec: decode, encode and framing, each answer asserted before it is timed.

#![expect(clippy::expect_used, clippy::panic, reason = "a bench that is set up wrongly should stop")]

use std::hint::black_box;
use std::num::NonZeroU16;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use headwater::codec::{
    Delivery, FanOut, FrameReader, Limits, Packet, PacketId, Properties, Property, PubAck, Publish, QoS,
    Receiver, SliceSink, Subscribe, SubscribeFilter, TopicFilter, TopicName, Version,
};

const TOPIC: &str = "site/7/line/3/sensor/42/te";

/// A case by name: the revision, the packet, and the size of its bytes.
struct Case {
    name: &'static str,
    version: Version,
    packet: Packet<'static>,
    size: usize,
}

fn cases() -> [Case; 5] {
    let topic = TopicName::parse(TOPIC).expect("a name");
    let id = PacketId::new(7).expect("not 0");
    let properties = Properties::new(&[
        Property::MessageExpiryInterval(3600),
        Property::ContentType("application/json"),
        Property::CorrelationData(&[0xC0; 16]),
        Property::UserProperty("trace", "00-4bf92f3577b34da6"),
    ]);
    let names =
        ["a/b/c", "site/+/line/+/temp", "#", "a/#", "+/+/+", "site/7/line/3", "x/y/z", "$SYS/broker/load"];
    let filters: Vec<_> = names
        .map(|name| SubscribeFilter::new(TopicFilter::parse(name).expect("a filter"), QoS::AtLeastOnce))
        .to_vec();
    let plain = Publish::new(topic, &[0x5A; 16]);
    let full = Publish::new(topic, &[0x5A; 1024])
        .with_delivery(Delivery::AtLeastOnce { packet_id: id, dup: false })
        .with_properties(properties);
    [
        Case { name: "v4 publish, 16 B", version: Version::V3_1_1, packet: plain.into(), size: 46 },
        Case {
            name: "v5 publish, 4 properties, 1 KiB",
            version: Version::V5,
            packet: full.into(),
            size: 1130,
        },
        Case {
            name: "v4 subscribe, 8 filters",
            version: Version::V3_1_1,
            packet: Subscribe::new(id, Vec::leak(filters.clone())).into(),
            size: 94,
        },
        Case {
            name: "v5 subscribe, 8 filters",
            version: Version::V5,
            packet: Subscribe::new(id, Vec::leak(filters)).into(),
            size: 95,
        },
        Case { name: "v4 puback", version: Version::V3_1_1, packet: PubAck::new(id).into(), size: 4 },
    ]
}

fn encoded(case: &Case) -> Vec<u8> {
    let mut bytes = Vec::new();
    case.packet.encode(case.version, &mut bytes).expect("a right packet");
    assert_eq!(bytes.len(), case.size, "{}", case.name);
    assert_eq!(Packet::decode(&bytes, case.version), Ok(case.packet), "{}", case.name);
    bytes
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for case in cases() {
        let bytes = encoded(&case);
        group.bench_function(BenchmarkId::from_parameter(case.name), |bencher| {
            bencher.iter(|| {
                let packet = Packet::decode(black_box(&bytes), black_box(case.version));
                // Only what a receiver looks at first is kept: a copy of the packet would be timed as well.
                black_box(packet.as_ref().map(Packet::packet_type).is_ok())
            });
        });
    }
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    for case in cases() {
        assert_eq!(encoded(&case).len(), case.size);
        let mut room = [0; 2048];
        group.bench_function(BenchmarkId::from_parameter(case.name), |bencher| {
            bencher.iter(|| {
                let mut sink = SliceSink::new(&mut room);
                let outcome = black_box(&case.packet).encode(black_box(case.version), &mut sink);
                black_box((outcome.is_ok(), sink.written().len()))
            });
        });
    }
    // The head alone: what is left to do when the payload is sent from where it lies.
    let payload = vec![0x5A; 64 * 1024];
    let publish = Publish::new(TopicName::parse(TOPIC).expect("a name"), &payload);
    let mut room = [0; 64];
    assert_eq!(publish.encode_head(Version::V3_1_1, &mut SliceSink::new(&mut room)), Ok(()));
    assert_eq!(room.get(..4), Some(&[0x30, 0x9C, 0x80, 0x04][..]));
    group.bench_function("v4 publish head, 64 KiB", |bencher| {
        bencher.iter(|| {
            let mut sink = SliceSink::new(&mut room);
            let outcome = black_box(&publish).encode_head(Version::V3_1_1, &mut sink);
            black_box((outcome.is_ok(), sink.written().len()))
        });
    });
    group.finish();
}

/// One message for a thousand receivers, against a thousand encodings of its head and of all of it.
fn fan_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one message for 1000 receivers");
    group.throughput(Throughput::Elements(1000));
    for case in cases() {
        let Packet::Publish(message) = case.packet else { continue };
        let ids = || (1..=1000).filter_map(PacketId::new);
        let delivery = |packet_id| Delivery::AtLeastOnce { packet_id, dup: false };
        let mut room = [0; 2048];
        let mut stamp = |message: &Publish<'static>| {
            let mut fan_out = FanOut::new(*message, case.version, &mut room).expect("a topic");
            ids().map(|id| fan_out.stamp(&Receiver::new(delivery(id))).map_or(0, <[u8]>::len)).sum::<usize>()
        };
        let mut other = [0; 2048];
        let mut heads = |message: &Publish<'static>| {
            ids()
                .map(|id| {
                    let mut sink = SliceSink::new(&mut other);
                    let outcome = message.with_delivery(delivery(id)).encode_head(case.version, &mut sink);
                    outcome.map_or(0, |()| sink.written().len())
                })
                .sum::<usize>()
        };
        assert_eq!(stamp(&message), heads(&message), "{}", case.name);
        group.bench_function(BenchmarkId::new("stamped", case.name), |bencher| {
            bencher.iter(|| stamp(black_box(&message)));
        });
        group.bench_function(BenchmarkId::new("heads encoded", case.name), |bencher| {
            bencher.iter(|| heads(black_box(&message)));
        });
    }
    group.finish();
}

/// A thousand packets: four messages of QoS 0, one of QoS 1 and an acknowledgement, over and over.
fn stream() -> Vec<u8> {
    let topic = TopicName::parse(TOPIC).expect("a name");
    let mut bytes = Vec::new();
    for number in 0..1000_u16 {
        let id = PacketId::from(NonZeroU16::MIN.saturating_add(number));
        let publish = Publish::new(topic, &[0x5A; 16]);
        let packet: Packet<'_> = match number % 6 {
            0..4 => publish.into(),
            4 => publish.with_delivery(Delivery::AtLeastOnce { packet_id: id, dup: false }).into(),
            _ => PubAck::new(id).into(),
        };
        packet.encode(Version::V3_1_1, &mut bytes).expect("a right packet");
    }
    bytes
}

/// Frames and decodes all that comes in pieces of this size; counts the messages.
fn messages(bytes: &[u8], piece: usize) -> usize {
    let mut frames = FrameReader::new(Limits::default());
    let mut messages = 0;
    for piece in bytes.chunks(piece) {
        frames.extend(piece);
        while let Some(frame) = frames.next_frame().expect("a right stream") {
            match frame.packet(Version::V3_1_1) {
                Ok(Packet::Publish(_)) => messages += 1,
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
    messages
}

/// Decodes the packets of a slice one after the other, without a heap; counts the messages.
fn messages_in_place(mut bytes: &[u8]) -> usize {
    use headwater::codec::{Status, frame::first};
    let limits = Limits::default();
    let mut messages = 0;
    while let Ok(Status::Complete(packet)) = first(bytes, &limits) {
        messages += usize::from(matches!(Packet::decode(packet, Version::V3_1_1), Ok(Packet::Publish(_))));
        bytes = bytes.get(packet.len()..).unwrap_or_default();
    }
    messages
}

fn streams(criterion: &mut Criterion) {
    let bytes = stream();
    let mut group = criterion.benchmark_group("stream of 1000 packets");
    group.throughput(Throughput::Elements(1000));
    for piece in [64, 4096, 65_536] {
        assert_eq!(messages(&bytes, piece), 834);
        group.bench_with_input(
            BenchmarkId::new("frame reader, bytes a read", piece),
            &piece,
            |bencher, piece| {
                bencher.iter(|| messages(black_box(&bytes), *piece));
            },
        );
    }
    assert_eq!(messages_in_place(&bytes), 834);
    group.bench_function("in place", |bencher| bencher.iter(|| messages_in_place(black_box(&bytes))));
    group.finish();
}

criterion_group!(benches, decode, encode, fan_out, streams);
criterion_main!(benches);
