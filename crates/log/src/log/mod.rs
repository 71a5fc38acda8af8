//! A log: one directory, one writer, topics.

mod alter;
mod believed;
mod close;
mod delete;
mod found;
mod maintain;
mod maintenance;
mod open;
mod producer_ids;
mod root;
mod shared;
mod topics;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::found::{
    Found, Kind, TopicsOnDisk, find_topics, first_missing, is_being_added, is_unfinished, kind,
};
pub use self::maintenance::Maintenance;
pub(crate) use self::root::Root;
pub(crate) use self::shared::{Shared, malformed, read_offsets};
use crate::check::{self, CheckEvent, CheckReport};
use crate::error::{
    CloseError, GroupError, IoError, MaintainError, OpenError, ProducerError, ProducerIdError,
    SubscribeError, SyncError, TopicError,
};
use crate::group::{Consumer, ConsumerOptions, GroupDescription, Subscription, TopicPartition};
use crate::options::{LogOptions, ReadOnlyOptions, TopicOptions};
use crate::producer::{Producer, ProducerOptions};
use crate::read_only::ReadOnlyLog;
use crate::report::{MaintainReport, RecoveryReport};
use crate::topic::Topic;

/// An open log. It is the directory's one writer until it is closed or dropped.
///
/// ```text
///  data/                                   the log's directory
///    .lock                                 held while the log is open
///    log-start-offset-checkpoint           what retention deleted for good
///    recovery-point-offset-checkpoint      for a Kafka broker that takes the directory over
///    telemetry-0/                          topic "telemetry", partition 0
///      00000000000000000000.log            a segment: record batches back to back
///      00000000000000000000.index          its two sparse indexes
///      00000000000000000000.timeindex
///      00000000000000000000.durable        how much of it is known to be on disk
///      leader-epoch-checkpoint
///      partition.metadata
/// ```
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use headwater_log::{Ack, Log, LogOptions, Record, TopicOptions};
///
/// let dir = tempfile::tempdir()?;
/// let log = Log::open(dir.path(), LogOptions::default())?;
/// let topic = log.open_or_create_topic("telemetry", TopicOptions::default().partitions(2))?;
/// topic.append(&Record::new("21.5"), Ack::Durable)?;
/// log.close()?;
/// # Ok(())
/// # }
/// ```
pub struct Log {
    root: Arc<Root>,
    recovery: RecoveryReport,
}

impl Log {
    /// Opens the log in a directory, which is created when it is missing, and recovers what a crash has left.
    ///
    /// After a clean close no segment is read. Otherwise the segments that were not closed are read and checked,
    /// a torn tail is cut, and what holds behind the durable mark is written again and synced.
    ///
    /// # Errors
    ///
    /// [`OpenError::Locked`] when another writer has the directory, [`OpenError::Corrupt`] when durable bytes are
    /// damaged; then nothing was changed. The other variants say what they mean.
    pub fn open(path: impl AsRef<Path>, options: LogOptions) -> Result<Self, OpenError> {
        let (root, recovery) = open::open(path.as_ref(), options)?;
        Ok(Self { root, recovery })
    }

    /// Opens a log for reading only, also beside its writer in another process: takes no lock, changes nothing.
    ///
    /// # Errors
    ///
    /// [`OpenError::NotFound`] when there is no such directory.
    pub fn open_read_only(
        path: impl AsRef<Path>,
        options: ReadOnlyOptions,
    ) -> Result<ReadOnlyLog, OpenError> {
        ReadOnlyLog::open(path, options)
    }

    /// Reads a whole log and checks it, changing nothing: every batch and its checksum, that offsets follow each other, the
    /// records in batches, also compressed ones whose codec is built in, both indexes, the durable marks, the small text files, and what
    /// interrupted operations left behind. It does not stop at what it finds: `watch` gets each finding, and how far the
    /// check is.
    ///
    /// The log has to be closed. The check takes its lock, if there is a lock file, so that nobody writes meanwhile; it
    /// makes none. A directory that a Kafka broker has left may be checked too.
    ///
    /// It reads all bytes once, by plain read calls, and holds 1 MiB or the largest batch in memory, one batch decompressed, the two indexes of
    /// one segment, and what [`CheckReport::partitions`](crate::CheckReport) tells of damage.
    ///
    /// # Errors
    ///
    /// [`OpenError::NotFound`] when the directory is none, or has no log; [`OpenError::Locked`] when a writer has it, or
    /// began to write meanwhile; [`OpenError::Io`] when it cannot be listed. A file that cannot be read is a finding.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use headwater_log::{Ack, CheckEvent, Log, LogOptions, ReadOnlyOptions, Record, TopicOptions};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let log = Log::open(dir.path(), LogOptions::default())?;
    /// log.create_topic("t", TopicOptions::default())?.append(&Record::new("a"), Ack::Durable)?;
    /// log.close()?;
    ///
    /// let report = Log::check(dir.path(), &ReadOnlyOptions::default(), |event| match event {
    ///     CheckEvent::Finding(finding) => println!("{finding}; {}", finding.problem.mend()),
    ///     CheckEvent::Progress(progress) => eprintln!("{} of {}", progress.done_bytes, progress.total_bytes),
    ///     _ => {}
    /// })?;
    /// assert!(report.is_clean());
    /// assert_eq!((report.batches, report.records), (1, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn check(
        path: impl AsRef<Path>,
        options: &ReadOnlyOptions,
        mut watch: impl FnMut(CheckEvent<'_>),
    ) -> Result<CheckReport, OpenError> {
        check::check(path.as_ref(), options, &mut watch)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// What was found and done when the log was opened.
    #[must_use]
    pub fn recovery(&self) -> &RecoveryReport {
        &self.recovery
    }

    /// The names of all topics, in order.
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        self.root.topic_names()
    }

    /// The topic of this name, if there is one.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<Topic> {
        self.root.topic(name)
    }

    /// Creates a topic. After a crash it is there with all its partitions or not at all.
    ///
    /// # Errors
    ///
    /// [`TopicError::Exists`], [`TopicError::Name`], [`TopicError::Options`]; [`TopicError::InTheWay`] when
    /// something else has the directory of one of the partitions; [`TopicError::Closed`], [`TopicError::Io`].
    pub fn create_topic(&self, name: &str, options: TopicOptions) -> Result<Topic, TopicError> {
        self.root.create_topic(name, options)
    }

    /// Returns the topic of this name with these options in force, creating it when it is missing.
    ///
    /// # Errors
    ///
    /// As [`Log::create_topic`], but for [`TopicError::Exists`]; [`TopicError::PartitionCount`] when it has another
    /// number of partitions than the options ask for.
    pub fn open_or_create_topic(&self, name: &str, options: TopicOptions) -> Result<Topic, TopicError> {
        self.root.open_or_create_topic(name, options)
    }

    /// Puts other options in force for a topic that is there, and adds partitions to it: Kafka's
    /// `incrementalAlterConfigs` and `createPartitions`.
    ///
    /// All options are replaced: begin with [`Topic::options`] to change one. `partitions` of `None` keeps the number; a
    /// larger one adds partitions, which are there after a crash all or none. Partitions are never removed, as in
    /// Kafka; and records of a key that were appended before stay where they are, though
    /// [`Topic::partition_for_key`] may say another number from then on. Handles of the topic see the new partitions.
    /// A `Store` that has the topic open does not: open it again.
    ///
    /// The other options are in force when this returns and until the log is opened anew, as they are not on disk.
    /// A segment that takes appends keeps the space it was given: when `segment_bytes` falls below what it has, the
    /// next [`Log::maintain`] rolls it; when it rises, or an index option changes, the next segment obeys. Retention
    /// goes by the new options from the next [`Log::maintain`] on.
    ///
    /// It costs nothing but a few stores in memory; each partition that is added costs the creation of six files and
    /// four syncs or so.
    ///
    /// # Errors
    ///
    /// [`TopicError::FewerPartitions`], [`TopicError::NotFound`], [`TopicError::Options`], [`TopicError::Closed`];
    /// [`TopicError::InTheWay`] and [`TopicError::Io`] as [`Log::create_topic`]. Then everything is as it was, but for what
    /// the next attempt, or the next open, clears away.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use headwater_log::{Log, LogOptions, TopicOptions};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let log = Log::open(dir.path(), LogOptions::default())?;
    /// let topic = log.create_topic("telemetry", TopicOptions::default().partitions(2))?;
    /// log.alter_topic("telemetry", topic.options().partitions(4).retention_bytes(Some(1 << 30)))?;
    /// assert_eq!(topic.describe().partitions.len(), 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn alter_topic(&self, name: &str, options: TopicOptions) -> Result<Topic, TopicError> {
        self.root.alter_topic(name, options)
    }

    /// Deletes a topic with all its records. A crash in the middle is made up for at the next open. Bytes that
    /// were read before stay readable for those who hold them. Files of others in its directories stay.
    ///
    /// # Errors
    ///
    /// [`TopicError::NotFound`], [`TopicError::Closed`]; [`TopicError::Io`] when not all of it could be removed:
    /// the topic is gone all the same once it is not among [`Log::topics`], and the next open removes the rest.
    pub fn delete_topic(&self, name: &str) -> Result<(), TopicError> {
        self.root.delete_topic(name)
    }

    /// Gives out an id for a producer that numbers its batches: one that was never given out by this log, after restarts
    /// and crashes too, and that no partition remembers. Kafka's `InitProducerId`, for a producer without transactions.
    ///
    /// A thousand ids are taken at a time; what is left of them when the log is closed is lost. To take them costs two syncs and a
    /// look at the producers of all partitions; the other 999 cost nothing. A program that numbers batches with an id of its
    /// own choice should take large ones: only those that a partition remembers are passed over, and only then.
    ///
    /// # Errors
    ///
    /// [`ProducerIdError::Closed`]; [`ProducerIdError::Io`] when it could not be made durable that ids are taken;
    /// [`ProducerIdError::Damaged`] and [`ProducerIdError::UnsupportedVersion`] when the file that tells cannot be
    /// understood.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use headwater_log::{Ack, AppendError, Log, LogOptions, ProducerNumbers, Record, TopicOptions};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let log = Log::open(dir.path(), LogOptions::default())?;
    /// let partition = log.create_topic("t", TopicOptions::default())?.partition(0).ok_or("no partition")?;
    /// let numbers = ProducerNumbers::new(log.new_producer_id()?, 0, 0);
    /// let records = [Record::new("a"), Record::new("b")];
    /// let first = partition.append_idempotent(&records, numbers, Ack::Durable)?;
    /// // No answer came, so it is sent again: it is there, and stays there once.
    /// let again = partition.append_idempotent(&records, numbers, Ack::Durable)?;
    /// assert_eq!((again.offset, again.is_duplicate), (first.offset, true));
    /// assert_eq!(partition.durable_end(), 2);
    /// // The next one is numbered 2; one of them was left out.
    /// let gap = partition.append_idempotent(&records, numbers.behind(3), Ack::Durable);
    /// assert!(matches!(gap, Err(AppendError::OutOfOrderSequence { expected: 2, found: 3, .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub fn new_producer_id(&self) -> Result<i64, ProducerIdError> {
        self.root.new_producer_id()
    }

    /// Joins a consumer group as a new member, which reads these topics with the other members: by name, or by a pattern, see
    /// [`Subscription`]. The group begins with its first member.
    ///
    /// Where nothing is committed, the first poll is an error: [`Log::consumer_with`] sets where to begin.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`] says which topic is not there, or what else is wrong.
    ///
    /// # Examples
    ///
    /// As for [`Consumer`].
    pub fn consumer(&self, group: &str, topics: impl Into<Subscription>) -> Result<Consumer, SubscribeError> {
        self.consumer_with(group, topics, ConsumerOptions::default())
    }

    /// Joins a consumer group like [`Log::consumer`], with options.
    ///
    /// # Errors
    ///
    /// As [`Log::consumer`]; [`SubscribeError::Assignor`] when the group's members divide partitions otherwise.
    pub fn consumer_with(
        &self,
        group: &str,
        topics: impl Into<Subscription>,
        options: ConsumerOptions,
    ) -> Result<Consumer, SubscribeError> {
        self.root.consumer(group, topics.into(), options)
    }

    /// The names of all groups that have members in this process, or have committed something, in order.
    ///
    /// # Errors
    ///
    /// [`GroupError::Offsets`] when the offsets of groups could not be read.
    pub fn groups(&self) -> Result<Vec<String>, GroupError> {
        self.root.group_names()
    }

    /// What a group has now: its members, and for each partition what is committed, and how far that is behind. It works
    /// for a group without members, too.
    ///
    /// # Errors
    ///
    /// [`GroupError::NotFound`]; [`GroupError::Offsets`] as [`Log::groups`].
    pub fn describe_group(&self, group: &str) -> Result<GroupDescription, GroupError> {
        self.root.describe_group(group)
    }

    /// Forgets all that a group has committed, durably. Nothing else does: offsets do not expire.
    ///
    /// # Errors
    ///
    /// [`GroupError::NotFound`]; [`GroupError::NotEmpty`] while the group has members; [`GroupError`] has the others.
    pub fn delete_group(&self, group: &str) -> Result<(), GroupError> {
        self.root.delete_group(group)
    }

    /// Forgets what a group has committed of some partitions, durably.
    ///
    /// # Errors
    ///
    /// As [`Log::delete_group`].
    pub fn delete_group_offsets(&self, group: &str, partitions: &[TopicPartition]) -> Result<(), GroupError> {
        self.root.delete_group_offsets(group, partitions)
    }

    /// Sets what a group has committed of some partitions, also back, durably and all or nothing. The group need not have
    /// been there before.
    ///
    /// # Errors
    ///
    /// [`GroupError::NotEmpty`] while the group has members; [`GroupError::NoPartition`] and [`GroupError::OffsetOutOfRange`] for what is not there.
    pub fn reset_group_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, u64)],
    ) -> Result<(), GroupError> {
        self.root.reset_group_offsets(group, offsets)
    }

    /// Makes everything appended so far durable, in every partition.
    ///
    /// # Errors
    ///
    /// The first error of a partition; the others were synced all the same.
    pub fn sync(&self) -> Result<(), SyncError> {
        self.root.sync()
    }

    /// Blocks until some partition has records that are not durable, or until the timeout; tells which it was.
    ///
    /// A thread that calls this and then [`Log::sync`] in a loop serves all futures of
    /// [`Partition::readable`](crate::Partition::readable). It returns at once, with false, when the log is closed.
    /// After [`SyncError::Io`] the records are still not durable, and it returns at once again: wait a moment then.
    ///
    /// It looks at two numbers of each partition, once when it is called and once whenever something is appended
    /// meanwhile.
    #[must_use]
    pub fn wait_unsynced(&self, timeout: Duration) -> bool {
        self.root.wait_unsynced(timeout)
    }

    /// Does the upkeep that is due at `now_ms`: makes what was appended before durable as
    /// [`TopicOptions::flush_ms`] says (by default all of it), rolls segments that are too old, and deletes those that
    /// retention does not keep. Call it every second or so.
    ///
    /// # Errors
    ///
    /// The first error. Whatever else could be done was done all the same: the upkeep of the other partitions, and
    /// retention where only a roll failed. On a full disk retention works without more space.
    pub fn maintain(&self, now_ms: i64) -> Result<MaintainReport, MaintainError> {
        self.root.maintain(now_ms)
    }

    /// Says that the wall clock is right, however far it has jumped ahead: retention by time goes by it again at once. See
    /// [`LogOptions::clock_step_ms_max`] and [`MaintainReport::clock_ahead_ms`].
    pub fn confirm_clock(&self, now_ms: i64) {
        self.root.confirm_clock(now_ms);
    }

    /// Starts a thread that calls [`Log::maintain`] with the log's clock, the first time after one interval; a second or so is
    /// a good one. It does nothing else, and nothing starts it but this.
    ///
    /// `report` gets what each upkeep did, on that thread: the place to count or print errors. The upkeep goes on after
    /// an error; [`MaintainError::Sync`] with [`SyncError::Failed`] comes back each time, until the log is opened anew. The
    /// thread ends when the guard is dropped, or an interval after the log was closed. `Log::close` does not wait for it.
    ///
    /// # Errors
    ///
    /// [`IoError`] when the operating system gives no thread.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// use headwater_log::{Log, LogOptions};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let log = Log::open(dir.path(), LogOptions::default())?;
    /// let upkeep = log.start_maintenance(Duration::from_secs(1), |outcome| {
    ///     if let Err(error) = outcome {
    ///         eprintln!("upkeep: {error}");
    ///     }
    /// })?;
    /// // .. the program works ..
    /// upkeep.stop();
    /// log.close()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn start_maintenance(
        &self,
        interval: Duration,
        report: impl FnMut(Result<MaintainReport, MaintainError>) + Send + 'static,
    ) -> Result<Maintenance, IoError> {
        Maintenance::start(Arc::clone(&self.root), interval, report)
    }

    /// Makes a producer, which gathers records of many threads into batches, and appends them by a thread of its own.
    ///
    /// # Errors
    ///
    /// [`ProducerError::Options`], [`ProducerError::Compression`]; [`ProducerError::Id`] as [`Log::new_producer_id`];
    /// [`ProducerError::Io`] when the operating system gives no thread.
    pub fn producer(&self, options: ProducerOptions) -> Result<Producer, ProducerError> {
        options.check()?;
        let id = if options.idempotent { Some(self.root.new_producer_id()?) } else { None };
        Producer::new(options, id, Arc::clone(&self.root.shared.clock), self.root.path().to_owned())
    }

    /// Closes the log: makes everything durable, trims the files, and leaves the note by which the next open, or
    /// a Kafka broker, knows that nothing has to be checked. Handles of topics and partitions fail from then on.
    ///
    /// Dropping the log does the same and says nothing of errors.
    ///
    /// # Errors
    ///
    /// What could not be made durable. The lock is released all the same.
    pub fn close(self) -> Result<(), CloseError> {
        self.root.close()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // A log that was closed before is not closed again. Who wants the error calls `close`.
        let _ = self.root.close();
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("path", &self.path())
            .field("topics", &self.topics())
            .finish_non_exhaustive()
    }
}
