//! What a partition remembers of its producers, as Kafka keeps it: `<offset>.snapshot`, the state before that offset.
//!
//! ```text
//!   0         2      6        10
//!   | version | crc  | count  | entry | entry | ..
//!   | i16, 1  | u32  | i32    |
//!                    |<-- crc32c of all this --..
//!
//!   entry   0  producer id i64       14  last offset i64, -1 none     34  coordinator epoch i32
//!           8  epoch i16             22  offset delta i32             38  first offset of its transaction i64, -1 none
//!          10  last sequence i32     26  timestamp i64                46
//! ```
//!
//! Source: Apache Kafka, `ProducerStateManager`. Kafka writes one entry for a producer, that of its last batch. We write one for
//! each batch that is remembered, the oldest first: Kafka's reader lets a later entry of a producer take the place of an earlier
//! one, and so comes to the same state as if it had written the file; we get the whole window back.

use super::batch::crc32c;
use super::field::{self, Sink};

/// The bytes before the entries.
pub(crate) const HEAD_BYTES: usize = 10;
/// The bytes of an entry.
pub(crate) const ENTRY_BYTES: usize = 46;
/// The version that Kafka writes.
pub(crate) const VERSION: i16 = 1;

const CRC_COVERS_FROM: usize = 6;
const NONE: i64 = -1;

const _: () = assert!(HEAD_BYTES == 2 + 4 + 4 && CRC_COVERS_FROM == 2 + 4);
const _: () = assert!(ENTRY_BYTES == 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8);

/// A batch of a producer, or a producer without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    /// The last sequence number and offset of the batch; `None` when all that is known is the epoch.
    pub(crate) last: Option<(i32, u64)>,
    /// The last sequence number less the first, and the last offset less the first.
    pub(crate) offset_delta: u32,
    pub(crate) timestamp: i64,
    /// That of the coordinator that ended the producer's last transaction.
    pub(crate) coordinator_epoch: i32,
    /// Where a transaction that was not ended begins.
    pub(crate) txn_first_offset: Option<u64>,
}

/// Why a file is no snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// Cut, or longer than its entries.
    Length,
    /// Another version than the one that is known.
    Version(i16),
    Checksum,
    /// A field has a value that cannot be.
    Field,
}

/// Encodes a snapshot. Entries beyond what the count can say are left out.
pub(crate) fn encode(entries: &[Entry]) -> Vec<u8> {
    let count = i32::try_from(entries.len()).unwrap_or(i32::MAX);
    let mut bytes = Vec::with_capacity(HEAD_BYTES.saturating_add(entries.len().saturating_mul(ENTRY_BYTES)));
    bytes.put(&VERSION.to_be_bytes());
    bytes.put(&[0; 4]);
    bytes.put(&count.to_be_bytes());
    for entry in entries.iter().take(usize::try_from(count).unwrap_or(usize::MAX)) {
        let (last_sequence, last_offset) = entry
            .last
            .map_or((-1, NONE), |(sequence, offset)| (sequence, i64::try_from(offset).unwrap_or(NONE)));
        bytes.put(&entry.producer_id.to_be_bytes());
        bytes.put(&entry.epoch.to_be_bytes());
        bytes.put(&last_sequence.to_be_bytes());
        bytes.put(&last_offset.to_be_bytes());
        bytes.put(&entry.offset_delta.to_be_bytes());
        bytes.put(&entry.timestamp.to_be_bytes());
        bytes.put(&entry.coordinator_epoch.to_be_bytes());
        let first = entry.txn_first_offset.and_then(|offset| i64::try_from(offset).ok());
        bytes.put(&first.unwrap_or(NONE).to_be_bytes());
    }
    let crc = crc32c(bytes.get(CRC_COVERS_FROM..).unwrap_or_default());
    if let Some(target) = bytes.get_mut(2..CRC_COVERS_FROM) {
        target.copy_from_slice(&crc.to_be_bytes());
    }
    bytes
}

/// Decodes a snapshot. Nothing is allocated before the length was checked.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Entry>, Invalid> {
    let mut rest = bytes;
    let version = field::take_i16(&mut rest).ok_or(Invalid::Length)?;
    if version != VERSION {
        return Err(Invalid::Version(version));
    }
    let crc = field::take_u32(&mut rest).ok_or(Invalid::Length)?;
    if crc32c(rest) != crc {
        return Err(Invalid::Checksum);
    }
    let count = field::take_i32(&mut rest).ok_or(Invalid::Length)?;
    let count = usize::try_from(count).map_err(|_| Invalid::Field)?;
    if count.checked_mul(ENTRY_BYTES) != Some(rest.len()) {
        return Err(Invalid::Length);
    }
    let mut entries = Vec::with_capacity(count);
    while !rest.is_empty() {
        entries.push(take_entry(&mut rest).ok_or(Invalid::Length)?.ok_or(Invalid::Field)?);
    }
    Ok(entries)
}

/// The outer `None` is the end of the bytes, the inner one a value that cannot be.
#[expect(clippy::option_option, reason = "cut and impossible are two things")]
fn take_entry(from: &mut &[u8]) -> Option<Option<Entry>> {
    let producer_id = field::take_i64(from)?;
    let epoch = field::take_i16(from)?;
    let last_sequence = field::take_i32(from)?;
    let last_offset = field::take_i64(from)?;
    let offset_delta = field::take_i32(from)?;
    let timestamp = field::take_i64(from)?;
    let coordinator_epoch = field::take_i32(from)?;
    let txn_first_offset = u64::try_from(field::take_i64(from)?).ok();
    let last = u64::try_from(last_offset).ok().map(|offset| (last_sequence, offset));
    let Ok(offset_delta) = u32::try_from(offset_delta) else { return Some(None) };
    let possible = producer_id >= 0
        && last.is_none_or(|(sequence, offset)| sequence >= 0 && offset >= u64::from(offset_delta));
    Some(possible.then_some(Entry {
        producer_id,
        epoch,
        last,
        offset_delta,
        timestamp,
        coordinator_epoch,
        txn_first_offset,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> [Entry; 2] {
        let one = Entry {
            producer_id: 7,
            epoch: 1,
            last: Some((4, 104)),
            offset_delta: 2,
            timestamp: 0x0102_0304_0506_0708,
            coordinator_epoch: -1,
            txn_first_offset: None,
        };
        [one, Entry { producer_id: 4242, last: None, offset_delta: 0, txn_first_offset: Some(9), ..one }]
    }

    /// Put together by hand, field by field, as `ProducerStateManager.writeSnapshot` lays them out.
    #[test]
    fn the_bytes_are_kafkas() {
        let body = [
            &[0, 0, 0, 2][..],                       // two entries
            &[0, 0, 0, 0, 0, 0, 0, 7, 0, 1],         // producer 7, epoch 1
            &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 104], // last sequence 4, last offset 104
            &[0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8],   // from 2 before, at this time
            &[255; 12],                              // no coordinator, no transaction
            &[0, 0, 0, 0, 0, 0, 0x10, 0x92, 0, 1],   // producer 4242, epoch 1
            &[255; 12],                              // no batch
            &[0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
            &[255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 9], // a transaction from offset 9 on
        ]
        .concat();
        // CRC-32C bit by bit: another way than the library's.
        let crc =
            !body.iter().fold(!0_u32, |crc, byte| {
                (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                    if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 }
                })
            });
        let bytes = [&[0, 1][..], &crc.to_be_bytes(), &body].concat();
        assert_eq!(encode(&entries()), bytes);
        assert_eq!(decode(&bytes), Ok(entries().to_vec()));
        assert_eq!(encode(&[]).len(), HEAD_BYTES);
        assert_eq!(decode(&encode(&[])), Ok(Vec::new()));
    }

    #[test]
    fn a_snapshot_cut_at_every_byte_or_with_any_bit_flipped_is_none() {
        let whole = encode(&entries());
        for len in 0..whole.len() {
            assert!(decode(&whole[..len]).is_err(), "cut at {len}");
        }
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged).is_err(), "bit {bit}");
        }
        assert!(decode(&[&whole[..], &[0]].concat()).is_err());
    }

    #[test]
    fn values_that_cannot_be_are_refused_under_a_right_checksum() {
        let [one, _] = entries();
        let bad = [
            Entry { producer_id: -1, ..one },
            Entry { offset_delta: u32::MAX, ..one },
            Entry { offset_delta: 105, ..one },
            Entry { last: Some((-1, 104)), ..one },
        ];
        for entry in bad {
            assert_eq!(decode(&encode(&[entry])), Err(Invalid::Field), "{entry:?}");
        }
        let mut many = encode(&[one]);
        many[6..10].copy_from_slice(&i32::MAX.to_be_bytes());
        let crc = crc32c(&many[6..]);
        many[2..6].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(decode(&many), Err(Invalid::Length));
    }
}
