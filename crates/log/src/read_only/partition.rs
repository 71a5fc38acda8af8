use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::chunk::{self, Outcome, Start};
use super::look::{List, Look};
use crate::error::{Damage, IoError, OpenError, ReadError};
use crate::fetched::{Fetched, Place};
use crate::format::checkpoint::Epochs;
use crate::format::heads::Heads;
use crate::format::index;
use crate::format::mark::{self, IndexSum, Mark, VERSION};
use crate::format::metadata::{self, TopicId};
use crate::format::names;
use crate::log::{Kind, is_being_added, is_unfinished, kind, malformed, read_offsets};
use crate::options::{ReadOnlyOptions, ReadUpTo};
use crate::segment::{Dir, Meaning, Swap, load_heads};
use crate::storage::{Access, File};
use crate::sync::Mutex;

/// The least number of bytes that is read at once.
const CHUNK_BYTES_MIN: usize = 64 * 1024;
/// How often a call looks at the directory while the writer changes it.
pub(super) const LOOKS_MAX: usize = 16;

/// A partition that is read beside its writer; made by [`ReadOnlyLog::partition`](crate::ReadOnlyLog::partition).
///
/// Every call looks at the files as they are then: it lists the directory and reads the small files in it, the newest
/// mark, the list of epochs, the identity of the topic. When the topic was deleted every call is
/// [`ReadError::Closed`], also when there is another topic of this name since.
#[derive(Debug)]
pub struct ReadOnlyPartition {
    root: PathBuf,
    dir: Dir,
    /// The identity of its topic, if it has one. Another topic of the same name has another.
    pub(super) id: Option<TopicId>,
    /// Where the last read ended, so that the next one need not search.
    cursor: Mutex<Option<Cursor>>,
    /// The checksums of heads that were read last, with what their mark says of them.
    heads: Mutex<Option<(u64, IndexSum, Arc<Heads>)>>,
}

#[derive(Debug, Clone, Copy)]
struct Cursor {
    segment: u64,
    /// Which file of that name it was: compaction may put another in its place.
    heads: IndexSum,
    position: u64,
    next_offset: u64,
}

impl ReadOnlyPartition {
    pub(super) fn open(
        options: &ReadOnlyOptions,
        root: &Path,
        topic: &str,
        partition: u32,
    ) -> Result<Option<Self>, OpenError> {
        let (storage, bytes_max) = (Arc::clone(&options.storage), options.decompressed_bytes_max);
        let dir = Dir::unmapped(storage, root, topic.into(), partition, bytes_max);
        if names::check_topic(topic).is_err() {
            return Ok(None);
        }
        match kind(&*dir.storage, &dir.path) {
            Ok(Kind::Partition) => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        if is_unfinished(&*dir.storage, root, topic, 0)?
            || is_being_added(&*dir.storage, root, topic, partition)?
        {
            return Ok(None);
        }
        let (cursor, heads) = (Mutex::default(), Mutex::default());
        let mut partition = Self { root: root.to_owned(), dir, id: None, cursor, heads };
        partition.epochs()?;
        partition.id = partition.identity()?;
        Ok(Some(partition))
    }

    /// The list of leader epochs as it is now: a broker that leads adds to it.
    fn epochs(&self) -> Result<Epochs, OpenError> {
        let Some(text) = self.dir.read_named(names::LEADER_EPOCHS)? else { return Ok(Epochs::default()) };
        let path = self.dir.path.join(names::LEADER_EPOCHS);
        Epochs::decode(&text).map_err(|invalid| malformed(path, invalid))
    }

    /// The identity of the topic that is there now.
    fn identity(&self) -> Result<Option<TopicId>, OpenError> {
        let Some(text) = self.dir.read_named(names::PARTITION_METADATA)? else { return Ok(None) };
        let path = self.dir.path.join(names::PARTITION_METADATA);
        metadata::decode(&text).map(Some).map_err(|invalid| malformed(path, invalid))
    }

    fn check_identity(&self) -> Result<(), ReadError> {
        if self.id.is_some() && self.identity().map_err(opened)? != self.id {
            return Err(ReadError::Closed);
        }
        Ok(())
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.dir.topic
    }

    /// The partition's number, from 0.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.dir.partition
    }

    /// The first offset that can be read now.
    ///
    /// # Errors
    ///
    /// [`ReadError::Closed`] when the topic was deleted; [`ReadError::Open`] when a small file cannot be understood;
    /// [`ReadError::Io`] when the operating system refuses.
    pub fn start_offset(&self) -> Result<u64, ReadError> {
        self.looking(|look| Ok(look.start))
    }

    /// The offset behind the last record that can be read now.
    ///
    /// With [`ReadUpTo::Appended`] it reads and checks what was appended since the last sync.
    ///
    /// # Errors
    ///
    /// As [`ReadOnlyPartition::start_offset`]; [`ReadError::Corrupt`] when bytes that were durable are damaged.
    pub fn end_offset(&self, up_to: ReadUpTo) -> Result<u64, ReadError> {
        self.looking(|look| look.end(self, up_to))
    }

    /// The offset before which everything was compacted, as `cleaner-offset-checkpoint` has it; `None` where nothing ever was.
    ///
    /// # Errors
    ///
    /// As [`ReadOnlyPartition::start_offset`].
    pub fn cleaner_offset(&self) -> Result<Option<u64>, ReadError> {
        let key = (self.dir.topic.to_string(), self.dir.partition);
        let offsets = read_offsets(&*self.dir.storage, &self.root, names::CLEANER_OFFSETS).map_err(opened)?;
        Ok(offsets.get(&key).copied())
    }

    /// Reads whole batches, from the one that holds `from` on, as far as `up_to` says.
    ///
    /// At most `max_bytes`, but at least one batch if there is any, and from one segment; empty at the end.
    ///
    /// It copies what it reads, once, and allocates no more than that: at most `max_bytes`, 64 KiB or one batch,
    /// whichever is more, and never more than the file has. The read that follows on the one before begins where that
    /// ended; any other one reads on from the index entry before `from`.
    ///
    /// # Errors
    ///
    /// [`ReadError::OffsetOutOfRange`] before the start or behind the end; [`ReadError::Corrupt`] when bytes that
    /// were durable are damaged; as [`ReadOnlyPartition::start_offset`] otherwise.
    pub fn read(&self, up_to: ReadUpTo, from: u64, max_bytes: usize) -> Result<Fetched, ReadError> {
        self.looking(|look| {
            let end = look.end(self, up_to)?;
            if from < look.start || from > end {
                return Err(ReadError::OffsetOutOfRange { offset: from, start: look.start, end });
            }
            self.read_between(look, from, end, max_bytes)
        })
    }

    /// Returns the offset of the first durable record whose timestamp is at or after `timestamp_ms`; `None` when
    /// there is none. Reads what it has to, up to a whole segment while that is being written.
    ///
    /// # Errors
    ///
    /// As [`ReadOnlyPartition::read`].
    pub fn offset_for_timestamp(&self, timestamp_ms: i64) -> Result<Option<u64>, ReadError> {
        self.looking(|look| self.search(look, timestamp_ms))
    }

    fn search(&self, look: &Look, timestamp_ms: i64) -> Result<Option<u64>, ReadError> {
        let end = look.durable_end;
        for (base_offset, next) in look.spans(end) {
            let mark = mark(&look.dir, base_offset)?;
            let sealed = mark.filter(|mark| mark.sealed && mark.next_offset == next);
            if sealed.is_some_and(|mark| mark.position == 0 || mark.max_timestamp < timestamp_ms) {
                continue;
            }
            let mut from = earlier(&look.dir, base_offset, sealed, timestamp_ms)?.max(look.start);
            while from < next.min(end) {
                let fetched = self.read_between(look, from, end, 1024 * 1024)?;
                if let Some(offset) = fetched.first_at_or_after(timestamp_ms)? {
                    return Ok(Some(offset));
                }
                if fetched.next_offset() <= from {
                    break;
                }
                from = fetched.next_offset();
            }
        }
        Ok(None)
    }

    pub(super) fn read_between(
        &self,
        look: &Look,
        from: u64,
        end: u64,
        max_bytes: usize,
    ) -> Result<Fetched, ReadError> {
        for (base_offset, next) in look.spans(u64::MAX) {
            if from >= end || next <= from {
                continue;
            }
            if let Some(fetched) = self.read_segment(look, base_offset, from, end, max_bytes)? {
                return Ok(fetched);
            }
        }
        let place = self.place(from, 0);
        Ok(Fetched::new(Bytes::new(), from, from, place, self.dir.decompressed_bytes_max))
    }

    fn read_segment(
        &self,
        look: &Look,
        base_offset: u64,
        from: u64,
        end: u64,
        max_bytes: usize,
    ) -> Result<Option<Fetched>, ReadError> {
        let dir = &look.dir;
        let path = dir.file(base_offset, names::LOG);
        // Before and after the file is read: compaction gives a new mark its name before it does so with the new file.
        let of_segment = || if look.unmarked { Ok(None) } else { mark(dir, base_offset) };
        let mark = of_segment()?;
        let file = dir.open(base_offset, names::LOG, Access::Read)?;
        let found = self.read_file(look, &*file, base_offset, mark, from, end, max_bytes);
        let is_same = |one: Mark, other: Mark| {
            one.heads == other.heads && (!one.sealed || one.position == other.position)
        };
        match (mark, of_segment()?) {
            (Some(before), Some(after)) if !is_same(before, after) => {
                // Another segment has taken its place meanwhile; look again.
                Err(IoError::new("read", &path, io::ErrorKind::NotFound.into()).into())
            }
            _ => found,
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what was found out about one file, and what is wanted of it"
    )]
    fn read_file(
        &self,
        look: &Look,
        file: &dyn File,
        base_offset: u64,
        mark: Option<Mark>,
        from: u64,
        end: u64,
        max_bytes: usize,
    ) -> Result<Option<Fetched>, ReadError> {
        let dir = &look.dir;
        let path = dir.file(base_offset, names::LOG);
        let sparse = look.unmarked || mark.is_some_and(|mark| mark.sparse);
        // Where the mark tells how far the records go that may be seen, the zeros behind them are not read.
        let limit = mark.filter(|mark| mark.next_offset >= end).map_or(u64::MAX, |mark| mark.position);
        let unchecked = Epochs::default();
        let epochs = if look.unmarked { &unchecked } else { &dir.epochs };
        let sum = mark.map(|mark| mark.heads).unwrap_or_default();
        let heads = mark.map_or(Ok(None), |mark| self.heads_of(dir, &mark))?;
        let heads = heads.as_deref();
        let reader = chunk::Reader { file, sparse, epochs, heads, from, end, limit, max_bytes };
        let beginning = Start { position: 0, next_offset: base_offset };
        let mut starts = self.starts(dir, &reader, base_offset, sum)?;
        starts.push(beginning);
        for start in starts {
            let outcome =
                reader.read(start, max_bytes.max(CHUNK_BYTES_MIN)).map_err(IoError::of("read", &path))?;
            match outcome {
                Outcome::Batches { bytes, position, next_offset } => {
                    let behind = position.saturating_add(bytes.len() as u64);
                    *self.cursor.lock() =
                        Some(Cursor { segment: base_offset, heads: sum, position: behind, next_offset });
                    let place = self.place(base_offset, position);
                    return Ok(Some(Fetched::new(
                        bytes,
                        from,
                        next_offset,
                        place,
                        self.dir.decompressed_bytes_max,
                    )));
                }
                // A cursor or an index is no evidence: look again from the beginning before believing it.
                Outcome::Ended | Outcome::Damaged { .. } if start != beginning => {}
                Outcome::Ended => return self.check_length(file, base_offset, mark),
                Outcome::Damaged { position, what, next_offset } => {
                    return if next_offset < look.durable_end {
                        Err(dir.corruption(base_offset, position, what).into())
                    } else {
                        Ok(None) // Being written, or what a crash has left: the end for now.
                    };
                }
            }
        }
        Ok(None)
    }

    /// A segment that ended too early: nothing more for now, unless its mark says that there was more.
    fn check_length(
        &self,
        file: &dyn File,
        base_offset: u64,
        mark: Option<Mark>,
    ) -> Result<Option<Fetched>, ReadError> {
        let path = self.dir.file(base_offset, names::LOG);
        let found = file.size().map_err(IoError::of("measure", &path))?;
        match mark.map(|mark| mark.position).filter(|expected| found < *expected) {
            Some(expected) => {
                Err(self.dir.corruption(base_offset, found, Damage::Short { expected, found }).into())
            }
            None => Ok(None),
        }
    }

    /// Where to start the search for an offset, best first: where the last read ended, and what the index says.
    fn starts(
        &self,
        dir: &Dir,
        reader: &chunk::Reader<'_>,
        base_offset: u64,
        sum: IndexSum,
    ) -> Result<Vec<Start>, ReadError> {
        let cursor = (*self.cursor.lock()).filter(|cursor| {
            (cursor.segment, cursor.heads) == (base_offset, sum) && cursor.next_offset == reader.from
        });
        if let Some(Cursor { position, next_offset, .. }) = cursor {
            return Ok(vec![Start { position, next_offset }]);
        }
        let index = dir.read(base_offset, names::INDEX)?.unwrap_or_default();
        let relative = u32::try_from(reader.from.saturating_sub(base_offset)).unwrap_or(u32::MAX);
        let Some((entry, _)) = index::floor(&index, relative) else { return Ok(Vec::new()) };
        let path = dir.file(base_offset, names::LOG);
        let header = reader.header(u64::from(entry.position)).map_err(IoError::of("read", &path))?;
        Ok(header
            .filter(|header| entry.leads_to(header, base_offset))
            .map(|header| Start { position: u64::from(entry.position), next_offset: header.base_offset })
            .into_iter()
            .collect())
    }

    /// The checksums of a segment's heads, of which the last ones are kept.
    fn heads_of(&self, dir: &Dir, mark: &Mark) -> Result<Option<Arc<Heads>>, ReadError> {
        let key = (mark.base_offset, mark.heads);
        if let Some((base_offset, sum, heads)) = &*self.heads.lock()
            && (*base_offset, *sum) == key
        {
            return Ok(Some(Arc::clone(heads)));
        }
        let Some(heads) = load_heads(dir, mark)?.map(Arc::new) else { return Ok(None) };
        *self.heads.lock() = Some((mark.base_offset, mark.heads, Arc::clone(&heads)));
        Ok(Some(heads))
    }

    fn place(&self, segment: u64, position: u64) -> Place {
        Place { topic: Arc::clone(&self.dir.topic), partition: self.dir.partition, segment, position }
    }

    /// Does something with the directory as it is now, and once more when the writer deleted a file meanwhile.
    pub(super) fn looking<T>(
        &self,
        mut act: impl FnMut(&Look) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let mut looks = 0;
        loop {
            looks += 1;
            let outcome = self.look().and_then(|look| act(&look));
            // At the end, whatever the outcome: it was of this topic, or it is none.
            self.check_identity()?;
            match outcome {
                Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound && looks < LOOKS_MAX => {
                }
                // Names that belong together are changed one by one: the mark of one segment, and the bytes of another.
                Err(ReadError::Corrupt(_)) if looks < LOOKS_MAX => {}
                outcome => return outcome,
            }
        }
    }

    /// Looks at the directory: which segments there are, where the log starts, how far it is durable.
    fn look(&self) -> Result<Look, ReadError> {
        let mut list = self.list()?;
        for _ in 1..LOOKS_MAX {
            let (look, whole) = self.look_at(&list)?;
            // A mark that is missing was deleted since the listing, or never was.
            let again = if whole { None } else { Some(self.list()?).filter(|again| *again != list) };
            match again {
                None => return Ok(look),
                Some(again) => list = again,
            }
        }
        Ok(self.look_at(&list)?.0)
    }

    fn list(&self) -> Result<List, ReadError> {
        let entries = self.dir.storage.list(&self.dir.path).map_err(IoError::of("list", &self.dir.path))?;
        let mut dir = Dir { epochs: self.epochs().map_err(opened)?, ..self.dir.clone() };
        Swap::find(&mut dir, entries.iter().filter(|entry| !entry.is_dir).map(|entry| entry.name.as_str()))
            .map_err(opened)?;
        let mut list = List { bases: Vec::new(), unmarked: true, taking_over: false, swap: dir.swap };
        for entry in entries {
            match list.swap.meaning(&entry.name) {
                Meaning::File(base_offset, names::LOG) => list.bases.push(base_offset),
                Meaning::File(_, names::DURABLE) => list.unmarked = false,
                _ => list.taking_over |= entry.name == names::TAKING_OVER,
            }
        }
        list.bases.sort_unstable();
        Ok(list)
    }

    /// Reads what belongs to a listing; false when the mark of a segment was missing on the way.
    fn look_at(&self, list: &List) -> Result<(Look, bool), ReadError> {
        let key = (self.dir.topic.to_string(), self.dir.partition);
        let storage = &*self.dir.storage;
        let starts = read_offsets(storage, &self.root, names::LOG_STARTS).map_err(opened)?;
        let kept = starts.get(&key).copied().unwrap_or(0);
        let start = list.bases.first().copied().unwrap_or(kept).max(kept);
        let epochs = self.epochs().map_err(opened)?;
        let bases = list.bases.clone();
        let unmarked = list.unmarked || list.taking_over;
        let dir = Dir { epochs, swap: list.swap.clone(), ..self.dir.clone() };
        let mut look = Look { bases, unmarked, dir, start, durable_end: start };
        let mut whole = true;
        for base_offset in list.bases.iter().rev() {
            let mark = mark(&look.dir, *base_offset)?;
            whole &= mark.is_some();
            // A broker has led since: the marks are history.
            look.unmarked |= mark.is_some_and(|mark| mark.leader_epoch < look.dir.epochs.current());
            if let Some(mark) = mark.filter(Mark::proves) {
                look.durable_end = mark.next_offset.max(start);
                break;
            }
        }
        if look.unmarked {
            let points = read_offsets(storage, &self.root, names::RECOVERY_POINTS).map_err(opened)?;
            look.durable_end = points.get(&key).copied().unwrap_or(0).max(start);
            return Ok((look, true));
        }
        Ok((look, whole))
    }
}

fn opened(error: OpenError) -> ReadError {
    match error {
        OpenError::Io(error) => error.into(),
        OpenError::Corrupt(corruption) => corruption.into(),
        error => ReadError::Open(Arc::new(error)),
    }
}

/// The mark of a segment.
pub(super) fn mark(dir: &Dir, base_offset: u64) -> Result<Option<Mark>, ReadError> {
    let Some(content) = dir.read(base_offset, names::DURABLE)? else { return Ok(None) };
    match mark::of_segment(&content, base_offset) {
        Ok(mark) => Ok(mark),
        Err(unknown) => Err(ReadError::Open(Arc::new(OpenError::UnsupportedVersion {
            path: dir.file(base_offset, names::DURABLE),
            found: u64::from(unknown.0),
            known: u64::from(VERSION),
        }))),
    }
}

/// An offset in a segment before which every record is earlier than a timestamp.
fn earlier(dir: &Dir, base_offset: u64, sealed: Option<Mark>, timestamp: i64) -> Result<u64, ReadError> {
    let Some(sum) = sealed.map(|mark| mark.time_index) else { return Ok(base_offset) };
    let time_index = dir.read(base_offset, names::TIME_INDEX)?.unwrap_or_default();
    let entry = index::time_floor(&time_index, timestamp).filter(|_| IndexSum::of(&time_index) == sum);
    let relative = entry.map_or(0, |entry| u64::from(entry.relative_offset));
    Ok(base_offset.saturating_add(relative))
}
