//! Opening and creating partitions.

use std::sync::Arc;

use super::{Core, KnownProducers};
use crate::error::{IoError, OpenError, TopicError};
use crate::format::checkpoint::Epochs;
use crate::format::mark::Mark;
use crate::format::metadata::{self, TopicId};
use crate::format::names;
use crate::log::{Shared, malformed};
use crate::options::{OnDamage, TopicOptions};
use crate::recovery::{Known, Observer, Plan, Recovered};
use crate::report::PartitionRecovery;
use crate::segment::{Dir, Segment, Swap, create_files};
use crate::storage;

impl Core {
    /// Looks at a partition on disk and decides how to recover it. Changes nothing.
    pub(crate) fn plan(
        shared: &Shared,
        topic: &Arc<str>,
        partition: u32,
        known: Known,
        options: &TopicOptions,
        on_damage: OnDamage,
    ) -> Result<Plan, OpenError> {
        let dir = dir(shared, topic, partition, Epochs::default());
        let mut nobody = ();
        let observer: Option<&mut dyn Observer> = match on_damage {
            OnDamage::Refuse => None,
            OnDamage::Quarantine => Some(&mut nobody),
        };
        Plan::new(dir, known, options.index_interval_bytes, shared.clock.now_ms(), observer)
    }

    /// Recovers a partition as planned.
    pub(crate) fn open(
        plan: Plan,
        shared: Arc<Shared>,
        options: TopicOptions,
    ) -> Result<(Self, PartitionRecovery), OpenError> {
        let Recovered { dir, segments, start, end, known, report } = plan.carry_out()?;
        Ok((Self::new(dir, shared, options, segments, start, end, known), report))
    }

    /// The identity of the topic, which all its partitions have in common; `None` where nobody gave it one.
    pub(crate) fn topic_id(&self) -> Result<Option<TopicId>, TopicError> {
        let Some(text) = self.dir.read_named(names::PARTITION_METADATA)? else { return Ok(None) };
        let path = self.dir.path.join(names::PARTITION_METADATA);
        let id = metadata::decode(&text).map_err(|invalid| malformed(path, invalid));
        id.map(Some).map_err(|error| TopicError::Open(Box::new(error)))
    }

    /// Creates an empty partition in its directory, which is there and empty but for a note.
    pub(crate) fn create(
        shared: Arc<Shared>,
        topic: &Arc<str>,
        partition: u32,
        id: Option<TopicId>,
        options: TopicOptions,
    ) -> Result<Self, IoError> {
        let dir = dir(&shared, topic, partition, Epochs::beginning_at(0));
        let storage = &*dir.storage;
        create_files(&dir, 0)?;
        storage::replace_file(storage, &dir.path, names::LEADER_EPOCHS, dir.epochs.encode().as_bytes())?;
        // Last, and with a sync of the names, so that all of it is there for good.
        match id.map(metadata::encode) {
            Some(text) => {
                storage::replace_file(storage, &dir.path, names::PARTITION_METADATA, text.as_bytes())?;
            }
            None => dir.sync()?,
        }
        let dir = Arc::new(dir);
        let segment = Segment::closed(Arc::clone(&dir), Mark::default(), options.index_interval_bytes, true);
        Ok(Self::new(dir, shared, options, vec![Arc::new(segment)], 0, 0, KnownProducers::default()))
    }
}

fn dir(shared: &Shared, topic: &Arc<str>, partition: u32, epochs: Epochs) -> Dir {
    Dir {
        storage: Arc::clone(&shared.storage),
        path: shared.path.join(names::partition_dir(topic, partition)),
        topic: Arc::clone(topic),
        partition,
        epochs,
        swap: Swap::default(),
        mappings: Arc::clone(&shared.mappings),
        decompressed_bytes_max: shared.decompressed_bytes_max,
    }
}
