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
mod concurrency;
mod crash;
mod damage;
mod fault_table;
mod faults;
mod flush;
mod foreign;
mod head;
mod histories;
mod layout;
mod loss;
mod model;
mod quarantine;
mod quarantine_crash;
mod read_only;
mod reading;
mod real_disk;
mod record_batch;
mod retention;
mod room;
mod strangers;
mod table;
mod table_errors;
mod table_waiting;
mod takeover;
mod timestamp_type;
mod topics;
mod two_writers;
mod upkeep;
mod waiting;
