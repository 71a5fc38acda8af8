use crate::error::Damage;
use crate::format::batch::{self, Header};
use crate::format::checkpoint::Epochs;

/// Walks the batches of a segment, checking that each is one and that its offset follows.
///
/// What Kafka's checksum leaves out of a batch is covered by what must follow from its neighbours: the base
/// offset by density, the leader epoch by the partition's list of epochs, the length by the checksum that the
/// wrong bytes would give.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    next_offset: u64,
    sparse: bool,
    epochs: &'a Epochs,
}

/// A batch and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) at: usize,
    pub(crate) header: Header,
}

impl Found {
    pub(crate) fn end(&self) -> usize {
        self.at.saturating_add(self.header.bytes)
    }
}

impl<'a> Scanner<'a> {
    /// A scanner that stands at the beginning of a batch whose base offset is `next_offset`, or not below it
    /// when the segment is sparse.
    pub(crate) fn new(
        bytes: &'a [u8],
        at: usize,
        next_offset: u64,
        sparse: bool,
        epochs: &'a Epochs,
    ) -> Self {
        Self { bytes, at, next_offset, sparse, epochs }
    }

    /// Where the scanner stands: behind the last batch that it gave.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// The offset behind the last batch that it gave.
    pub(crate) fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// Steps over the batches that end before `offset`, by as few fields as that takes: they are known to be right up to
    /// `known_end`.
    pub(crate) fn pass_known(&mut self, offset: u64, known_end: usize) {
        let known = self.bytes.get(..known_end.min(self.bytes.len())).unwrap_or_default();
        while let Some((bytes, last_offset)) = known.get(self.at..).and_then(batch::extent) {
            let end = self.at.saturating_add(bytes);
            if last_offset >= offset || end > known.len() {
                return;
            }
            (self.at, self.next_offset) = (end, last_offset.saturating_add(1));
        }
    }

    /// Looks at the next batch without its checksum and steps behind it; `None` at the end. After damage the
    /// scanner stands where it stood.
    #[inline]
    pub(crate) fn step(&mut self) -> Option<Result<Found, Damage>> {
        self.look().map(|found| {
            found.inspect(|found| {
                self.at = found.end();
                self.next_offset = found.header.next_offset();
            })
        })
    }

    /// The same, and checks the checksum.
    pub(crate) fn step_checked(&mut self) -> Option<Result<Found, Damage>> {
        let (at, next_offset) = (self.at, self.next_offset);
        let found = self.step()?;
        Some(found.and_then(|found| {
            self.verify(&found).inspect_err(|_| (self.at, self.next_offset) = (at, next_offset))?;
            Ok(found)
        }))
    }

    /// Checks the checksum of a batch that this scanner gave.
    #[inline]
    pub(crate) fn verify(&self, found: &Found) -> Result<(), Damage> {
        found.header.verify(self.bytes.get(found.at..).unwrap_or_default())
    }

    #[inline]
    fn look(&self) -> Option<Result<Found, Damage>> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        Some(Header::parse(rest).and_then(|header| {
            let (expected, found) = (self.next_offset, header.base_offset);
            if found < expected || (found > expected && !self.sparse) {
                return Err(Damage::Offset { expected, found });
            }
            match self.epochs.at(found) {
                Some(expected) if expected != header.leader_epoch => {
                    Err(Damage::Epoch { expected, found: header.leader_epoch })
                }
                _ => Ok(Found { at: self.at, header }),
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::batch::tests::encoded;
    use crate::record::Record;

    fn three_batches() -> Vec<u8> {
        [("a", 10), ("b", 11), ("c", 12)]
            .map(|(value, offset)| encoded(&[Record::new(value)], offset, 0))
            .concat()
    }

    fn outcome(bytes: &[u8]) -> (usize, Option<Damage>) {
        let epochs = Epochs::beginning_at(0);
        let mut scanner = Scanner::new(bytes, 0, 10, false, &epochs);
        let mut good = 0;
        loop {
            match scanner.step_checked() {
                None => return (good, None),
                Some(Err(damage)) => return (good, Some(damage)),
                Some(Ok(_)) => good += 1,
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_found_in_its_batch() {
        let bytes = three_batches();
        let batch = bytes.len() / 3;
        assert_eq!(outcome(&bytes), (3, None));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let (good, damage) = outcome(&damaged);
            assert_eq!(good, bit / 8 / batch, "bit {bit}");
            assert!(damage.is_some(), "bit {bit}");
        }
    }

    #[test]
    fn every_cut_ends_at_the_last_whole_batch() {
        let bytes = three_batches();
        let batch = bytes.len() / 3;
        for len in 0..bytes.len() {
            let (good, damage) = outcome(&bytes[..len]);
            assert_eq!((good, damage.is_some()), (len / batch, len % batch != 0));
        }
    }

    #[test]
    fn gaps_are_damage_unless_the_segment_is_sparse() {
        let bytes = [encoded(&[Record::new("a")], 10, 0), encoded(&[Record::new("b")], 15, 0)].concat();
        assert_eq!(outcome(&bytes), (1, Some(Damage::Offset { expected: 11, found: 15 })));
        let epochs = Epochs::default();
        let mut scanner = Scanner::new(&bytes, 0, 3, true, &epochs);
        assert!(scanner.step_checked().unwrap().is_ok());
        assert!(scanner.step_checked().unwrap().is_ok());
        assert_eq!((scanner.step_checked(), scanner.next_offset()), (None, 16));
    }

    #[test]
    fn a_wrong_epoch_is_damage() {
        let bytes = encoded(&[Record::new("a")], 10, 3);
        assert_eq!(outcome(&bytes), (0, Some(Damage::Epoch { expected: 0, found: 3 })));
    }
}
