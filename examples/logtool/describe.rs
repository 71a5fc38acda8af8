//! A picture of partitions and segments.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};
use headwater::log::{ReadOnlyPartition, ReadUpTo, SegmentFiles};
use headwater_examples::show;

use crate::bar::bar;
use crate::options::Describe;

/// Draws the log.
pub(crate) fn run(options: &Describe, out: &mut impl Write) -> Result<ExitCode> {
    let log = crate::open(&options.dir)?;
    let mut topics = log.topics()?;
    if let Some(wanted) = &options.topic {
        let names: Vec<String> = topics.iter().map(|(name, _)| name.clone()).collect();
        topics.retain(|(name, _)| name == wanted);
        if topics.is_empty() {
            bail!("{} has no topic `{wanted}`; it has {names:?}", options.dir.display());
        }
    }
    let ascii = options.ascii || !io::stdout().is_terminal();
    let mut partitions = Vec::new();
    for (name, count) in &topics {
        for number in 0..*count {
            // Deleted since the listing, or there.
            partitions.extend(log.partition(name, number)?);
        }
    }
    let drawn: Vec<Drawn> = partitions.into_iter().map(Drawn::new).collect::<Result<_>>()?;
    let largest = drawn.iter().flat_map(|drawn| &drawn.segments).map(|segment| segment.log_bytes).max();
    let (mut bytes, mut records, mut segments) = (0_u64, 0_u64, 0_u64);
    for drawn in &drawn {
        drawn.draw(out, largest.unwrap_or(0), ascii)?;
        bytes += drawn.used_bytes();
        records += drawn.end.saturating_sub(drawn.start);
        segments += drawn.segments.len() as u64;
    }
    let (topics, partitions) = (topics.len() as u64, drawn.len() as u64);
    writeln!(
        out,
        "{} topics, {} partitions, {} segments, {}, {} offsets",
        show::count(topics),
        show::count(partitions),
        show::count(segments),
        show::bytes(bytes),
        show::count(records),
    )?;
    Ok(ExitCode::SUCCESS)
}

struct Drawn {
    partition: ReadOnlyPartition,
    segments: Vec<SegmentFiles>,
    start: u64,
    end: u64,
    /// Kafka's cleaner offset.
    cleaned: Option<u64>,
}

impl Drawn {
    fn new(partition: ReadOnlyPartition) -> Result<Self> {
        let segments = partition.segments()?;
        let (start, end) = (partition.start_offset()?, partition.end_offset(ReadUpTo::Durable)?);
        let cleaned = partition.cleaner_offset()?;
        Ok(Self { partition, segments, start, end, cleaned })
    }

    fn used_bytes(&self) -> u64 {
        self.segments.iter().map(used_bytes).sum()
    }

    /// The bytes that were not compacted yet, those of the segment that takes appends among them.
    fn dirty_bytes(&self, cleaned: u64) -> u64 {
        let nexts = self.segments.iter().skip(1).map(|next| next.base_offset).chain([self.end]);
        self.segments
            .iter()
            .zip(nexts)
            .filter(|(_, next)| *next > cleaned)
            .map(|(one, _)| used_bytes(one))
            .sum()
    }

    fn draw(&self, out: &mut impl Write, largest: u64, ascii: bool) -> Result<()> {
        let (topic, number) = (self.partition.topic(), self.partition.number());
        writeln!(
            out,
            "{topic}-{number}  offsets {} to {}, {}",
            self.start,
            self.end,
            show::bytes(self.used_bytes())
        )?;
        if let Some(cleaned) = self.cleaned {
            writeln!(
                out,
                "  compacted to offset {cleaned}, {} behind it",
                show::bytes(self.dirty_bytes(cleaned))
            )?;
        }
        for (at, segment) in self.segments.iter().enumerate() {
            let next = self.segments.get(at + 1).map(|next| next.base_offset);
            self.draw_segment(out, segment, next.unwrap_or(self.end), largest, ascii)?;
        }
        writeln!(out)?;
        Ok(())
    }

    /// `  00000000000000000100  ████████  16 KiB  offsets 100 to 199  2026-.. to 2026-..  sealed`
    fn draw_segment(
        &self,
        out: &mut impl Write,
        segment: &SegmentFiles,
        next: u64,
        largest: u64,
        ascii: bool,
    ) -> Result<()> {
        let used = used_bytes(segment);
        let ahead = segment.log_bytes.saturating_sub(used);
        let bar = bar(used, ahead, largest, ascii);
        write!(out, "  {:020}  {bar:<40}  {:>10}", segment.base_offset, show::bytes(used))?;
        match next.checked_sub(1).filter(|last| *last >= segment.base_offset && used > 0) {
            Some(last) => write!(out, "  {} to {last}", segment.base_offset)?,
            None => write!(out, "  no records")?,
        }
        if let Some((first, last)) = self.times(segment)? {
            write!(out, "  {} to {}", show::moment(first), show::moment(last))?;
        }
        match &segment.mark {
            None if segment.log_bytes == 0 => {}
            None => write!(out, "  no mark")?,
            Some(mark) if mark.sealed && mark.may_have_gaps => write!(out, "  closed, with gaps")?,
            Some(mark) if mark.sealed => write!(out, "  closed")?,
            Some(mark) => write!(out, "  durable to byte {}", mark.position)?,
        }
        if ahead > 0 {
            write!(out, ", {} ahead", show::bytes(ahead))?;
        }
        if let Some(bytes) = segment.set_aside_bytes {
            write!(out, ", {} set aside", show::bytes(bytes))?;
        }
        writeln!(out)?;
        Ok(())
    }

    /// The timestamp of the first record, and the largest, as far as the files tell without being read.
    fn times(&self, segment: &SegmentFiles) -> Result<Option<(i64, i64)>> {
        // Damage is for `check` to tell.
        let first = self.partition.read(ReadUpTo::Durable, segment.base_offset.max(self.start), 1);
        let Some(Ok(first)) = first.ok().and_then(|fetched| fetched.batches().next()) else {
            return Ok(None);
        };
        if first.segment() != segment.base_offset {
            return Ok(None);
        }
        let by_index = self.partition.time_index(segment.base_offset)?.last().map(|entry| entry.timestamp);
        let by_mark = segment.mark.and_then(|mark| mark.max_timestamp);
        let last = by_mark.max(by_index).unwrap_or_else(|| first.max_timestamp());
        // Where tombstones have their time, that stands there instead.
        let by_records = || first.views().next().and_then(Result::ok).map(|record| record.timestamp);
        let begins = if first.has_delete_horizon() { by_records() } else { None };
        Ok(Some((begins.unwrap_or_else(|| first.base_timestamp()), last.max(first.max_timestamp()))))
    }
}

/// The bytes that are known to be records: those that are durable, or, in a directory that Kafka wrote, all.
fn used_bytes(segment: &SegmentFiles) -> u64 {
    segment.mark.map_or(segment.log_bytes, |mark| mark.position.min(segment.log_bytes))
}
