use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::Signal;
use super::commit::Lead;
use super::exchange::Pending;
use super::flush::Overdue;
use crate::compress;
use crate::error::{IoError, SyncError};
use crate::log::Shared;
use crate::options::{ReadUpTo, TimestampType, TopicOptions};
use crate::producers::Producers;
use crate::report::{PartitionDescription, SegmentInfo};
use crate::segment::{Active, Dir, Segment, Tail};
use crate::sync::{Mutex, RwLock};

/// The segments, oldest first, the one that takes appends last. Never changed while somebody else has it.
pub(super) type SegmentList = Arc<Vec<Arc<Segment>>>;

/// The state of a partition.
///
/// ```text
///  locks, in the order in which they may be taken        held for
///  cleaning  who compacts                                a compaction; closing waits for it to stop
///  growth    who allocates, rolls, deletes segments      system calls; appenders that have room pass by
///  lead      who syncs                                   a sync; others wait for it or append on
///  writer    who appends                                 memory only, never a system call
///  segments  the list of segments                        copying one pointer, or changing the list
/// ```
pub(crate) struct Core {
    pub(super) dir: Arc<Dir>,
    pub(super) shared: Arc<Shared>,
    pub(super) options: RwLock<TopicOptions>,
    pub(super) batch_bytes_max: AtomicU64,
    pub(super) log_append_time: AtomicBool,
    /// Whether every record needs a key.
    pub(super) compacted: AtomicBool,
    /// As [`compress::to_bits`] has it.
    pub(super) compression: AtomicU16,
    /// `u64::MAX` where no append syncs for the bytes before it.
    pub(super) flush_bytes: AtomicU64,
    pub(super) overdue: Mutex<Overdue>,
    /// Held by who compacts.
    pub(super) cleaning: Mutex<()>,
    /// Who compacts has to stop.
    pub(super) stopping: AtomicBool,
    pub(super) growth: Mutex<()>,
    /// Under the growth lock.
    pub(super) pending: Mutex<Option<Pending>>,
    pub(super) lead: Lead,
    pub(super) writer: Mutex<Writer>,
    pub(super) segments: RwLock<SegmentList>,
    pub(super) start: AtomicU64,
    pub(super) durable: AtomicU64,
    pub(super) appended: AtomicU64,
    pub(super) durable_moved: Signal,
    pub(super) appended_moved: Signal,
    /// Set by the first sync that fails, never cleared.
    pub(super) failed: OnceLock<Arc<IoError>>,
    pub(super) closed: AtomicBool,
}

/// What opening found out of a partition's producers.
#[derive(Debug, Default)]
pub(crate) struct KnownProducers {
    pub(crate) producers: Option<Box<Producers>>,
    pub(crate) stray_snapshot: Option<u64>,
}

/// What the append lock guards.
#[derive(Debug)]
pub(super) struct Writer {
    /// `None` until the first append since the log was opened.
    pub(super) active: Option<Active>,
    pub(super) next_offset: u64,
    /// A roll is under way: nothing may be appended to the active segment any more.
    pub(super) frozen: bool,
    pub(super) closed: bool,
    /// The bytes appended since those that the last sync covered.
    pub(super) unsynced_bytes: u64,
    /// Segments that were rolled and wait to be sealed, each with the offset behind it.
    pub(super) rolled: Vec<(Arc<Tail>, u64)>,
    /// The producers of what is appended. `None`, and no memory, until one has appended since there is the partition.
    pub(super) producers: Option<Box<Producers>>,
    /// The newest snapshot of the producers, by offset, if it is not that of a segment's beginning: the next one takes its place.
    pub(super) stray_snapshot: Option<u64>,
}

impl Core {
    /// A partition of these segments, of which there is at least one, ending at `end`, all of it durable.
    pub(super) fn new(
        dir: Arc<Dir>,
        shared: Arc<Shared>,
        options: TopicOptions,
        segments: Vec<Arc<Segment>>,
        start: u64,
        end: u64,
        known: KnownProducers,
    ) -> Self {
        let writer = Writer {
            active: None,
            next_offset: end,
            frozen: false,
            closed: false,
            unsynced_bytes: 0,
            rolled: Vec::new(),
            producers: known.producers,
            stray_snapshot: known.stray_snapshot,
        };
        Self {
            dir,
            shared,
            batch_bytes_max: AtomicU64::new(batch_limit(&options)),
            log_append_time: AtomicBool::new(is_log_append_time(&options)),
            compacted: AtomicBool::new(options.cleanup_policy.compacts()),
            compression: AtomicU16::new(compress::to_bits(options.compression)),
            flush_bytes: AtomicU64::new(options.flush_bytes.unwrap_or(u64::MAX)),
            overdue: Mutex::default(),
            options: RwLock::new(options),
            cleaning: Mutex::default(),
            stopping: AtomicBool::new(false),
            growth: Mutex::default(),
            pending: Mutex::default(),
            lead: Lead::default(),
            writer: Mutex::new(writer),
            segments: RwLock::new(Arc::new(segments)),
            start: AtomicU64::new(start),
            durable: AtomicU64::new(end),
            appended: AtomicU64::new(end),
            durable_moved: Signal::default(),
            appended_moved: Signal::default(),
            failed: OnceLock::new(),
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn topic(&self) -> &str {
        &self.dir.topic
    }

    pub(crate) fn number(&self) -> u32 {
        self.dir.partition
    }

    pub(crate) fn start_offset(&self) -> u64 {
        self.start.load(Ordering::Acquire)
    }

    pub(crate) fn durable_end(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(crate) fn appended_end(&self) -> u64 {
        self.appended.load(Ordering::Acquire)
    }

    pub(super) fn end(&self, up_to: ReadUpTo) -> u64 {
        match up_to {
            ReadUpTo::Durable => self.durable_end(),
            ReadUpTo::Appended => self.appended_end(),
        }
    }

    pub(super) fn signal(&self, up_to: ReadUpTo) -> &Signal {
        match up_to {
            ReadUpTo::Durable => &self.durable_moved,
            ReadUpTo::Appended => &self.appended_moved,
        }
    }

    /// Whether there is something that a sync could do.
    pub(crate) fn is_unsynced(&self) -> bool {
        self.appended_end() > self.durable_end() && self.failed.get().is_none() && !self.is_closed()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn segment_list(&self) -> SegmentList {
        Arc::clone(&self.segments.read())
    }

    /// Changes the list of segments; nobody else does meanwhile, and who has the list keeps it as it was.
    pub(super) fn change_segments(&self, change: impl FnOnce(&mut Vec<Arc<Segment>>)) {
        change(Arc::make_mut(&mut self.segments.write()));
    }

    pub(super) fn options(&self) -> TopicOptions {
        *self.options.read()
    }

    pub(crate) fn set_options(&self, options: TopicOptions) {
        *self.options.write() = options;
        self.batch_bytes_max.store(batch_limit(&options), Ordering::Release);
        self.log_append_time.store(is_log_append_time(&options), Ordering::Release);
        self.compacted.store(options.cleanup_policy.compacts(), Ordering::Release);
        self.compression.store(compress::to_bits(options.compression), Ordering::Release);
        self.flush_bytes.store(options.flush_bytes.unwrap_or(u64::MAX), Ordering::Release);
    }

    /// The outcome of waiting for a record; `None` while it has to go on.
    pub(super) fn reached(&self, up_to: ReadUpTo, offset: u64) -> Option<Result<(), SyncError>> {
        // Before the end: a record that came just before a failure is there all the same.
        let hopeless = self.hopeless();
        if self.end(up_to) > offset { Some(Ok(())) } else { hopeless.map(Err) }
    }

    pub(crate) fn wait_readable(
        &self,
        up_to: ReadUpTo,
        offset: u64,
        timeout: Duration,
    ) -> Result<bool, SyncError> {
        let outcome = self.signal(up_to).wait(timeout, || self.reached(up_to, offset));
        outcome.transpose().map(|reached| reached.is_some())
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.segment_list().iter().map(|segment| segment.len()).sum()
    }

    pub(crate) fn describe(&self) -> PartitionDescription {
        // In this order none of them is above the next: each only rises.
        let (start_offset, durable_end) = (self.start_offset(), self.durable_end());
        let appended_end = self.appended_end();
        let segments = self.segment_infos();
        PartitionDescription { number: self.number(), start_offset, durable_end, appended_end, segments }
    }

    pub(crate) fn segment_infos(&self) -> Vec<SegmentInfo> {
        // The end first: the list may be newer, never older.
        let end = self.appended_end();
        let list = self.segment_list();
        let nexts = list.iter().skip(1).map(|segment| segment.base_offset()).chain([end]);
        let describe = |(segment, next_offset): (&Arc<Segment>, u64)| SegmentInfo {
            base_offset: segment.base_offset(),
            next_offset: next_offset.max(segment.base_offset()),
            bytes: segment.len(),
            first_append_ms: segment.first_append_ms(),
            last_append_ms: segment.last_append_ms(),
            max_timestamp: segment.max_timestamp(),
        };
        list.iter().zip(nexts).map(describe).collect()
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic(), self.number())
    }
}

fn is_log_append_time(options: &TopicOptions) -> bool {
    options.timestamp_type == TimestampType::LogAppendTime
}

/// A batch has to fit into a segment.
fn batch_limit(options: &TopicOptions) -> u64 {
    options.batch_bytes_max.min(options.segment_bytes)
}
