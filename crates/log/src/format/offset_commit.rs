//! The key and the value of a record in `__headwater_offsets`: a committed offset of a group, as Kafka writes it to
//! `__consumer_offsets`.
//!
//! ```text
//!  key    | version 1 | group          | topic          | partition |
//!         | i16       | i16, bytes     | i16, bytes     | i32       |
//!  value  | version 3 | offset | leaderEpoch | metadata   | commitTimestamp |        no value: there is no offset any more
//!         | i16       | i64    | i32, -1     | i16, bytes | i64             |
//! ```
//!
//! The metadata is the topic's identity, as `partition.metadata` has it, or empty where the topic has none: a topic that is
//! created anew under the same name does not go on where the old one was read.
//!
//! Source: Apache Kafka, `OffsetCommitKey.json`, `OffsetCommitValue.json`.

use super::field::{Sink, take_i16, take_i32, take_i64, take_slice};
use super::metadata::{self, TopicId};

/// The version of keys that are written, and read; version 0 has the same fields, and 2 is for what Kafka keeps of a group.
pub(crate) const KEY_VERSION: i16 = 1;
/// The version of values that are written, and read.
pub(crate) const VALUE_VERSION: i16 = 3;
/// The longest name of a group, in bytes.
pub(crate) const GROUP_NAME_BYTES_MAX: usize = 0x7fff;

/// Whose offset it is, and of which partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key<'a> {
    pub(crate) group: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) partition: u32,
}

/// What was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) offset: u64,
    /// `None` where the topic had no identity.
    pub(crate) topic_id: Option<TopicId>,
    pub(crate) committed_ms: i64,
}

impl<'a> Key<'a> {
    /// `None` when a name is too long, or the partition's number too high, for the fields.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(10 + self.group.len() + self.topic.len());
        bytes.put(&KEY_VERSION.to_be_bytes());
        put_string(self.group, &mut bytes)?;
        put_string(self.topic, &mut bytes)?;
        bytes.put(&i32::try_from(self.partition).ok()?.to_be_bytes());
        Some(bytes)
    }

    /// The field that is wrong, if one is.
    pub(crate) fn decode(mut bytes: &'a [u8]) -> Result<Self, &'static str> {
        let from = &mut bytes;
        let version = take_i16(from).ok_or("version")?;
        if !(0..=KEY_VERSION).contains(&version) {
            return Err("version");
        }
        let group = take_string(from).ok_or("group")?;
        let topic = take_string(from).ok_or("topic")?;
        let partition = take_i32(from).and_then(|number| u32::try_from(number).ok()).ok_or("partition")?;
        if from.is_empty() { Ok(Self { group, topic, partition }) } else { Err("end") }
    }
}

impl Value {
    /// `None` when the offset is too high for the field.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(46);
        bytes.put(&VALUE_VERSION.to_be_bytes());
        bytes.put(&i64::try_from(self.offset).ok()?.to_be_bytes());
        // The epoch of the leader at whom the consumer read: there is none.
        bytes.put(&(-1_i32).to_be_bytes());
        put_string(&self.topic_id.map(metadata::encode_id).unwrap_or_default(), &mut bytes)?;
        bytes.put(&self.committed_ms.to_be_bytes());
        Some(bytes)
    }

    /// The field that is wrong, if one is.
    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self, &'static str> {
        let from = &mut bytes;
        if take_i16(from) != Some(VALUE_VERSION) {
            return Err("version");
        }
        let offset = take_i64(from).and_then(|offset| u64::try_from(offset).ok()).ok_or("offset")?;
        take_i32(from).ok_or("leaderEpoch")?;
        let topic_id = match take_string(from).ok_or("metadata")? {
            "" => None,
            id => Some(metadata::decode_id(id).ok_or("metadata")?),
        };
        let committed_ms = take_i64(from).ok_or("commitTimestamp")?;
        if from.is_empty() { Ok(Self { offset, topic_id, committed_ms }) } else { Err("end") }
    }
}

fn put_string(text: &str, sink: &mut impl Sink) -> Option<()> {
    sink.put(&i16::try_from(text.len()).ok()?.to_be_bytes());
    sink.put(text.as_bytes());
    Some(())
}

fn take_string<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    let len = usize::try_from(take_i16(from)?).ok()?;
    std::str::from_utf8(take_slice(from, len)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: TopicId = [0x5a; 16];

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn golden_bytes_of_a_commit() {
        let key = Key { group: "billing", topic: "telemetry", partition: 3 };
        let bytes = key.encode().unwrap();
        assert_eq!(hex(&bytes), "0001000762696c6c696e67000974656c656d6574727900000003");
        assert_eq!(Key::decode(&bytes), Ok(key));
        let value = Value { offset: 4242, topic_id: Some(ID), committed_ms: 1_700_000_000_000 };
        let bytes = value.encode().unwrap();
        let metadata = hex(b"WlpaWlpaWlpaWlpaWlpaWg");
        assert_eq!(hex(&bytes), format!("00030000000000001092ffffffff0016{metadata}0000018bcfe56800"));
        assert_eq!(Value::decode(&bytes), Ok(value));
    }

    #[test]
    fn every_prefix_and_every_surplus_is_refused() {
        let key = Key { group: "g", topic: "t", partition: 0 }.encode().unwrap();
        let value = Value { offset: 1, topic_id: None, committed_ms: -1 }.encode().unwrap();
        for len in 0..key.len() {
            assert!(Key::decode(&key[..len]).is_err());
        }
        for len in 0..value.len() {
            assert!(Value::decode(&value[..len]).is_err());
        }
        assert_eq!(Key::decode(&[key, vec![0]].concat()), Err("end"));
        assert_eq!(Value::decode(&[value, vec![0]].concat()), Err("end"));
    }

    #[test]
    fn what_does_not_fit_a_field_is_not_encoded() {
        let long = "g".repeat(GROUP_NAME_BYTES_MAX + 1);
        assert!(Key { group: &long, topic: "t", partition: 0 }.encode().is_none());
        assert!(Key { group: &long[1..], topic: "t", partition: 0 }.encode().is_some());
        assert!(Key { group: "g", topic: "t", partition: 1 << 31 }.encode().is_none());
        assert!(Value { offset: 1 << 63, topic_id: None, committed_ms: 0 }.encode().is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(0..9_u8, 0..40)) {
            if let Ok(key) = Key::decode(&bytes) {
                prop_assert_eq!(&key.encode().unwrap()[2..], &bytes[2..]);
            }
            if let Ok(value) = Value::decode(&bytes) {
                prop_assert_eq!(Value::decode(&value.encode().unwrap()), Ok(value));
            }
        }
    }
}
