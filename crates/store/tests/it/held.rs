//! Packet identifiers of clients: which are held after a crash, and how much of the log is read to know it.

use bytes::Bytes;
use headwater_codec::{Delivery as Sending, PacketId, Publish, QoS};
use headwater_log::{Ack, Header, ReadUpTo, Record};
use headwater_session::{InFlight, Incoming, Stage, State};
use headwater_store::Placement;
use headwater_store::session::Snapshot;
use headwater_topic::TopicName;

use crate::bed::{Bed, Client};

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

fn publish(bed: &Bed, client: &mut Client, packet_id: u16, qos: QoS) -> Placement {
    let packet_id = id(packet_id);
    let delivery = match qos {
        QoS::AtMostOnce => Sending::AtMostOnce,
        QoS::AtLeastOnce => Sending::AtLeastOnce { packet_id, dup: false },
        QoS::ExactlyOnce => Sending::ExactlyOnce { packet_id, dup: false },
    };
    let publish = Publish::new(TopicName::parse("t").unwrap(), b"x").with_delivery(delivery);
    client.attached.publish(&publish, || Bytes::from_static(b"x"), bed.now_ms).unwrap()
}

/// A record that no connection of this store has written: whether it was read shows.
fn forge(bed: &Bed, client_id: &str, packet_id: &str) {
    let headers = [
        Header::new("mqtt.qos", "2"),
        Header::new("mqtt.client-id", client_id),
        Header::new("mqtt.packet-id", packet_id),
    ];
    let partition = bed.store.messages().partition(0).unwrap();
    partition.append(&Record::new(b"forged").key("t").headers(&headers), Ack::Appended).unwrap();
}

/// The process dies; another store on its disk.
fn killed(bed: Bed) -> Bed {
    let disk = bed.disk.kill();
    let Bed { log, store, options, now_ms, .. } = bed;
    drop((store, log));
    Bed::on(disk, options, now_ms)
}

/// What the session of a client holds.
fn held(bed: &Bed, client_id: &str) -> Vec<u16> {
    let resumed = bed.lasting(client_id).resumed.unwrap();
    let mut held: Vec<u16> = resumed.incoming.iter().map(|one| one.packet_id.get()).collect();
    held.sort_unstable();
    held
}

#[test]
fn only_a_message_of_qos_2_from_a_session_that_lasts_says_its_identifier() {
    let bed = Bed::new();
    let (mut lasting, mut passing) = (bed.lasting("a"), bed.attach("b", true, 0));
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let _ = (publish(&bed, &mut lasting, 65_535, qos), publish(&bed, &mut passing, 7, qos));
    }
    bed.publish("t", "of nobody's session", 2);
    let topic = bed.store.messages();
    let partition = topic.partition(topic.partition_for_key(b"t")).unwrap();
    let fetched = partition.read_up_to(ReadUpTo::Appended, 0, 1 << 20).unwrap();
    let said: Vec<Option<Vec<u8>>> = fetched
        .views()
        .map(|record| record.unwrap().header("mqtt.packet-id").map(|value| value.unwrap().to_vec()))
        .collect();
    assert_eq!(said, [None, None, None, None, Some(b"65535".to_vec()), None, None]);
}

#[test]
fn what_was_published_since_the_session_was_saved_is_held_with_what_was_saved() {
    let bed = Bed::new();
    let (mut client, mut other) = (bed.lasting("c"), bed.lasting("d"));
    let before = vec![Incoming { packet_id: id(9), receipt: None }];
    let _ = publish(&bed, &mut client, 1, QoS::ExactlyOnce);
    bed.run();
    // The first was released since.
    let _ = client.attached.save(&State::new(Vec::new(), before), client.expiry_secs).unwrap();
    for number in [2, 3] {
        let _ = publish(&bed, &mut client, number, QoS::ExactlyOnce);
    }
    let _ = publish(&bed, &mut other, 1, QoS::ExactlyOnce);
    drop((client, other));
    let bed = killed(bed);
    assert_eq!((held(&bed, "c"), held(&bed, "d")), (vec![2, 3, 9], vec![1]));
    // The client has come and gone without a word.
    assert_eq!(held(&bed, "c"), [2, 3, 9], "in the same process");
    assert_eq!(held(&killed(bed), "c"), [2, 3, 9], "in the next one");
}

#[test]
fn records_that_are_no_publish_of_a_client_hold_nothing() {
    let bed = Bed::new();
    drop(bed.lasting("c"));
    for packet_id in ["0", "65536", "-1", "", "x", " 1"] {
        forge(&bed, "c", packet_id);
    }
    forge(&bed, "stranger", "5");
    let bed = killed(bed);
    assert_eq!(held(&bed, "c"), []);
}

#[test]
fn what_is_before_a_checkpoint_is_not_read() {
    for checkpoint in [false, true] {
        let bed = Bed::new();
        let (idle, mut client) = (bed.lasting("idle"), bed.lasting("c"));
        forge(&bed, "idle", "7");
        let _ = publish(&bed, &mut client, 1, QoS::ExactlyOnce);
        bed.run();
        if checkpoint {
            bed.store.checkpoint().unwrap();
        }
        forge(&bed, "idle", "8");
        bed.run();
        drop((idle, client));
        let bed = killed(bed);
        // The client's own message is behind the checkpoint, for its session was not saved since.
        assert_eq!(held(&bed, "c"), [1]);
        assert_eq!(held(&bed, "idle"), if checkpoint { vec![8] } else { vec![7, 8] });
    }
}

#[test]
fn a_checkpoint_is_not_ahead_of_what_is_durable_and_is_written_when_it_moves() {
    let bed = Bed::new();
    let idle = bed.lasting("idle");
    forge(&bed, "idle", "7");
    bed.store.checkpoint().unwrap();
    let sessions = bed.log.topic("__headwater_sessions").unwrap().partition(0).unwrap();
    let records = sessions.appended_end();
    bed.store.checkpoint().unwrap();
    assert_eq!(sessions.appended_end(), records, "nothing moved");
    drop(idle);
    let bed = killed(bed);
    assert_eq!(held(&bed, "idle"), [7]);
}

#[test]
fn after_a_clean_stop_no_record_is_read() {
    let bed = Bed::new();
    let client = bed.lasting("c");
    forge(&bed, "c", "7");
    client.leave();
    bed.run();
    forge(&bed, "c", "8");
    assert_eq!(held(&bed.reopen(), "c"), []);
}

#[test]
fn a_session_that_was_connected_before_version_5_holds_nothing_after_a_crash() {
    let bed = Bed::new();
    let client = bed.lasting("c");
    let state = State::new(Vec::new(), vec![Incoming { packet_id: id(9), receipt: None }]);
    let placement = client.attached.save(&state, client.expiry_secs).unwrap();
    let log = bed.log.topic("__headwater_sessions").unwrap().partition(0).unwrap();
    let fetched = log.read_up_to(ReadUpTo::Appended, placement.session.unwrap(), 1).unwrap();
    let value = fetched.views().next().unwrap().unwrap().value.unwrap().to_vec();
    let snapshot = Snapshot::decode(&value).unwrap();
    assert_eq!((snapshot.incoming.len(), snapshot.disconnected_at), (1, None));
    let bytes = version_4(&value);
    log.append(&Record::new(&bytes).key("c"), Ack::Appended).unwrap();
    forge(&bed, "c", "7");
    drop(client);
    let bed = killed(bed);
    assert_eq!(held(&bed, "c"), [], "it may have been released since");
}

/// The value of a session with one incoming identifier as version 4 wrote it.
fn version_4(value: &[u8]) -> Vec<u8> {
    let mut bytes = value.to_vec();
    // That there is a beginning, without an offset; that the identifier has no place.
    assert_eq!(bytes.split_off(bytes.len() - 6), [0, 1, 0, 0, 0, 0]);
    bytes[0] = 4;
    // The last identifier that was reserved: none.
    bytes.splice(15..15, [0, 0]);
    bytes
}

#[test]
fn what_may_have_been_sent_before_a_crash_is_sent_again_with_dup() {
    let bed = Bed::new();
    let mut client = bed.lasting("c");
    client.subscribe("t", 2);
    let _ = client.attached.save(&State::default(), client.expiry_secs).unwrap();
    bed.publish("t", "x", 2);
    bed.run();
    let message = client.next().unwrap();
    // Saved with it, as it must be, before it was sent.
    let under_way = InFlight { packet_id: id(1), stage: Stage::PubRec, sent: false, message };
    let _ = client.attached.save(&State::new(vec![under_way], Vec::new()), client.expiry_secs).unwrap();
    drop(client);
    let bed = killed(bed);
    let mut client = bed.lasting("c");
    let resumed = client.resumed.take().unwrap();
    assert!(resumed.outgoing[0].sent);
    assert_eq!(client.drain(), [], "it is under way");
}
