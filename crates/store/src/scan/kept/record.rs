//! A range as bytes: the value of a record in `__headwater_summaries`.

use bytes::BufMut;

use super::super::bits::Bits;
use super::super::summary::Known;
use crate::session::SnapshotError;
use crate::session::fields::{put_count, take_all, take_array, take_u32, take_u64, take_version};

/// The version that this code writes, and the only one that it reads. It says what the bits mean as well: whoever changes [`Bits`], the keys of a
/// topic, or which record is a message and under which topic, has to raise it.
const VERSION: u8 = 1;

/// What a log topic is told by: its name may have been another one's.
pub(super) type TopicId = [u8; 16];

/// All that is kept of a range.
///
/// ```text
/// version u8 = 1 | topic id 16 bytes | partition u32 | begin u64 | end u64
/// partitions u32, then for each that messages are in: durable end u64
/// bits: the words, u64 each
/// ```
///
/// All integers are big-endian. The record has no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeptRange {
    pub(super) topic_id: TopicId,
    pub(super) partition: u32,
    pub(super) known: Known,
    /// Where the partitions ended when this was written, by their lanes: no record before this one is about what is behind that.
    pub(super) ends: Vec<u64>,
}

impl KeptRange {
    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { topic_id, partition, known: Known { begin, end, bits }, ends } = self;
        let mut out = Vec::with_capacity(41 + ends.len() * 8 + bits.bytes());
        out.put_u8(VERSION);
        out.put_slice(topic_id);
        out.put_u32(*partition);
        out.put_u64(*begin);
        out.put_u64(*end);
        put_count(&mut out, ends.len());
        ends.iter().for_each(|end| out.put_u64(*end));
        bits.words().iter().for_each(|word| out.put_u64(*word));
        out
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Result<Self, SnapshotError> {
        let input = &mut bytes;
        take_version(input, VERSION..=VERSION)?;
        let topic_id = take_array(input, "topic id")?;
        let partition = take_u32(input, "partition")?;
        let begin = take_u64(input, "begin")?;
        let end = take_u64(input, "end")?;
        let ends = take_all(input, "ends", 8, |input| take_u64(input, "ends"))?;
        let (words, rest) = input.as_chunks::<8>();
        let words: Box<[u64]> = words.iter().map(|word| u64::from_be_bytes(*word)).collect();
        let bits = Bits::from_words(words).filter(|_| rest.is_empty());
        let bits = bits.ok_or(SnapshotError::Invalid { field: "bits" })?;
        if begin >= end {
            return Err(SnapshotError::Invalid { field: "end" });
        }
        Ok(Self { topic_id, partition, known: Known { begin, end, bits }, ends })
    }
}

#[cfg(test)]
mod tests {
    use headwater_topic::TopicName;

    use super::super::super::keys;
    use super::*;

    fn example() -> KeptRange {
        let mut bits = Bits::new();
        for topic in ["site/7/line/3", "/", "$SYS/a", "a//b", "b/c/d/e/f/g/h/i/j"] {
            keys::insert(TopicName::parse(topic).unwrap(), &mut bits);
        }
        let known = Known { begin: 7, end: 4_103, bits: bits.folded().unwrap() };
        KeptRange { topic_id: *b"sixteen bytes id", partition: 2, known, ends: vec![5, 0, 4_200] }
    }

    /// Whoever sees this fail has changed what the bits of a topic are: then ranges that were written before would hide messages. Raise the version.
    #[test]
    fn the_bits_of_a_topic_are_those_of_this_version() {
        let bytes = example().encode();
        assert_eq!(bytes[0], 1);
        assert_eq!(bytes[1..17], *b"sixteen bytes id");
        assert_eq!(bytes[17..21], [0, 0, 0, 2]);
        assert_eq!(bytes[21..37], [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0x10, 0x07]);
        assert_eq!(bytes[37..41], [0, 0, 0, 3]);
        assert_eq!(bytes[57..65], [0, 0, 0, 0, 0, 0, 0x10, 0x68]);
        let words: Vec<String> =
            example().known.bits.words().iter().map(|word| format!("{word:016x}")).collect();
        assert_eq!(words, ["78a4207021483818", "161bb7e3e1056907", "432eb6e048113076", "69a8451e4c018053"]);
    }

    #[test]
    fn the_bytes_are_those_of_the_document() {
        let mut bits = Bits::new();
        keys::insert(TopicName::parse("a").unwrap(), &mut bits);
        let known = Known { begin: 0, end: 3, bits: bits.folded().unwrap() };
        let topic_id = [0, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9, 10, 11, 12, 13, 14, 15];
        let bytes = KeptRange { topic_id, partition: 0, known, ends: vec![3] }.encode();
        let document = include_str!("../../../../../docs/mapping.md");
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let without_space = |text: &str| text.split_whitespace().collect::<String>();
        assert!(without_space(document).contains(&hex.concat()), "{}", hex.join(" "));
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let range = example();
        let bytes = range.encode();
        assert_eq!(KeptRange::decode(&bytes), Ok(range.clone()));
        for end in 0..bytes.len() {
            // What is left of the bits may be a power of two of words.
            let decoded = KeptRange::decode(&bytes[..end]);
            assert!(decoded.is_err() || end > 65 && (end - 65).is_multiple_of(8), "{end}");
        }
        let with = |at: usize, byte: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            KeptRange::decode(&bytes)
        };
        for version in (0..=u8::MAX).filter(|version| *version != VERSION) {
            assert_eq!(with(0, version), Err(SnapshotError::Version { version }));
        }
        assert_eq!(with(35, 0), Err(SnapshotError::Invalid { field: "end" }), "it ends where it begins");
        assert_eq!(with(37, 1), Err(SnapshotError::Truncated { field: "ends" }));
        assert_eq!(with(40, 2), Err(SnapshotError::Invalid { field: "bits" }), "not a power of two");
        let mut longest = range;
        longest.known.bits = Bits::new();
        assert_eq!(KeptRange::decode(&longest.encode()), Ok(longest.clone()));
        let more = [longest.encode(), vec![0; 8_192]].concat();
        assert_eq!(KeptRange::decode(&more), Err(SnapshotError::Invalid { field: "bits" }));
    }
}
