//! State from the log: a table folds the records of a topic into a state, and follows it.
//!
//! ```text
//!   partition 0   | folded ............| to fold ......| not durable
//!                 log start            position        durable end
//!   partition 1   | folded ....|
//!                                   lag = durable end - position
//! ```
//!
//! A table has no thread and no lock. It reads durable records only, so that what it shows is never taken back by a crash, and
//! goes by one rule: the position of a partition is behind the last record that the state has taken.

mod changed;
mod error;
mod fold;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use self::changed::Changed;
use self::changed::Source;
pub use self::error::TableError;
pub use self::fold::Fold;
use crate::error::{ReadError, SyncError};
use crate::fetched::Fetched;
use crate::options::ReadUpTo;
use crate::partition::Partition;
use crate::topic::{Position, Topic};

/// So much is read at once.
const READ_BYTES: usize = 1 << 20;

/// A state that is folded from the durable records of a topic, and follows it: an account's balance from its bookings, the last
/// value of each key, an index.
///
/// It has no thread: it moves when it is told to, by [`Table::catch_up`], [`Table::follow`] or [`Table::wait_for`]. Who shares it
/// between threads puts it behind a lock and waits for [`Table::changed`], which needs none.
///
/// A new table begins at the log start of each partition, whatever was deleted before; so the state of a topic of which retention
/// has deleted a part is that of the rest. Records of one partition are folded in their order. Between partitions there is none:
/// a key whose records are in two of them, because partitions were added, may show the older value.
///
/// Compaction removes a tombstone too, some time after it has removed what was before it (Kafka's `delete.retention.ms`). A table
/// that has not come to the tombstone by then keeps the key; so one that was away for longer is begun anew.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use headwater_log::{Ack, Log, LogOptions, Record, Table, TopicOptions};
///
/// let dir = tempfile::tempdir()?;
/// let log = Log::open(dir.path(), LogOptions::default())?;
/// let settings = log.create_topic("settings", TopicOptions::default().partitions(2))?;
/// settings.append(&Record::new("blue").key("colour"), Ack::Durable)?;
///
/// let mut table = Table::latest(&settings);
/// table.catch_up()?;
/// assert_eq!(table.state()["colour".as_bytes()], "blue");
///
/// // What a thread has written it finds in the table.
/// let at = settings.append(&Record::new("red").key("colour"), Ack::Durable)?;
/// table.wait_for(at, Duration::from_secs(1))?;
/// assert_eq!(table.state()["colour".as_bytes()], "red");
/// assert_eq!(table.total_lag(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Table<S> {
    state: S,
    topic: Topic,
    name: Arc<str>,
    /// Whether partitions that are added are followed too.
    whole: bool,
    /// By number.
    followed: Vec<Followed>,
    /// Whose turn it is to be read first.
    turn: usize,
    /// Where it goes on if what has failed is skipped.
    behind_failure: Option<Position>,
}

/// A partition, and how far it is folded.
#[derive(Debug)]
struct Followed {
    partition: Partition,
    /// `None` until it was read for the first time: it begins at the log start of that time.
    next: Option<u64>,
}

/// What was done.
#[derive(Debug, Default)]
struct Done {
    records: u64,
    bytes: usize,
}

impl Followed {
    fn new(partition: Partition) -> Self {
        Self { partition, next: None }
    }

    fn next(&self) -> u64 {
        self.next.unwrap_or_else(|| self.partition.start_offset())
    }

    fn lag(&self) -> u64 {
        lag(&self.partition, self.next())
    }
}

fn lag(partition: &Partition, next: u64) -> u64 {
    partition.durable_end().saturating_sub(next)
}

impl Table<HashMap<Bytes, Bytes>> {
    /// A table of the last value of each key, which a tombstone removes: what a topic with `cleanup.policy=compact` is for.
    ///
    /// It copies keys and values, and holds the memory that they take.
    #[must_use]
    pub fn latest(topic: &Topic) -> Self {
        Self::new(topic, HashMap::new())
    }
}

impl<S> Table<S> {
    /// A table of all partitions, those that are added later too. It has folded nothing yet.
    #[must_use]
    pub fn new(topic: &Topic, state: S) -> Self {
        let followed = topic.partitions().map(Followed::new).collect();
        Self::over(topic, state, true, followed)
    }

    /// A table of some partitions, by number.
    ///
    /// # Errors
    ///
    /// [`TableError::NoPartition`] when there is no such partition.
    pub fn of_partitions(
        topic: &Topic,
        numbers: impl IntoIterator<Item = u32>,
        state: S,
    ) -> Result<Self, TableError<S::Error>>
    where
        S: Fold,
    {
        let missing = |partition| TableError::NoPartition { topic: topic.name().into(), partition };
        let partitions = numbers.into_iter().map(|number| topic.partition(number).ok_or(missing(number)));
        let mut followed = partitions
            .map(|partition| partition.map(Followed::new))
            .collect::<Result<Vec<_>, TableError<S::Error>>>()?;
        followed.sort_by_key(|followed| followed.partition.number());
        followed.dedup_by_key(|followed| followed.partition.number());
        Ok(Self::over(topic, state, false, followed))
    }

    fn over(topic: &Topic, state: S, whole: bool, followed: Vec<Followed>) -> Self {
        let (topic, name) = (topic.clone(), topic.name().into());
        Self { state, topic, name, whole, followed, turn: 0, behind_failure: None }
    }

    /// The state, as far as it is folded.
    #[must_use]
    pub fn state(&self) -> &S {
        &self.state
    }

    /// Gives the state away.
    #[must_use]
    pub fn into_state(self) -> S {
        self.state
    }

    /// The first offset of a partition that is not folded; `None` when the partition is not followed.
    #[must_use]
    pub fn position(&self, partition: u32) -> Option<u64> {
        self.find(partition).and_then(|at| self.followed.get(at)).map(Followed::next)
    }

    /// The first position of each partition that is not folded: what a program keeps with a copy of the state, to go on from
    /// there by [`Table::seek`].
    pub fn positions(&self) -> impl Iterator<Item = Position> + '_ {
        self.followed
            .iter()
            .map(|followed| Position { partition: followed.partition.number(), offset: followed.next() })
    }

    /// How many offsets of a partition are durable and not folded; `None` when the partition is not followed.
    ///
    /// Where compaction has removed records it is more than there are records.
    #[must_use]
    pub fn lag(&self, partition: u32) -> Option<u64> {
        match self.find(partition) {
            Some(at) => self.followed.get(at).map(Followed::lag),
            None => self.added().find(|added| added.number() == partition).map(|added| unseen(&added)),
        }
    }

    /// The lag of all partitions together, those that were just added too.
    #[must_use]
    pub fn total_lag(&self) -> u64 {
        let followed = self.followed.iter().map(Followed::lag);
        followed.chain(self.added().map(|added| unseen(&added))).sum()
    }

    /// A future that is ready when there is something to fold, or a partition was added.
    ///
    /// It holds no part of the table. When it is ready, [`Table::catch_up`] is due. It costs an allocation, and while it
    /// waits a place with each partition.
    pub fn changed(&self) -> Changed {
        let readable = |followed: &Followed| {
            Source::Readable(followed.partition.readable(ReadUpTo::Durable, followed.next()))
        };
        let count = u32::try_from(self.followed.len()).unwrap_or(u32::MAX);
        let grown = self.whole.then(|| Source::grown(self.topic.clone(), count));
        Changed::new(self.followed.iter().map(readable).chain(grown))
    }

    /// The partitions that are there and not followed yet.
    fn added(&self) -> impl Iterator<Item = Partition> + '_ {
        let count = if self.whole { self.topic.partition_count() } else { 0 };
        let known = u32::try_from(self.followed.len()).unwrap_or(u32::MAX);
        (known..count).filter_map(|number| self.topic.partition(number))
    }

    fn find(&self, number: u32) -> Option<usize> {
        self.followed.binary_search_by_key(&number, |followed| followed.partition.number()).ok()
    }
}

/// The lag of a partition of which nothing is folded.
fn unseen(partition: &Partition) -> u64 {
    lag(partition, partition.start_offset())
}

impl<S: Fold> Table<S> {
    /// Folds everything that is durable when it is called, and returns how many records that were. It does not wait.
    ///
    /// It costs a read for each partition, one more for each MiB, and what the state takes for each record.
    ///
    /// # Errors
    ///
    /// [`TableError`] names topic, partition and offset. The table stays before the record at fault, and partitions of higher
    /// numbers wait; the same call tries again, [`Table::skip`] leaves the record out.
    pub fn catch_up(&mut self) -> Result<u64, TableError<S::Error>> {
        self.begin();
        let mut records = 0_u64;
        for at in 0..self.followed.len() {
            let end = self.followed.get(at).map_or(0, |followed| followed.partition.durable_end());
            records = records.saturating_add(self.fold_to(at, end, usize::MAX)?.records);
        }
        Ok(records)
    }

    /// Folds about so many bytes, at least a batch if there is one, and returns how many records that were. Partitions take turns.
    ///
    /// So a program that folds a long log can say how far it is, or stop.
    ///
    /// # Errors
    ///
    /// As [`Table::catch_up`].
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use headwater_log::{Ack, Log, LogOptions, Record, Table, TopicOptions};
    /// # let dir = tempfile::tempdir()?;
    /// # let log = Log::open(dir.path(), LogOptions::default())?;
    /// # let topic = log.create_topic("t", TopicOptions::default())?;
    /// # topic.append(&Record::new("1").key("a"), Ack::Durable)?;
    /// let mut table = Table::latest(&topic);
    /// while table.total_lag() > 0 {
    ///     table.catch_up_some(16 << 20)?;
    ///     println!("{} to go", table.total_lag());
    /// }
    /// # assert_eq!(table.state().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn catch_up_some(&mut self, max_bytes: usize) -> Result<u64, TableError<S::Error>> {
        self.begin();
        let (mut records, mut left) = (0_u64, max_bytes.max(1));
        for _ in 0..self.followed.len() {
            let at = self.turn.checked_rem(self.followed.len()).unwrap_or(0);
            let end = self.followed.get(at).map_or(0, |followed| followed.partition.durable_end());
            let done = self.fold_to(at, end, left)?;
            records = records.saturating_add(done.records);
            left = left.saturating_sub(done.bytes);
            self.turn = at.saturating_add(1);
            if left == 0 {
                break;
            }
        }
        Ok(records)
    }

    /// Folds what is durable; if that is nothing, waits until something is, or until the timeout, and folds that. Returns how
    /// many records it has folded.
    ///
    /// It does no sync: what it waits for is durable when a writer or upkeep has made it so.
    ///
    /// # Errors
    ///
    /// As [`Table::catch_up`]; [`TableError::Sync`] when a partition can have nothing to fold any more.
    pub fn follow(&mut self, timeout: Duration) -> Result<u64, TableError<S::Error>> {
        let records = self.catch_up()?;
        if records > 0 {
            return Ok(records);
        }
        match self.changed().wait_which(timeout) {
            None => Ok(0),
            Some((at, Err(error))) => {
                let partition = self.followed.get(at).map_or(0, |followed| followed.partition.number());
                Err(self.sync_error(partition, error))
            }
            Some((_, Ok(()))) => self.catch_up(),
        }
    }

    /// Folds a partition up to this record, waiting until it is durable or until the timeout; tells whether the state
    /// includes it. So who has written a record reads what he wrote; other partitions are not looked at.
    ///
    /// After [`Ack::Durable`](crate::Ack::Durable) it waits for nothing. It does no sync of its own.
    ///
    /// # Errors
    ///
    /// As [`Table::follow`]; [`TableError::NoPartition`] when the table does not follow the partition.
    pub fn wait_for(&mut self, position: Position, timeout: Duration) -> Result<bool, TableError<S::Error>> {
        self.begin();
        let Position { partition, offset } = position;
        let at = self.followed_at(partition)?;
        let Some(followed) = self.followed.get(at) else { return Ok(false) };
        if followed.next.is_some_and(|next| next > offset) {
            return Ok(true);
        }
        match followed.partition.wait_readable(ReadUpTo::Durable, offset, timeout) {
            Ok(true) => self.fold_to(at, offset.saturating_add(1), usize::MAX).map(|_| true),
            Ok(false) => Ok(false),
            Err(error) => Err(self.sync_error(partition, error)),
        }
    }

    /// Leaves out what the last call has failed at, and returns where the partition goes on: behind the record that the state has
    /// refused or the batch that cannot be decoded, or at the log start when records were deleted that it had not folded.
    ///
    /// `None` when the last call has not failed, or when it is not known where the next record begins. Then
    /// [`Table::seek`] goes where the program says; damage is better mended by
    /// [`OnDamage::Quarantine`](crate::OnDamage::Quarantine).
    pub fn skip(&mut self) -> Option<Position> {
        let position = self.behind_failure.take()?;
        self.seek(position).ok().map(|()| position)
    }

    /// Goes on with this record of a partition: for a state that was saved with its [`Table::positions`] and read back. Records
    /// between are left out, or folded twice. In a compacted topic a state that is older than Kafka's `delete.retention.ms` may miss
    /// tombstones.
    ///
    /// # Errors
    ///
    /// [`TableError::NoPartition`]. Whether there is such a record, the next catching up says
    /// ([`TableError::Truncated`], [`TableError::Ahead`]).
    pub fn seek(&mut self, position: Position) -> Result<(), TableError<S::Error>> {
        self.begin();
        let at = self.followed_at(position.partition)?;
        self.followed.get_mut(at).into_iter().for_each(|followed| followed.next = Some(position.offset));
        Ok(())
    }

    /// Follows the partitions that were added, and forgets what has failed.
    fn begin(&mut self) {
        self.behind_failure = None;
        let added: Vec<_> = self.added().collect();
        self.followed.extend(added.into_iter().map(Followed::new));
    }

    fn followed_at(&self, partition: u32) -> Result<usize, TableError<S::Error>> {
        let topic = || Arc::clone(&self.name);
        self.find(partition).ok_or_else(|| TableError::NoPartition { topic: topic(), partition })
    }

    fn sync_error(&self, partition: u32, error: SyncError) -> TableError<S::Error> {
        let topic = Arc::clone(&self.name);
        match error {
            SyncError::Closed => TableError::Closed { topic, partition },
            error => TableError::Sync { topic, partition, error },
        }
    }

    /// Folds one partition at least up to `end`, or until it has read `max_bytes`.
    fn fold_to(&mut self, at: usize, end: u64, max_bytes: usize) -> Result<Done, TableError<S::Error>> {
        let Self { state, name, followed, behind_failure, .. } = self;
        let Some(followed) = followed.get_mut(at) else { return Ok(Done::default()) };
        let (topic, partition) = (|| Arc::clone(name), followed.partition.number());
        let mut done = Done::default();
        loop {
            let offset = followed.next();
            let start = followed.partition.start_offset();
            if followed.next.is_some() && offset < start {
                *behind_failure = Some(Position { partition, offset: start });
                return Err(TableError::Truncated { topic: topic(), partition, offset, start });
            }
            let durable_end = followed.partition.durable_end();
            if offset > durable_end {
                return Err(TableError::Ahead { topic: topic(), partition, offset, end: durable_end });
            }
            let left = max_bytes.saturating_sub(done.bytes);
            if done.bytes > 0 && (offset >= end || left == 0) {
                return Ok(done);
            }
            let fetched = match followed.partition.read(offset, left.min(READ_BYTES)) {
                Ok(fetched) => fetched,
                Err(ReadError::Closed) => return Err(TableError::Closed { topic: topic(), partition }),
                // The log start was raised since it was looked at.
                Err(ReadError::OffsetOutOfRange { .. }) => continue,
                Err(error) => return Err(TableError::Read { topic: topic(), partition, offset, error }),
            };
            followed.next = Some(offset);
            for view in fetched.views() {
                let offset = followed.next();
                let view = view.map_err(|error| {
                    *behind_failure = behind(&fetched, offset).map(|offset| Position { partition, offset });
                    TableError::Read { topic: topic(), partition, offset, error }
                })?;
                let behind = view.offset.saturating_add(1);
                state.fold(partition, &view).map_err(|error| {
                    *behind_failure = Some(Position { partition, offset: behind });
                    followed.next = Some(view.offset);
                    TableError::Fold { topic: topic(), partition, offset: view.offset, error }
                })?;
                followed.next = Some(behind);
                done.records = done.records.saturating_add(1);
            }
            // Behind what compaction has removed, and what is for brokers.
            followed.next = Some(fetched.next_offset().max(followed.next()));
            done.bytes = done.bytes.saturating_add(fetched.bytes().len());
            if fetched.is_empty() {
                return Ok(done);
            }
        }
    }
}

/// The offset behind the first batch with records for readers that reaches `offset`: the one that cannot be decoded.
fn behind(fetched: &Fetched, offset: u64) -> Option<u64> {
    let mut batches = fetched.batches().map_while(Result::ok);
    let failed = batches.find(|batch| !batch.is_control() && batch.last_offset() >= offset)?;
    Some(failed.last_offset().saturating_add(1))
}
