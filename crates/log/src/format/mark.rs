//! The durable mark of a segment: how much of it is known to be on disk.
//!
//! A file `<base offset>.durable` of 8 KiB beside the segment, with two slots in separate 4 KiB blocks. Each
//! update goes to the slot that the last one did not use, so a torn write costs one slot and the other one still
//! holds. The valid slot with the higher sequence number counts.
//!
//! ```text
//!  0          slot 0: 128 bytes, then zeros           4096       slot 1           8192
//!  |------------------------------------------------------|------------------------|
//!
//!  slot   0  magic "HWDM"          24  durable position   56  max timestamp
//!         4  version u16, 1        32  next offset        64  index bytes u32,      68  their crc32
//!         6  flags u16             40  first append ms    72  time index bytes u32, 76  their crc32
//!         8  sequence u64          48  last append ms
//!        16  base offset u64          80  leader epoch i32        84  believed ms i64
//!        92  heads bytes u32,      96  their crc32, then zeros
//!                                                        124  crc32 of bytes 0 to 124
//! ```
//!
//! The numbers are big-endian like Kafka's. A mark is written only after the bytes it speaks of were synced, so
//! whichever of its states survives a crash is true.

use super::batch::OFFSET_END;
use super::field::{self, Fill, Sink};

/// The bytes of a mark file.
pub(crate) const FILE_BYTES: usize = 8192;
/// The distance of the two slots: no write of a sector or page touches both.
pub(crate) const SLOT_DISTANCE: usize = 4096;
/// The bytes of a slot.
pub(crate) const SLOT_BYTES: usize = 128;
/// The version that this release writes and reads.
pub(crate) const VERSION: u16 = 1;

const MAGIC: [u8; 4] = *b"HWDM";
const CRC_AT: usize = 124;
const FIELDS_BYTES: usize = 4 + 2 + 2 + 7 * 8 + 4 * 4 + 4 + 8 + 2 * 4;
const FLAG_SEALED: u16 = 1;
const FLAG_SPARSE: u16 = 2;
const FLAG_NUMBERED: u16 = 4;

const _: () = assert!(FILE_BYTES == 2 * SLOT_DISTANCE);
const _: () = assert!(SLOT_BYTES == CRC_AT + 4);
const _: () = assert!(FIELDS_BYTES <= CRC_AT);
// A slot lies within one 512-byte sector, the least that a disk writes at once.
const _: () = assert!(SLOT_BYTES <= 512 && SLOT_DISTANCE.is_multiple_of(512));

/// What is known of an index file: how many bytes it had, and their checksum. Enough to tell a damaged one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct IndexSum {
    pub(crate) bytes: u32,
    pub(crate) crc: u32,
}

impl IndexSum {
    pub(crate) fn of(index: &[u8]) -> Self {
        Self { bytes: u32::try_from(index.len()).unwrap_or(u32::MAX), crc: crc32fast::hash(index) }
    }
}

/// A slot's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    pub(crate) base_offset: u64,
    /// The bytes of the `.log` file that are durable.
    pub(crate) position: u64,
    /// The offset behind the last durable record.
    pub(crate) next_offset: u64,
    /// Nothing was appended behind `position`: the file was trimmed there, and its indexes are complete,
    /// trimmed and durable.
    pub(crate) sealed: bool,
    /// The offsets may have gaps (what compaction leaves): they rise, that is all.
    pub(crate) sparse: bool,
    /// Batches among those that are durable may have the numbers of a producer. Without it none has.
    pub(crate) numbered: bool,
    /// When the first append was made, by the log's clock.
    pub(crate) first_append_ms: i64,
    /// No append was made after this, by the log's clock.
    pub(crate) last_append_ms: i64,
    /// The largest timestamp of a record, if sealed and not empty.
    pub(crate) max_timestamp: i64,
    /// The offset index: all of it if sealed, otherwise as far as it went with the durable bytes. Its entries are no
    /// more durable than any others; but where the sum agrees they are right.
    pub(crate) index: IndexSum,
    /// The time index, likewise.
    pub(crate) time_index: IndexSum,
    /// The leader epoch in which the mark was written. A Kafka broker that takes the directory over begins a
    /// higher one, and keeps no marks: then all that the marks say is history.
    pub(crate) leader_epoch: i32,
    /// The time that was believed when the mark was written, by which a clock that has jumped ahead is told after the next
    /// opening; 0 in marks of before there was this.
    pub(crate) believed_ms: i64,
    /// The file with the checksums of the batch heads, which segments with gaps have; no bytes: there is none.
    pub(crate) heads: IndexSum,
}

impl Mark {
    /// Whether the mark says that anything is durable: these bytes, or at least every segment before this one.
    pub(crate) fn proves(&self) -> bool {
        self.sealed || self.position > 0
    }

    pub(crate) fn encode(&self, sequence: u64) -> [u8; SLOT_BYTES] {
        let mut slot = [0; SLOT_BYTES];
        let (fields, crc) = slot.split_at_mut(CRC_AT);
        let flags = u16::from(self.sealed) * FLAG_SEALED + u16::from(self.sparse) * FLAG_SPARSE;
        let flags = flags + u16::from(self.numbered) * FLAG_NUMBERED;
        let mut sink = Fill::new(fields);
        sink.put(&MAGIC);
        sink.put(&VERSION.to_be_bytes());
        sink.put(&flags.to_be_bytes());
        sink.put(&sequence.to_be_bytes());
        sink.put(&self.base_offset.to_be_bytes());
        sink.put(&self.position.to_be_bytes());
        sink.put(&self.next_offset.to_be_bytes());
        sink.put(&self.first_append_ms.to_be_bytes());
        sink.put(&self.last_append_ms.to_be_bytes());
        sink.put(&self.max_timestamp.to_be_bytes());
        for sum in [self.index, self.time_index] {
            sink.put(&sum.bytes.to_be_bytes());
            sink.put(&sum.crc.to_be_bytes());
        }
        sink.put(&self.leader_epoch.to_be_bytes());
        sink.put(&self.believed_ms.to_be_bytes());
        sink.put(&self.heads.bytes.to_be_bytes());
        sink.put(&self.heads.crc.to_be_bytes());
        crc.copy_from_slice(&crc32fast::hash(fields).to_be_bytes());
        slot
    }
}

/// The version of a mark file is none that this release knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnknownVersion(pub(crate) u16);

/// Reads a mark file: the newest valid slot and its sequence number, `None` when no slot is valid.
pub(crate) fn decode(file: &[u8]) -> Result<Option<(Mark, u64)>, UnknownVersion> {
    let mut newest: Option<(Mark, u64)> = None;
    for at in [0, SLOT_DISTANCE] {
        let slot = file.get(at..).and_then(|rest| rest.first_chunk::<SLOT_BYTES>());
        if let Some((mark, sequence)) = slot.map_or(Ok(None), decode_slot)?
            && newest.is_none_or(|(_, newer)| sequence > newer)
        {
            newest = Some((mark, sequence));
        }
    }
    Ok(newest)
}

/// The newest mark in the file of this segment; `None` when there is no valid one, or it is of another segment, or says an
/// offset that cannot be.
pub(crate) fn of_segment(file: &[u8], base_offset: u64) -> Result<Option<Mark>, UnknownVersion> {
    let is_of_segment = |mark: &Mark| {
        mark.base_offset == base_offset && (base_offset..=OFFSET_END).contains(&mark.next_offset)
    };
    Ok(decode(file)?.map(|(mark, _)| mark).filter(is_of_segment))
}

/// The state of the two slots of a mark file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Slots {
    pub(crate) valid: u32,
    /// Those that are not valid and not zeros either.
    pub(crate) damaged: u32,
}

/// Looks at both slots, for a check.
pub(crate) fn slots(file: &[u8]) -> Slots {
    let mut slots = Slots::default();
    for at in [0, SLOT_DISTANCE] {
        let slot = file.get(at..).and_then(|rest| rest.first_chunk::<SLOT_BYTES>());
        match slot.map(decode_slot) {
            // A version that is not known is no damage.
            Some(Ok(Some(_)) | Err(_)) => slots.valid += 1,
            Some(Ok(None)) if slot.is_some_and(|slot| slot.iter().all(|byte| *byte == 0)) => {}
            _ => slots.damaged += 1,
        }
    }
    slots
}

fn decode_slot(slot: &[u8; SLOT_BYTES]) -> Result<Option<(Mark, u64)>, UnknownVersion> {
    let (fields, mut crc) = slot.split_at(CRC_AT);
    // The checksum first: a damaged version is damage, not a version.
    if field::take_u32(&mut crc) != Some(crc32fast::hash(fields)) || !fields.starts_with(&MAGIC) {
        return Ok(None);
    }
    let mut rest = fields.get(MAGIC.len()..).unwrap_or_default();
    decode_fields(&mut rest).transpose()
}

fn decode_fields(from: &mut &[u8]) -> Option<Result<(Mark, u64), UnknownVersion>> {
    let version = field::take_u16(from)?;
    if version != VERSION {
        return Some(Err(UnknownVersion(version)));
    }
    let flags = field::take_u16(from)?;
    let sequence = field::take_u64(from)?;
    let mark = Mark {
        base_offset: field::take_u64(from)?,
        position: field::take_u64(from)?,
        next_offset: field::take_u64(from)?,
        sealed: flags & FLAG_SEALED != 0,
        sparse: flags & FLAG_SPARSE != 0,
        numbered: flags & FLAG_NUMBERED != 0,
        first_append_ms: field::take_i64(from)?,
        last_append_ms: field::take_i64(from)?,
        max_timestamp: field::take_i64(from)?,
        index: IndexSum { bytes: field::take_u32(from)?, crc: field::take_u32(from)? },
        time_index: IndexSum { bytes: field::take_u32(from)?, crc: field::take_u32(from)? },
        leader_epoch: field::take_i32(from)?,
        believed_ms: field::take_i64(from)?,
        heads: IndexSum { bytes: field::take_u32(from)?, crc: field::take_u32(from)? },
    };
    Some(Ok((mark, sequence)))
}

/// Where the slot for a sequence number begins.
pub(crate) fn slot_at(sequence: u64) -> usize {
    if sequence.is_multiple_of(2) { 0 } else { SLOT_DISTANCE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(position: u64) -> Mark {
        Mark {
            base_offset: 7,
            position,
            next_offset: 9,
            sealed: true,
            sparse: false,
            numbered: true,
            first_append_ms: -1,
            last_append_ms: 2,
            max_timestamp: 3,
            index: IndexSum::of(b"index"),
            time_index: IndexSum::of(b""),
            leader_epoch: 4,
            believed_ms: 5,
            heads: IndexSum::of(b"heads"),
        }
    }

    fn file(slots: &[(u64, Mark)]) -> Vec<u8> {
        let mut file = vec![0; FILE_BYTES];
        for (sequence, mark) in slots {
            file[slot_at(*sequence)..][..SLOT_BYTES].copy_from_slice(&mark.encode(*sequence));
        }
        file
    }

    #[test]
    fn the_newer_of_two_slots_counts() {
        assert_eq!(decode(&file(&[(4, mark(100)), (5, mark(200))])), Ok(Some((mark(200), 5))));
        assert_eq!(decode(&file(&[(6, mark(300)), (5, mark(200))])), Ok(Some((mark(300), 6))));
    }

    #[test]
    fn every_flipped_bit_of_a_slot_costs_only_that_slot() {
        let whole = file(&[(4, mark(100)), (5, mark(200))]);
        for bit in 0..SLOT_BYTES * 8 {
            let mut damaged = whole.clone();
            damaged[SLOT_DISTANCE + bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&damaged), Ok(Some((mark(100), 4))), "bit {bit}");
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_read_as_far_as_it_goes() {
        let whole = file(&[(4, mark(100)), (5, mark(200))]);
        for len in 0..FILE_BYTES {
            let expected = match len {
                0..SLOT_BYTES => None,
                len if len < SLOT_DISTANCE + SLOT_BYTES => Some((mark(100), 4)),
                _ => Some((mark(200), 5)),
            };
            assert_eq!(decode(&whole[..len]), Ok(expected));
        }
    }

    #[test]
    fn refuses_a_version_from_the_future() {
        let mut slot = mark(1).encode(0);
        slot[5] = 2;
        let crc = crc32fast::hash(&slot[..CRC_AT]);
        slot[CRC_AT..].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(decode(&slot), Err(UnknownVersion(2)));
    }
}
