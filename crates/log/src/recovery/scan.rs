use std::io;
use std::ops::Range;

use super::Observer;
use super::head::Head;
use crate::error::{Corruption, Damage, IoError, OpenError, ReadError};
use crate::format::batch::Header;
use crate::format::checkpoint::Epochs;
use crate::format::mark::Mark;
use crate::format::names;
use crate::segment::{Dir, Rebuilt, Walk, load_heads};
use crate::storage::Access;

/// What is known to be durable of a segment that is scanned.
#[derive(Debug, Clone, Copy)]
pub(super) enum Proof {
    /// Every record before this offset, since a later segment was durable; and the bytes before a position.
    Whole { next_offset: u64, position: u64 },
    /// The bytes before a position; there the next offset is this one.
    Position { position: u64, next_offset: u64 },
    /// The bytes before a position, which is the end of the file; the next segment begins with this offset. What is
    /// between the last record and that is missing.
    Sealed { position: u64, next_offset: u64 },
    /// The records before this offset.
    Offset(u64),
}

impl Proof {
    /// Whether a batch that should be here was durable.
    fn covers(self, position: u64, next_offset: u64) -> bool {
        match self {
            Self::Whole { next_offset: end, position: at } => next_offset < end || position < at,
            Self::Position { position: at, .. } | Self::Sealed { position: at, .. } => position < at,
            Self::Offset(end) => next_offset < end,
        }
    }

    /// Whether more was durable than there is, though nothing that is there is damaged.
    fn is_short(self, position: u64, next_offset: u64, sparse: bool) -> bool {
        match self {
            Self::Whole { next_offset: end, position: at } => (next_offset < end && !sparse) || position < at,
            Self::Position { .. } | Self::Sealed { .. } => self.covers(position, next_offset),
            Self::Offset(_) => false,
        }
    }

    /// Where the mark says that a batch ends, one has to end, and with that offset.
    fn check(self, position: u64, found: u64) -> Result<(), Damage> {
        match self {
            Self::Position { position: at, next_offset: expected } if at == position && found != expected => {
                Err(Damage::Offset { expected, found })
            }
            Self::Sealed { position: at, next_offset: expected } if at == position && found > expected => {
                Err(Damage::Offset { expected, found })
            }
            _ => Ok(()),
        }
    }

    /// The offset behind the last record that was durable, if that is known of this segment.
    fn end(self) -> Option<u64> {
        match self {
            Self::Whole { next_offset, .. }
            | Self::Position { next_offset, .. }
            | Self::Sealed { next_offset, .. } => Some(next_offset),
            Self::Offset(_) => None,
        }
    }

    /// The bytes that were durable, if that is known.
    fn bytes(self) -> Option<u64> {
        match self {
            Self::Whole { position, .. }
            | Self::Position { position, .. }
            | Self::Sealed { position, .. } => Some(position),
            Self::Offset(_) => None,
        }
    }
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
pub(crate) struct Scan {
    /// Where the reading began.
    pub(super) from: u64,
    pub(super) base_offset: u64,
    sparse: bool,
    /// The batches that hold. The first run begins with the segment and may be empty; each damage that was passed begins
    /// another one.
    pub(super) runs: Vec<Run>,
    /// The offset behind the last record, or behind the last that is missing.
    pub(crate) next_offset: u64,
    pub(crate) batches: u64,
    /// Whether a batch that was read has the numbers of a producer.
    pub(super) numbered: bool,
    /// Bytes behind the last batch, without the zeros at the end: a torn tail.
    pub(crate) torn_bytes: u64,
    /// Bytes of zeros at the end.
    pub(crate) zero_bytes: u64,
    /// Damage where everything was durable. Only a scan that goes on behind damage gives any.
    pub(crate) damage: Vec<Corruption>,
    /// The offsets that were durable and are in no batch that holds.
    pub(super) missing: Vec<Range<u64>>,
    /// Whether the file has bytes that are not zeros in no batch that holds, where everything was durable.
    pub(super) has_damaged_bytes: bool,
}

/// Batches that follow each other, in the file and in their offsets.
#[derive(Debug)]
pub(crate) struct Run {
    pub(super) base_offset: u64,
    pub(super) next_offset: u64,
    pub(super) bytes: Range<u64>,
    pub(super) rebuilt: Rebuilt,
}

impl Run {
    pub(crate) fn len(&self) -> u64 {
        self.bytes.end.saturating_sub(self.bytes.start)
    }
}

/// How a segment is scanned.
#[derive(Debug)]
pub(super) struct Scanned<'a> {
    pub(super) dir: &'a Dir,
    pub(super) base_offset: u64,
    pub(super) sparse: bool,
    pub(super) proof: Proof,
    pub(super) leaders: Leaders<'a>,
    /// The mark that allows to skip what it says is durable.
    pub(super) trusted: Option<Mark>,
    /// The mark, if it counts.
    pub(super) mark: Mark,
    pub(super) index_interval_bytes: u32,
    /// Where the next segment begins, if that is certain.
    pub(super) next: Option<u64>,
}

impl Scanned<'_> {
    /// Reads the segment whole. Damage where the proof says that everything was durable is an error, or, for an
    /// observer, goes into the scan, and the reading goes on behind it.
    pub(super) fn scan(mut self, mut observer: Option<&mut (dyn Observer + '_)>) -> Result<Scan, OpenError> {
        let (dir, base_offset, sparse, proof) = (self.dir, self.base_offset, self.sparse, self.proof);
        let path = dir.file(base_offset, names::LOG);
        let reading = |error: io::Error| IoError::new("read", &path, error);
        let file = dir.open(base_offset, names::LOG, Access::Read)?;
        let unchecked = Epochs::default();
        let epochs = if matches!(self.leaders, Leaders::Checked) { &dir.epochs } else { &unchecked };
        let mut walk =
            Walk::new(&*file, base_offset, sparse, epochs).map_err(IoError::of("measure", &path))?;
        let head = self.trusted.and_then(|mark| Head::of(dir, &mark, self.index_interval_bytes, &*file));
        let head = head.unwrap_or_else(|| Head::none(base_offset, self.index_interval_bytes, sparse));
        walk.stand(head.at, head.next_offset);
        let mut scan = Scan::new(base_offset, head, sparse);
        let tolerant = observer.is_some();
        match load_heads(dir, &self.mark) {
            Ok(heads) => walk = walk.with_heads(heads),
            Err(ReadError::Corrupt(corruption)) => {
                scan.refuse(dir, base_offset, 0, corruption.what, tolerant)?;
            }
            Err(error) => return Err(unreadable(error, dir, base_offset)),
        }
        let mut index = None;
        let torn = loop {
            let (position, next_offset) = (walk.position(), walk.next_offset());
            if let Err(what) = proof.check(position, next_offset) {
                scan.refuse(dir, base_offset, position, what, tolerant)?;
            }
            let damage = match walk.step().map_err(reading)? {
                None => break None,
                Some(Err(damage)) => damage,
                Some(Ok(found)) => match self.leaders.take(&found.header) {
                    Ok(()) => {
                        if let Proof::Position { position: proven, .. } = proof
                            && position < proven
                            && walk.position() > proven
                        {
                            let (bytes, left) = (found.header.bytes as u64, proven - position);
                            let what = Damage::LengthBeyondEnd { bytes, left };
                            scan.refuse(dir, base_offset, position, what, tolerant)?;
                        }
                        scan.keep(position..walk.position(), &found.header);
                        if let Some(observer) = &mut observer {
                            observer.batch(&found, walk.bytes(&found));
                        }
                        continue;
                    }
                    Err(damage) if proof.covers(position, next_offset) => {
                        scan.refuse(dir, base_offset, position, damage, tolerant)?;
                        scan.lose(
                            next_offset..walk.next_offset(),
                            walk.position(),
                            self.index_interval_bytes,
                        );
                        continue;
                    }
                    Err(damage) => {
                        walk.stand(position, next_offset);
                        break Some(damage);
                    }
                },
            };
            if !proof.covers(position, next_offset) {
                break Some(damage);
            }
            scan.refuse(dir, base_offset, position, damage, tolerant)?;
            let index = index.get_or_insert_with(|| {
                dir.read(base_offset, names::INDEX).ok().flatten().unwrap_or_default()
            });
            let end = self.next.or(proof.end()).unwrap_or(u64::MAX);
            match walk.pass_damage(index, base_offset, end).map_err(reading)? {
                Some(passed) => scan.lose(passed.offsets, passed.bytes.end, self.index_interval_bytes),
                None => break None,
            }
        };
        let (position, next_offset) = (walk.position(), walk.next_offset());
        let covered = proof.covers(position, next_offset);
        if scan.damage.is_empty() && torn.is_none() && proof.is_short(position, next_offset, sparse) {
            let proven = proof.bytes().filter(|proven| position < *proven);
            let expected = proven.unwrap_or(walk.size().saturating_add(1));
            let what = Damage::Short { expected, found: walk.size() };
            scan.refuse(dir, base_offset, position, what, tolerant)?;
        }
        let tail = walk.tail_bytes().map_err(reading)?;
        scan.zero_bytes = walk.size().saturating_sub(position).saturating_sub(tail);
        scan.next_offset = next_offset;
        if scan.damage.is_empty() || !covered {
            scan.torn_bytes = tail;
        } else {
            scan.has_damaged_bytes |= tail > 0;
        }
        let is_sealed = matches!(proof, Proof::Sealed { .. });
        // A mark tells where the records went that are missing at the end, or the next segment does.
        if let Some(end) = proof.end().or(self.next).filter(|end| *end > next_offset) {
            if !scan.damage.is_empty() && covered {
                scan.missing.push(next_offset..end);
            }
            if !scan.damage.is_empty() || is_sealed {
                scan.next_offset = end;
            }
        }
        scan.runs.iter_mut().for_each(|run| run.rebuilt.finish());
        Ok(scan)
    }
}

/// An error of reading the `.heads` file, which gives no other than these.
fn unreadable(error: ReadError, dir: &Dir, base_offset: u64) -> OpenError {
    let path = dir.file(base_offset, names::HEADS);
    match error {
        ReadError::Corrupt(corruption) => corruption.into(),
        ReadError::Io(error) => IoError::new("read", &path, error.kind().into()).into(),
        _ => IoError::new("read", &path, io::ErrorKind::Other.into()).into(),
    }
}

impl Scan {
    fn new(base_offset: u64, head: Head, sparse: bool) -> Self {
        let Head { at, next_offset, indexes } = head;
        Self {
            from: at,
            base_offset,
            sparse,
            runs: vec![Run { base_offset, next_offset, bytes: 0..at, rebuilt: indexes }],
            next_offset,
            batches: 0,
            numbered: false,
            torn_bytes: 0,
            zero_bytes: 0,
            damage: Vec::new(),
            missing: Vec::new(),
            has_damaged_bytes: false,
        }
    }

    /// Where in the file the last batch that holds ends.
    pub(crate) fn end_position(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.bytes.end)
    }

    /// The bytes of the batches that hold.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.runs.iter().map(Run::len).sum()
    }

    /// Damage of what was durable: an error, or one more in the list.
    fn refuse(
        &mut self,
        dir: &Dir,
        base_offset: u64,
        position: u64,
        what: Damage,
        tolerant: bool,
    ) -> Result<(), OpenError> {
        let corruption = dir.corruption(base_offset, position, what);
        if !tolerant {
            return Err(corruption.into());
        }
        self.damage.push(corruption);
        Ok(())
    }

    /// A batch that holds.
    fn keep(&mut self, bytes: Range<u64>, header: &Header) {
        self.batches += 1;
        self.numbered |= header.producer().is_some();
        let Some(run) = self.runs.last_mut() else { return };
        run.rebuilt.add(usize::try_from(run.len()).unwrap_or(usize::MAX), header);
        run.bytes.end = bytes.end;
        run.next_offset = header.next_offset();
    }

    /// Bytes that hold no batch, up to a position, and the offsets that are therefore missing.
    fn lose(&mut self, offsets: Range<u64>, position: u64, index_interval_bytes: u32) {
        self.has_damaged_bytes = true;
        self.runs.push(Run::new(offsets.end, position, index_interval_bytes, self.sparse));
        self.missing.push(offsets);
    }
}

impl Run {
    fn new(base_offset: u64, position: u64, index_interval_bytes: u32, sparse: bool) -> Self {
        let rebuilt = Rebuilt::new(base_offset, index_interval_bytes, sparse);
        Self { base_offset, next_offset: base_offset, bytes: position..position, rebuilt }
    }
}

/// Whether the file begins with a batch of this segment.
pub(super) fn has_batch(dir: &Dir, base_offset: u64) -> Result<bool, OpenError> {
    let path = dir.file(base_offset, names::LOG);
    let file = dir.open(base_offset, names::LOG, Access::Read)?;
    let unchecked = Epochs::default();
    let mut walk = Walk::new(&*file, base_offset, true, &unchecked).map_err(IoError::of("measure", &path))?;
    Ok(walk.step().map_err(IoError::of("read", &path))?.is_some_and(|found| found.is_ok()))
}
