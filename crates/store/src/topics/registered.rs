//! A log topic as the store knows it: the value of a record in `__headwater_topics`.

use bytes::BufMut;

use crate::session::SnapshotError;
use crate::session::fields::{put_count, take_all, take_u32, take_u64, take_version};

/// The version that this code writes, and the only one that it reads.
const VERSION: u8 = 1;

/// All that is kept of a log topic that messages go to.
///
/// ```text
/// version u8 = 1 | first lane u32 | partitions u32, then for each: start u64
/// ```
///
/// All integers are big-endian. The key of the record is the name of the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registered {
    /// The number of its first partition among all that sessions have positions in; the others follow. `mqtt` has those before.
    pub(crate) first_lane: u32,
    /// The offset where the store began to use it, a partition each: what was there before is somebody else's.
    pub(crate) starts: Vec<u64>,
}

impl Registered {
    /// The lanes of this topic are not those behind the topic before.
    pub(super) const NOT_NEXT: SnapshotError = SnapshotError::Invalid { field: "first lane" };

    pub(super) fn partitions(&self) -> u32 {
        u32::try_from(self.starts.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(9 + 8 * self.starts.len());
        out.put_u8(VERSION);
        out.put_u32(self.first_lane);
        put_count(&mut out, self.starts.len());
        for start in &self.starts {
            out.put_u64(*start);
        }
        out
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Result<Self, SnapshotError> {
        let input = &mut bytes;
        take_version(input, VERSION..=VERSION)?;
        let first_lane = take_u32(input, "first lane")?;
        let starts = take_all(input, "starts", 8, |input| take_u64(input, "starts"))?;
        // The lanes before are those of `mqtt`, which has one at least.
        if first_lane == 0 {
            return Err(Self::NOT_NEXT);
        }
        if starts.is_empty() {
            return Err(SnapshotError::Invalid { field: "starts" });
        }
        if !input.is_empty() {
            return Err(SnapshotError::Invalid { field: "end" });
        }
        Ok(Self { first_lane, starts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Registered {
        Registered { first_lane: 4, starts: vec![0, 17] }
    }

    #[test]
    fn comes_back_as_it_was_and_every_prefix_is_an_error() {
        let bytes = example().encode();
        assert_eq!(Registered::decode(&bytes), Ok(example()));
        for length in 0..bytes.len() {
            assert!(Registered::decode(&bytes[..length]).is_err(), "{length}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Registered::decode(&longer), Err(SnapshotError::Invalid { field: "end" }));
        let later = [&[2], &bytes[1..]].concat();
        assert_eq!(Registered::decode(&later), Err(SnapshotError::Version { version: 2 }));
    }

    #[test]
    fn a_topic_without_partitions_or_in_the_place_of_mqtt_is_refused() {
        let none = Registered { starts: Vec::new(), ..example() }.encode();
        assert_eq!(Registered::decode(&none), Err(SnapshotError::Invalid { field: "starts" }));
        let first = Registered { first_lane: 0, ..example() }.encode();
        assert_eq!(Registered::decode(&first), Err(SnapshotError::Invalid { field: "first lane" }));
    }

    #[test]
    fn the_bytes_are_those_of_the_document() {
        let document = include_str!("../../../../docs/mapping.md");
        let bytes = example().encode();
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let without_space = |text: &str| text.split_whitespace().collect::<String>();
        assert!(without_space(document).contains(&hex.concat()), "{}", hex.join(" "));
    }
}
