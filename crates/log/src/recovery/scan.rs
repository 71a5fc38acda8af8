use std::sync::Arc;

use super::head::Head;
use crate::error::{Damage, IoError, OpenError};
use crate::format::batch::Header;
use crate::format::checkpoint::Epochs;
use crate::format::mark::Mark;
use crate::format::names;
use crate::segment::{Dir, Rebuilt, Scanner};
use crate::storage::{Access, Region};

/// What is known to be durable of a segment that is scanned.
#[derive(Debug, Clone, Copy)]
pub(super) enum Proof {
    /// Every byte, up to a record before this offset: a later segment was durable.
    Whole { next_offset: u64 },
    /// The bytes before a position; there the next offset is this one.
    Position { position: u64, next_offset: u64 },
    /// The records before this offset.
    Offset(u64),
}

/// What becomes of the leader epochs of the batches.
#[derive(Debug)]
pub(super) enum Leaders<'a> {
    /// They have to be those of the list.
    Checked,
    /// They are added to the list, as Kafka does it.
    Noted(&'a mut Epochs),
    /// The list is lost, and is made of them. They have to rise, and none is above that of the newest mark.
    Collected(&'a mut Epochs, i32),
}

impl Leaders<'_> {
    fn take(&mut self, header: &Header) -> Result<(), Damage> {
        match self {
            Self::Checked => Ok(()),
            Self::Noted(epochs) => {
                epochs.extend(header.leader_epoch, header.base_offset);
                Ok(())
            }
            Self::Collected(epochs, newest) => {
                let found = header.leader_epoch;
                let expected = epochs.current();
                if found <= *newest && epochs.collect(found, header.base_offset) {
                    Ok(())
                } else {
                    Err(Damage::Epoch { expected, found })
                }
            }
        }
    }
}

/// A segment that was read and checked.
#[derive(Debug)]
pub(super) struct Scan {
    /// Where the reading began.
    pub(super) from: u64,
    /// Behind the last batch that holds.
    pub(super) position: u64,
    pub(super) next_offset: u64,
    pub(super) batches: u64,
    /// Bytes behind that, without the zeros at the end: a torn tail.
    pub(super) torn_bytes: u64,
    pub(super) rebuilt: Rebuilt,
}

/// Reads a segment, but for what `trusted`, its mark, allows to skip. Damage where the proof says that everything was durable is an error.
pub(super) fn scan(
    dir: &Dir,
    base_offset: u64,
    sparse: bool,
    proof: Proof,
    trusted: Option<&Mark>,
    mut leaders: Leaders<'_>,
    index_interval_bytes: u32,
) -> Result<Scan, OpenError> {
    let region = map(dir, base_offset)?;
    let bytes = region.bytes();
    let unchecked = Epochs::default();
    let epochs = if matches!(leaders, Leaders::Checked) { &dir.epochs } else { &unchecked };
    let head = trusted.and_then(|mark| Head::of(dir, mark, index_interval_bytes, bytes));
    let head = head.unwrap_or_else(|| Head::none(base_offset, index_interval_bytes));
    let Head { at: from, next_offset, indexes: mut rebuilt } = head;
    let mut scanner = Scanner::new(bytes, from, next_offset, sparse, epochs);
    let mut batches = 0;
    let corrupt = |position: u64, what| OpenError::Corrupt(dir.corruption(base_offset, position, what));
    let (damage, position, next_offset) = loop {
        let (position, next_offset) = (scanner.position(), scanner.next_offset());
        let at = position as u64;
        check_mark(proof, at, next_offset).map_err(|what| corrupt(at, what))?;
        match scanner.step_checked() {
            None => break (None, position, next_offset),
            Some(Err(damage)) => break (Some(damage), position, next_offset),
            Some(Ok(found)) => {
                if let Proof::Position { position, .. } = proof
                    && at < position
                    && found.end() as u64 > position
                {
                    let (bytes, left) = (found.header.bytes as u64, position - at);
                    return Err(corrupt(at, Damage::LengthBeyondEnd { bytes, left }));
                }
                if let Err(damage) = leaders.take(&found.header) {
                    break (Some(damage), position, next_offset);
                }
                rebuilt.add(found.at, &found.header);
                batches += 1;
            }
        }
    };
    let tail = bytes.get(position..).unwrap_or_default();
    let torn_bytes = tail.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
    let lost = match proof {
        Proof::Whole { next_offset: proven } => next_offset < proven && (!sparse || damage.is_some()),
        Proof::Position { position: proven, .. } => (position as u64) < proven,
        Proof::Offset(proven) => next_offset < proven && damage.is_some(),
    };
    if lost {
        let what = damage.unwrap_or(Damage::Short {
            expected: match proof {
                Proof::Position { position, .. } => position,
                _ => (bytes.len() as u64).saturating_add(1),
            },
            found: bytes.len() as u64,
        });
        return Err(corrupt(position as u64, what));
    }
    rebuilt.finish();
    Ok(Scan { from: from as u64, position: position as u64, next_offset, batches, torn_bytes, rebuilt })
}

/// Where the mark says that a batch ends, one has to end, and with that offset.
fn check_mark(proof: Proof, at: u64, found: u64) -> Result<(), Damage> {
    match proof {
        Proof::Position { position, next_offset: expected } if at == position && found != expected => {
            Err(Damage::Offset { expected, found })
        }
        _ => Ok(()),
    }
}

/// Whether the file begins with a batch of this segment.
pub(super) fn has_batch(dir: &Dir, base_offset: u64) -> Result<bool, OpenError> {
    let region = map(dir, base_offset)?;
    let unchecked = Epochs::default();
    let mut scanner = Scanner::new(region.bytes(), 0, base_offset, true, &unchecked);
    Ok(scanner.step_checked().is_some_and(|found| found.is_ok()))
}

pub(super) fn map(dir: &Dir, base_offset: u64) -> Result<Arc<Region>, IoError> {
    let path = dir.file(base_offset, names::LOG);
    let file = dir.open(base_offset, names::LOG, Access::Read)?;
    let size = file.size().map_err(IoError::of("measure", &path))?;
    let len = usize::try_from(size).unwrap_or(usize::MAX);
    if len == 0 {
        return Ok(Region::from_bytes(&[]));
    }
    let region = file.map(len, Access::Read).and_then(|window| window.freeze(len));
    region.map_err(IoError::of("map", &path))
}
