//! Integration tests of `headwater-log`, one binary.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests assert, and count in small numbers"
)]

mod alter;
mod bed;
mod check;
mod compaction;
mod compaction_exchange;
mod compaction_faults;
mod compaction_heads;
mod compaction_histories;
mod compression;
mod concurrency;
mod crash;
mod damage;
mod decompression;
mod fault_table;
mod faults;
mod flush;
mod foreign;
mod group;
mod head;
mod histories;
mod idempotence;
mod idempotence_crash;
mod layout;
mod loss;
mod model;
mod producer;
mod producer_faults;
mod producer_ids;
mod producer_laws;
mod producer_snapshots;
mod quarantine;
mod quarantine_crash;
mod read_only;
mod reading;
mod real_disk;
mod record_batch;
mod retention;
mod review_api;
mod review_disk;
mod room;
mod strangers;
mod table;
mod table_compacted;
mod table_errors;
mod table_waiting;
mod takeover;
mod timestamp_type;
mod topics;
mod two_writers;
mod upkeep;
mod waiting;
