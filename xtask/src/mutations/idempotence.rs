//! The safeguards of idempotent producers: the window, the epochs, the snapshots, the ids.

use super::Mutation;

const RULES: &str = "idempotence::the_rules_are_those_of_a_kafka_broker";
const ONCE: &str = "idempotence_crash::acknowledged_batches_are_there_once_after_any_crash";
const IDS: &str = "producer_ids::producer_ids_are_given_once_over_all_crashes";

/// All of these.
pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        what: "the order of sequence numbers",
        file: "producers/producer.rs",
        from: "if found != expected {",
        to: "if false && found != expected {",
        caught_by: &[RULES, ONCE],
    },
    Mutation {
        what: "removing a snapshot behind the end",
        file: "recovery/producers.rs",
        from: "offset > self.end || (loaded",
        to: "false || (loaded",
        caught_by: &[ONCE, "producer_snapshots::a_snapshot_that_was_removed_does_not_come_back"],
    },
    Mutation {
        what: "the batches behind a snapshot",
        file: "recovery/producers.rs",
        from: "mark.numbered && mark.next_offset > from",
        to: "mark.numbered && mark.next_offset > u64::MAX",
        caught_by: &[
            "producer_snapshots::without_any_snapshot_the_batches_tell",
            ONCE,
            "idempotence_crash::producers_go_on_over_crashes_of_the_recovery",
        ],
    },
    Mutation {
        what: "the window of five batches",
        file: "producers/producer.rs",
        from: "const WINDOW_BATCHES: usize = 5;",
        to: "const WINDOW_BATCHES: usize = 4;",
        caught_by: &[RULES, ONCE],
    },
    Mutation {
        what: "the fence around an earlier epoch",
        file: "producers/producer.rs",
        from: "if epoch < self.epoch {",
        to: "if epoch < self.epoch && epoch < 0 {",
        caught_by: &[RULES, ONCE],
    },
    Mutation {
        what: "that a new epoch begins with 0",
        file: "producers/producer.rs",
        from: "epoch > self.epoch {\n            0\n",
        to: "epoch > self.epoch {\n            found\n",
        caught_by: &[RULES, ONCE],
    },
    Mutation {
        what: "the end of a window with its epoch",
        file: "producers/producer.rs",
        from: "(self.epoch, self.count) = (epoch, 0);",
        to: "self.epoch = epoch;",
        caught_by: &[ONCE, "idempotence_crash::producers_go_on_over_crashes_of_the_recovery"],
    },
    Mutation {
        what: "the mark's word that batches are numbered",
        file: "segment/tail.rs",
        from: "numbered: self.segment.numbered.load(Ordering::Acquire),",
        to: "numbered: false,",
        caught_by: &["producer_snapshots::without_any_snapshot_the_batches_tell", ONCE],
    },
    Mutation {
        what: "numbered batches in what recovery reads",
        file: "recovery/plan.rs",
        from: "numbered: mark.numbered || scan.numbered,",
        to: "numbered: mark.numbered,",
        caught_by: &[ONCE, "idempotence::a_retry_after_any_failure_is_there_once"],
    },
    Mutation {
        what: "numbered batches in what recovery does not read",
        file: "recovery/plan.rs",
        from: "numbered: mark.numbered || scan.numbered,",
        to: "numbered: scan.numbered,",
        caught_by: &["producer_snapshots::numbered_batches_before_the_mark_are_known_after_a_kill"],
    },
    Mutation {
        what: "numbered batches in what compaction makes",
        file: "partition/compact.rs",
        from: "numbered: marks().any(|mark| mark.numbered),",
        to: "numbered: false,",
        caught_by: &["producer_snapshots::a_compacted_log_tells_its_producers_without_snapshots"],
    },
    Mutation {
        what: "the snapshot of producers at a roll",
        file: "partition/growth.rs",
        from: ".and_then(|()| Ok(self.keep_producers(next_offset)?))",
        to: ".map_err(|error| error)",
        caught_by: &["producer_snapshots::snapshots_are_those_of_segments_and_of_the_end", ONCE],
    },
    Mutation {
        what: "the snapshot of producers at the close",
        file: "partition/commit.rs",
        from: "            self.keep_producers(end).map_err",
        to: "            Ok::<(), crate::error::IoError>(drop(end)).map_err",
        caught_by: &[
            "producer_snapshots::snapshots_are_those_of_segments_and_of_the_end",
            "producer_snapshots::producers_are_known_after_a_clean_close_and_nothing_is_read_for_it",
        ],
    },
    Mutation {
        what: "the snapshot of what recovery found of producers",
        file: "recovery/producers.rs",
        from: ".filter(|_| replayed || is_gone)",
        to: ".filter(|_| replayed && !replayed || is_gone)",
        caught_by: &["producer_snapshots::without_any_snapshot_the_batches_tell"],
    },
    Mutation {
        what: "the checksum of a snapshot",
        file: "format/producer_snapshot.rs",
        from: "if crc32c(rest) != crc {",
        to: "if crc32c(rest) != crc && crc == 0 {",
        caught_by: &["producer_snapshots::a_snapshot_cut_at_every_byte_or_flipped_in_any_bit_is_passed_over"],
    },
    Mutation {
        what: "that a snapshot names nothing at or behind its offset",
        file: "producers/mod.rs",
        from: "last_offset >= offset)",
        to: "last_offset > u64::MAX - offset)",
        caught_by: &["producer_snapshots::a_snapshot_that_names_a_batch_behind_its_offset_is_passed_over"],
    },
    Mutation {
        what: "not believing a time in a snapshot that lies ahead",
        file: "producers/mod.rs",
        from: "entry.timestamp.min(now_ms);",
        to: "entry.timestamp;",
        caught_by: &["producer_snapshots::a_time_in_a_snapshot_that_lies_ahead_is_not_believed"],
    },
    Mutation {
        what: "that the batches before a snapshot are not taken up again",
        file: "recovery/producers.rs",
        from: "found.header.base_offset >= from && found",
        to: "found.header.base_offset < u64::MAX && found",
        caught_by: &[ONCE],
    },
    Mutation {
        what: "the sync of the name of a snapshot",
        file: "partition/producers.rs",
        from: "storage::replace_file(",
        to: "storage::exchange_file(",
        caught_by: &[ONCE],
    },
    Mutation {
        what: "the wait of a duplicate until it is durable",
        file: "partition/append.rs",
        from: "if ack == Ack::Durable {\n            // Of a dup",
        to: "if ack == Ack::Durable && !placed.is_duplicate {\n            // Of a dup",
        caught_by: &["idempotence::a_duplicate_is_durable_when_that_is_what_was_asked", ONCE],
    },
    Mutation {
        what: "the file of the block of producer ids",
        file: "log/producer_ids.rs",
        from: "                storage::replace_file(&*self.shared.storage, self.path(), names::PRODUCER_IDS, &bytes)?;\n",
        to: "                drop(bytes);\n",
        caught_by: &[IDS],
    },
    Mutation {
        what: "the sync of the block of producer ids",
        file: "log/producer_ids.rs",
        from: "storage::replace_file(",
        to: "storage::exchange_file(",
        caught_by: &[IDS],
    },
    Mutation {
        what: "passing producer ids that a partition knows",
        file: "log/producer_ids.rs",
        from: ".take_while(|id| **id < end).last()",
        to: ".take_while(|id| **id < end).last().filter(|id| **id < 0)",
        caught_by: &[IDS],
    },
    Mutation {
        what: "the end of a producer that is silent for too long",
        file: "log/maintain.rs",
        from: "            core.expire_producers(now_ms);\n",
        to: "",
        caught_by: &["idempotence::a_producer_that_is_silent_for_too_long_is_forgotten"],
    },
    Mutation {
        what: "the bound on how many producers are remembered",
        file: "producers/mod.rs",
        from: "if self.known.len() >= self.max && ",
        to: "if self.known.len() == usize::MAX && ",
        caught_by: &["idempotence::no_more_producers_are_remembered_than_may_be"],
    },
];
