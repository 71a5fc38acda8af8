//! A store in the system's temporary directory, whose lanes are run by hand.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater::codec::{Delivery, PacketId, Publish, QoS, SubscribeOptions};
use headwater::log::{Log, LogOptions, TopicOptions};
use headwater::session::State;
use headwater::store::{Attach, Attached, Lane, Next, Store, StoreOptions};
use headwater::topic::{TopicFilter, TopicName};
use tempfile::TempDir;

pub(crate) const PARTITIONS: u32 = 4;
pub(crate) const SESSIONS: u32 = 100_000;
pub(crate) const EXPIRY_SECS: u32 = 3_600;

/// So many records are published between two runs of the lanes.
const BATCH: u32 = 4_096;

pub(crate) struct Bed {
    pub(crate) store: Store,
    pub(crate) lanes: Vec<Lane>,
    // In this order: the log is closed before its directory goes.
    pub(crate) log: Log,
    pub(crate) dir: TempDir,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::on(tempfile::tempdir().expect("a directory"))
    }

    pub(crate) fn on(dir: TempDir) -> Self {
        let (log, store) = open(dir.path());
        Self { lanes: store.lanes(), store, log, dir }
    }

    /// Closes it cleanly, and gives the directory.
    pub(crate) fn close(self) -> TempDir {
        let Self { store, lanes, log, dir } = self;
        drop((store, lanes));
        log.close().expect("to close");
        dir
    }

    pub(crate) fn attach(&self, client_id: &str) -> Attached {
        let attach = Attach {
            client_id,
            clean_start: false,
            expiry_secs: EXPIRY_SECS,
            wake: Arc::new(|| {}),
            now_ms: 1,
        };
        self.store.attach(&attach).expect("a session").0
    }

    /// A client comes, subscribes and goes.
    pub(crate) fn leave_one_away(&self, client_id: &str, filter: &str) {
        let mut attached = self.attach(client_id);
        subscribe(&mut attached, filter);
        let _placement = attached.detach(&State::default(), EXPIRY_SECS, 1).expect("there is space");
    }

    /// Publishes so many messages, of QoS 1, and dispatches them.
    pub(crate) fn publish(&self, count: u32, mut topic: impl FnMut(u32, &mut String)) {
        let mut text = String::new();
        for number in 0..count {
            text.clear();
            topic(number, &mut text);
            publish(&self.store, &text, QoS::AtLeastOnce, false);
            if number % BATCH == BATCH - 1 {
                self.run();
            }
        }
        self.run();
    }

    pub(crate) fn run(&self) {
        for lane in &self.lanes {
            lane.run(Duration::ZERO).expect("a sync");
        }
    }
}

pub(crate) fn open(dir: &Path) -> (Log, Store) {
    let log = Log::open(dir, LogOptions::default()).expect("a log");
    let messages = TopicOptions::default().partitions(PARTITIONS).segment_bytes(256 << 20);
    let options = StoreOptions::default().messages(messages).sessions_max(1_000_000).inbox_max(20_000);
    let store = Store::open(&log, options, 1).expect("a store");
    (log, store)
}

pub(crate) fn subscribe(attached: &mut Attached, filter: &str) {
    let filter = TopicFilter::parse(filter).expect("a filter");
    attached.subscribe(filter, SubscribeOptions::new(QoS::AtLeastOnce), None);
}

pub(crate) fn publish(store: &Store, topic: &str, qos: QoS, retain: bool) {
    let delivery = match qos {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        _ => Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false },
    };
    let publish = Publish::new(TopicName::parse(topic).expect("a topic"), b"21.5")
        .with_delivery(delivery)
        .with_retain(retain);
    let _placement =
        store.publish(&publish, || Bytes::from_static(b"21.5"), "sensor-7", 1).expect("there is space");
}

/// All that is there for a session; how many, and what it took of the processor.
pub(crate) fn drain(attached: &mut Attached) -> (u64, Duration) {
    let begun = processor_time();
    let mut count = 0;
    loop {
        match attached.next(1).expect("a whole log") {
            Next::Delivery(_) => count += 1,
            Next::Again => {}
            Next::Idle => return (count, processor_time() - begun),
        }
    }
}

/// The time of the processor that this thread has had, by `/proc/thread-self/schedstat`: what else the machine does, and the disk, are not in it.
pub(crate) fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

/// How much memory the process has, by `/proc/self/status`, in bytes: `VmRSS`, all of it, or `RssAnon`, without what is mapped of files.
pub(crate) fn memory_bytes(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).expect("a field of memory");
    kib.parse::<u64>().expect("a number") * 1024
}
