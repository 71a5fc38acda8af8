//! A topic: a name and its partitions.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{AppendError, InvalidTopicName, SyncError, TopicError};
use crate::format::names;
use crate::options::{Ack, TopicOptions};
use crate::partition::{Core, Partition, Signal};
use crate::partitioner;
use crate::record::Record;
use crate::report::TopicDescription;
use crate::sync::RwLock;

/// Where a record is: its partition and its offset there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The partition.
    pub partition: u32,
    /// The offset in the partition.
    pub offset: u64,
}

/// A handle to a topic. Clones are cheap and stand for the same topic.
#[derive(Clone)]
pub struct Topic {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    /// By number. They are added to, never taken from.
    partitions: RwLock<Arc<[Arc<Core>]>>,
    /// How many of them there are, for who asks for each record.
    count: AtomicU32,
    /// Partitions were added.
    grown: Signal,
    options: RwLock<TopicOptions>,
    turn: AtomicU32,
}

impl Topic {
    pub(crate) fn new(name: &str, partitions: Vec<Arc<Core>>, options: TopicOptions) -> Self {
        let turn = AtomicU32::new(0);
        let count = AtomicU32::new(count(&partitions));
        let partitions = RwLock::new(partitions.into());
        let (name, options) = (name.to_owned(), RwLock::new(options));
        let inner = Inner { name, partitions, count, grown: Signal::default(), options, turn };
        Self { inner: Arc::new(inner) }
    }

    /// Whether a topic may have this name: 1 to 249 ASCII letters, digits, `.`, `_` and `-`, and neither `.` nor `..`, as in Kafka.
    ///
    /// # Errors
    ///
    /// [`InvalidTopicName`]: what is wrong with it.
    pub fn check_name(name: &str) -> Result<(), InvalidTopicName> {
        names::check_topic(name)
    }

    /// The topic's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The identity that the topic was given when it was created, the 16 bytes of Kafka's topic id: one that is deleted and created anew has
    /// another one. `None` where nobody gave it one, as Kafka before 2.8. Reads a small file.
    ///
    /// # Errors
    ///
    /// [`TopicError`]: the file cannot be read, or says something else.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use headwater_log::{Log, LogOptions, TopicOptions};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let log = Log::open(dir.path(), LogOptions::default())?;
    /// let first = log.create_topic("telemetry", TopicOptions::default())?.id()?;
    /// log.delete_topic("telemetry")?;
    /// let second = log.create_topic("telemetry", TopicOptions::default())?.id()?;
    /// assert!(first.is_some() && second.is_some() && first != second);
    /// # Ok(())
    /// # }
    /// ```
    pub fn id(&self) -> Result<Option<[u8; 16]>, TopicError> {
        self.core(0).map_or(Ok(None), |core| core.topic_id())
    }

    /// The number of partitions, at least 1.
    #[must_use]
    pub fn partition_count(&self) -> u32 {
        self.inner.count.load(Ordering::Acquire)
    }

    /// The partition of this number; `None` when there are fewer.
    #[must_use]
    pub fn partition(&self, number: u32) -> Option<Partition> {
        at(&self.inner.partitions.read(), number).map(Partition::new)
    }

    /// All partitions there are now, by number.
    pub fn partitions(&self) -> impl ExactSizeIterator<Item = Partition> + '_ {
        self.cores().to_vec().into_iter().map(Partition::new)
    }

    /// The partition that [`Topic::append`] chooses for a key: the same as Kafka's own clients.
    #[must_use]
    pub fn partition_for_key(&self, key: &[u8]) -> u32 {
        partitioner::partition_for_key(key, self.partition_count())
    }

    /// The options in force.
    #[must_use]
    pub fn options(&self) -> TopicOptions {
        *self.inner.options.read()
    }

    /// What the topic has now, for a program to print: Kafka's `describe`. Costs a step for each segment.
    ///
    /// Partitions that are appended to meanwhile are each described as they are at their turn.
    #[must_use]
    pub fn describe(&self) -> TopicDescription {
        TopicDescription {
            name: self.name().to_owned(),
            options: self.options(),
            partitions: self.cores().iter().map(|core| core.describe()).collect(),
        }
    }

    /// Appends one record to the partition of its key, or in turn to each when it has none.
    ///
    /// # Errors
    ///
    /// As [`Partition::append`].
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use headwater_log::{Ack, Log, LogOptions, Record, TopicOptions};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let log = Log::open(dir.path(), LogOptions::default())?;
    /// let topic = log.create_topic("telemetry", TopicOptions::default().partitions(8))?;
    /// let at = topic.append(&Record::new("21.5").key("factory/line-1"), Ack::Durable)?;
    /// assert_eq!(at.partition, topic.partition_for_key(b"factory/line-1"));
    /// assert_eq!(at.offset, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn append(&self, record: &Record<'_>, ack: Ack) -> Result<Position, AppendError> {
        let (number, core) = {
            // One look: the number and the partition are of the same list.
            let cores = self.inner.partitions.read();
            let number = match record.key {
                Some(key) => partitioner::partition_for_key(key, count(&cores)),
                None => self.inner.turn.fetch_add(1, Ordering::Relaxed) % count(&cores).max(1),
            };
            (number, at(&cores, number))
        };
        // The number is below the count, so there is such a partition.
        let core = core.ok_or(AppendError::Refused(SyncError::Closed))?;
        let offset = core.append(std::slice::from_ref(record), ack)?;
        Ok(Position { partition: number, offset })
    }

    pub(crate) fn core(&self, number: u32) -> Option<Arc<Core>> {
        at(&self.inner.partitions.read(), number)
    }

    /// Whether both are handles to one topic, not to two that had the same name one after the other.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    pub(crate) fn cores(&self) -> Arc<[Arc<Core>]> {
        Arc::clone(&self.inner.partitions.read())
    }

    /// Puts options in force.
    pub(crate) fn set_options(&self, options: TopicOptions) {
        *self.inner.options.write() = options;
        for core in &*self.cores() {
            core.set_options(options);
        }
    }

    /// Adds partitions behind those that are there.
    pub(crate) fn add(&self, partitions: Vec<Arc<Core>>) {
        {
            let mut known = self.inner.partitions.write();
            *known = known.iter().cloned().chain(partitions).collect();
            // Behind the list: who sees the number finds the partitions.
            self.inner.count.store(count(&known), Ordering::Release);
        }
        self.inner.grown.notify();
    }

    /// What is told when partitions were added.
    pub(crate) fn grown(&self) -> &Signal {
        &self.inner.grown
    }
}

fn count(cores: &[Arc<Core>]) -> u32 {
    u32::try_from(cores.len()).unwrap_or(u32::MAX)
}

fn at(cores: &[Arc<Core>], number: u32) -> Option<Arc<Core>> {
    cores.get(usize::try_from(number).ok()?).cloned()
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic")
            .field("name", &self.name())
            .field("partition_count", &self.partition_count())
            .finish_non_exhaustive()
    }
}
