//! The bytes on disk: Kafka's record batches, indexes and text files, and our durable mark.
//!
//! Offsets and sizes are stated here once; `docs/log-format.md` draws them, and a test keeps the two together.

pub(crate) mod batch;
pub(crate) mod checkpoint;
#[cfg(test)]
mod document;
pub(crate) mod draft;
pub(crate) mod field;
#[cfg(test)]
mod golden;
pub(crate) mod heads;
pub(crate) mod index;
pub(crate) mod mark;
pub(crate) mod metadata;
pub(crate) mod names;
pub(crate) mod offset_commit;
pub(crate) mod packed;
pub(crate) mod placed;
pub(crate) mod producer_ids;
pub(crate) mod producer_snapshot;
pub(crate) mod ready;
pub(crate) mod record;
pub(crate) mod retained;
pub(crate) mod sealed;
pub(crate) mod varint;
