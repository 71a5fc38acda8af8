//! The producer ids that were given out: a small file at the log's root.
//!
//! ```text
//!   0        4         6       8              16      20
//!   | "HWPI" | version | 0     | next id      | crc   |
//!   | bytes  | u16, 1  | u16   | i64          | u32   |     crc32c of the bytes before it
//! ```
//!
//! No id from `next id` on was given out. It is raised, durably, by a block at a time, before the first id of the block is.

use super::batch::crc32c;
use super::field::{self, Fill, Sink};

/// The bytes of the file.
pub(crate) const FILE_BYTES: usize = 20;
/// So many ids are taken at a time, as by a Kafka broker.
pub(crate) const BLOCK_IDS: i64 = 1000;
/// The version that this release writes and reads.
pub(crate) const VERSION: u16 = 1;

const MAGIC: [u8; 4] = *b"HWPI";
const CRC_AT: usize = 16;

const _: () = assert!(FILE_BYTES == CRC_AT + 4 && CRC_AT == 4 + 2 + 2 + 8);

/// Why a file does not tell the next id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Invalid {
    Damaged,
    Version(u16),
}

pub(crate) fn encode(next: i64) -> [u8; FILE_BYTES] {
    let mut file = [0; FILE_BYTES];
    let (fields, crc) = file.split_at_mut(CRC_AT);
    let mut sink = Fill::new(fields);
    sink.put(&MAGIC);
    sink.put(&VERSION.to_be_bytes());
    sink.put(&[0; 2]);
    sink.put(&next.to_be_bytes());
    crc.copy_from_slice(&crc32c(fields).to_be_bytes());
    file
}

pub(crate) fn decode(file: &[u8]) -> Result<i64, Invalid> {
    let file: &[u8; FILE_BYTES] = file.try_into().map_err(|_| Invalid::Damaged)?;
    let (fields, mut crc) = file.split_at(CRC_AT);
    if field::take_u32(&mut crc) != Some(crc32c(fields)) || !fields.starts_with(&MAGIC) {
        return Err(Invalid::Damaged);
    }
    let mut rest = fields.get(MAGIC.len()..).unwrap_or_default();
    let version = field::take_u16(&mut rest).ok_or(Invalid::Damaged)?;
    if version != VERSION {
        return Err(Invalid::Version(version));
    }
    field::take_u16(&mut rest);
    field::take_i64(&mut rest).filter(|next| *next >= 0).ok_or(Invalid::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_and_every_flipped_bit_is_damage() {
        let file = encode(0x0102_0304_0506_0708);
        assert_eq!(file[..16], *b"HWPI\x00\x01\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08");
        assert_eq!(decode(&file), Ok(0x0102_0304_0506_0708));
        for len in 0..FILE_BYTES {
            assert_eq!(decode(&file[..len]), Err(Invalid::Damaged));
        }
        for bit in 0..FILE_BYTES * 8 {
            let mut damaged = file;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&damaged), Err(Invalid::Damaged), "bit {bit}");
        }
        assert_eq!(decode(&encode(-1)), Err(Invalid::Damaged));
        let mut later = file;
        later[5] = 2;
        let crc = crc32c(&later[..CRC_AT]);
        later[CRC_AT..].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(decode(&later), Err(Invalid::Version(2)));
    }
}
