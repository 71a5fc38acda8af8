//! Kafka's variable-length integers: zig-zag, 7 bits a byte, low group first.
//!
//! Up to 5 bytes for a 32-bit number ("varint"), up to 10 for a 64-bit one ("varlong"). A number that fits
//! both has the same bytes in both.

use super::field::{Sink, take};

/// Puts a number; the same bytes whether Kafka calls the field varint or varlong.
#[inline(always)]
pub(crate) fn put(number: i64, sink: &mut impl Sink) {
    let bits = zig_zag(number);
    // Almost every number of a record takes one byte or two.
    let [low, next, ..] = bits.to_le_bytes();
    if bits < 1 << 7 {
        sink.put(&[low]);
    } else if bits < 1 << 14 {
        sink.put(&[low | 0x80, next << 1 | low >> 7]);
    } else {
        put_long(bits, sink);
    }
}

/// The bytes that [`put`] puts.
#[inline(always)]
pub(crate) fn len(number: i64) -> usize {
    match zig_zag(number) {
        ..0x80 => 1,
        0x80..0x4000 => 2,
        // Seven bits a byte.
        bits => usize::try_from(bits.ilog2() / 7 + 1).unwrap_or(10),
    }
}

#[inline(always)]
fn zig_zag(number: i64) -> u64 {
    (number.wrapping_shl(1) ^ (number >> 63)).cast_unsigned()
}

fn put_long(mut bits: u64, sink: &mut impl Sink) {
    let mut bytes = [0_u8; 10];
    let mut len = 0;
    for byte in &mut bytes {
        len += 1;
        let [low, ..] = bits.to_le_bytes();
        bits >>= 7;
        if bits == 0 {
            *byte = low & 0x7f;
            break;
        }
        *byte = low | 0x80;
    }
    sink.put(bytes.get(..len).unwrap_or(&bytes));
}

/// Takes a varint. `None` when the bytes end, go on beyond the fifth, or hold more than 32 bits.
#[inline(always)]
pub(crate) fn take_i32(from: &mut &[u8]) -> Option<i32> {
    let bits = take_bits(from, 5)?;
    let bits = u32::try_from(bits).ok()?;
    Some((bits >> 1).cast_signed() ^ -((bits & 1).cast_signed()))
}

/// Takes a varlong. `None` when the bytes end, go on beyond the tenth, or hold more than 64 bits.
#[inline(always)]
pub(crate) fn take_i64(from: &mut &[u8]) -> Option<i64> {
    let bits = take_bits(from, 10)?;
    Some((bits >> 1).cast_signed() ^ -((bits & 1).cast_signed()))
}

#[inline(always)]
fn take_bits(from: &mut &[u8], bytes_max: u32) -> Option<u64> {
    // Almost every number of a record has one byte or two.
    match **from {
        [first, ref rest @ ..] if first < 0x80 => {
            *from = rest;
            Some(u64::from(first))
        }
        [first, second, ref rest @ ..] if second < 0x80 => {
            *from = rest;
            Some(u64::from(first & 0x7f) | u64::from(second) << 7)
        }
        _ => take_long(from, bytes_max),
    }
}

fn take_long(from: &mut &[u8], bytes_max: u32) -> Option<u64> {
    let mut bits = 0_u64;
    for group in 0..bytes_max {
        let [byte] = take(from)?;
        let low = u64::from(byte & 0x7f);
        if group == 9 && low > 1 {
            return None;
        }
        bits |= low << (7 * group);
        if byte < 0x80 {
            return Some(bits);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(number: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(number, &mut bytes);
        bytes
    }

    #[test]
    fn known_numbers_have_known_bytes() {
        // The rows of Kafka's ByteUtilsTest.
        let rows: [(i64, &[u8]); 9] = [
            (0, &[0x00]),
            (-1, &[0x01]),
            (1, &[0x02]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 0x01]),
            (i64::from(i32::MAX), &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i64::from(i32::MIN), &[0xff, 0xff, 0xff, 0xff, 0x0f]),
            (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ];
        for (number, bytes) in rows {
            assert_eq!(encoded(number), bytes, "{number}");
        }
    }

    #[test]
    fn refuses_a_sixth_byte_and_more_than_32_bits() {
        assert_eq!(take_i32(&mut [0x80, 0x80, 0x80, 0x80, 0x80, 0x01].as_slice()), None);
        assert_eq!(take_i32(&mut [0xff, 0xff, 0xff, 0xff, 0x1f].as_slice()), None);
        assert_eq!(take_i64(&mut [0xff; 11].as_slice()), None);
        assert_eq!(
            take_i64(&mut [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02].as_slice()),
            None
        );
        assert_eq!(take_i32(&mut [0x80].as_slice()), None);
    }

    proptest! {
        #[test]
        fn every_number_comes_back(long in any::<i64>(), int in any::<i32>()) {
            prop_assert_eq!((len(long), len(i64::from(int))), (encoded(long).len(), encoded(i64::from(int)).len()));
            prop_assert_eq!(take_i64(&mut encoded(long).as_slice()), Some(long));
            prop_assert_eq!(take_i32(&mut encoded(i64::from(int)).as_slice()), Some(int));
        }
    }
}
