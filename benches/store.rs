//! A message into the log and out to who subscribed: publish, sync, dispatch, next. The sync is the disk's.

#![allow(clippy::expect_used, missing_docs, reason = "a bench asserts; criterion makes the rest")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater::codec::{Delivery, PacketId, Publish, QoS, SubscribeOptions};
use headwater::log::{Log, LogOptions, TopicOptions};
use headwater::store::{Attach, Attached, Next, Store, StoreOptions};
use headwater::topic::{TopicFilter, TopicName};

/// How many messages share a sync.
const BATCH: u64 = 1_000;

fn open(folder: &tempfile::TempDir) -> (Log, Store, Attached) {
    let log = Log::open(folder.path(), LogOptions::default()).expect("a log");
    let messages =
        TopicOptions::default().partitions(1).segment_bytes(64 << 20).retention_bytes(Some(256 << 20));
    let options = StoreOptions::default().messages(messages).inbox_max(2_000);
    let store = Store::open(&log, options, 0).expect("a store");
    let attach =
        Attach { client_id: "bench", clean_start: true, expiry_secs: 0, wake: Arc::new(|| {}), now_ms: 0 };
    let (mut attached, _, _) = store.attach(&attach).expect("a session");
    let filter = TopicFilter::parse("factory/+/temperature").expect("a filter");
    attached.subscribe(filter, SubscribeOptions::new(QoS::AtLeastOnce), None);
    (log, store, attached)
}

fn publish(store: &Store) {
    let topic = TopicName::parse("factory/line-1/temperature").expect("a topic");
    let delivery = Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false };
    let publish = Publish::new(topic, b"21.5").with_delivery(delivery);
    let _placement = store.publish(black_box(&publish), Bytes::new, "sensor-7", 1).expect("there is space");
}

/// Messages that are there for the session.
fn drain(attached: &mut Attached) -> u64 {
    let mut count = 0;
    while let Next::Delivery(delivery) = attached.next(1).expect("a whole log") {
        count += u64::from(delivery.message.payload == "21.5");
    }
    count
}

fn bench(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, store, mut attached) = open(&folder);
    let lanes = store.lanes();
    let mut round = || {
        for _ in 0..BATCH {
            publish(&store);
        }
        let dispatched: u64 = lanes.iter().map(|lane| lane.run(Duration::ZERO).expect("a sync")).sum();
        (dispatched, drain(&mut attached))
    };
    assert_eq!(round(), (BATCH, BATCH));
    let mut group = c.benchmark_group("store");
    group.throughput(Throughput::Elements(BATCH)).sample_size(20);
    group.bench_function("publish 1,000, sync, dispatch, deliver", |b| b.iter(&mut round));
    group.finish();
    log.maintain(2).expect("retention");
}

criterion_group!(benches, bench);
criterion_main!(benches);
