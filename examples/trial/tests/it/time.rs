//! What a client may take its time with.

use std::time::Duration;

use headwater::codec::{
    Connect, Delivery, Disconnect, Packet, PacketId, PubAck, Publish, QoS, ReasonCode, Version, Will,
};
use headwater::topic::TopicName;
use headwater_trial::{Bed, Peer, in_no_time};
use tokio::time::{Instant, sleep};

const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];

/// A CONNECT of some 200 bytes.
fn long_connect(version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    Connect::new(version, &"c".repeat(200)).encode(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_connect_that_does_not_come_does_not_end_or_dribbles_closes_the_connection_in_time() {
    for version in VERSIONS {
        in_no_time(async {
            let mut bed = Bed::new(&["--packet-timeout=5s"], 0);
            // Nothing at all.
            let begin = Instant::now();
            assert_eq!(Peer::open(&mut bed, version).read().await, None);
            assert_eq!(begin.elapsed().as_secs(), 10);

            // A part, and then nothing.
            let begin = Instant::now();
            let mut peer = Peer::open(&mut bed, version);
            peer.send_bytes(&long_connect(version)[..100]).await;
            assert_eq!(peer.read().await, None);
            assert_eq!(begin.elapsed().as_secs(), 5);

            // A byte each second.
            let begin = Instant::now();
            let mut peer = Peer::open(&mut bed, version);
            let mut written = 0;
            for byte in long_connect(version) {
                if !peer.send_bytes(&[byte]).await {
                    break;
                }
                written += 1;
                sleep(Duration::from_secs(1)).await;
            }
            assert_eq!(peer.read().await, None);
            assert!(begin.elapsed() < Duration::from_secs(7) && written < 8, "{written} bytes were taken");

            // Who was let in has as much time for each packet, and is told nothing of the first one's.
            let mut peer = Peer::connect(&mut bed, version, "c", 0).await;
            sleep(Duration::from_secs(60)).await;
            let begin = Instant::now();
            peer.send_bytes(b"\x30\x7F\0").await;
            assert_eq!(peer.read().await, None);
            assert_eq!(begin.elapsed().as_secs(), 5);
            bed.finish().await;
        });
    }
}

#[test]
fn a_client_that_is_silent_for_one_and_a_half_keep_alives_is_given_up_and_its_will_fires() {
    for version in VERSIONS {
        in_no_time(async {
            let mut bed = Bed::new(&[], 0);
            let mut listener = Peer::connect(&mut bed, Version::V5, "listener", 0).await;
            listener.subscribe(&["wills"], QoS::AtMostOnce).await;
            let mut client = Peer::open(&mut bed, version);
            let mut connect = Connect::new(version, "silent");
            connect.keep_alive_secs = 60;
            connect.will = Some(Will::new(TopicName::parse("wills").unwrap(), b"silent"));
            client.send(&Packet::Connect(connect)).await;
            assert!(client.read().await.is_some());
            sleep(Duration::from_secs(80)).await;
            client.send(&Packet::PingReq).await;
            assert_eq!(client.read().await.unwrap().packet(version), Ok(Packet::PingResp));

            let begin = Instant::now();
            let frame = listener.read().await.unwrap();
            assert_eq!(begin.elapsed().as_secs(), 90);
            assert!(
                matches!(frame.packet(Version::V5), Ok(Packet::Publish(will)) if will.payload == b"silent")
            );
            if version == Version::V5 {
                let frame = client.read().await.unwrap();
                let said = Packet::Disconnect(Disconnect::new(ReasonCode::KEEP_ALIVE_TIMEOUT));
                assert_eq!(frame.packet(version), Ok(said));
            }
            assert_eq!(client.read().await, None);
            bed.finish().await;
        });
    }
}

#[test]
fn a_reader_that_does_not_read_is_bounded_loses_qos_0_counted_and_is_disconnected() {
    const MESSAGES: u64 = 3_000;
    in_no_time(async {
        let mut bed = Bed::new(&["--inbox-max=10"], 0);
        let mut stuck = Peer::connect(&mut bed, Version::V5, "stuck", 0).await;
        stuck.subscribe(&["t"], QoS::AtMostOnce).await;
        let mut reader = Peer::connect(&mut bed, Version::V5, "reader", 0).await;
        reader.subscribe(&["t"], QoS::AtMostOnce).await;
        let mut publisher = Peer::connect(&mut bed, Version::V5, "publisher", 0).await;
        for number in 0..MESSAGES {
            let mut payload = number.to_be_bytes().to_vec();
            payload.resize(1_000, b'.');
            publisher.publish("t", &payload, QoS::AtMostOnce).await;
            // Who reads gets them all.
            let frame = reader.read().await.unwrap();
            assert!(matches!(frame.packet(Version::V5), Ok(Packet::Publish(got)) if got.payload == payload));
        }
        // 256 KiB and one message wait to be written, 10 messages in the inbox, some more in the pipe; the others were dropped.
        let dropped = bed.store.statistics().dropped;
        assert!(dropped > MESSAGES - 300, "{dropped} were counted");
        assert_eq!(bed.store.statistics().subscriptions, 2);
        sleep(Duration::from_secs(29)).await;
        assert_eq!(bed.store.statistics().subscriptions, 2, "it has half a minute");
        sleep(Duration::from_secs(3)).await;
        assert_eq!(bed.store.statistics().subscriptions, 1);
        let mut came = 0;
        while let Some(frame) = stuck.read().await {
            assert!(matches!(frame.packet(Version::V5), Ok(Packet::Publish(_))));
            came += 1;
        }
        assert!(came < 5, "{came} were in the pipe");
        bed.finish().await;
    });
}

#[test]
fn what_was_held_back_is_read_when_all_before_it_is_acknowledged_though_nothing_more_comes() {
    const IN_FLIGHT: u16 = 8;
    in_no_time(async {
        let mut bed = Bed::new(&["--inflight-max=8"], 10);
        // Before 5.0 a client cannot be told how many it may send before it waits.
        let mut client = Peer::connect(&mut bed, Version::V3_1_1, "c", 0).await;
        let ids = (1..=2 * IN_FLIGHT + 3).map(|id| PacketId::new(id).unwrap());
        let mut bytes = Vec::new();
        for packet_id in ids.clone() {
            let delivery = Delivery::AtLeastOnce { packet_id, dup: false };
            let publish = Publish::new(TopicName::parse("t").unwrap(), b"").with_delivery(delivery);
            publish.encode(client.version, &mut bytes).unwrap();
        }
        let begin = Instant::now();
        client.send_bytes(&bytes).await;
        for packet_id in ids {
            let frame = client.read().await.unwrap();
            assert_eq!(frame.packet(client.version), Ok(Packet::PubAck(PubAck::new(packet_id))));
        }
        assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
        bed.finish().await;
    });
}

#[test]
fn a_client_is_heard_while_its_session_catches_up() {
    const MESSAGES: u64 = 4_000;
    in_no_time(async {
        let mut bed = Bed::new(&[], 0);
        // It asks for nothing by which it could skip, and finds nothing.
        let mut client = Peer::connect(&mut bed, Version::V5, "c", u32::MAX).await;
        client.subscribe(&["+"], QoS::AtLeastOnce).await;
        drop(client);
        sleep(Duration::from_secs(1)).await;
        let delivery = Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false };
        let publish = Publish::new(TopicName::parse("a/b").unwrap(), &[0; 1_000]).with_delivery(delivery);
        for _ in 0..MESSAGES {
            let _ = bed.store.publish(&publish, || publish.payload.to_vec().into(), "p", 0).unwrap();
        }
        sleep(Duration::from_secs(1)).await;
        let mut client = Peer::connect(&mut bed, Version::V5, "c", u32::MAX).await;
        client.send(&Packet::PingReq).await;
        assert_eq!(client.read().await.unwrap().packet(Version::V5), Ok(Packet::PingResp));
        let read = bed.store.statistics().scanned;
        assert!(
            read > 0 && read < MESSAGES / 2,
            "{read} of {MESSAGES} records were read before it was heard"
        );
        bed.finish().await;
    });
}

#[test]
fn the_last_words_of_a_client_count_though_it_takes_nothing_any_more() {
    // More than are one turn's.
    const WORDS: usize = 150;
    in_no_time(async {
        let mut bed = Bed::new(&[], 0);
        let mut listener = Peer::connect(&mut bed, Version::V5, "listener", 0).await;
        listener.subscribe(&["wills", "words"], QoS::AtMostOnce).await;
        let mut client = Peer::open(&mut bed, Version::V5);
        let mut connect = Connect::new(Version::V5, "c");
        connect.will = Some(Will::new(TopicName::parse("wills").unwrap(), b""));
        client.send(&Packet::Connect(connect)).await;
        assert!(client.read().await.is_some());
        client.subscribe(&["t"], QoS::AtMostOnce).await;
        // More than the pipe takes waits for it.
        for _ in 0..10 {
            listener.publish("t", &[0; 1_000], QoS::AtMostOnce).await;
        }
        sleep(Duration::from_secs(1)).await;
        for _ in 0..WORDS {
            client.publish("words", b"", QoS::AtMostOnce).await;
        }
        client.send(&Packet::Disconnect(Disconnect::new(ReasonCode::SUCCESS))).await;
        drop(client);
        for number in 0..WORDS {
            let frame = listener.read().await.unwrap();
            let is_word =
                |publish: &Publish<'_>| publish.topic.is_some_and(|topic| topic.as_str() == "words");
            assert!(
                matches!(frame.packet(Version::V5), Ok(Packet::Publish(word)) if is_word(&word)),
                "{number}: {frame:?}"
            );
        }
        assert_eq!(listener.read_within(Duration::from_secs(60)).await, None, "it has said that it goes");
        bed.finish().await;
    });
}
