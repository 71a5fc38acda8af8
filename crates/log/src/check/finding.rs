//! What a check finds, how bad it is, and how it is mended.

use std::fmt;
use std::sync::Arc;

use crate::error::{Damage, OpenError};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The next opening mends it, and no record is lost by it.
    Note,
    /// Records are lost or wrong, or the log does not open.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Error => "error",
        })
    }
}

/// One thing that a check found, with its place.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Finding {
    /// The topic; `None` for what is not of one.
    pub topic: Option<Arc<str>>,
    /// The partition's number.
    pub partition: Option<u32>,
    /// The segment, by base offset.
    pub segment: Option<u64>,
    /// The byte in the segment's `.log` file.
    pub position: Option<u64>,
    /// What is wrong.
    pub problem: Problem,
}

impl Finding {
    pub(super) fn of_log(problem: Problem) -> Self {
        Self { topic: None, partition: None, segment: None, position: None, problem }
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.problem.severity()
    }
}

/// `telemetry-2 00000000000000000100 at 4096: checksum is ...`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, partition, segment, position, problem } = self;
        if let Some(topic) = topic {
            write!(f, "{topic}")?;
            if let Some(partition) = partition {
                write!(f, "-{partition}")?;
            }
            if let Some(segment) = segment {
                write!(f, " {segment:020}")?;
            }
            if let Some(position) = position {
                write!(f, " at {position}")?;
            }
            write!(f, ": ")?;
        }
        write!(f, "{problem}")
    }
}

/// One of the two indexes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IndexKind {
    /// `.index`: offsets to positions.
    Offset,
    /// `.timeindex`: timestamps to offsets.
    Time,
}

impl fmt::Display for IndexKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offset => "the offset index",
            Self::Time => "the time index",
        })
    }
}

/// What is wrong with an index, as Kafka's own checker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexProblem {
    /// The file is not there.
    #[error("is missing")]
    Missing,
    /// The file does not end with a whole entry.
    #[error("has {bytes} bytes, which are not whole entries")]
    Cut {
        /// Its length.
        bytes: u64,
    },
    /// Entries that no batch agrees with.
    #[error("has {count} wrong entries, the first is number {first}")]
    Entries {
        /// The first of them, from 0.
        first: u64,
        /// How many there are.
        count: u64,
    },
    /// Every entry is right, but these are not the ones that the durable mark tells of.
    #[error("is not the one that the durable mark tells of")]
    Differs,
}

/// What is wrong.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// What was durable is damaged, or gone.
    #[error("{0}")]
    Damaged(Damage),
    /// The checksum of a batch holds, but what is in it is not what its header says.
    #[error("the batch's checksum holds, but {0}")]
    Content(Damage),
    /// The checksum of a batch holds, but its records become more than the check was allowed.
    #[error("the batch has more than {max} bytes when it is decompressed")]
    DecompressedTooLarge {
        /// [`ReadOnlyOptions::decompressed_bytes_max`](crate::ReadOnlyOptions).
        max: u64,
    },
    /// The checksum of a batch holds, but its header states another largest timestamp than its records have.
    #[error("the batch states {stated} as its largest timestamp, it is {found}")]
    MaxTimestamp {
        /// The header's.
        stated: i64,
        /// That of the records.
        found: i64,
    },
    /// Behind the last batch are bytes that are none, where nothing was known to be durable.
    #[error("{bytes} bytes of a torn tail")]
    TornTail {
        /// How many.
        bytes: u64,
    },
    /// An index is not right.
    #[error("{index} {problem}")]
    Index {
        /// Which.
        index: IndexKind,
        /// What is wrong with it.
        problem: IndexProblem,
    },
    /// A segment has no durable mark, though others have one.
    #[error("the durable mark is missing or damaged")]
    MarkLost,
    /// One of the two slots of a durable mark is damaged; the other counts.
    #[error("a slot of the durable mark is damaged")]
    MarkSlot,
    /// The list of leader epochs is not there.
    #[error("leader-epoch-checkpoint is missing")]
    EpochsMissing,
    /// The first segments are missing, and were not deleted.
    #[error("the records from offset {from} to {to} are missing")]
    BeginningMissing {
        /// The first that is missing.
        from: u64,
        /// The first that is there.
        to: u64,
    },
    /// Compaction has made this segment in the place of others, and a crash came before the exchange was finished. It counts.
    #[error("the exchange of segments for this one, which compaction made, is not finished")]
    Exchange,
    /// A file that an interrupted operation left behind, and that means nothing.
    #[error("{name} was left behind")]
    LeftBehind {
        /// Its name.
        name: String,
    },
    /// A topic that was being created or deleted.
    #[error("topic {topic} was being created or deleted")]
    Unfinished {
        /// The topic.
        topic: String,
    },
    /// A partition, or a file of the whole log, cannot be read or understood.
    #[error("{0}")]
    Unreadable(Arc<OpenError>),
}

impl Problem {
    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Damaged(_)
            | Self::Content(_)
            | Self::DecompressedTooLarge { .. }
            | Self::Unreadable(_)
            | Self::BeginningMissing { .. } => Severity::Error,
            Self::MaxTimestamp { .. }
            | Self::TornTail { .. }
            | Self::Index { .. }
            | Self::MarkLost
            | Self::MarkSlot
            | Self::EpochsMissing
            | Self::LeftBehind { .. }
            | Self::Exchange
            | Self::Unfinished { .. } => Severity::Note,
        }
    }

    /// How it is mended.
    #[must_use]
    pub fn mend(&self) -> &'static str {
        match self {
            Self::Damaged(_) => {
                "restore the segment from a copy, or quarantine it: all that holds of it stays readable"
            }
            Self::DecompressedTooLarge { .. } => {
                "raise decompressed_bytes_max, for the check and for readers, if it may"
            }
            Self::Content(_) | Self::MaxTimestamp { .. } => {
                "it is as it was written; whoever wrote it was wrong, and it stays as it is"
            }
            Self::TornTail { .. } => "the next opening cuts it: it was never acknowledged as durable",
            Self::Index { .. } => {
                "the next read makes it again; before a Kafka broker takes over, delete it and .kafka_cleanshutdown"
            }
            Self::MarkLost => "the next opening reads the segment and writes another one",
            Self::MarkSlot => "nothing is lost; the other slot counts",
            Self::EpochsMissing => "the next opening reads every segment and makes it again",
            Self::BeginningMissing { .. } => {
                "the next opening lets the log begin behind them; or restore the files"
            }
            Self::Exchange => "the next opening finishes it",
            Self::LeftBehind { .. } | Self::Unfinished { .. } => "the next opening removes it",
            Self::Unreadable(error) => match **error {
                OpenError::Malformed { .. } => "restore the file, or move it away: it is made again",
                OpenError::UnsupportedVersion { .. } => "a newer release wrote it: use that one",
                OpenError::MissingPartition { .. } => "restore its directory",
                _ => "see what the operating system says",
            },
        }
    }
}
