//! Where the replay is in one partition.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use headwater::log::{ReadError, ReadOnlyPartition, ReadUpTo, StoredRecord};

use crate::options::From;

/// How much is read at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// How often a partition is looked at when there was nothing new in it: each look reads its directory.
pub(crate) const NAP: Duration = Duration::from_millis(20);

/// Where the replay is in one partition.
pub(crate) struct Cursor {
    partition: ReadOnlyPartition,
    pub(crate) number: u32,
    next: u64,
    read: VecDeque<StoredRecord>,
    /// When there was nothing new, if that was so the last time.
    dry: Option<Instant>,
}

impl Cursor {
    /// At the beginning that was asked for, or the nearest to it that there is.
    pub(crate) fn open(partition: ReadOnlyPartition, number: u32, from: &From, now_ms: i64) -> Result<Self> {
        let (start, end) = (partition.start_offset()?, partition.end_offset(ReadUpTo::Durable)?);
        let next = match from {
            From::Earliest => start,
            From::Latest => end,
            From::Offset(offset) => (*offset).clamp(start, end),
            From::Moment(ms) if *ms > now_ms => bail!("that moment lies in the future"),
            From::Moment(ms) => partition.offset_for_timestamp(*ms)?.unwrap_or(end),
        };
        Ok(Self { partition, number, next, read: VecDeque::new(), dry: None })
    }

    /// The offset that is read next.
    pub(crate) fn position(&self) -> u64 {
        self.next
    }

    /// The timestamp of the next record; `None` if there is none now, or was none a moment ago.
    pub(crate) fn peek(&mut self) -> Result<Option<i64>> {
        if self.dry.is_some_and(|since| since.elapsed() < NAP) {
            return Ok(None);
        }
        // What was read may hold no record, or retention may have deleted it: the end is where nothing moves any more.
        while self.read.is_empty() && self.fill()? {}
        let next = self.read.front().map(|record| record.timestamp);
        self.dry = next.is_none().then(Instant::now);
        Ok(next)
    }

    /// The next record.
    pub(crate) fn take(&mut self) -> Option<StoredRecord> {
        self.read.pop_front()
    }

    /// Reads on; tells whether that led anywhere.
    fn fill(&mut self) -> Result<bool> {
        let before = self.next;
        let fetched = match self.partition.read(ReadUpTo::Durable, self.next, CHUNK_BYTES) {
            Ok(fetched) => fetched,
            // Retention was faster than we.
            Err(ReadError::OffsetOutOfRange { start, .. }) if start > self.next => {
                self.next = start;
                return Ok(true);
            }
            Err(error) => return Err(error.into()),
        };
        self.next = fetched.next_offset();
        self.read = fetched.records().collect::<Result<_, _>>()?;
        Ok(self.next > before)
    }
}
