//! Kafka's `partition.metadata`: the identity of the topic that the partition belongs to.
//!
//! ```text
//!  version: 0
//!  topic_id: AAAAAAAAAAAAAAAAAAAAKg       16 bytes, URL-safe base64 without padding, not all zero
//! ```
//!
//! Source: Apache Kafka, `PartitionMetadataFile`, `Uuid`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::checkpoint::Invalid;

/// A topic's identity: two topics of the same name, one after the other, have two.
pub(crate) type TopicId = [u8; 16];

pub(crate) fn encode(id: TopicId) -> String {
    format!("version: 0\ntopic_id: {}", encode_id(id))
}

/// An identity by itself, as Kafka prints it.
pub(crate) fn encode_id(id: TopicId) -> String {
    URL_SAFE_NO_PAD.encode(id)
}

pub(crate) fn decode_id(text: &str) -> Option<TopicId> {
    let id = URL_SAFE_NO_PAD.decode(text).ok()?;
    TopicId::try_from(id).ok().filter(|id| *id != [0; 16])
}

pub(crate) fn decode(text: &[u8]) -> Result<TopicId, Invalid> {
    let invalid = |line, what| Invalid::Line { line, what };
    let text = std::str::from_utf8(text).map_err(|_| invalid(1, "text in UTF-8"))?;
    let mut lines = text.lines();
    let version = lines.next().and_then(|line| line.strip_prefix("version:"));
    let version = version.and_then(|version| version.trim().parse::<u64>().ok());
    match version.ok_or(invalid(1, "version: 0"))? {
        0 => {}
        other => return Err(Invalid::Version(other)),
    }
    let wanted = invalid(2, "topic_id: 22 characters of URL-safe base64, not all A");
    let id = lines.next().and_then(|line| line.strip_prefix("topic_id:")).ok_or(wanted)?;
    decode_id(id.trim()).ok_or(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_written_as_kafka_writes_it() {
        let mut id = [0; 16];
        id[15] = 42;
        assert_eq!(encode(id), "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAKg"); // Kafka's Uuid(0, 42)
        assert_eq!(decode(encode(id).as_bytes()), Ok(id));
    }

    #[test]
    fn refuses_the_zero_identity_and_other_versions() {
        assert!(decode(encode([0; 16]).as_bytes()).is_err());
        assert_eq!(decode(b"version: 7\ntopic_id: AAAAAAAAAAAAAAAAAAAAKg"), Err(Invalid::Version(7)));
        assert!(decode(b"version: 0").is_err());
    }
}
