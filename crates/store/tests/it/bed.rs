//! A store on a simulated disk, run by hand.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use headwater_codec::{Delivery as Sending, PacketId, Publish, QoS, SubscribeOptions};
use headwater_log::{Log, LogOptions, TopicOptions};
use headwater_session::State;
use headwater_store::{Attach, Attached, Delivery, Next, Placement, PublishError, Store, StoreOptions};
use headwater_testkit::sim_disk::SimDisk;
use headwater_topic::{TopicFilter, TopicName};

/// A store, and the disk below it.
pub(crate) struct Bed {
    pub(crate) disk: SimDisk,
    pub(crate) log: Log,
    pub(crate) store: Store,
    pub(crate) options: StoreOptions,
    pub(crate) now_ms: i64,
}

/// What a test compares of a delivery: topic, payload, QoS, RETAIN.
pub(crate) type Got = (String, String, u8, bool);

pub(crate) fn got(topic: &str, payload: &str, qos: u8, retain: bool) -> Got {
    (topic.to_owned(), payload.to_owned(), qos, retain)
}

/// Four partitions, small segments: some messages fill one.
pub(crate) fn options() -> StoreOptions {
    let state = TopicOptions::default()
        .segment_bytes(1 << 16)
        .allocate_ahead_bytes_max(1 << 14)
        .segment_index_bytes(1 << 12);
    StoreOptions::default().messages(messages()).state(state)
}

pub(crate) fn messages() -> TopicOptions {
    TopicOptions::default()
        .partitions(4)
        .segment_bytes(1 << 16)
        .allocate_ahead_bytes_max(1 << 14)
        .segment_index_bytes(1 << 12)
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::with(options())
    }

    pub(crate) fn with(options: StoreOptions) -> Self {
        Self::on(SimDisk::new(1), options, 1_000_000)
    }

    pub(crate) fn on(disk: SimDisk, options: StoreOptions, now_ms: i64) -> Self {
        let log =
            Log::open(Path::new("/data"), LogOptions::default().storage(Arc::new(disk.clone()))).unwrap();
        let store = Store::open(&log, options.clone(), now_ms).unwrap();
        Self { disk, log, store, options, now_ms }
    }

    /// A clean stop and start.
    pub(crate) fn reopen(self) -> Self {
        let Self { disk, log, store, options, now_ms } = self;
        drop(store);
        log.close().unwrap();
        Self::on(disk, options, now_ms)
    }

    /// What is there when nobody has it open.
    pub(crate) fn close(self) -> SimDisk {
        let Self { disk, log, store, .. } = self;
        drop(store);
        log.close().unwrap();
        disk
    }

    /// The power fails.
    pub(crate) fn crash(self, seed: u64) -> Self {
        let Self { disk, log, store, options, now_ms } = self;
        let after = disk.crash(seed);
        drop((store, log));
        Self::on(after, options, now_ms)
    }

    /// What was appended becomes durable and is dispatched.
    pub(crate) fn run(&self) {
        for lane in self.store.lanes() {
            lane.run(Duration::ZERO).unwrap();
        }
    }

    pub(crate) fn publish(&self, topic: &str, payload: &str, qos: u8) -> Placement {
        self.publish_from("publisher", topic, payload, qos, false).unwrap()
    }

    /// One message for each number, all dispatched.
    pub(crate) fn publish_numbers(&self, topic: &str, numbers: std::ops::Range<u32>, qos: u8) {
        for number in numbers {
            self.publish(topic, &number.to_string(), qos);
        }
        self.run();
    }

    pub(crate) fn retain(&self, topic: &str, payload: &str, qos: u8) -> Placement {
        self.publish_from("publisher", topic, payload, qos, true).unwrap()
    }

    pub(crate) fn publish_from(
        &self,
        client_id: &str,
        topic: &str,
        payload: &str,
        qos: u8,
        retain: bool,
    ) -> Result<Placement, PublishError> {
        let packet_id = PacketId::MIN;
        let sending = match qos {
            0 => Sending::AtMostOnce,
            1 => Sending::AtLeastOnce { packet_id, dup: false },
            _ => Sending::ExactlyOnce { packet_id, dup: false },
        };
        let publish = Publish::new(TopicName::parse(topic).unwrap(), payload.as_bytes())
            .with_delivery(sending)
            .with_retain(retain);
        let owned = || Bytes::copy_from_slice(payload.as_bytes());
        self.store.publish(&publish, owned, client_id, self.now_ms)
    }

    /// A client comes.
    pub(crate) fn attach(&self, client_id: &str, clean_start: bool, expiry_secs: u32) -> Client {
        let woken = Arc::new(AtomicUsize::new(0));
        let wake = {
            let woken = Arc::clone(&woken);
            Arc::new(move || _ = woken.fetch_add(1, Ordering::Relaxed))
        };
        let attach = Attach { client_id, clean_start, expiry_secs, wake, now_ms: self.now_ms };
        let (attached, resumed, placement) = self.store.attach(&attach).unwrap();
        Client { attached, resumed, placement, woken, expiry_secs, now_ms: self.now_ms }
    }

    /// A client that stays away for a week at most.
    pub(crate) fn lasting(&self, client_id: &str) -> Client {
        self.attach(client_id, false, 7 * 24 * 3_600)
    }
}

/// A client that is connected.
pub(crate) struct Client {
    pub(crate) attached: Attached,
    pub(crate) resumed: Option<State<Delivery>>,
    pub(crate) placement: Placement,
    pub(crate) woken: Arc<AtomicUsize>,
    pub(crate) expiry_secs: u32,
    pub(crate) now_ms: i64,
}

impl Client {
    pub(crate) fn subscribe(&mut self, filter: &str, qos: u8) -> &mut Self {
        self.subscribe_with(filter, SubscribeOptions::new(QoS::from_u8(qos).unwrap()))
    }

    pub(crate) fn subscribe_with(&mut self, filter: &str, options: SubscribeOptions) -> &mut Self {
        self.attached.subscribe(TopicFilter::parse(filter).unwrap(), options, None);
        self
    }

    /// The next message, if there is one.
    pub(crate) fn next(&mut self) -> Option<Delivery> {
        loop {
            match self.attached.next(self.now_ms).unwrap() {
                Next::Delivery(delivery) => return Some(delivery),
                Next::Again => {}
                Next::Idle => return None,
            }
        }
    }

    /// All that is there, in order.
    pub(crate) fn deliveries(&mut self) -> Vec<Delivery> {
        std::iter::from_fn(|| self.next()).collect()
    }

    pub(crate) fn drain(&mut self) -> Vec<Got> {
        self.deliveries().iter().map(seen).collect()
    }

    /// As [`drain`](Self::drain), for messages of several topics: partitions have no order among each other.
    pub(crate) fn drain_sorted(&mut self) -> Vec<Got> {
        let mut all = self.drain();
        all.sort();
        all
    }

    /// Goes with nothing under way.
    pub(crate) fn leave(self) -> Placement {
        let (expiry_secs, now_ms) = (self.expiry_secs, self.now_ms);
        self.attached.detach(&State::default(), expiry_secs, now_ms).unwrap()
    }
}

pub(crate) fn seen(delivery: &Delivery) -> Got {
    let message = &delivery.message;
    let payload = String::from_utf8(message.payload.to_vec()).unwrap();
    (message.topic.as_str().to_owned(), payload, delivery.qos.as_u8(), delivery.retain)
}
