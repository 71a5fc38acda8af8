//! A broker, and the disk below it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use headwater::log::{Log, LogOptions, Partition, ReadUpTo, TopicOptions};
use headwater::store::{Lane, Store};
use headwater_broker::{Connection, Hub, Options, Share};
use headwater_testkit::sim_disk::SimDisk;
use tokio::io::DuplexStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// A pipe takes so many bytes before its reader has to read.
const PIPE_BYTES: usize = 2_048;
/// How long a lane sleeps at most, as in the broker's threads.
const NAP: Duration = Duration::from_millis(100);
/// When the log was opened, in milliseconds since 1970-01-01 UTC.
const NOW_MS: i64 = 1_800_000_000_000;
/// In so much time every connection has to end when the broker stops.
const STOP: Duration = Duration::from_secs(60);

/// A broker in this process. Dropped without [`finish`](Self::finish), it is not asked whether anything panicked.
#[derive(Debug)]
pub struct Bed {
    /// What its log is on.
    pub disk: SimDisk,
    /// What it holds.
    pub store: Store,
    hub: Arc<Hub>,
    lanes: Vec<JoinHandle<()>>,
    connections: Vec<JoinHandle<()>>,
    // Until the end: a log that is dropped ends its partitions.
    _log: Log,
}

impl Bed {
    /// A broker with these options on an empty disk. What is appended becomes durable after `sync_ms` of its time.
    ///
    /// # Panics
    ///
    /// When there are no such options.
    #[must_use]
    pub fn new(options: &[&str], sync_ms: u64) -> Self {
        let options = Options::try_parse_from([&["broker"], options].concat());
        let options = options.expect("options of the broker");
        let disk = SimDisk::new(7);
        let log = Log::open(Path::new("/data"), LogOptions::default().storage(Arc::new(disk.clone())));
        let log = log.expect("the disk is empty");
        // A file has room for the largest record, and not for many.
        let small = |topic: TopicOptions| {
            topic.segment_bytes(1 << 17).allocate_ahead_bytes_max(1 << 14).segment_index_bytes(1 << 12)
        };
        let mut kept = options.store();
        (kept.messages, kept.state) = (small(kept.messages).partitions(1), small(kept.state));
        let store = Store::open(&log, kept, NOW_MS).expect("the log is new");
        let lanes = store.lanes().into_iter().map(|lane| {
            let name = match lane.name().as_str() {
                "retained" => "__headwater_retained",
                "sessions" => "__headwater_sessions",
                _ => headwater::store::MESSAGES_TOPIC,
            };
            let partition = log.topic(name).and_then(|topic| topic.partition(0));
            let partition = partition.expect("the store has made it");
            tokio::spawn(run(lane, partition, Duration::from_millis(sync_ms)))
        });
        let lanes = lanes.collect();
        let files = Share { limit: 1_000, log: 100, connections: 100, refusals: 10 };
        let hub = Arc::new(Hub::new(store.clone(), options, files));
        Self { disk, store, hub, lanes, connections: Vec::new(), _log: log }
    }

    /// A connection to it.
    pub fn connect(&mut self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().ok();
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let connection = Connection::new(Arc::clone(&self.hub), peer, permit);
        let (reader, writer) = tokio::io::split(theirs);
        self.connections.push(tokio::spawn(connection.run(reader, writer)));
        ours
    }

    /// Stops it.
    ///
    /// # Panics
    ///
    /// When a connection does not end, or anything has panicked before.
    pub async fn finish(self) {
        self.hub.stop();
        for connection in self.connections {
            let ended = timeout(STOP, connection).await;
            ended.expect("a connection ends when the broker stops").expect("a connection does not panic");
        }
        for lane in self.lanes {
            lane.abort();
            if let Err(error) = lane.await {
                assert!(error.is_cancelled(), "a lane has panicked: {error}");
            }
        }
    }
}

/// What a thread of the broker does for a lane.
async fn run(lane: Lane, partition: Partition, pause: Duration) {
    loop {
        let appended = partition.readable(ReadUpTo::Appended, partition.durable_end());
        if let Ok(Err(_)) = timeout(NAP, appended).await {
            return;
        }
        sleep(pause).await;
        if lane.run(Duration::ZERO).is_err() {
            // A full disk, which is tried again.
            sleep(NAP).await;
        }
    }
}
