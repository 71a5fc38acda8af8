//! The ranges of a partition whose topics are known.

use std::collections::BTreeMap;

use super::Skipped;
use super::bits::Bits;
use super::keys::Probes;

/// What a range costs beside its bits, about.
const RANGE_BYTES: usize = 64;

/// So many questions are asked of bits in one call.
const QUESTIONS_MAX: usize = 16_384;

/// Which topics may be where. Its memory has a bound: beyond it, the oldest ranges are forgotten.
#[derive(Debug)]
pub(super) struct Summaries {
    /// By their first offset; they do not overlap.
    ranges: BTreeMap<u64, Range>,
    /// From here on the dispatcher fills.
    open: u64,
    bytes: usize,
    bytes_max: usize,
}

/// A range whose topics are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) begin: u64,
    /// The first offset behind it.
    pub(super) end: u64,
    /// In their smallest form.
    pub(super) bits: Bits,
}

#[derive(Debug)]
struct Range {
    /// The first offset behind it.
    end: u64,
    bits: Bits,
}

impl Range {
    fn bytes(&self) -> usize {
        RANGE_BYTES + self.bits.bytes()
    }
}

impl Summaries {
    pub(super) fn new(open: u64, bytes_max: usize) -> Self {
        Self { ranges: BTreeMap::new(), open, bytes: 0, bytes_max }
    }

    /// Whether the topics at this offset are known.
    pub(super) fn knows(&self, offset: u64) -> bool {
        self.range_of(offset).is_some()
    }

    /// Whether nobody is to find out which topics there are from this offset on: they are known, or somebody else does, or there is
    /// no room.
    pub(super) fn covers(&self, offset: u64) -> bool {
        let is_full = self.bytes >= self.bytes_max;
        let is_oldest = self.ranges.first_key_value().is_none_or(|(first, _)| offset < *first);
        offset >= self.open || self.knows(offset) || (is_full && is_oldest)
    }

    fn range_of(&self, offset: u64) -> Option<&Range> {
        self.ranges.range(..=offset).next_back().map(|(_, range)| range).filter(|range| offset < range.end)
    }

    /// Goes over the ranges that have nothing for the probes.
    pub(super) fn skip(&self, next: u64, end: u64, probes: &Probes) -> Skipped {
        let first = self.ranges.range(..=next).next_back().map_or(next, |(begin, _)| *begin);
        let (mut next, mut asked) = (next, 0);
        for (begin, range) in self.ranges.range(first..) {
            if next >= end || *begin > next {
                break;
            }
            if range.end <= next {
                continue;
            }
            if asked > QUESTIONS_MAX {
                return Skipped { next, limit: end, has_more: true };
            }
            asked += probes.len().max(1);
            if probes.may_match(&range.bits) {
                return Skipped { next, limit: range.end.min(end), has_more: false };
            }
            next = range.end.min(end);
        }
        Skipped { next, limit: end, has_more: false }
    }

    /// What somebody has read where nothing was known, now or before the store was opened. Gives the part of it that was not: bits say no less of a
    /// part than of the whole.
    pub(super) fn insert_read(&mut self, known: Known, log_start: u64) -> Option<(u64, u64)> {
        // Somebody else may have been there meanwhile.
        let begin = self.range_of(known.begin).map_or(known.begin, |range| range.end);
        let behind = self.ranges.range(begin..).next().map_or(self.open, |(next, _)| *next);
        let end = known.end.min(behind);
        if begin >= end {
            return None;
        }
        self.insert(Known { begin, end, ..known }, log_start);
        Some((begin, end))
    }

    /// What the dispatcher has passed.
    pub(super) fn insert_passed(&mut self, known: Known, log_start: u64) {
        self.open = known.end;
        self.insert(known, log_start);
    }

    /// The dispatcher goes on from here, and what is before is not known by it.
    pub(super) fn open_at(&mut self, open: u64) {
        self.open = open;
    }

    fn insert(&mut self, Known { begin, end, bits }: Known, log_start: u64) {
        self.forget_before(log_start);
        let range = Range { end, bits };
        self.bytes += range.bytes();
        self.ranges.insert(begin, range);
        while self.bytes > self.bytes_max {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        match self.ranges.pop_first() {
            Some((_, range)) => self.bytes -= range.bytes(),
            None => self.bytes = 0,
        }
    }

    pub(super) fn begins_before(&self, start: u64) -> bool {
        self.ranges.first_key_value().is_some_and(|(_, range)| range.end <= start)
    }

    pub(super) fn forget_before(&mut self, start: u64) {
        while self.begins_before(start) {
            self.forget_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use headwater_topic::{TopicFilter, TopicName};

    use super::super::keys;
    use super::*;

    fn known(begin: u64, end: u64, topics: &[&str]) -> Known {
        let mut bits = Bits::new();
        topics.iter().for_each(|topic| keys::insert(TopicName::parse(topic).unwrap(), &mut bits));
        Known { begin, end, bits: bits.folded().unwrap() }
    }

    fn probes(filter: &str) -> Probes {
        Probes::of([TopicFilter::parse(filter).unwrap()].into_iter()).unwrap()
    }

    #[test]
    fn skips_from_the_middle_of_a_range_and_stops_where_something_may_match_or_nothing_is_known() {
        let mut summaries = Summaries::new(100, 1 << 20);
        summaries.insert_read(known(10, 20, &["a"]), 0);
        summaries.insert_read(known(20, 30, &["a", "b"]), 0);
        summaries.insert_read(known(40, 60, &["c"]), 0);
        let skip = |summaries: &Summaries, next, end, filter| {
            let Skipped { next, limit, .. } = summaries.skip(next, end, &probes(filter));
            (next, limit)
        };
        assert_eq!(skip(&summaries, 15, 100, "b"), (20, 30));
        assert_eq!(skip(&summaries, 25, 100, "b"), (25, 30));
        assert_eq!(skip(&summaries, 15, 100, "c"), (30, 100), "30 to 39 is not known");
        assert_eq!(skip(&summaries, 15, 18, "c"), (18, 18));
        assert_eq!(skip(&summaries, 5, 100, "c"), (5, 100));
        assert_eq!(skip(&summaries, 40, 100, "b"), (60, 100));
        // What is read is cut to the gap that it lies in, and never goes where the dispatcher is.
        summaries.insert_read(known(30, 55, &["a"]), 0);
        summaries.insert_read(known(60, 120, &["a"]), 0);
        assert_eq!(skip(&summaries, 15, 200, "x"), (100, 200));
        assert!(summaries.covers(100) && !summaries.knows(100));
        summaries.insert_passed(known(100, 130, &["b"]), 0);
        assert_eq!(skip(&summaries, 60, 200, "b"), (100, 130));
        // Retention has taken what is before 45: the range that goes on behind it stays.
        summaries.insert_passed(known(130, 140, &["b"]), 45);
        assert!(!summaries.knows(39) && summaries.knows(45));
    }

    #[test]
    fn the_oldest_go_when_there_is_no_room_and_are_not_made_again() {
        let one = RANGE_BYTES + 8;
        let mut summaries = Summaries::new(0, 10 * one);
        for begin in 0..20 {
            summaries.insert_passed(known(begin * 10, begin * 10 + 10, &["a"]), 0);
            assert!(summaries.bytes <= summaries.bytes_max);
        }
        assert!(!summaries.knows(99) && summaries.knows(100));
        assert!(summaries.covers(50));
        summaries.insert_read(known(0, 10, &["a"]), 0);
        assert!(!summaries.knows(0) && summaries.knows(100));
    }
}
