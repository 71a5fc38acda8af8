//! What is in a partition, line by line.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Result, bail};
use headwater::log::{ReadOnlyPartition, ReadUpTo};

use crate::lines::{self, Line};
use crate::options::Dump;

/// How much is read at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// Prints lines until there are none, or enough.
pub(crate) fn run(options: &Dump, out: &mut impl Write) -> Result<ExitCode> {
    let log = crate::open(&options.dir)?;
    let partition = crate::partition(&log, &options.topic, options.partition)?;
    let (start, end) = (partition.start_offset()?, partition.end_offset(ReadUpTo::Durable)?);
    let from = options.from.unwrap_or(start);
    if from < start || from > end {
        bail!("offset {from} is not there: the log has those from {start} to before {end}");
    }
    let left = options.max.unwrap_or(u64::MAX);
    let mut printer = Printer { out, json: options.json, left };
    match &options.what {
        what if what.batches => printer.read(&partition, from, |fetched| {
            Box::new(fetched.batches().map(|batch| Ok(lines::batch(&batch?))))
        })?,
        what if what.index || what.timeindex || what.mark => {
            printer.segments(&partition, from, what.index, what.mark)?
        }
        _ => printer.read(&partition, from, |fetched| {
            Box::new(fetched.records().map(|record| Ok(lines::record(&record?))))
        })?,
    }
    Ok(ExitCode::SUCCESS)
}

struct Printer<'a, W> {
    out: &'a mut W,
    json: bool,
    left: u64,
}

type Lines<'a> = Box<dyn Iterator<Item = Result<Line>> + 'a>;

impl<W: Write> Printer<'_, W> {
    fn print(&mut self, line: &Line) -> Result<()> {
        self.left -= 1;
        line.write(self.out, self.json)?;
        Ok(())
    }

    fn read(
        &mut self,
        partition: &ReadOnlyPartition,
        from: u64,
        lines: impl Fn(&headwater::log::Fetched) -> Lines<'_>,
    ) -> Result<()> {
        let mut next = from;
        loop {
            let fetched = partition.read(ReadUpTo::Durable, next, CHUNK_BYTES)?;
            for line in lines(&fetched) {
                if self.left == 0 {
                    return Ok(());
                }
                self.print(&line?)?;
            }
            if fetched.next_offset() <= next {
                return Ok(());
            }
            next = fetched.next_offset();
        }
    }

    /// The small files of the segments, from the one on that has an offset.
    fn segments(&mut self, partition: &ReadOnlyPartition, from: u64, index: bool, mark: bool) -> Result<()> {
        let segments = partition.segments()?;
        let first = segments.partition_point(|segment| segment.base_offset <= from).saturating_sub(1);
        for segment in segments.iter().skip(first) {
            let base_offset = segment.base_offset;
            let lines: Vec<Line> = if mark {
                vec![lines::mark(segment)]
            } else if index {
                let entries = partition.offset_index(base_offset)?;
                entries.iter().map(|entry| lines::offset_entry(base_offset, entry)).collect()
            } else {
                let entries = partition.time_index(base_offset)?;
                entries.iter().map(|entry| lines::time_entry(base_offset, entry)).collect()
            };
            for line in &lines {
                if self.left == 0 {
                    return Ok(());
                }
                self.print(line)?;
            }
        }
        Ok(())
    }
}
