//! A lane that cannot go on: nobody waits for it in vain.

use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_codec::{Delivery, PacketId, Publish, QoS, SubscribeOptions};
use headwater_log::{Ack, Log, LogOptions, Record};
use headwater_store::{Attach, Lane, LaneError, Placement, PublishError, Store};
use headwater_topic::{TopicFilter, TopicName};

use crate::bed::{Bed, options};

fn publish(store: &Store, topic: &str) -> Result<Placement, PublishError> {
    let delivery = Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false };
    let publish = Publish::new(TopicName::parse(topic).unwrap(), b"payload").with_delivery(delivery);
    store.publish(&publish, || Bytes::from_static(b"payload"), "c", 0)
}

fn lane_of(store: &Store, topic: &str) -> Lane {
    let number = store.messages().partition_for_key(topic.as_bytes());
    let name = format!("mqtt-{number}");
    store.lanes().into_iter().find(|lane| lane.name() == name).unwrap()
}

/// What is appended to a stopped lane by who looked before it stopped becomes durable; a message after that is refused, but not in other
/// partitions.
fn is_stopped(store: &Store, topic: &str, lane: &Lane) {
    let number = store.messages().partition_for_key(topic.as_bytes());
    assert!(
        matches!(publish(store, topic), Err(PublishError::LaneStopped { partition }) if partition == number)
    );
    let partition = store.messages().partition(number).unwrap();
    partition.append(&Record::new("late"), Ack::Appended).unwrap();
    assert_eq!(lane.run(Duration::ZERO).unwrap(), 0);
    assert_eq!(partition.durable_end(), partition.appended_end());

    let other = (0..100)
        .map(|number| format!("other/{number}"))
        .find(|other| store.messages().partition_for_key(other.as_bytes()) != number)
        .unwrap();
    let placement = publish(store, &other).unwrap();
    lane_of(store, &other).run(Duration::ZERO).unwrap();
    assert!(store.is_durable(&placement));
}

#[test]
fn a_lane_that_cannot_read_takes_nothing_more_and_leaves_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), LogOptions::default().verify_every_read(true)).unwrap();
    let store = Store::open(&log, options(), 0).unwrap();
    let placement = publish(&store, "t").unwrap();
    let number = store.messages().partition_for_key(b"t");
    let path = folder.path().join(format!("mqtt-{number}/00000000000000000000.log"));
    // A bit of the payload flips on its way.
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut bytes = [0; 500];
    file.read_exact_at(&mut bytes, 0).unwrap();
    let place = bytes.windows(7).position(|window| window == b"payload").unwrap();
    file.write_all_at(&[bytes[place] ^ 1], place as u64).unwrap();

    let lane = lane_of(&store, "t");
    assert!(matches!(lane.run(Duration::ZERO), Err(LaneError::Read(_))));
    assert!(store.is_durable(&placement), "it is on disk, whatever it reads like");
    is_stopped(&store, "t", &lane);
}

#[test]
fn a_lane_that_panics_takes_nothing_more_and_leaves_nobody_waiting() {
    let bed = Bed::new();
    let attach = Attach {
        client_id: "c",
        clean_start: true,
        expiry_secs: 0,
        wake: Arc::new(|| std::panic::panic_any("woken")),
        now_ms: 0,
    };
    let (mut attached, ..) = bed.store.attach(&attach).unwrap();
    attached.subscribe(TopicFilter::parse("t").unwrap(), SubscribeOptions::new(QoS::AtLeastOnce), None);
    let placement = publish(&bed.store, "t").unwrap();
    let lane = lane_of(&bed.store, "t");
    assert!(catch_unwind(AssertUnwindSafe(|| lane.run(Duration::ZERO))).is_err());
    assert!(bed.store.is_durable(&placement));
    is_stopped(&bed.store, "t", &lane);
}
