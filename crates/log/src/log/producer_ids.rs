//! Giving out producer ids.
//!
//! ```text
//!   file   next 2000                next 3000                          a crash costs what is left of the block
//!   given  1000 .. 1412 .. 1999 ->  2000 2001 ..
//! ```

use std::ops::Range;

use super::root::Root;
use crate::error::ProducerIdError;
use crate::format::names;
use crate::format::producer_ids::{self, BLOCK_IDS, Invalid};
use crate::storage;

impl Root {
    pub(super) fn new_producer_id(&self) -> Result<i64, ProducerIdError> {
        let guard = self.guard.lock();
        if guard.is_none() {
            return Err(ProducerIdError::Closed);
        }
        let mut block = self.producer_ids.lock();
        if block.is_empty() {
            *block = self.take_block()?;
        }
        block.next().ok_or(ProducerIdError::Exhausted)
    }

    /// Takes the next block of ids of which no partition knows one: a Kafka broker may have given them out, or a program
    /// its own. It is durable that they are taken before any of them is given.
    fn take_block(&self) -> Result<Range<i64>, ProducerIdError> {
        let mut first = self.next_producer_id()?;
        let mut known: Vec<i64> = self.cores().iter().flat_map(|core| core.producer_ids()).collect();
        known.sort_unstable();
        loop {
            let end = first.checked_add(BLOCK_IDS).ok_or(ProducerIdError::Exhausted)?;
            let from = known.partition_point(|id| *id < first);
            let Some(last) = known.iter().skip(from).take_while(|id| **id < end).last() else {
                let bytes = producer_ids::encode(end);
                storage::replace_file(&*self.shared.storage, self.path(), names::PRODUCER_IDS, &bytes)?;
                return Ok(first..end);
            };
            first = last.saturating_add(1);
        }
    }

    /// The first id that was not given out, as the file tells.
    fn next_producer_id(&self) -> Result<i64, ProducerIdError> {
        let path = self.path().join(names::PRODUCER_IDS);
        let Some(bytes) = storage::read_if_there(&*self.shared.storage, &path)? else { return Ok(0) };
        producer_ids::decode(&bytes).map_err(|invalid| match invalid {
            Invalid::Damaged => ProducerIdError::Damaged { path },
            Invalid::Version(found) => {
                ProducerIdError::UnsupportedVersion { path, found, known: producer_ids::VERSION }
            }
        })
    }
}
