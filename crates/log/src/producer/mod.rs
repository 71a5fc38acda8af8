//! Gathers records into batches and appends them: the in-process counterpart of Kafka's `KafkaProducer`.
//!
//! ```text
//!   threads of the program                      |  the producer's thread, or `Producer::poll`
//!                                               |
//!   send --> partition --> open batch --(full)--|--> closed --> number, checksum --> append --> sync --> receipts
//!    |        by key,       one lock,           |    batches        one copy                 one for all batches
//!    |        sticky, or    encoded at once     |    in order                                of a partition
//!    v        by the caller    |                |
//!   receipt <- - - - - - - - - + (linger_ms, or somebody waits for a receipt)
//!                              |
//!                              '--> memory of `buffer_bytes_max`: who finds none waits
//! ```
//!
//! [`Partition::append`](crate::Partition::append) writes one record and a batch's header of 61 bytes each time. Where many small
//! records come, a producer writes one header, one checksum and one index entry for hundreds of them, and their threads do not
//! wait for each other's appends. What it costs is that a record is in the process's memory for up to `linger_ms`: it is lost
//! with the process until its receipt says otherwise.
//!
//! # How it is made
//!
//! * A record is encoded into its batch at once, in Kafka's format, under a lock of its partition that is held for nothing
//!   else. It is copied twice in all: into the batch, and with it into the log's file.
//! * Checksums, appends and syncs are done by one thread that belongs to the producer and ends with it, as in Kafka's client.
//!   So it runs beside those that send. A program that has a loop of its own, or wants no thread, sets
//!   [`ProducerOptions::thread`] to false: then whoever waits for a receipt, flushes, or finds no memory does the work, and
//!   [`Producer::poll`] does what is due.
//! * Batches are of up to 128 KiB: each costs a system call and a wake-up of the thread, and its memory for each partition. Kafka's 16 KiB
//!   were chosen for a network.
//! * Who waits for a receipt ends the lingering of its batch, and does not wait for `linger_ms`. Batches come about by
//!   themselves: while one is appended or synced, the next one gathers.
//! * A record without a timestamp gets the clock's at the `send`, as in Kafka.
//!
//! # Order, refusals, numbers
//!
//! Batches of a partition are appended in the order in which they were begun, and their receipts told in it. A refusal that may
//! pass (a full disk) holds that partition, and no other, until it has passed or the batch is `delivery_timeout_ms` old. A sync
//! that failed is final for the partition, as for everybody ([`SyncError::Failed`](crate::SyncError::Failed)).
//!
//! Batches are numbered with the producer's id, epoch 0 and a sequence of each partition, which the partition remembers over a
//! restart (KIP-98). A batch gets its number when it is appended, not when it is gathered: so one that is given up leaves no
//! gap, and what comes after it needs no new epoch (KIP-360). The producer itself makes no duplicates without them: inside of
//! one process the answer of an append is never lost. A program that sends again what it may have sent before it was restarted
//! has to make the same batches again, and does so with numbers of its own, by
//! [`Partition::append_idempotent`](crate::Partition::append_idempotent).
//!
//! A receipt is told exactly once, also when the producer is closed or dropped, or the log is closed before it.

mod agenda;
mod deliver;
mod gather;
mod lane;
mod memory;
mod options;
mod receipt;
mod sender;
mod thread;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use self::agenda::Agenda;
use self::lane::Lane;
use self::memory::Memory;
pub use self::options::ProducerOptions;
pub use self::receipt::{Acknowledged, Receipt};
use self::sender::Lanes;
pub use self::sender::Sender;
use crate::clock::Clock;
pub use crate::error::{ProduceError, ProducerError, SendError};
use crate::sync::Mutex;
use crate::topic::Topic;

/// Gathers records for the topics of a log; made by [`Log::producer`](crate::Log::producer). Clones are cheap and are the same
/// producer; threads share it.
///
/// When the last of its clones and of its [`Sender`]s is dropped, everything gathered is appended, without waiting for what
/// is refused at that moment: the receipts tell. Who needs to know calls [`Producer::close`]. The log has to be open until
/// then; a log that is closed before fails what is gathered.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use headwater_log::producer::ProducerOptions;
/// use headwater_log::{Log, LogOptions, Record, TopicOptions};
///
/// let dir = tempfile::tempdir()?;
/// let log = Log::open(dir.path(), LogOptions::default())?;
/// let topic = log.create_topic("telemetry", TopicOptions::default().partitions(4))?;
///
/// let producer = log.producer(ProducerOptions::default())?;
/// let telemetry = producer.sender(&topic);
/// let receipt = telemetry.send(&Record::new("21.5").key("factory/line-1"))?;
/// let at = receipt.wait()?.position; // on disk
/// assert_eq!((at.partition, at.offset), (topic.partition_for_key(b"factory/line-1"), 0));
///
/// for number in 0..1000_u32 {
///     let _ = telemetry.send(&Record::new(&number.to_be_bytes()))?;
/// }
/// producer.close()?; // all of them are on disk, or this says what went wrong
/// log.close()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Producer {
    owner: Arc<Owner>,
}

/// What ends the producer when nobody can use it any more.
struct Owner {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the partitions of a producer have in common.
struct Shared {
    options: ProducerOptions,
    id: Option<i64>,
    clock: Arc<dyn Clock>,
    /// The log's directory.
    path: PathBuf,
    memory: Arc<Memory>,
    agenda: Agenda,
    registry: Mutex<Registry>,
    /// Nothing that is refused is tried again.
    hurry: AtomicBool,
    /// The first failure that no flush has told.
    failure: Mutex<Option<ProduceError>>,
}

#[derive(Default)]
struct Registry {
    topics: Vec<Arc<Lanes>>,
    ended: bool,
}

impl Producer {
    /// With options that were checked.
    pub(crate) fn new(
        options: ProducerOptions,
        id: Option<i64>,
        clock: Arc<dyn Clock>,
        path: PathBuf,
    ) -> Result<Self, ProducerError> {
        let shared = Arc::new(Shared {
            options,
            id,
            clock,
            path,
            memory: Arc::new(Memory::new(options.buffer_bytes_max, options.batch_bytes)),
            agenda: Agenda::default(),
            registry: Mutex::default(),
            hurry: AtomicBool::new(false),
            failure: Mutex::default(),
        });
        let thread = if options.thread { Some(thread::start(&shared)?) } else { None };
        Ok(Self { owner: Arc::new(Owner { shared, thread: Mutex::new(thread) }) })
    }

    /// The way to a topic. All that are made for one topic share its batches.
    #[must_use]
    pub fn sender(&self, topic: &Topic) -> Sender {
        let mut registry = self.owner.shared.registry.lock();
        let known = registry.topics.iter().find(|lanes| lanes.topic().is_same(topic));
        let lanes = known.cloned().unwrap_or_else(|| {
            let lanes = Arc::new(Lanes::new(topic));
            registry.topics.push(Arc::clone(&lanes));
            lanes
        });
        Sender::new(Arc::clone(&self.owner), lanes)
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> ProducerOptions {
        self.owner.shared.options
    }

    /// The id that its batches are numbered with; `None` when they are not.
    #[must_use]
    pub fn id(&self) -> Option<i64> {
        self.owner.shared.id
    }

    /// The memory of batches that are not appended yet; each counts whole. Never more than `buffer_bytes_max`.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.owner.shared.memory.taken_bytes()
    }

    /// Appends what is due by the log's clock; tells in how many milliseconds there may be more to do, if anything is gathered.
    ///
    /// For a producer without a thread. With [`Ack::Durable`](crate::Ack) it waits for the disk, once for each partition
    /// that it appended to.
    pub fn poll(&self) -> Option<u64> {
        let shared = &self.owner.shared;
        shared.work();
        shared.agenda.next_in_ms(shared.now_ms())
    }

    /// Appends everything that was sent before, without lingering, and waits until it is known what became of it.
    ///
    /// # Errors
    ///
    /// The first failure of a batch that no earlier flush has told, also of one whose receipts are gone.
    pub fn flush(&self) -> Result<(), ProduceError> {
        let shared = &self.owner.shared;
        shared.flush(&shared.lanes())
    }

    /// Takes no more records, appends everything as [`Producer::flush`] does, and ends the thread. This handle, its clones and
    /// its senders get [`SendError::Closed`] from then on.
    ///
    /// # Errors
    ///
    /// As [`Producer::flush`].
    pub fn close(&self) -> Result<(), ProduceError> {
        let shared = &self.owner.shared;
        let outcome = shared.flush(&shared.end());
        self.owner.stop();
        outcome
    }
}

impl Owner {
    /// Ends the thread; it appends what is there before.
    fn stop(&self) {
        self.shared.hurry.store(true, Ordering::Release);
        self.shared.agenda.stop();
        match self.thread.lock().take() {
            // A `Waker` that has the last of the senders cannot wait for the thread that wakes it.
            Some(thread) if thread.thread().id() != std::thread::current().id() => {
                // It panics only if foreign code did, and that was said on standard error.
                let _ = thread.join();
            }
            Some(_) => {}
            None => self.shared.finish(),
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.end();
        self.stop();
    }
}

impl Shared {
    /// By the clock that nobody sets.
    fn now_ms(&self) -> u64 {
        self.clock.monotonic_ms()
    }

    fn lanes(&self) -> Vec<Arc<Lane>> {
        let mut lanes = Vec::new();
        self.registry.lock().topics.iter().for_each(|topic| topic.all(&mut lanes));
        lanes
    }

    /// Takes no more records; gives all partitions.
    fn end(&self) -> Vec<Arc<Lane>> {
        self.registry.lock().ended = true;
        let lanes = self.lanes();
        lanes.iter().for_each(|lane| lane.end());
        lanes
    }

    /// Does what is due: appends everywhere, then syncs, so that what comes meanwhile is gathered. Whether there was something.
    fn work(&self) -> bool {
        let lanes = self.agenda.take(self.now_ms());
        lanes.iter().for_each(|lane| lane.append_round(false));
        lanes.iter().for_each(|lane| lane.sync_round());
        !lanes.is_empty()
    }

    fn flush(&self, lanes: &[Arc<Lane>]) -> Result<(), ProduceError> {
        let last: Vec<_> = lanes.iter().filter_map(|lane| lane.last()).collect();
        // All first, so that they are done in one round.
        last.iter().for_each(|outcome| outcome.want());
        if !self.options.thread {
            self.work();
        }
        for outcome in last {
            let _ = outcome.wait(Duration::MAX); // What went wrong is noted.
        }
        self.failure.lock().take().map_or(Ok(()), Err)
    }

    /// Lets go of all that is not appended: nobody is left who would do it.
    fn abandon(&self) {
        self.end().iter().for_each(|lane| lane.abandon());
        self.let_go();
    }

    /// Appends all that is left, once and for all, and lets go of the partitions.
    fn finish(&self) {
        for lane in self.lanes() {
            while lane.last().is_some() {
                lane.work();
            }
        }
        self.let_go();
    }

    /// Partitions have this, and this has them.
    fn let_go(&self) {
        let topics = std::mem::take(&mut self.registry.lock().topics);
        drop(topics);
        self.agenda.clear();
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("options", &self.options()).finish_non_exhaustive()
    }
}
