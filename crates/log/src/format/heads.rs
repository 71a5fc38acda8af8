//! The heads of a compacted segment's batches: checksums of the bytes that Kafka's own checksum leaves out.
//!
//! Where offsets are dense, a wrong base offset does not follow on the batch before. Compaction leaves gaps, and a flipped
//! bit in a base offset would only be another gap. So a file `<base offset>.heads` beside such a segment has a CRC-32
//! for each block of some batches, over their first 21 bytes each:
//!
//! ```text
//!   .log     | batch | batch | .. | batch | batch | ..            a block ends after 16 batches or 4 KiB
//!              ####    ####         ####    ####                  head: base offset, length, epoch, magic, crc
//!            |<------ block ----->|<------ block ---
//!
//!   .heads   | "HWBH" | version u16 | 0 u16 | base offset u64 | position u32, crc u32 | position u32, crc u32 | ..
//!            0                                                16                      24
//! ```
//!
//! The length and the checksum of the file are in the segment's mark. What is behind the heads is under Kafka's checksum.

use std::ops::Range;

use super::batch::{self, CRC_COVERS_FROM};
use super::field::{self, Sink};

/// The bytes before the entries.
pub(crate) const FILE_HEADER_BYTES: usize = 16;
/// The bytes of an entry: where a block begins, and its checksum.
pub(crate) const BLOCK_ENTRY_BYTES: usize = 8;
/// The bytes of a batch that count: those before the ones that its own checksum covers.
pub(crate) const HEAD_BYTES: usize = CRC_COVERS_FROM;
/// A block ends after so many batches,
const BLOCK_BATCHES_MAX: u32 = 16;
/// or when it has so many bytes of batches.
const BLOCK_BYTES_MIN: u64 = 4096;

const MAGIC: [u8; 4] = *b"HWBH";
const VERSION: u16 = 1;

const _: () = assert!(FILE_HEADER_BYTES == MAGIC.len() + 2 + 2 + 8);
const _: () = assert!(BLOCK_ENTRY_BYTES == 4 + 4);

/// Makes the file while batches go by, from the first of the segment on.
#[derive(Debug, Clone)]
pub(crate) struct Builder {
    file: Vec<u8>,
    block: Option<Open>,
}

/// A block that is not full.
#[derive(Debug, Clone)]
struct Open {
    position: u32,
    batches: u32,
    bytes: u64,
    hasher: crc32fast::Hasher,
}

impl Builder {
    pub(crate) fn new(base_offset: u64) -> Self {
        let mut file = Vec::new();
        file.put(&MAGIC);
        file.put(&VERSION.to_be_bytes());
        file.put(&[0, 0]);
        file.put(&base_offset.to_be_bytes());
        Self { file, block: None }
    }

    /// Takes note of a batch: where it begins, its head, and its length.
    pub(crate) fn add(&mut self, position: u32, head: &[u8; HEAD_BYTES], bytes: usize) {
        let block = self.block.get_or_insert_with(|| Open {
            position,
            batches: 0,
            bytes: 0,
            hasher: crc32fast::Hasher::new(),
        });
        block.hasher.update(head);
        block.batches += 1;
        block.bytes = block.bytes.saturating_add(bytes as u64);
        if block.batches >= BLOCK_BATCHES_MAX || block.bytes >= BLOCK_BYTES_MIN {
            self.end_block();
        }
    }

    fn end_block(&mut self) {
        if let Some(Open { position, hasher, .. }) = self.block.take() {
            put_entry(position, hasher, &mut self.file);
        }
    }

    /// The file of the batches so far.
    pub(crate) fn file(&self) -> Vec<u8> {
        let mut file = self.file.clone();
        if let Some(Open { position, hasher, .. }) = &self.block {
            put_entry(*position, hasher.clone(), &mut file);
        }
        file
    }
}

fn put_entry(position: u32, hasher: crc32fast::Hasher, file: &mut Vec<u8>) {
    file.put(&position.to_be_bytes());
    file.put(&hasher.finalize().to_be_bytes());
}

/// The file, read.
#[derive(Debug)]
pub(crate) struct Heads {
    /// Where each block begins, and its checksum.
    blocks: Vec<(u32, u32)>,
    /// Where the last block ends.
    end: u64,
}

/// A block of batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) number: usize,
    /// Where its batches are in the `.log` file.
    pub(crate) bytes: Range<u64>,
    crc: u32,
}

impl Heads {
    /// Reads the file of the segment that begins with `base_offset` and has `end` bytes; `None` when it is not that.
    pub(crate) fn decode(file: &[u8], base_offset: u64, end: u64) -> Option<Self> {
        let (mut header, entries) = file.split_at_checked(FILE_HEADER_BYTES)?;
        let header = &mut header;
        let known = field::take::<4>(header)? == MAGIC
            && field::take_u16(header)? == VERSION
            && field::take_u16(header)? == 0
            && field::take_u64(header)? == base_offset;
        let (entries, rest) = entries.as_chunks::<BLOCK_ENTRY_BYTES>();
        let blocks: Vec<(u32, u32)> = entries
            .iter()
            .map(|entry| {
                let [a, b, c, d, e, f, g, h] = *entry;
                (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
            })
            .collect();
        let rises = blocks.is_sorted_by(|(one, _), (other, _)| one < other)
            && blocks.first().is_none_or(|(first, _)| *first == 0)
            && blocks.last().is_none_or(|(last, _)| u64::from(*last) < end);
        (known && rest.is_empty() && rises && blocks.is_empty() == (end == 0)).then_some(Self { blocks, end })
    }

    /// How many blocks there are.
    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// The block that has the byte at a position; `None` behind the last one.
    pub(crate) fn block(&self, position: u64) -> Option<Block> {
        if position >= self.end {
            return None;
        }
        let number = self.blocks.partition_point(|(at, _)| u64::from(*at) <= position).checked_sub(1)?;
        let (from, crc) = *self.blocks.get(number)?;
        let to = self.blocks.get(number + 1).map_or(self.end, |(next, _)| u64::from(*next));
        Some(Block { number, bytes: u64::from(from)..to, crc })
    }
}

impl Block {
    /// Whether the batches in these bytes, which are those of the block, have the heads that were written.
    pub(crate) fn holds(&self, bytes: &[u8]) -> bool {
        let mut hasher = crc32fast::Hasher::new();
        let mut rest = bytes;
        while let Some(head) = rest.first_chunk::<HEAD_BYTES>() {
            hasher.update(head);
            let Some(behind) = batch::stated_bytes(head).and_then(|bytes| rest.get(bytes..)) else {
                return false;
            };
            rest = behind;
        }
        rest.is_empty() && hasher.finalize() == self.crc
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::tests::encoded;
    use super::*;
    use crate::record::Record;

    /// Batches of 70 bytes or so with gaps in their offsets, and the file of their heads.
    fn written(count: u64) -> (Vec<u8>, Vec<u8>) {
        let mut builder = Builder::new(5);
        let mut log = Vec::new();
        for number in 0..count {
            let batch = encoded(&[Record::new("v").key("k")], 5 + 3 * number, 0);
            builder.add(u32::try_from(log.len()).unwrap(), batch.first_chunk().unwrap(), batch.len());
            log.extend(batch);
        }
        (log, builder.file())
    }

    fn all_hold(heads: &Heads, log: &[u8]) -> bool {
        let mut at = 0;
        while let Some(block) = heads.block(at) {
            let range =
                usize::try_from(block.bytes.start).unwrap()..usize::try_from(block.bytes.end).unwrap();
            if !block.holds(&log[range]) {
                return false;
            }
            at = block.bytes.end;
        }
        at == log.len() as u64
    }

    #[test]
    fn every_flipped_bit_of_every_head_is_found() {
        let (log, file) = written(40);
        let heads = Heads::decode(&file, 5, log.len() as u64).unwrap();
        assert_eq!(heads.len(), 3);
        assert!(all_hold(&heads, &log));
        let batch = log.len() / 40;
        for number in 0..40 {
            for bit in 0..HEAD_BYTES * 8 {
                let mut damaged = log.clone();
                damaged[number * batch + bit / 8] ^= 1 << (bit % 8);
                assert!(!all_hold(&heads, &damaged), "batch {number}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_file_of_another_segment_or_cut_is_none() {
        let (log, file) = written(20);
        let end = log.len() as u64;
        assert!(Heads::decode(&file, 5, end).is_some());
        assert!(Heads::decode(&file, 6, end).is_none());
        assert!(Heads::decode(&file[..file.len() - 1], 5, end).is_none());
        assert!(Heads::decode(&file[..FILE_HEADER_BYTES], 5, end).is_none());
        assert!(Heads::decode(&Builder::new(5).file(), 5, 0).is_some());
        for len in 0..FILE_HEADER_BYTES {
            assert!(Heads::decode(&file[..len], 5, end).is_none());
        }
    }

    #[test]
    fn a_position_leads_to_its_block() {
        let (log, file) = written(40);
        let heads = Heads::decode(&file, 5, log.len() as u64).unwrap();
        for position in 0..log.len() as u64 {
            let block = heads.block(position).unwrap();
            assert!(block.bytes.contains(&position));
        }
        assert_eq!(heads.block(log.len() as u64), None);
    }
}
