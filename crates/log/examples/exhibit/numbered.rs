//! Batches that are numbered by their producers, and what the log answers to each.

use std::io::{self, BufRead, Write as _};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use headwater_log::{Ack, AppendError, Clock, Partition, ProducerNumbers, Record, SystemClock};

use super::lines::unhex;
use super::{Outcome, Told, open, options};

/// Appends batches that somebody else has encoded, each from a line of hex.
pub(crate) fn append_batches(directory: &str, topic: &str) -> Outcome<()> {
    each_line(directory, topic, |partition, line| {
        let batch = unhex(line)?;
        Ok(partition.append_record_batch(&batch, Ack::Appended).map(|offset| format!("\"offset\":{offset}")))
    })
}

/// Appends batches of records that tell their numbers, by lines of `ID EPOCH SEQUENCE COUNT`.
pub(crate) fn append_numbered(directory: &str, topic: &str) -> Outcome<()> {
    each_line(directory, topic, |partition, line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let [id, epoch, sequence, count] = fields[..] else { return Err(format!("{line:?}?").into()) };
        let numbers = ProducerNumbers::new(id.parse()?, epoch.parse()?, sequence.parse()?);
        let values: Vec<String> = (0..count.parse()?)
            .map(|number| format!("{id} {epoch} {}", numbers.behind(number).base_sequence))
            .collect();
        let records: Vec<Record<'_>> = values.iter().map(Record::new).collect();
        let appended = partition.append_idempotent(&records, numbers, Ack::Appended);
        Ok(appended.map(|it| format!("\"offset\":{},\"duplicate\":{}", it.offset, it.is_duplicate)))
    })
}

/// Does something for each line, and answers each with a line: the offset, or the name of the error.
fn each_line(
    directory: &str,
    topic: &str,
    append: impl Fn(&Partition, &str) -> Outcome<Result<String, AppendError>>,
) -> Outcome<()> {
    // Now: who has not been heard of for a day is forgotten by a broker.
    let log = open(directory, Arc::new(Told(AtomicI64::new(SystemClock.now_ms()))))?;
    let partition =
        log.open_or_create_topic(topic, options().partitions(1))?.partition(0).ok_or("no partition")?;
    for line in io::stdin().lock().lines() {
        let answer = match append(&partition, line?.trim())? {
            Ok(appended) => appended,
            Err(error) => format!("\"error\":\"{}\"", name_of(&error)),
        };
        writeln!(io::stdout(), "{{{answer}}}")?;
    }
    Ok(log.close()?)
}

/// The name of the variant.
fn name_of(error: &AppendError) -> String {
    let told = format!("{error:?}");
    told.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_owned()
}
