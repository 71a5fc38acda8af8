//! The safeguards of compaction, of the exchange of segments, and of segments with gaps.

use super::Mutation;

const HISTORIES: &str =
    "compaction_histories::every_history_of_up_to_six_operations_with_compaction_survives_its_crashes";
const FLIPS: &str = "compaction_heads::every_flipped_bit_of_every_header_is_an_error_never_another_offset";

/// All of these.
pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        what: "the sync of the names before segments are exchanged",
        file: "partition/exchange.rs",
        from: "        self.sync_dir()?;\n        let replaced",
        to: "        let replaced",
        caught_by: &[HISTORIES],
    },
    Mutation {
        what: "the sync of the names of a new segment, before those that it replaces go",
        file: "partition/exchange.rs",
        from: "&SUFFIXES, replaced)?;\n        self.sync_dir()?;",
        to: "&SUFFIXES, replaced)?;",
        caught_by: &[HISTORIES],
    },
    Mutation {
        what: "the sync of the removal of segments that were replaced",
        file: "segment/swap.rs",
        from: "        if !self.replaced.is_empty() {\n            // As long",
        to: "        if false {\n            // As long",
        caught_by: &[HISTORIES],
    },
    Mutation {
        what: "not counting an exchange of which not all names were changed",
        file: "segment/swap.rs",
        from: "if cleaned.is_some_and(|cleaned| base_offset >= cleaned) {",
        to: "if cleaned.is_some_and(|_| false) {",
        caught_by: &[HISTORIES],
    },
    Mutation {
        what: "the removal of segments that an unfinished exchange has replaced",
        file: "segment/swap.rs",
        from: "            dir.swap.replaced.extend(replaced);",
        to: "            let _ = replaced.count();",
        caught_by: &[HISTORIES],
    },
    Mutation {
        what: "the sync of the segment that compaction makes",
        file: "compaction/cleaned.rs",
        from: "        self.flush()?;\n        self.sync()?;\n",
        to: "        self.flush()?;\n",
        caught_by: &[HISTORIES, "compaction_histories::long_histories_follow_the_law"],
    },
    Mutation {
        what: "the sync of what is beside the segment that compaction makes",
        file: "compaction/cleaned.rs",
        from: "            file.sync_data().map_err(IoError::of(\"sync\", &path))?;\n        }",
        to: "        }",
        caught_by: &[HISTORIES, "compaction_histories::long_histories_follow_the_law"],
    },
    Mutation {
        what: "clearing what a compaction that failed has left",
        file: "partition/compact.rs",
        from: "            clear(&self.dir)?;\n        }",
        to: "        }",
        caught_by: &["compaction_exchange::what_an_attempt_that_failed_has_left_does_not_void_the_next_one"],
    },
    Mutation {
        what: "finishing an exchange before segments are deleted",
        file: "partition/retention.rs",
        from: "        self.finish_exchange()?;\n",
        to: "",
        caught_by: &["compaction_exchange::a_deletion_finishes_an_exchange_that_waits"],
    },
    Mutation {
        what: "keeping a segment mapped whose files are replaced",
        file: "partition/exchange.rs",
        from: "        group.iter().try_for_each(|one| one.segment.retire())?;\n",
        to: "",
        caught_by: &["compaction::readers_and_appenders_go_on_beside_a_compaction"],
    },
    Mutation {
        what: "the file that a place of a reader beside the writer is in",
        file: "read_only/partition.rs",
        from: "(cursor.segment, cursor.heads) == (base_offset, sum) &&",
        to: "cursor.segment == base_offset &&",
        caught_by: &["compaction_exchange::a_place_in_a_file_that_was_replaced_is_none_in_the_new_one"],
    },
    Mutation {
        what: "the delete horizon of tombstones",
        file: "compaction/filter.rs",
        from: "header.has_delete_horizon() && self.now_ms >= header.base_timestamp;",
        to: "header.has_delete_horizon();",
        caught_by: &[
            "compaction::a_tombstone_stays_for_its_time_and_then_goes_and_its_key_does_not_come_back",
        ],
    },
    Mutation {
        what: "the last batch of a segment that compaction makes, when nothing of it stays",
        file: "compaction/filter.rs",
        from: "if !is_last && !self.last_batches.has(header) {",
        to: "if !self.last_batches.has(header) {",
        caught_by: &["compaction::the_last_record_of_each_key_stays_with_its_offset_and_time"],
    },
    Mutation {
        what: "the refusal of records without a key",
        file: "partition/append.rs",
        from: "        self.compacted.load(Ordering::Acquire)",
        to: "        false",
        caught_by: &["compaction::a_record_without_a_key_is_refused_and_one_that_is_there_stays"],
    },
    Mutation {
        what: "the checksums of batch heads in a read",
        file: "segment/lookup.rs",
        from: "            false => self.check_heads(&mapped, passed),",
        to: "            false => self.check_heads(&mapped, 0..0),",
        caught_by: &[FLIPS],
    },
    Mutation {
        what: "the checksums of batch heads in a check and in quarantine",
        file: "segment/walk.rs",
        from: "        if let Err(damage) = self.check_heads(self.position)? {\n",
        to: "        if let Err(damage) = Ok::<(), Damage>(()) {\n",
        caught_by: &[FLIPS],
    },
    Mutation {
        what: "the checksums of batch heads beside the writer",
        file: "read_only/chunk.rs",
        from: "self.wrong_heads(start.position..position.saturating_add(seen))?",
        to: "self.wrong_heads(seen..seen)?",
        caught_by: &[FLIPS],
    },
];
