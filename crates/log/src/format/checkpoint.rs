//! Kafka's checkpoint files: text, replaced whole.
//!
//! ```text
//!  leader-epoch-checkpoint        recovery-point-offset-checkpoint, log-start-offset-checkpoint
//!  0          version             0                version
//!  1          entries             1                entries
//!  0 0        epoch, offset       telemetry 3 42   topic, partition, offset
//! ```
//!
//! An empty file has no entries: a broker creates it so, and writes the first entries a minute later.
//!
//! Source: Apache Kafka, `CheckpointFile`, `OffsetCheckpointFile`, `LeaderEpochCheckpointFile`.

use std::collections::BTreeMap;
use std::fmt::Write;

/// What is wrong with a checkpoint file, and in which line from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Invalid {
    Line { line: usize, what: &'static str },
    Version(u64),
}

/// The only version there is.
pub(crate) const VERSION: u64 = 0;

/// Offsets by topic and partition.
pub(crate) type Offsets = BTreeMap<(String, u32), u64>;

pub(crate) fn encode_offsets(offsets: &Offsets) -> String {
    let mut text = format!("{VERSION}\n{}\n", offsets.len());
    for ((topic, partition), offset) in offsets {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{topic} {partition} {offset}");
    }
    text
}

pub(crate) fn decode_offsets(text: &[u8]) -> Result<Offsets, Invalid> {
    let mut offsets = Offsets::new();
    for_each_entry(text, |fields| {
        let [topic, partition, offset] = fields else { return None };
        let offset: i64 = offset.parse().ok()?;
        offsets.insert(((*topic).to_owned(), partition.parse().ok()?), u64::try_from(offset).ok()?);
        Some(())
    })?;
    Ok(offsets)
}

/// The leader epochs of a partition: which epoch began at which offset.
///
/// A log without a cluster has one epoch, 0. A log that a Kafka broker has led has more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Epochs(Vec<(i32, u64)>);

impl Epochs {
    /// The epochs of a log that begins at `start`.
    pub(crate) fn beginning_at(start: u64) -> Self {
        Self(vec![(0, start)])
    }

    pub(crate) fn decode(text: &[u8]) -> Result<Self, Invalid> {
        let mut epochs = Self::default();
        for_each_entry(text, |fields| {
            let [epoch, start] = fields else { return None };
            let start: i64 = start.parse().ok()?;
            epochs.extend(epoch.parse().ok()?, u64::try_from(start).ok()?).then_some(())
        })?;
        Ok(epochs)
    }

    pub(crate) fn encode(&self) -> String {
        let mut text = format!("{VERSION}\n{}\n", self.0.len());
        for (epoch, start) in &self.0 {
            let _ = writeln!(text, "{epoch} {start}");
        }
        text
    }

    /// Adds an epoch that began at `start`; false when it does not rise.
    pub(crate) fn extend(&mut self, epoch: i32, start: u64) -> bool {
        let rises = epoch >= 0 && self.0.last().is_none_or(|(last, from)| epoch > *last && start >= *from);
        if rises {
            self.0.push((epoch, start));
        }
        rises
    }

    /// Takes note of the epoch of a batch, for a list that is made of the batches; false when it is lower than one
    /// before. Batches from before there were epochs have -1.
    pub(crate) fn collect(&mut self, epoch: i32, start: u64) -> bool {
        let least = self.0.last().map_or(-1, |(last, _)| *last);
        self.extend(epoch, start);
        epoch >= least
    }

    /// The epoch in which new records are appended.
    pub(crate) fn current(&self) -> i32 {
        self.0.last().map_or(0, |(epoch, _)| *epoch)
    }

    /// The epoch that a record at `offset` has to have; `None` when the file does not say.
    pub(crate) fn at(&self, offset: u64) -> Option<i32> {
        let begun = self.0.partition_point(|(_, start)| *start <= offset);
        self.0.get(begun.checked_sub(1)?).map(|(epoch, _)| *epoch)
    }
}

fn for_each_entry(text: &[u8], mut take: impl FnMut(&[&str]) -> Option<()>) -> Result<(), Invalid> {
    let invalid = |line, what| Invalid::Line { line, what };
    if text.is_empty() {
        return Ok(());
    }
    let text = std::str::from_utf8(text).map_err(|_| invalid(1, "text in UTF-8"))?;
    let mut lines = text.lines();
    let version = lines.next().and_then(|line| line.trim().parse::<u64>().ok());
    match version.ok_or(invalid(1, "a version number"))? {
        VERSION => {}
        other => return Err(Invalid::Version(other)),
    }
    let count = lines.next().and_then(|line| line.trim().parse::<usize>().ok());
    let count = count.ok_or(invalid(2, "the number of entries"))?;
    let mut seen = 0;
    for (line, number) in lines.zip(3..) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        take(&fields).ok_or(invalid(number, "an entry"))?;
        seen += 1;
    }
    if seen == count { Ok(()) } else { Err(invalid(2, "the number of entries that follow")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_come_back() {
        let offsets = Offsets::from([(("a-b".to_owned(), 3), 42), (("a".to_owned(), 0), 0)]);
        let text = encode_offsets(&offsets);
        assert_eq!(text, "0\n2\na 0 0\na-b 3 42\n");
        assert_eq!(decode_offsets(text.as_bytes()), Ok(offsets));
    }

    #[test]
    fn a_file_cut_before_its_last_number_is_refused() {
        let text = "0\n2\na 0 17\nb 3 42\n";
        for cut in 1..text.len() - 2 {
            assert!(decode_offsets(&text.as_bytes()[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn an_empty_file_has_no_entries() {
        assert_eq!(decode_offsets(b""), Ok(Offsets::new()));
        assert_eq!(Epochs::decode(b""), Ok(Epochs::default()));
        assert!(decode_offsets(b"\n").is_err());
    }

    #[test]
    fn refuses_another_version_by_name() {
        assert_eq!(decode_offsets(b"1\n0\n"), Err(Invalid::Version(1)));
        assert_eq!(decode_offsets(b"x\n0\n"), Err(Invalid::Line { line: 1, what: "a version number" }));
        assert_eq!(decode_offsets(b"0\n1\na 0 -4\n"), Err(Invalid::Line { line: 3, what: "an entry" }));
    }

    #[test]
    fn epochs_say_which_one_an_offset_has() {
        let epochs = Epochs::decode(b"0\n2\n0 10\n5 20\n").unwrap();
        assert_eq!(
            [9, 10, 19, 20, 99].map(|offset| epochs.at(offset)),
            [None, Some(0), Some(0), Some(5), Some(5)]
        );
        assert_eq!(epochs.current(), 5);
        assert_eq!(epochs.encode(), "0\n2\n0 10\n5 20\n");
        assert!(Epochs::decode(b"0\n2\n5 10\n0 20\n").is_err());
    }
}
