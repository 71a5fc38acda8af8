//! What a client is told when its message cannot be stored.

use headwater::codec::{Packet, PacketType, PubAck, PubRec, QoS, ReasonCode, Version};
use headwater_testkit::sim_disk::{Fault, Op};
use headwater_trial::{Bed, Peer, in_no_time};
use tokio::time::Instant;

/// Publishes with QoS 1 and large payloads until one is refused; how many were not, and the reason.
async fn publish_until_refused(peer: &mut Peer) -> (u32, Option<ReasonCode>) {
    for count in 0_u32..1_000 {
        let mut payload = count.to_be_bytes().to_vec();
        payload.resize(1_000, b'.');
        peer.publish("t", &payload, QoS::AtLeastOnce).await;
        let Some(frame) = peer.read().await else { return (count, None) };
        match frame.packet(peer.version) {
            Ok(Packet::PubAck(PubAck { reason: ReasonCode::SUCCESS, .. })) => {}
            Ok(Packet::PubAck(PubAck { reason, .. })) => return (count, Some(reason)),
            Ok(Packet::Disconnect(disconnect)) => return (count, Some(disconnect.reason)),
            other => panic!("{other:?}"),
        }
    }
    panic!("nothing was refused")
}

async fn is_alive(peer: &mut Peer) {
    peer.send(&Packet::PingReq).await;
    assert_eq!(peer.read().await.unwrap().packet(peer.version), Ok(Packet::PingResp));
}

#[test]
fn an_append_that_fails_is_not_acknowledged_and_the_broker_lives_on() {
    in_no_time(async {
        let mut bed = Bed::new(&[], 1);
        let mut reader = Peer::connect(&mut bed, Version::V5, "reader", 0).await;
        reader.subscribe(&["t"], QoS::AtMostOnce).await;
        let mut new = Peer::connect(&mut bed, Version::V5, "new", 0).await;
        let mut old = Peer::connect(&mut bed, Version::V3_1_1, "old", 0).await;
        bed.disk.set_space_bytes(Some(0));
        let (taken, refused) = publish_until_refused(&mut new).await;
        assert_eq!(refused, Some(ReasonCode::QUOTA_EXCEEDED));
        new.publish("t", &[b'.'; 1_000], QoS::ExactlyOnce).await;
        let frame = new.read().await.unwrap();
        assert!(matches!(
            frame.packet(Version::V5),
            Ok(Packet::PubRec(PubRec { reason: ReasonCode::QUOTA_EXCEEDED, .. }))
        ));
        is_alive(&mut new).await;
        // Before 5.0 PUBACK cannot refuse: the client keeps the message and sends it again.
        assert_eq!(publish_until_refused(&mut old).await, (0, None));

        bed.disk.set_space_bytes(None);
        let mut old = Peer::connect(&mut bed, Version::V3_1_1, "old", 0).await;
        for peer in [&mut new, &mut old] {
            peer.publish("t", b"again", QoS::AtLeastOnce).await;
            let frame = peer.read().await.unwrap();
            assert!(matches!(
                frame.packet(peer.version),
                Ok(Packet::PubAck(PubAck { reason: ReasonCode::SUCCESS, .. }))
            ));
        }
        // What was acknowledged comes, and nothing else.
        for number in 0..taken {
            let frame = reader.read().await.unwrap();
            let Ok(Packet::Publish(got)) = frame.packet(Version::V5) else { panic!("{frame:?}") };
            assert_eq!(got.payload.first_chunk(), Some(&number.to_be_bytes()));
        }
        for _ in 0..2 {
            let frame = reader.read().await.unwrap();
            assert!(matches!(frame.packet(Version::V5), Ok(Packet::Publish(got)) if got.payload == b"again"));
        }
        is_alive(&mut reader).await;
        bed.finish().await;
    });
}

#[test]
fn a_sync_that_fails_is_not_acknowledged_and_the_broker_lives_on() {
    for (version, told) in
        [(Version::V3_1_1, None), (Version::V5, Some(ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR))]
    {
        in_no_time(async {
            let mut bed = Bed::new(&[], 1);
            let mut other = Peer::connect(&mut bed, version, "other", 0).await;
            let mut publisher = Peer::connect(&mut bed, version, "publisher", 0).await;
            bed.disk.inject(Fault::on(Op::SyncData).path_end("mqtt-0/00000000000000000000.log"));
            assert_eq!(publish_until_refused(&mut publisher).await, (0, told));
            assert_eq!(publisher.read().await, None);
            is_alive(&mut other).await;
            drop(Peer::connect(&mut bed, version, "comes later", 0).await);
            bed.finish().await;
        });
    }
}

#[test]
fn a_message_is_acknowledged_when_it_is_durable_or_when_it_is_appended_if_the_broker_was_told_so() {
    const SYNC_MS: u64 = 5_000;
    for (options, waits_ms) in [(&[][..], SYNC_MS), (&["--ack=appended"], 0)] {
        in_no_time(async {
            let mut bed = Bed::new(options, SYNC_MS);
            let mut publisher = Peer::connect(&mut bed, Version::V5, "publisher", 0).await;
            for (qos, answer) in
                [(QoS::AtLeastOnce, PacketType::PubAck), (QoS::ExactlyOnce, PacketType::PubRec)]
            {
                let begin = Instant::now();
                publisher.publish("t", b"", qos).await;
                let frame = publisher.read().await.unwrap();
                assert_eq!(frame.packet_type(), answer);
                let waited_ms = begin.elapsed().as_millis();
                assert_eq!(waited_ms, u128::from(waits_ms), "{options:?}, {qos:?}");
            }
            bed.finish().await;
        });
    }
}
