//! One segment in the place of others, so that every moment of it is either before or after.
//!
//! ```text
//!   100.log 200.log 300.log     100.log.cleaned ..    written, synced, the names synced
//!   100.log 200.log 300.log     100.log.swap ..       renamed, the names synced: from here on it counts
//!   100.log                     100.log.swap ..       the others removed, the names synced
//!   100.log (new)                                     renamed, the names synced
//! ```
//!
//! So does Apache Kafka, and its `LogLoader` goes by the same rules: what ends with `.cleaned` is removed, and with it what
//! ends with `.swap` and does not begin before it; any other `.swap` counts, and the segments that begin in its
//! range go. Whoever looks at a directory in the middle sees it as if it were done; opening does it.

use std::collections::BTreeSet;

use super::{Dir, Walk, remove_files};
use crate::error::{IoError, OpenError};
use crate::format::checkpoint::Epochs;
use crate::format::mark;
use crate::format::names::{self, CLEANED, SWAP};
use crate::storage::{self, Access};

/// A replacement of segments that is not finished.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Swap {
    /// The files that count under the names that end with `.swap`, by base offset and suffix.
    files: BTreeSet<(u64, String)>,
    /// The segments that were replaced.
    replaced: BTreeSet<u64>,
    /// Files with such names that do not count: not all of them got theirs.
    void: Vec<String>,
}

/// What a name in a partition's directory stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning<'a> {
    /// A file of a segment, with this suffix whatever its name is now.
    File(u64, &'a str),
    /// A file that was replaced, or does not count.
    Gone,
    /// Something else.
    Other,
}

/// In this order files get their names: who finds the log under its own finds the mark that belongs to it.
const ORDER: [&str; 5] = [names::DURABLE, names::HEADS, names::LOG, names::INDEX, names::TIME_INDEX];

impl Swap {
    /// Looks at the names in a directory whose epochs were read.
    pub(crate) fn find<'a>(
        dir: &mut Dir,
        entries: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<(), OpenError> {
        dir.swap = Self::default();
        let mut found = Self::default();
        let ending = |end: &'static str| {
            let segment_file = move |name: &'a str| names::parse_segment_file(name.strip_suffix(end)?);
            entries.clone().filter_map(segment_file)
        };
        let cleaned = ending(CLEANED).map(|(base_offset, _)| base_offset).min();
        let mut logs = Vec::new();
        for (base_offset, suffix) in ending(SWAP) {
            if cleaned.is_some_and(|cleaned| base_offset >= cleaned) {
                found.void.push(format!("{}{SWAP}", names::segment_file(base_offset, suffix)));
                continue;
            }
            found.files.insert((base_offset, suffix.to_owned()));
            if suffix == names::LOG {
                logs.push(base_offset);
            }
        }
        let bases: BTreeSet<u64> = entries
            .clone()
            .filter_map(names::parse_segment_file)
            .map(|(base_offset, _)| base_offset)
            .collect();
        dir.swap = found;
        for base_offset in logs {
            let end = end_of(dir, base_offset)?;
            let replaced = bases.iter().copied().filter(|base| *base > base_offset && *base < end);
            dir.swap.replaced.extend(replaced);
        }
        Ok(())
    }

    /// The segments that take the place of others.
    pub(crate) fn segments(&self) -> impl Iterator<Item = u64> + '_ {
        let mut bases: Vec<u64> = self.files.iter().map(|(base_offset, _)| *base_offset).collect();
        bases.dedup();
        bases.into_iter()
    }

    /// Files that will be removed, since they mean nothing.
    pub(crate) fn void(&self) -> &[String] {
        &self.void
    }

    /// Whether a segment's file counts under its swap name.
    pub(super) fn has(&self, base_offset: u64, suffix: &str) -> bool {
        !self.files.is_empty()
            && self.files.iter().any(|(base, of)| *base == base_offset && of.as_str() == suffix)
    }

    /// Tells what a name in the directory stands for.
    pub(crate) fn meaning<'a>(&self, name: &'a str) -> Meaning<'a> {
        let Some((base_offset, suffix)) = names::parse_segment_file(name) else { return Meaning::Other };
        if let Some(suffix) = suffix.strip_suffix(SWAP) {
            return if self.has(base_offset, suffix) {
                Meaning::File(base_offset, suffix)
            } else {
                Meaning::Gone
            };
        }
        let is_kept = names::is_damaged(suffix);
        if !is_kept && (self.replaced.contains(&base_offset) || self.has(base_offset, suffix)) {
            return Meaning::Gone;
        }
        Meaning::File(base_offset, suffix)
    }

    /// Finishes it, durably. After an error it can be tried again, by this or by whoever opens the directory.
    pub(crate) fn complete(&self, dir: &Dir) -> Result<(), IoError> {
        if !self.void.is_empty() {
            // Before anything that ends with `.cleaned`: as long as that is there, these do not count.
            for name in &self.void {
                remove(dir, name)?;
            }
            dir.sync()?;
        }
        for base_offset in &self.replaced {
            remove_files(dir, *base_offset)?;
        }
        if !self.replaced.is_empty() {
            // As long as one is there, something has to tell that it was replaced.
            dir.sync()?;
        }
        let rank = |suffix: &str| ORDER.iter().position(|of| *of == suffix).unwrap_or(ORDER.len());
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by_key(|(base_offset, suffix)| (*base_offset, rank(suffix)));
        for (base_offset, suffix) in files {
            rename(dir, *base_offset, suffix, SWAP, "")?;
        }
        if self.files.is_empty() { Ok(()) } else { dir.sync() }
    }

    /// Lets the files of a segment that end with `.cleaned` count, in the place of these other segments, from the next sync of the
    /// directory on, which is up to the caller. Each of them, and its name, is durable.
    pub(crate) fn begin(
        dir: &Dir,
        base_offset: u64,
        suffixes: &[&str],
        replaced: impl Iterator<Item = u64>,
    ) -> Result<Self, IoError> {
        for suffix in suffixes {
            rename(dir, base_offset, suffix, CLEANED, SWAP)?;
        }
        let files = suffixes.iter().map(|suffix| (base_offset, (*suffix).to_owned())).collect();
        Ok(Self { files, replaced: replaced.collect(), void: Vec::new() })
    }
}

/// Removes all files that end with `.cleaned`, and before them those that end with `.swap` and mean nothing for that
/// reason; nobody else makes any meanwhile.
pub(crate) fn clear(dir: &Dir) -> Result<(), IoError> {
    let entries = dir.storage.list(&dir.path).map_err(IoError::of("list", &dir.path))?;
    let of = |end: &str| -> Vec<&str> {
        let is_of =
            |name: &str| name.strip_suffix(end).is_some_and(|name| names::parse_segment_file(name).is_some());
        entries
            .iter()
            .filter(|entry| !entry.is_dir)
            .map(|entry| entry.name.as_str())
            .filter(|name| is_of(name))
            .collect()
    };
    let (cleaned, swaps) = (of(CLEANED), of(SWAP));
    if cleaned.is_empty() {
        return Ok(());
    }
    for name in &swaps {
        remove(dir, name)?;
    }
    if !swaps.is_empty() {
        dir.sync()?;
    }
    cleaned.iter().try_for_each(|name| remove(dir, name))
}

fn remove(dir: &Dir, name: &str) -> Result<(), IoError> {
    storage::remove_if_there(&*dir.storage, &dir.path.join(name))
}

/// Renames a segment's file, unless that was done.
fn rename(dir: &Dir, base_offset: u64, suffix: &str, from: &str, to: &str) -> Result<(), IoError> {
    let name = names::segment_file(base_offset, suffix);
    let (from, to) = (dir.path.join(format!("{name}{from}")), dir.path.join(format!("{name}{to}")));
    match dir.storage.rename(&from, &to) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            dir.storage.open(&to, Access::Read).map(drop).map_err(IoError::of("rename", &from))
        }
        Err(error) => Err(IoError::new("rename", &from, error)),
        Ok(()) => Ok(()),
    }
}

/// The offset behind those that a segment under swap names stands for.
fn end_of(dir: &Dir, base_offset: u64) -> Result<u64, OpenError> {
    let path = dir.file(base_offset, names::LOG);
    let file = dir.open(base_offset, names::LOG, Access::Read)?;
    let size = file.size().map_err(IoError::of("measure", &path))?;
    let mark = dir.read(base_offset, names::DURABLE)?;
    let mark = mark.and_then(|content| mark::of_segment(&content, base_offset).ok().flatten());
    // One that a broker has not led past, and that is of this file.
    let ours =
        |mark: &mark::Mark| mark.sealed && mark.position == size && mark.leader_epoch >= dir.epochs.current();
    if let Some(mark) = mark.filter(ours) {
        return Ok(mark.next_offset);
    }
    // Kafka's: it ends with the last batch.
    let unchecked = Epochs::default();
    let mut walk = Walk::new(&*file, base_offset, true, &unchecked).map_err(IoError::of("measure", &path))?;
    while let Some(found) = walk.step().map_err(IoError::of("read", &path))? {
        found.map_err(|damage| dir.corruption(base_offset, walk.position(), damage))?;
    }
    Ok(walk.next_offset())
}
