//! A check of a whole log: everything is read, nothing is changed.
//!
//! ```text
//!   for each partition:  the plan of an opening with quarantine ------------> damage, torn tails, what is left behind
//!                              |  each batch, each segment that it reads
//!                              '-> inspector: records, indexes, marks -----> the other findings
//! ```
//!
//! The plan is never carried out; but what it says is what [`OnDamage::Quarantine`](crate::OnDamage) would do.

mod content;
mod finding;
mod index;
mod inspector;

use std::io;
use std::path::Path;
use std::sync::Arc;

pub use self::finding::{Finding, IndexKind, IndexProblem, Problem, Severity};
use self::inspector::Inspector;
use crate::clock::{Clock, SystemClock};
use crate::error::{IoError, OpenError};
use crate::format::checkpoint::Offsets;
use crate::format::names;
use crate::log::{Found, TopicsOnDisk, find_topics, first_missing, read_offsets};
use crate::options::{LogOptions, ReadOnlyOptions, TopicOptions};
use crate::recovery::{Known, Plan};
use crate::report::PartitionRecovery;
use crate::segment::Dir;
use crate::storage::{Access, LockGuard, Storage};

/// What a check tells while it goes on.
#[derive(Debug)]
#[non_exhaustive]
pub enum CheckEvent<'a> {
    /// Something was found.
    Finding(&'a Finding),
    /// So much was read.
    Progress(&'a Progress),
}

/// How far a check is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The bytes of segments that were read.
    pub done_bytes: u64,
    /// The bytes of all segments.
    pub total_bytes: u64,
    /// The topic that is read now.
    pub topic: Arc<str>,
    /// The partition that is read now.
    pub partition: u32,
    /// The segment that is read now, by base offset.
    pub segment: u64,
}

/// What a check has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// What an opening with [`OnDamage::Quarantine`](crate::OnDamage) would find and do, for each partition that could be
    /// read.
    pub partitions: Vec<PartitionRecovery>,
    /// The segments that are there.
    pub segments: u64,
    /// The segments with records that were not closed: a crash came before.
    pub open_segments: u64,
    /// The batches that hold.
    pub batches: u64,
    /// The batches whose records were not looked at, since their codec is not built in.
    pub unread_batches: u64,
    /// The records in the batches that hold, as their headers say.
    pub records: u64,
    /// The bytes of the batches that hold.
    pub bytes: u64,
    /// The zeros behind the last batches: space that was allocated ahead.
    pub zero_bytes: u64,
    /// The findings that are errors.
    pub errors: u64,
    /// The findings that are notes.
    pub notes: u64,
}

impl CheckReport {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.errors == 0 && self.notes == 0
    }

    fn count(&mut self, finding: &Finding) {
        match finding.severity() {
            Severity::Error => self.errors += 1,
            Severity::Note => self.notes += 1,
        }
    }
}

/// Reads and checks everything; see [`Log::check`](crate::Log::check).
pub(crate) fn check(
    path: &Path,
    options: &ReadOnlyOptions,
    watch: &mut dyn FnMut(CheckEvent<'_>),
) -> Result<CheckReport, OpenError> {
    options.check()?;
    let (storage, bytes_max) = (&options.storage, options.decompressed_bytes_max);
    let guard = lock(&**storage, path)?;
    let found = find_topics(&**storage, path).map_err(|error| not_found(path, error))?;
    if found.is_empty() && !has_file_of_log(&**storage, path)? {
        return Err(OpenError::NotFound { path: path.to_owned() });
    }
    let mut report = CheckReport::default();
    let mut find = |report: &mut CheckReport, problem| {
        let finding = Finding::of_log(problem);
        report.count(&finding);
        watch(CheckEvent::Finding(&finding));
    };
    let mut offsets = |name| {
        read_offsets(&**storage, path, name).unwrap_or_else(|error| {
            find(&mut report, Problem::Unreadable(Arc::new(error)));
            Offsets::default()
        })
    };
    let (starts, points) = (offsets(names::LOG_STARTS), offsets(names::RECOVERY_POINTS));
    for topic in found.unfinished.keys().chain(found.growing.keys()) {
        find(&mut report, Problem::Unfinished { topic: topic.clone() });
    }
    for (topic, partitions) in &found.topics {
        if let Some(partition) = first_missing(partitions) {
            let topic = topic.clone();
            find(
                &mut report,
                Problem::Unreadable(Arc::new(OpenError::MissingPartition { topic, partition })),
            );
        }
    }
    let total_bytes = measure(&**storage, path, &found.topics, &mut report)?;
    let mut done_bytes = 0;
    for (name, partitions) in &found.topics {
        let topic: Arc<str> = name.as_str().into();
        for partition in partitions {
            let key = (name.clone(), *partition);
            let known = Known {
                start: starts.get(&key).copied(),
                recovery_point: points.get(&key).copied(),
                producers_max: LogOptions::default().producers_max,
            };
            let dir = Dir::unmapped(Arc::clone(storage), path, Arc::clone(&topic), *partition, bytes_max);
            let (topic, partition) = (Arc::clone(&topic), *partition);
            let progress = Progress { done_bytes, total_bytes, topic, partition, segment: 0 };
            let mut inspector = Inspector::new(watch, &mut report, progress, bytes_max);
            inspect(&mut inspector, dir, known);
            done_bytes = inspector.progress.done_bytes;
        }
    }
    // Where there was no lock to take, a writer may have begun meanwhile.
    if guard.is_none() && is_there(&**storage, &path.join(names::LOCK))? {
        return Err(OpenError::Locked { path: path.join(names::LOCK) });
    }
    Ok(report)
}

/// Looks at one partition.
fn inspect(inspector: &mut Inspector<'_>, dir: Dir, known: Known) {
    let epochs = dir.path.join(names::LEADER_EPOCHS);
    if !is_there(&*dir.storage, &epochs).unwrap_or(true) {
        inspector.find(None, None, Problem::EpochsMissing);
    }
    let interval = TopicOptions::default().index_interval_bytes;
    let plan = match Plan::new(dir, known, interval, SystemClock.now_ms(), Some(&mut *inspector)) {
        Ok(plan) => plan,
        Err(error) => return inspector.find(None, None, Problem::Unreadable(Arc::new(error))),
    };
    for damage in &plan.report.damage {
        let (segment, position) = (Some(damage.segment), Some(damage.position));
        inspector.find(segment, position, Problem::Damaged(damage.what.clone()));
    }
    if let Some(from) = plan.report.missing_from {
        let to = plan.report.start_offset;
        inspector.find(None, None, Problem::BeginningMissing { from, to });
    }
    for segment in &plan.report.exchanged {
        inspector.find(Some(*segment), None, Problem::Exchange);
    }
    for name in plan.left_behind() {
        inspector.find(None, None, Problem::LeftBehind { name });
    }
    inspector.report.partitions.push(plan.report);
}

/// Keeps writers away, if there ever was one: the lock file is not made.
fn lock(storage: &dyn Storage, path: &Path) -> Result<Option<Box<dyn LockGuard>>, OpenError> {
    let lock = path.join(names::LOCK);
    if !is_there(storage, &lock)? {
        return Ok(None);
    }
    let guard = storage.lock(&lock).map_err(IoError::of("lock", &lock))?;
    guard.map(Some).ok_or(OpenError::Locked { path: lock })
}

fn is_there(storage: &dyn Storage, path: &Path) -> Result<bool, OpenError> {
    match storage.open(path, Access::Read) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(IoError::new("open", path, error).into()),
    }
}

fn not_found(path: &Path, error: IoError) -> OpenError {
    let is_gone = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    if is_gone && error.path() == path { OpenError::NotFound { path: path.to_owned() } } else { error.into() }
}

/// Whether the directory has a file that only a log has.
fn has_file_of_log(storage: &dyn Storage, path: &Path) -> Result<bool, OpenError> {
    let known = [
        names::LOCK,
        names::CLEAN_SHUTDOWN,
        names::RECOVERY_POINTS,
        names::LOG_STARTS,
        names::CLEANER_OFFSETS,
        names::PRODUCER_IDS,
    ];
    let entries = storage.list(path).map_err(IoError::of("list", path))?;
    Ok(entries.iter().any(|entry| known.contains(&entry.name.as_str())))
}

/// Counts the segments, and gives the length of all together.
fn measure(
    storage: &dyn Storage,
    path: &Path,
    topics: &TopicsOnDisk,
    report: &mut CheckReport,
) -> Result<u64, OpenError> {
    let mut bytes = 0_u64;
    for (topic, partition) in topics.iter().flat_map(|(topic, all)| all.iter().map(move |one| (topic, one))) {
        let dir = path.join(names::partition_dir(topic, *partition));
        for entry in storage.list(&dir).map_err(IoError::of("list", &dir))? {
            if names::parse_segment_file(&entry.name).is_some_and(|(_, suffix)| suffix == names::LOG) {
                let path = dir.join(&entry.name);
                let size = storage.open(&path, Access::Read).and_then(|file| file.size());
                report.segments += 1;
                bytes = bytes.saturating_add(size.map_err(IoError::of("measure", &path))?);
            }
        }
    }
    Ok(bytes)
}

impl Found {
    fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.unfinished.is_empty() && self.growing.is_empty()
    }
}
