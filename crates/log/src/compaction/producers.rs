//! The last batch of each producer, which stays even when none of its records does: who numbers his batches goes on behind it.
//!
//! One that the partition has forgotten goes on nowhere, and what is left of him goes. Source: Apache Kafka,
//! `UnifiedLog.lastRecordsOfActiveProducers`.

use std::collections::{HashMap, HashSet};

use crate::format::batch::Header;

/// The last batches of so many producers are noted, in 2 MiB or so. Where there are more, every batch that a producer has numbered stays, if
/// need be without records.
const PRODUCERS_MAX: usize = 64 * 1024;

/// The last offset of the last batch of each producer.
#[derive(Debug)]
pub(crate) struct LastBatches {
    /// The producers that are remembered.
    known: HashSet<i64>,
    last: HashMap<i64, u64>,
    too_many: bool,
}

impl LastBatches {
    /// Those of the producers that are remembered now: who is not appends behind all that is looked at, if at all.
    pub(crate) fn of(known: impl IntoIterator<Item = i64>) -> Self {
        Self { known: known.into_iter().collect(), last: HashMap::new(), too_many: false }
    }

    /// Takes note of a batch. They come in the order of their offsets.
    pub(crate) fn note(&mut self, header: &Header) {
        if self.too_many || !self.known.contains(&header.producer_id) {
            return;
        }
        self.last.insert(header.producer_id, header.last_offset);
        if self.last.len() > PRODUCERS_MAX {
            (self.last, self.too_many) = (HashMap::new(), true);
        }
    }

    /// Whether a batch may be the last of its producer.
    pub(crate) fn has(&self, header: &Header) -> bool {
        self.known.contains(&header.producer_id)
            && (self.too_many || self.last.get(&header.producer_id) == Some(&header.last_offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(producer_id: i64, last_offset: u64) -> Header {
        Header {
            base_offset: last_offset,
            bytes: 61,
            leader_epoch: 0,
            crc: 0,
            attributes: 0,
            last_offset,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id,
            producer_epoch: 0,
            base_sequence: 0,
            record_count: 1,
        }
    }

    #[test]
    fn each_producer_has_one_last_batch() {
        let mut last = LastBatches::of([5, 6]);
        [header(-1, 0), header(5, 1), header(6, 2), header(8, 2), header(5, 3)]
            .iter()
            .for_each(|header| last.note(header));
        assert!(last.has(&header(5, 3)) && last.has(&header(6, 2)));
        assert!(!last.has(&header(5, 1)) && !last.has(&header(-1, 0)) && !last.has(&header(7, 3)));
        assert!(!last.has(&header(8, 2)), "it is forgotten");
    }

    #[test]
    fn where_there_are_too_many_all_of_them_stay() {
        let mut last = LastBatches::of(0..70_000);
        (0..70_000).for_each(|id| last.note(&header(id, 1)));
        assert!(last.has(&header(3, 999)) && !last.has(&header(-1, 999)));
        assert!(last.last.is_empty());
    }
}
