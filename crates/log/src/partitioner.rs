//! Which partition a key goes to, as Kafka's own clients decide it.
//!
//! Source: `BuiltInPartitioner` and `Utils.murmur2` of Apache Kafka; the hash is Austin Appleby's MurmurHash2,
//! 32 bit, with the seed that Kafka chose.

const SEED: u32 = 0x9747_b28c;
const M: u32 = 0x5bd1_e995;
const R: u32 = 24;

/// Returns Kafka's 32-bit murmur2 hash of `bytes`.
///
/// Kafka's is a signed number; this is the same 32 bits, unsigned.
///
/// # Examples
///
/// ```
/// use headwater_log::partitioner::murmur2;
///
/// assert_eq!(murmur2(b"21").cast_signed(), -973932308);
/// ```
#[must_use]
pub fn murmur2(bytes: &[u8]) -> u32 {
    // The hash takes the length modulo 2^32, as Java's int does.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the hash is defined on the low 32 bits of the length"
    )]
    let mut hash = SEED ^ bytes.len() as u32;
    let (words, tail) = bytes.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (byte, shift) in tail.iter().zip([0, 8, 16]) {
            hash ^= u32::from(*byte) << shift;
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// Returns the partition, from 0, to which Kafka's clients send a record with this key.
///
/// A `count` of 0 counts as 1.
///
/// # Examples
///
/// ```
/// use headwater_log::partitioner::partition_for_key;
///
/// assert!(partition_for_key(b"factory/line-1/temperature", 8) < 8);
/// ```
#[must_use]
pub fn partition_for_key(key: &[u8], count: u32) -> u32 {
    // Kafka's toPositive clears the sign bit; it does not take the absolute value.
    (murmur2(key) & 0x7fff_ffff) % count.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_kafkas_clients_do() {
        // The values of Kafka's UtilsTest.testMurmur2, and those that Akka keeps for its copy of the hash.
        let known: [(&[u8], i32); 11] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
            (b"1", -1_993_445_489),
            (b"12", 126_087_238),
            (b"123", -267_702_483),
            (b"1234", -1_614_185_708),
            (b"12345", -1_188_365_604),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key).cast_signed(), hash, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn clears_the_sign_instead_of_negating() {
        // -973932308 & 0x7fffffff = 1173551340; its absolute value would give another partition.
        assert_eq!(partition_for_key(b"21", 1000), 340);
        assert_eq!(partition_for_key(b"21", 0), 0);
    }
}
