//! A log in the system's temporary directory, and a topic that is made anew before it is large.

use std::time::{Duration, Instant};

use headwater::log::{Log, LogOptions, Partition, TopicOptions};
use tempfile::TempDir;

pub(crate) const BYTES_PER_TOPIC: u64 = 256 << 20;

pub(crate) struct Bed {
    // In this order: the log is closed before its directory goes.
    pub(crate) log: Log,
    _dir: TempDir,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let log = Log::open(dir.path(), LogOptions::default()).expect("a log");
        Self { log, _dir: dir }
    }

    pub(crate) fn partition(&self) -> Partition {
        self.partition_of(TopicOptions::default())
    }

    pub(crate) fn partition_of(&self, options: TopicOptions) -> Partition {
        if self.log.topic("bench").is_some() {
            self.log.delete_topic("bench").expect("to delete a topic");
        }
        let topic = self.log.create_topic("bench", options).expect("a topic");
        topic.partition(0).expect("partition 0")
    }

    /// Times so many calls of `append`, each of so many bytes, with a new topic whenever one is large.
    pub(crate) fn time(&self, iterations: u64, bytes: u64, append: impl FnMut(&Partition)) -> Duration {
        self.time_of(TopicOptions::default(), iterations, bytes, append)
    }

    pub(crate) fn time_of(
        &self,
        options: TopicOptions,
        iterations: u64,
        bytes: u64,
        mut append: impl FnMut(&Partition),
    ) -> Duration {
        let (mut spent, mut left) = (Duration::ZERO, iterations);
        while left > 0 {
            let round = left.min((BYTES_PER_TOPIC / bytes).max(1));
            let partition = self.partition_of(options);
            append(&partition); // opens the segment
            let begun = Instant::now();
            for _ in 0..round {
                append(&partition);
            }
            spent += begun.elapsed();
            assert!(partition.appended_end() > round);
            left -= round;
        }
        spent
    }
}
