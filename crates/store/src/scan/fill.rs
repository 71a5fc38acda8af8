//! The range that the dispatcher is filling.

use headwater_topic::TopicName;

use super::bits::Bits;
use super::names::Names;
use super::summary::Known;
use super::{Scans, keys};
use crate::counters::Counters;
use crate::lock::{lock, write};

/// A range holds at most so many records, and about so many bytes as are read at a time.
const RECORDS_MAX: u64 = 4_096;

/// What has passed since the last range was closed.
#[derive(Debug)]
pub(super) struct Filling {
    begin: u64,
    end: u64,
    bytes: usize,
    /// Each topic is written down once.
    names: Names,
    bits: Bits,
    /// Whether each of its records could be read.
    is_whole: bool,
}

/// A range that became known just now.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(super) known: Known,
    /// What its records take in the log.
    pub(super) log_bytes: usize,
}

impl Filling {
    pub(super) fn new(begin: u64) -> Self {
        Self { begin, end: begin, bytes: 0, names: Names::default(), bits: Bits::new(), is_whole: true }
    }

    fn begin_at(&mut self, begin: u64) {
        (self.begin, self.end, self.bytes, self.is_whole) = (begin, begin, 0, true);
        self.names.clear();
        self.bits.clear();
    }
}

impl Scans {
    /// The dispatcher comes to a message. Each is told before the position of the lane goes over it.
    pub(crate) fn pass(&self, topic: TopicName<'_>) {
        if !self.keeps {
            return;
        }
        let mut filling = lock(&self.filling);
        let Filling { names, bits, .. } = &mut *filling;
        if let Err(hash) = names.find(topic.as_str().as_bytes()) {
            // One that finds no place is written down again.
            let _ = names.add(topic, hash);
            keys::insert(topic, bits);
        }
    }

    /// The dispatcher comes to a record that cannot be read here, and may be elsewhere.
    pub(crate) fn pass_unreadable(&self) {
        lock(&self.filling).is_whole = false;
    }

    /// The dispatcher has passed everything up to `end`, so many bytes of the log. When that is enough for a range, it is one, to be
    /// [written](Self::write).
    pub(crate) fn passed(
        &self,
        end: u64,
        bytes: usize,
        range_bytes: usize,
        log_start: u64,
    ) -> Option<Passed> {
        if !self.keeps {
            return None;
        }
        let mut filling = lock(&self.filling);
        filling.end = end;
        filling.bytes += bytes;
        if filling.begin == end || (filling.bytes < range_bytes && end - filling.begin < RECORDS_MAX) {
            return None;
        }
        let (begin, log_bytes, is_whole) = (filling.begin, filling.bytes, filling.is_whole);
        let bits = filling.bits.folded();
        filling.begin_at(end);
        let Some(bits) = bits else {
            // One that may have any topic is of no use.
            write(&self.summaries).open_at(end);
            return None;
        };
        let known = Known { begin, end, bits };
        let passed = is_whole.then(|| Passed { known: known.clone(), log_bytes });
        write(&self.summaries).insert_passed(known, log_start);
        passed
    }

    /// Writes a range that was passed into the log. Not under the lock of the dispatcher: a write may have to wait for a new segment.
    pub(crate) fn write(&self, Passed { known, log_bytes }: Passed, counters: &Counters) {
        if let Some((kept, lane)) = &self.kept {
            kept.write(*lane, known, log_bytes, counters);
        }
    }

    /// The dispatcher has gone over something without seeing it, and goes on at `start`.
    pub(crate) fn passed_over(&self, start: u64) {
        let mut filling = lock(&self.filling);
        filling.begin_at(start);
        write(&self.summaries).open_at(start);
    }
}

#[cfg(test)]
mod tests {
    use headwater_log::{Log, LogOptions, TopicOptions};
    use headwater_topic::TopicFilter;

    use super::super::Probes;
    use super::*;
    use crate::options::StoreOptions;
    use crate::topics::Topics;

    #[test]
    fn a_range_with_a_record_that_could_not_be_read_is_known_here_and_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path(), LogOptions::default()).unwrap();
        let messages = TopicOptions::default().segment_bytes(1 << 16);
        let options = StoreOptions::default().messages(messages);
        let (topics, _) = Topics::open(&log, &options).unwrap();
        let scans = Scans::open(&log, &topics, &options).unwrap().pop().unwrap();
        let topic = TopicName::parse("a").unwrap();
        scans.pass(topic);
        assert!(scans.passed(10, 100, 1_000, 0).is_none(), "it is not enough for a range");
        scans.pass_unreadable();
        assert!(scans.passed(20, 1_000, 1_000, 0).is_none());
        let filter = TopicFilter::parse("b").unwrap();
        let skip = || scans.skip(0, 100, &Counters::default(), || Probes::of([filter].into_iter())).next;
        assert_eq!(skip(), 20);
        scans.pass(topic);
        let passed = scans.passed(30, 1_000, 1_000, 0).unwrap();
        assert_eq!((passed.known.begin, passed.known.end, passed.log_bytes), (20, 30, 1_000));
        assert_eq!(skip(), 30);
    }
}
