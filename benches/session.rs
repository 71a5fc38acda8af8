//! One QoS 1 and one QoS 2 message through a server's session: packets in, packets out, no network.

#![allow(clippy::expect_used, missing_docs, reason = "a bench asserts; criterion makes the rest")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater::codec::{
    Connect, Delivery, Packet, PacketId, PubAck, PubRel, Publish, QoS, ReasonCode, Version,
};
use headwater::session::server::{Accept, Config, Event, Session};
use headwater::session::{Millis, Transmit};
use headwater::topic::TopicName;

fn open() -> Session<u64> {
    let mut session = Session::new(Config::default(), Millis(0));
    let connect = Packet::Connect(Connect::new(Version::V5, "bench"));
    session.handle(connect, Millis(0)).expect("a client asks");
    session.accept(None, &Accept::default(), Millis(0)).expect("and is let in");
    while session.poll_transmit().is_some() {}
    session
}

/// A message comes, is safe, is acknowledged; the acknowledgement's bytes.
fn receive(session: &mut Session<u64>, delivery: Delivery) -> usize {
    let topic = TopicName::parse("factory/line-1/temperature").expect("a topic");
    let publish = Publish::new(topic, b"21.5").with_delivery(delivery);
    let event = session.handle(Packet::Publish(publish), Millis(1)).expect("a message");
    let Some(Event::Publish { receipt: Some(receipt), .. }) = event else { return 0 };
    session.acknowledge(receipt, ReasonCode::SUCCESS).expect("success can be said");
    match session.poll_transmit() {
        Some(Transmit::Control(bytes)) => bytes.len(),
        _ => 0,
    }
}

/// A message goes out and is acknowledged; the message that came back.
fn send(session: &mut Session<u64>, message: u64) -> Option<u64> {
    session.publish(message, QoS::AtLeastOnce).expect("there is room");
    let Some(Transmit::Publish { delivery, .. }) = session.poll_transmit() else { return None };
    let ack = PubAck::new(delivery.packet_id()?);
    match session.handle(Packet::PubAck(ack), Millis(1)).expect("an acknowledgement") {
        Some(Event::Delivered { message, .. }) => Some(message),
        _ => None,
    }
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("session");
    group.throughput(Throughput::Elements(1));
    let packet_id = PacketId::MIN;

    let mut session = open();
    let at_least_once = Delivery::AtLeastOnce { packet_id, dup: false };
    assert_eq!(receive(&mut session, at_least_once), 4, "a PUBACK");
    group.bench_function("receive QoS 1", |b| b.iter(|| receive(&mut session, black_box(at_least_once))));

    let mut session = open();
    let exactly_once = Delivery::ExactlyOnce { packet_id, dup: false };
    let mut round = || {
        let received = receive(&mut session, black_box(exactly_once));
        session.handle(Packet::PubRel(PubRel::new(packet_id)), Millis(1)).expect("a release");
        while session.poll_transmit().is_some() {}
        received
    };
    assert_eq!(round(), 4, "a PUBREC");
    group.bench_function("receive QoS 2", |b| b.iter(&mut round));

    let mut session = open();
    assert_eq!(send(&mut session, 7), Some(7));
    group.bench_function("send QoS 1", |b| b.iter(|| send(&mut session, black_box(7))));
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
