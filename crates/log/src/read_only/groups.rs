//! What groups have committed, seen beside the writer.

use super::{ReadOnlyLog, ReadOnlyPartition};
use crate::error::{OpenError, ReadError};
use crate::group::{Committed, GroupDescription, GroupPartition, OFFSETS_TOPIC, Replay, TopicPartition};
use crate::options::ReadUpTo;

/// How many bytes are read at once.
const READ_BYTES: usize = 1 << 20;

impl ReadOnlyLog {
    /// The groups that have committed something, in order, each with what it has committed and how far that is behind.
    /// Who is in them only the writer knows: there are no members, and the generation is 0.
    ///
    /// It reads the whole topic of offsets, and looks at each partition that is in it. Beside a running writer it sees what
    /// is durable; a group that commits meanwhile may be seen further than it was when it was called.
    ///
    /// # Errors
    ///
    /// As [`ReadOnlyPartition::read`](crate::ReadOnlyPartition::read).
    pub fn groups(&self) -> Result<Vec<GroupDescription>, ReadError> {
        let open = |topic: &str, number| self.partition(topic, number).map_err(opened);
        let Some(offsets) = open(OFFSETS_TOPIC, 0)? else { return Ok(Vec::new()) };
        let mut replay = Replay::default();
        let (mut next, end) = (offsets.start_offset()?, offsets.end_offset(ReadUpTo::Durable)?);
        while next < end {
            let fetched = offsets.read(ReadUpTo::Durable, next, READ_BYTES)?;
            replay.take(&fetched)?;
            if fetched.next_offset() <= next {
                break;
            }
            next = fetched.next_offset();
        }
        let mut groups = Vec::new();
        for (name, committed) in replay.into_groups() {
            let mut partitions = Vec::new();
            for (partition, committed) in committed {
                // A topic that is gone, or another one of its name, has no offsets of groups.
                if let Some(found) = open(&partition.topic, partition.partition)? {
                    partitions.extend(describe(&found, partition, &committed)?);
                }
            }
            groups.push(GroupDescription {
                name: name.to_string(),
                generation: 0,
                assignor: None,
                members: Vec::new(),
                partitions,
            });
        }
        Ok(groups)
    }
}

fn describe(
    found: &ReadOnlyPartition,
    partition: TopicPartition,
    committed: &Committed,
) -> Result<Option<GroupPartition>, ReadError> {
    if !committed.is_of(found.id) {
        return Ok(None);
    }
    let ends = found.start_offset().and_then(|start| Ok((start, found.end_offset(ReadUpTo::Durable)?)));
    match ends {
        Ok(ends) => Ok(Some(GroupPartition::new(partition, None, Some(committed), ends))),
        // Deleted just now.
        Err(ReadError::Closed) => Ok(None),
        Err(error) => Err(error),
    }
}

fn opened(error: OpenError) -> ReadError {
    ReadError::Open(std::sync::Arc::new(error))
}
