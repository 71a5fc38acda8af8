use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Damage, IoError, OpenError};
use crate::format::batch::OFFSET_END;
use crate::format::mark::{self, Mark, VERSION};
use crate::format::names;
use crate::segment::{Dir, Meaning, Swap};
use crate::storage::Access;

/// What is in the directory of a partition.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The segments by base offset: those with a `.log` file.
    pub(super) segments: BTreeMap<u64, Files>,
    /// Base offsets that have files beside no `.log` file, with their mark.
    pub(super) orphans: BTreeMap<u64, Option<Mark>>,
    /// Whether there are no marks that count: no file, or Kafka has led the partition since.
    pub(super) unmarked: bool,
    /// Whether marks were being made for what Kafka had led: not all of them are there.
    pub(super) taking_over: bool,
    /// Snapshots of producers, by offset.
    pub(super) snapshots: BTreeSet<u64>,
    /// Files that an interrupted operation left behind and that mean nothing.
    pub(super) leftovers: Vec<String>,
}

/// What there is of a segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Files {
    pub(crate) log_bytes: u64,
    /// The newest mark, if it counts.
    pub(crate) mark: Option<Mark>,
    /// Whether the partition has no marks that count.
    pub(crate) unmarked: bool,
}

impl Listing {
    /// Looks at a directory whose epochs were read; notes in it what is under way there.
    pub(super) fn read(dir: &mut Dir) -> Result<Self, OpenError> {
        let entries = dir.storage.list(&dir.path).map_err(IoError::of("list", &dir.path))?;
        Swap::find(dir, entries.iter().filter(|entry| !entry.is_dir).map(|entry| entry.name.as_str()))?;
        let mut listing = Self { unmarked: true, ..Self::default() };
        let (mut logs, mut sides) = (BTreeSet::new(), BTreeSet::new());
        for entry in entries.into_iter().filter(|entry| !entry.is_dir) {
            let (base_offset, suffix) = match dir.swap.meaning(&entry.name) {
                Meaning::File(base_offset, suffix) => (base_offset, suffix),
                // What a broker replaced it renames first, and removes a minute later.
                Meaning::Gone | Meaning::Other => {
                    listing.taking_over |= entry.name == names::TAKING_OVER;
                    if names::is_temporary(&entry.name) {
                        listing.leftovers.push(entry.name);
                    }
                    continue;
                }
            };
            match suffix {
                names::LOG => _ = logs.insert(base_offset),
                names::SNAPSHOT => _ = listing.snapshots.insert(base_offset),
                names::INDEX | names::TIME_INDEX | names::HEADS => _ = sides.insert(base_offset),
                names::DURABLE => {
                    listing.unmarked = false;
                    sides.insert(base_offset);
                }
                _ if names::is_temporary(&entry.name) => {
                    listing.leftovers.push(entry.name);
                }
                _ => {} // Kafka's .txnindex, or a stranger's.
            }
        }
        for base_offset in sides.difference(&logs) {
            listing.orphans.insert(*base_offset, read_mark(dir, *base_offset)?);
        }
        for base_offset in logs {
            if base_offset >= OFFSET_END {
                let what = Damage::OffsetTooLarge { offset: base_offset };
                return Err(dir.corruption(base_offset, 0, what).into());
            }
            let path = dir.file(base_offset, names::LOG);
            let file = dir.open(base_offset, names::LOG, Access::Read)?;
            let log_bytes = file.size().map_err(IoError::of("measure", &path))?;
            let mark = read_mark(dir, base_offset)?;
            listing.segments.insert(base_offset, Files { log_bytes, mark, unmarked: false });
        }
        listing.forget_marks_older_than(dir.epochs.current());
        let unmarked = listing.unmarked;
        listing.segments.values_mut().for_each(|files| files.unmarked = unmarked);
        Ok(listing)
    }

    /// A broker begins a new leader epoch when it takes a partition over. It may have cut, compacted and deleted
    /// since, and keeps no marks.
    fn forget_marks_older_than(&mut self, leader_epoch: i32) {
        let marks = self.segments.values().filter_map(|files| files.mark);
        let newest =
            marks.chain(self.orphans.values().copied().flatten()).map(|mark| mark.leader_epoch).max();
        if self.taking_over || newest.is_some_and(|newest| newest < leader_epoch) {
            self.unmarked = true;
            self.segments.values_mut().for_each(|files| files.mark = None);
            self.orphans.values_mut().for_each(|mark| *mark = None);
        }
    }
}

/// Reads the mark of a segment.
fn read_mark(dir: &Dir, base_offset: u64) -> Result<Option<Mark>, OpenError> {
    let Some(content) = dir.read(base_offset, names::DURABLE)? else { return Ok(None) };
    mark::of_segment(&content, base_offset).map_err(|unknown| OpenError::UnsupportedVersion {
        path: dir.file(base_offset, names::DURABLE),
        found: u64::from(unknown.0),
        known: u64::from(VERSION),
    })
}
