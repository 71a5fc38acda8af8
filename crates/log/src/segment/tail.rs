//! The end of an active segment: what allocates space for it and what makes it durable.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::active::{Active, Extent, INDEX_ROOM_BYTES, TIME_INDEX_ROOM_BYTES};
use super::keeper::{self, Keeper};
use super::{Dir, Indexes, Segment};
use crate::error::{AppendError, Damage, IoError, ReadError, SyncError};
use crate::format::index::{Builder, ENTRY_BYTES, TIME_ENTRY_BYTES};
use crate::format::mark::Mark;
use crate::format::names;
use crate::options::TopicOptions;
use crate::storage::{self, Access, Appender, File, Region};
use crate::sync::Mutex;

/// The first step in which space for batches is allocated; later steps are as large as the segment is already.
const LOG_STEP_BYTES_MIN: u64 = 64 * 1024;
/// The same for an index.
const INDEX_STEP_BYTES_MIN: u64 = 4096;
const INDEX_STEP_BYTES_MAX: u64 = 64 * 1024;

/// The end of an active segment, shared by the appender, by who allocates, and by who syncs.
#[derive(Debug)]
pub(crate) struct Tail {
    dir: Arc<Dir>,
    segment: Arc<Segment>,
    file: Arc<dyn File>,
    log: Arc<Region>,
    indexes: Indexes,
    keeper: Mutex<Keeper>,
    /// Whether the segment's names in the directory are durable.
    named: AtomicBool,
    /// The bytes whose append time is known: those of the last sync.
    timed: AtomicUsize,
    allocate_ahead_bytes_max: u64,
}

/// The time of a sync, as the clock shows it and as it is believed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) now_ms: i64,
    pub(crate) believed_ms: i64,
}

/// Creates the four files of a segment, empty. When that fails, none of them stays. A segment that has content is
/// never written over.
pub(crate) fn create_files(dir: &Dir, base_offset: u64) -> Result<(), IoError> {
    let log = dir.file(base_offset, names::LOG);
    match dir.storage.create_new(&log) {
        Ok(_) => {}
        // The rest of an attempt that failed and could not clean up is empty.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let found = dir.storage.open(&log, Access::Read).and_then(|file| file.size());
            if found.map_err(IoError::of("measure", &log))? > 0 {
                return Err(IoError::new("create", &log, error));
            }
        }
        Err(error) => return Err(IoError::new("create", &log, error)),
    }
    let create = |suffix| {
        let path = dir.file(base_offset, suffix);
        dir.storage.create(&path).map(drop).map_err(IoError::of("create", &path))
    };
    let created = [names::INDEX, names::TIME_INDEX].into_iter().try_for_each(create);
    let created = created.and_then(|()| keeper::create(dir, base_offset).map(drop));
    if created.is_err() {
        // What stays all the same has no content; the next open removes it.
        let _ = remove_files(dir, base_offset);
    }
    created
}

/// Removes what there is of a segment's files, the one that makes it a segment first. Goes on after an error and
/// gives the first.
pub(crate) fn remove_files(dir: &Dir, base_offset: u64) -> Result<(), IoError> {
    let mut outcome = Ok(());
    for suffix in names::SEGMENT_SUFFIXES.into_iter().chain(names::FOREIGN_SUFFIXES) {
        outcome = outcome.and(storage::remove_if_there(&*dir.storage, &dir.file(base_offset, suffix)));
    }
    outcome
}

impl Segment {
    /// Opens a closed segment for appending.
    pub(crate) fn activate(
        &self,
        options: &TopicOptions,
        now_ms: i64,
    ) -> Result<(Arc<Self>, Active), AppendError> {
        let dir = &self.dir;
        let len = usize::try_from(self.len()).unwrap_or(usize::MAX);
        let mapped = self.mapped();
        let indexes = self.indexes(&mapped).map_err(read_to_append)?;
        self.check_end(&mapped).map_err(read_to_append)?;
        let builder = Builder::resume(self.base_offset, options.index_interval_bytes, indexes.time.bytes());

        let path = dir.file(self.base_offset, names::LOG);
        let file = dir.open(self.base_offset, names::LOG, Access::ReadWrite)?;
        let found = file.size().map_err(IoError::of("measure", &path))?;
        if found < self.len() {
            let what = Damage::Short { expected: self.len(), found };
            return Err(dir.corruption(self.base_offset, found, what).into());
        }
        let capacity = usize::try_from(options.segment_bytes).unwrap_or(usize::MAX).max(len);
        let log = map(&*file, capacity, len).map_err(IoError::of("map", &path))?;
        if found > self.len() {
            // Space that an earlier attempt allocated.
            file.set_len(self.len()).map_err(IoError::of("resize", &path))?;
        }
        let index_capacity = |entry: usize| {
            let bytes = usize::try_from(options.segment_index_bytes).unwrap_or(usize::MAX);
            bytes - bytes % entry
        };
        let offset = self.activate_index(names::INDEX, &indexes.offset, index_capacity(ENTRY_BYTES))?;
        let time = self.activate_index(names::TIME_INDEX, &indexes.time, index_capacity(TIME_ENTRY_BYTES))?;
        let keeper = Keeper::open(dir, self.base_offset, now_ms)?;

        let live = Indexes { offset: Arc::clone(offset.region()), time: Arc::clone(time.region()) };
        let region = Arc::clone(log.region());
        let segment = self.activated(region, live.clone(), mapped.verified(), options.index_interval_bytes);
        let segment = Arc::new(segment);
        let tail = Tail {
            dir: Arc::clone(dir),
            segment: Arc::clone(&segment),
            file,
            log: Arc::clone(log.region()),
            indexes: live,
            keeper: Mutex::new(keeper),
            // A mark is written only after the names were synced.
            named: AtomicBool::new(self.mark.proves()),
            timed: AtomicUsize::new(len),
            allocate_ahead_bytes_max: options.allocate_ahead_bytes_max,
        };
        Ok((segment, Active::new(Arc::new(tail), log, offset, time, builder)))
    }

    /// Opens an index for appending, with its entries as they are in memory.
    fn activate_index(&self, suffix: &str, index: &Region, capacity: usize) -> Result<Appender, IoError> {
        let path = self.dir.file(self.base_offset, suffix);
        let bytes = index.bytes();
        // An index is a cache: one that cannot be read is made anew.
        let found = self.dir.read(self.base_offset, suffix).ok().flatten();
        if found.is_none_or(|content| content != bytes) {
            let name = names::segment_file(self.base_offset, suffix);
            storage::exchange_file(&*self.dir.storage, &self.dir.path, &name, bytes)?;
        }
        let file = self.dir.open(self.base_offset, suffix, Access::ReadWrite)?;
        map(&*file, capacity.max(bytes.len()), bytes.len()).map_err(IoError::of("map", &path))
    }
}

fn map(file: &dyn File, capacity: usize, len: usize) -> std::io::Result<Appender> {
    file.map(capacity, Access::ReadWrite)?.into_appender(len, len)
}

fn read_to_append(error: ReadError) -> AppendError {
    match error {
        ReadError::Io(error) if error.is_no_space() => AppendError::NoSpace(error),
        ReadError::Io(error) => AppendError::Io(error),
        ReadError::Corrupt(corruption) => AppendError::Corrupt(corruption),
        // Loading indexes gives no other error.
        _ => AppendError::Refused(SyncError::Closed),
    }
}

impl Tail {
    pub(crate) fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// Whether less than half of an allocation step is left, so that it is time for the next one.
    pub(crate) fn is_low(&self) -> bool {
        let (published, writable) = (self.log.published(), self.log.writable());
        let left = writable.saturating_sub(published) as u64;
        writable < self.log.capacity() && left < self.step(published) / 2
    }

    fn step(&self, published: usize) -> u64 {
        step(published, LOG_STEP_BYTES_MIN, self.allocate_ahead_bytes_max)
    }

    /// Allocates space so that a batch of `bytes` and its index entries fit. Nobody else may do so meanwhile.
    pub(crate) fn allocate(&self, bytes: usize) -> Result<(), IoError> {
        let path = self.dir.file(self.segment.base_offset, names::LOG);
        let ahead = self.step(self.log.published());
        allocate(&*self.file, &self.log, bytes, ahead).map_err(IoError::of("allocate", &path))?;
        let needs = [
            (names::INDEX, &self.indexes.offset, INDEX_ROOM_BYTES),
            (names::TIME_INDEX, &self.indexes.time, TIME_INDEX_ROOM_BYTES),
        ];
        for (suffix, region, bytes) in needs {
            if region.writable().saturating_sub(region.published()) >= bytes {
                continue;
            }
            let path = self.dir.file(self.segment.base_offset, suffix);
            let file = self.dir.open(self.segment.base_offset, suffix, Access::ReadWrite)?;
            let ahead = step(region.published(), INDEX_STEP_BYTES_MIN, INDEX_STEP_BYTES_MAX);
            allocate(&*file, region, bytes, ahead).map_err(IoError::of("allocate", &path))?;
        }
        Ok(())
    }

    /// Tells the storage what is about to be written for the first time.
    pub(super) fn prepare(&self, from: usize, to: usize) {
        self.file.prepare(from as u64, to as u64);
    }

    /// Lets the storage write bytes, if it does that; see [`File::fill`].
    pub(super) fn fill(&self, at: usize, bytes: &[u8]) -> bool {
        self.file.fill(at as u64, bytes)
    }

    /// Cuts the space that was allocated ahead. Nothing may be appended meanwhile, and [`Active::stop`] was called.
    pub(crate) fn trim(&self) -> Result<(), IoError> {
        let path = self.dir.file(self.segment.base_offset, names::LOG);
        self.file.set_len(self.log.published() as u64).map_err(IoError::of("trim", &path))
    }

    /// Makes the segment durable up to there and notes it in the mark.
    pub(crate) fn sync(&self, extent: Extent, next_offset: u64, times: Times) -> Result<(), IoError> {
        let path = self.dir.file(self.segment.base_offset, names::LOG);
        self.file.sync_data().map_err(IoError::of("sync", &path))?;
        self.sync_names()?;
        self.note_appended(extent.log, times.now_ms);
        let mut keeper = self.keeper.lock();
        let mark = self.mark(&mut keeper, extent, next_offset, times);
        keeper.update(&self.dir, &mark, times.now_ms)
    }

    /// Saves the mark if that is due: after the last records became durable nobody else would.
    pub(crate) fn save_mark(&self, now_ms: i64) -> Result<(), IoError> {
        self.keeper.lock().save_if_due(&self.dir, self.segment.base_offset, now_ms)
    }

    /// Makes the whole segment durable, trims its files, and says in the mark that nothing follows. Nothing may
    /// be appended any more. Gives that mark.
    pub(crate) fn seal(&self, next_offset: u64, times: Times) -> Result<Mark, IoError> {
        let base_offset = self.segment.base_offset;
        let path = self.dir.file(base_offset, names::LOG);
        let extent = Extent {
            log: self.log.published(),
            index: self.indexes.offset.published(),
            time_index: self.indexes.time.published(),
        };
        self.trim()?;
        self.file.sync_data().map_err(IoError::of("sync", &path))?;
        for (suffix, region) in
            [(names::INDEX, &self.indexes.offset), (names::TIME_INDEX, &self.indexes.time)]
        {
            let path = self.dir.file(base_offset, suffix);
            let file = self.dir.open(base_offset, suffix, Access::ReadWrite)?;
            file.set_len(region.published() as u64).map_err(IoError::of("trim", &path))?;
            file.sync_data().map_err(IoError::of("sync", &path))?;
        }
        self.sync_names()?;
        self.note_appended(extent.log, times.now_ms);
        let mut keeper = self.keeper.lock();
        let mark = Mark {
            sealed: true,
            max_timestamp: self.segment.max_timestamp().unwrap_or_default(),
            ..self.mark(&mut keeper, extent, next_offset, times)
        };
        keeper.seal(&self.dir, &mark)?;
        Ok(mark)
    }

    /// What was appended since the last sync was appended before now; when exactly, nobody noted.
    fn note_appended(&self, len: usize, now_ms: i64) {
        if self.timed.swap(len, Ordering::AcqRel) < len {
            self.segment.last_append_ms.fetch_max(now_ms, Ordering::AcqRel);
        }
    }

    fn mark(&self, keeper: &mut Keeper, extent: Extent, next_offset: u64, times: Times) -> Mark {
        let (index, time_index) = keeper.sums(&self.indexes, extent);
        Mark {
            base_offset: self.segment.base_offset,
            position: extent.log as u64,
            next_offset,
            sparse: self.segment.sparse,
            numbered: self.segment.numbered.load(Ordering::Acquire),
            first_append_ms: self.segment.first_append_ms().unwrap_or_default(),
            last_append_ms: self.segment.last_append_ms().unwrap_or_default(),
            leader_epoch: self.dir.epochs.current(),
            believed_ms: times.believed_ms,
            index,
            time_index,
            ..Mark::default()
        }
    }

    /// Before anything in the segment is acknowledged as durable, its name has to be.
    fn sync_names(&self) -> Result<(), IoError> {
        if !self.named.load(Ordering::Acquire) {
            self.dir.sync()?;
            self.named.store(true, Ordering::Release);
        }
        Ok(())
    }
}

fn step(published: usize, min: u64, max: u64) -> u64 {
    (published as u64).clamp(min.min(max), max)
}

/// Gives a file space for `bytes` behind what is published, and `ahead` more if the disk has it.
fn allocate(file: &dyn File, region: &Region, bytes: usize, ahead: u64) -> std::io::Result<()> {
    let (published, writable) = (region.published(), region.writable());
    let needed = published.saturating_add(bytes).max(writable);
    let ahead = usize::try_from(ahead).unwrap_or(usize::MAX);
    let wanted = needed.saturating_add(ahead).min(region.capacity());
    if wanted <= writable {
        // It has all that it can have; the disk takes no request for nothing.
        return Ok(());
    }
    let mut to = wanted;
    if let Err(error) = file.allocate(writable as u64, wanted as u64) {
        let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        if !full || needed == writable || needed == wanted {
            return Err(error);
        }
        // What is needed may still fit.
        file.allocate(writable as u64, needed as u64)?;
        to = needed;
    }
    region.raise_writable(to);
    Ok(())
}
