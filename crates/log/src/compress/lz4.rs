//! The LZ4 frame. Kafka's Java clients read frames of independent blocks only, and so that is what is written.
//!
//! ```text
//!   04 22 4d 18 | FLG | BD | content size? | HC | block | block | .. | 00 00 00 00 | content checksum?
//!                                 u64 LE     |    '- length u32 LE, highest bit: stored | bytes | checksum?
//!                                            '- second byte of the checksum of FLG, BD and content size
//!
//!   FLG   0 1 | independent | block checksums | content size | content checksum | 0 | dictionary
//!   BD    0 | most bytes of a block: 4 64 KiB, 5 256 KiB, 6 1 MiB, 7 4 MiB | 0 0 0 0
//! ```
//!
//! The frame is ours, the blocks are `lz4_flex`'s: a block is decompressed to its place, behind the ones before it, which are
//! its dictionary where blocks are not independent. Source: "LZ4 Frame Format Description" 1.6.3.

use lz4_flex::block;
use twox_hash::XxHash32;

use super::Failure;
use crate::format::field;

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
/// Version 1, independent blocks.
const FLG: u8 = 0x60;
const FLG_VERSION_MASK: u8 = 0xc0;
const FLG_VERSION: u8 = 0x40;
const FLG_INDEPENDENT: u8 = 0x20;
const FLG_BLOCK_CHECKSUMS: u8 = 0x10;
const FLG_CONTENT_SIZE: u8 = 0x08;
const FLG_CONTENT_CHECKSUM: u8 = 0x04;
/// A dictionary, which no client of Kafka has, and the bit that has to be 0.
const FLG_REFUSED: u8 = 0x03;
/// Blocks of 64 KiB.
const BD: u8 = 0x40;
const BD_REFUSED: u8 = 0x8f;
const BLOCK_BYTES: usize = 64 * 1024;
/// The checksum of [`FLG`] and [`BD`].
const HC: u8 = 0x82;
/// The bit of a block's length that says that it is stored as it is.
const STORED: u32 = 0x8000_0000;
/// So far back a block reaches into those before it.
const WINDOW_BYTES: usize = 64 * 1024;
/// A byte makes at most 255: no block becomes more than so many times its length.
const RATIO_MAX: usize = 255;

/// What the descriptor of a frame says.
#[derive(Debug, Clone, Copy)]
struct Descriptor {
    independent: bool,
    block_checksums: bool,
    content_checksum: bool,
    content_bytes: Option<u64>,
    block_bytes_max: usize,
}

pub(super) fn decompress(stream: &[u8], bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut rest = stream.strip_prefix(&MAGIC).ok_or(Failure::Malformed)?;
    let descriptor = Descriptor::take(&mut rest).ok_or(Failure::Malformed)?;
    if descriptor.content_bytes.is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(Failure::TooLarge);
    }
    let mut bytes = Vec::new();
    loop {
        let length = field::take(&mut rest).map(u32::from_le_bytes).ok_or(Failure::Malformed)?;
        if length == 0 {
            break;
        }
        let len = usize::try_from(length & !STORED).map_err(|_| Failure::Malformed)?;
        let block = field::take_slice(&mut rest, len).ok_or(Failure::Malformed)?;
        if descriptor.block_checksums {
            check(block, &mut rest)?;
        }
        if length & STORED == 0 {
            append(block, descriptor, bytes_max, &mut bytes)?;
        } else if block.len() > descriptor.block_bytes_max {
            return Err(Failure::Malformed);
        } else if block.len() > bytes_max.saturating_sub(bytes.len()) {
            return Err(Failure::TooLarge);
        } else {
            bytes.extend_from_slice(block);
        }
    }
    if descriptor.content_checksum {
        check(&bytes, &mut rest)?;
    }
    let as_stated = descriptor.content_bytes.is_none_or(|stated| stated == bytes.len() as u64);
    if as_stated && rest.is_empty() { Ok(bytes) } else { Err(Failure::Malformed) }
}

/// Decompresses a block behind those before it.
fn append(
    block: &[u8],
    descriptor: Descriptor,
    bytes_max: usize,
    bytes: &mut Vec<u8>,
) -> Result<(), Failure> {
    let from = bytes.len();
    let block_max = descriptor.block_bytes_max.min(block.len().saturating_mul(RATIO_MAX));
    let left = bytes_max.saturating_sub(from);
    bytes.resize(from.saturating_add(block_max.min(left)), 0);
    let (before, target) = bytes.split_at_mut_checked(from).ok_or(Failure::Malformed)?;
    let written = if descriptor.independent {
        independent(block, target)
    } else {
        dependent(block, target, before.get(from.saturating_sub(WINDOW_BYTES)..).unwrap_or_default())
    };
    match written {
        Ok(written) => {
            bytes.truncate(from.saturating_add(written));
            Ok(())
        }
        Err(block::DecompressError::OutputTooSmall { .. }) if left < block_max => Err(Failure::TooLarge),
        Err(_) => Err(Failure::Malformed),
    }
}

// Each by itself: where both are built into one function, parts of their loops are called instead, which takes half as long again.

#[inline(never)]
fn independent(block: &[u8], target: &mut [u8]) -> Result<usize, block::DecompressError> {
    block::decompress_into(block, target)
}

#[inline(never)]
fn dependent(block: &[u8], target: &mut [u8], before: &[u8]) -> Result<usize, block::DecompressError> {
    block::decompress_into_with_dict(block, target, before)
}

/// Takes a checksum and compares it.
fn check(bytes: &[u8], rest: &mut &[u8]) -> Result<(), Failure> {
    let stated = field::take(rest).map(u32::from_le_bytes);
    if stated == Some(XxHash32::oneshot(0, bytes)) { Ok(()) } else { Err(Failure::Malformed) }
}

impl Descriptor {
    fn take(rest: &mut &[u8]) -> Option<Self> {
        let begin = *rest;
        let [flg, bd] = field::take(rest)?;
        if flg & FLG_VERSION_MASK != FLG_VERSION || flg & FLG_REFUSED != 0 || bd & BD_REFUSED != 0 {
            return None;
        }
        let block_bytes_max = match bd >> 4 {
            4 => 64 * 1024,
            5 => 256 * 1024,
            6 => 1024 * 1024,
            7 => 4 * 1024 * 1024,
            _ => return None,
        };
        let content_bytes = match flg & FLG_CONTENT_SIZE {
            0 => None,
            _ => Some(field::take(rest).map(u64::from_le_bytes)?),
        };
        let described = begin.get(..begin.len().checked_sub(rest.len())?)?;
        let [checksum] = field::take(rest)?;
        let [_, computed, ..] = XxHash32::oneshot(0, described).to_le_bytes();
        (checksum == computed).then_some(Self {
            independent: flg & FLG_INDEPENDENT != 0,
            block_checksums: flg & FLG_BLOCK_CHECKSUMS != 0,
            content_checksum: flg & FLG_CONTENT_CHECKSUM != 0,
            content_bytes,
            block_bytes_max,
        })
    }
}

pub(super) fn compress(records: &[u8], into: &mut Vec<u8>) -> Result<(), Failure> {
    into.extend_from_slice(&MAGIC);
    into.extend_from_slice(&[FLG, BD, HC]);
    let mut table = block::CompressTable::default();
    for chunk in records.chunks(BLOCK_BYTES) {
        let length_at = into.len();
        let at = length_at.saturating_add(4);
        into.resize(at.saturating_add(block::get_maximum_output_size(chunk.len())), 0);
        let target = into.get_mut(at..).unwrap_or_default();
        // The target has room for the worst.
        let len =
            block::compress_into_with_table(chunk, target, &mut table).map_err(|_| Failure::TooLarge)?;
        into.truncate(at.saturating_add(len));
        let mut length = u32::try_from(len).map_err(|_| Failure::TooLarge)?;
        if len >= chunk.len() {
            into.truncate(at);
            into.extend_from_slice(chunk);
            length = u32::try_from(chunk.len()).map_err(|_| Failure::TooLarge)? | STORED;
        }
        if let Some(field) = into.get_mut(length_at..at) {
            field.copy_from_slice(&length.to_le_bytes());
        }
    }
    into.extend_from_slice(&0_u32.to_le_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_the_descriptor_is_that_of_its_bytes() {
        let [_, computed, ..] = XxHash32::oneshot(0, &[FLG, BD]).to_le_bytes();
        assert_eq!(HC, computed);
    }
}
