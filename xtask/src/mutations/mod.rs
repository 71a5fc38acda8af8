//! The safeguards of the log that `cargo x mutate` takes out, and the tests that fail then.

mod compaction;
mod idempotence;

/// A safeguard, and how it is taken out.
pub(crate) struct Mutation {
    /// What is taken out.
    pub(crate) what: &'static str,
    /// Where, below `crates/log/src`.
    pub(crate) file: &'static str,
    /// The text that is there, once.
    pub(crate) from: &'static str,
    /// What stands there instead.
    pub(crate) to: &'static str,
    /// The tests that have to fail.
    pub(crate) caught_by: &'static [&'static str],
}

const HISTORIES: &str = "histories::every_history_of_up_to_six_operations_survives_its_crashes";

/// All of them, in the order of the table in `docs/testing.md`.
pub(crate) fn all() -> impl Iterator<Item = &'static Mutation> {
    MUTATIONS.iter().chain(compaction::MUTATIONS).chain(idempotence::MUTATIONS)
}

/// All but those of compaction and of idempotent producers.
const MUTATIONS: &[Mutation] = &[
    Mutation {
        what: "the sync of the directory before the first acknowledgement in a new segment",
        file: "segment/tail.rs",
        from: "            self.dir.sync()?;\n            self.named",
        to: "            self.named",
        caught_by: &[HISTORIES, "crash::names_of_a_new_segment_are_durable_before_anything_in_it_is"],
    },
    Mutation {
        what: "the sync of the segment",
        file: "segment/tail.rs",
        from: "        self.file.sync_data().map_err(IoError::of(\"sync\", &path))?;\n        self.sync_names()?;\n        self.note_appended(extent.log, times.now_ms);\n        let mut keeper = self.keeper.lock();\n        let mark = self.mark",
        to: "        self.sync_names()?;\n        self.note_appended(extent.log, times.now_ms);\n        let _ = path;\n        let mut keeper = self.keeper.lock();\n        let mark = self.mark",
        caught_by: &[
            HISTORIES,
            "crash::records_kept_behind_the_mark_are_written_again",
            "faults::a_failed_sync_poisons_until_reopen",
        ],
    },
    Mutation {
        what: "the sync of a segment that is sealed",
        file: "segment/tail.rs",
        from: "        self.trim()?;\n        self.file.sync_data().map_err(IoError::of(\"sync\", &path))?;",
        to: "        self.trim()?;",
        caught_by: &[
            HISTORIES,
            "crash::clean_close_is_durable_and_needs_no_scan",
            "crash::recovery_survives_its_own_crashes",
        ],
    },
    Mutation {
        what: "the durable mark",
        file: "segment/tail.rs",
        from: "        keeper.update(&self.dir, &mark, times.now_ms)",
        to: "        let _ = (&mut *keeper, mark);\n        Ok(())",
        caught_by: &[
            "damage::every_flipped_byte_of_durable_data_is_found_after_a_kill_and_nothing_is_cut",
            "concurrency::an_idle_sync_costs_nothing",
            "head::only_what_is_not_known_to_be_durable_is_read_after_a_kill",
        ],
    },
    Mutation {
        what: "the cut of the tail",
        file: "recovery/carry_out.rs",
        from: "    file.set_len(mark.position).map_err(IoError::of(\"trim\", &path))?;\n",
        to: "",
        caught_by: &[
            "crash::junk_behind_the_end_is_the_end",
            "damage::no_damage_to_any_file_gives_a_wrong_record",
        ],
    },
    Mutation {
        what: "writing again what is kept behind the mark",
        file: "recovery/carry_out.rs",
        from: "    quarantine::copy((&*file, &path), rewrite_from..mark.position, (&*file, &path), rewrite_from)?;\n",
        to: "",
        caught_by: &["crash::records_kept_behind_the_mark_are_written_again"],
    },
    Mutation {
        what: "the sync of what recovery wrote again",
        file: "recovery/carry_out.rs",
        from: "    file.sync_data().map_err(IoError::of(\"sync\", &path))?;\n    for",
        to: "    for",
        caught_by: &["crash::records_kept_behind_the_mark_are_written_again"],
    },
    Mutation {
        what: "poisoning after a sync that failed",
        file: "partition/commit.rs",
        from: "            Err(error) if error.is_sync() => return Err(self.poison(Arc::clone(error))),\n",
        to: "",
        caught_by: &[
            "faults::a_failed_sync_poisons_until_reopen",
            "faults::an_append_error_tells_whether_something_was_appended",
        ],
    },
    Mutation {
        what: "the recovery point as proof",
        file: "recovery/plan.rs",
        from: "        Err(self.dir.corruption(segment, position, what).into())\n    }\n}\n\nimpl Planned",
        to: "        let _ = (segment, position, what);\n        Ok(())\n    }\n}\n\nimpl Planned",
        caught_by: &[
            "loss::a_newest_segment_that_is_gone_is_an_error",
            "loss::sealed_segments_that_are_gone_after_a_crash_are_an_error",
            "loss::damage_below_the_recovery_point_is_an_error_without_a_mark",
        ],
    },
    Mutation {
        what: "the log start offset before records are deleted",
        file: "partition/retention.rs",
        from: "            self.keep_start(offset)?;\n            self.drop",
        to: "            self.drop",
        caught_by: &[HISTORIES, "retention::a_full_disk_does_not_stop_deletion_up_to_an_offset"],
    },
    Mutation {
        what: "the log start offset before retention deletes",
        file: "log/maintain.rs",
        from: "match self.shared.starts.raise(&raised) {",
        to: "match Ok::<(), crate::error::IoError>(drop(raised.clone())) {",
        caught_by: &[HISTORIES],
    },
    Mutation {
        what: "the sync of the directory before segments go",
        file: "partition/retention.rs",
        from: "            self.sync_names(&leader)?;\n",
        to: "",
        caught_by: &[HISTORIES, "retention::what_becomes_the_first_segment_has_a_durable_name"],
    },
    Mutation {
        what: "the sync of the directory after recovery removed files",
        file: "recovery/carry_out.rs",
        from: "        if is_new || !remove.is_empty() || !set_aside.is_empty() || !leftovers.is_empty() {\n            dir.sync()?;",
        to: "        if is_new || !remove.is_empty() || !set_aside.is_empty() || !leftovers.is_empty() {",
        caught_by: &["crash::a_segment_behind_a_gap_goes_and_does_not_come_back"],
    },
    Mutation {
        what: "the mark of an empty segment of Kafka's",
        file: "recovery/plan.rs",
        from: "files.log_bytes == 0 && !files.proves() && followed.is_none() && !sparse",
        to: "files.log_bytes == 0 && !files.proves() && followed.is_none()",
        caught_by: &["foreign::an_empty_segment_behind_a_gap_stays_where_it_is"],
    },
    Mutation {
        what: "the note of a taking over",
        file: "recovery/listing.rs",
        from: "self.taking_over || newest",
        to: "newest",
        caught_by: &[
            "takeover::a_first_opening_that_was_interrupted_takes_no_gap_for_an_end",
            "takeover::old_marks_say_nothing_after_a_crash_either",
        ],
    },
    Mutation {
        what: "the epoch in the mark of a new segment",
        file: "segment/keeper.rs",
        from: "&slots(&mark, [0])",
        to: "&[0; FILE_BYTES]",
        caught_by: &["takeover::marks_of_an_empty_log_say_nothing_of_what_a_broker_wrote"],
    },
    Mutation {
        what: "the sync of a creation's note",
        file: "log/topics.rs",
        from: "        self.shared.storage.sync_dir(&first).map_err(IoError::of(\"sync\", &first))?;\n",
        to: "",
        caught_by: &["topics::creation_is_all_or_nothing"],
    },
    Mutation {
        what: "the sync of the name of a creation's first partition",
        file: "log/topics.rs",
        from: "        self.sync_names()?;\n        Ok(note)",
        to: "        Ok(note)",
        caught_by: &["topics::creation_is_all_or_nothing"],
    },
    Mutation {
        what: "the checksum of an index that recovery goes by",
        file: "recovery/head.rs",
        from: "(IndexSum::of(&content) == sum).then_some(content)",
        to: "Some(content)",
        caught_by: &["head::an_index_that_the_mark_does_not_know_is_not_believed"],
    },
    Mutation {
        what: "checking at the first read what recovery did not read",
        file: "recovery/mend.rs",
        from: "let whole = scan.from == 0;",
        to: "let whole = true;",
        caught_by: &[
            "damage::every_flipped_byte_of_durable_data_is_found_after_a_kill_and_nothing_is_cut",
            "damage::no_damage_to_any_file_gives_a_wrong_record",
        ],
    },
    Mutation {
        what: "checking what a read passes by the index",
        file: "segment/lookup.rs",
        from: " && mapped.knows(first.end()..found.at)",
        to: "",
        caught_by: &["damage::every_flipped_bit_of_durable_data_is_an_error_with_its_place"],
    },
    Mutation {
        what: "the durable end as the bound of a read",
        file: "format/index.rs",
        from: "entry.position <= position && entry.relative_offset <= relative_offset",
        to: "entry.position <= position",
        caught_by: &["reading::a_read_stops_at_the_durable_end_however_much_follows"],
    },
    Mutation {
        what: "not believing a clock that jumps ahead",
        file: "log/believed.rs",
        from: "filter(|step| ahead > *step)",
        to: "filter(|_| false)",
        caught_by: &["faults::a_clock_that_jumps_ahead_is_not_believed_until_confirmed"],
    },
    Mutation {
        what: "looking inside a compressed batch that is appended",
        file: "format/ready.rs",
        from: "let (max_timestamp, without_key) = check_records(&header, &plain)?;",
        to: "let (max_timestamp, without_key) = match header.codec() {\n            0 => check_records(&header, &plain)?,\n            _ => (header.max_timestamp, None),\n        };",
        caught_by: &["decompression::a_compressed_batch_that_lies_about_its_records_is_refused"],
    },
    Mutation {
        what: "passing compressed batches that are earlier by their header",
        file: "fetched.rs",
        from: "                if header.max_timestamp < timestamp {",
        to: "                if header.max_timestamp < timestamp && at == usize::MAX {",
        caught_by: &["decompression::a_bomb_is_refused_when_it_is_appended_and_when_it_is_read"],
    },
    Mutation {
        what: "keeping a batch that has the topic's codec",
        file: "partition/append.rs",
        from: ".filter(|compression| compression.codec() != ready.codec())",
        to: "",
        caught_by: &["compression::a_batch_gets_the_codec_of_the_topic_and_is_kept_where_it_has_it"],
    },
    Mutation {
        what: "the finding of a stream that is none",
        file: "check/content.rs",
        from: "Err(Failure::Malformed) => Some(Problem::Content(Damage::Compressed { codec })),",
        to: "Err(Failure::Malformed) => None,",
        caught_by: &["decompression::a_compressed_batch_in_the_log_that_lies_is_damage_with_a_place"],
    },
    Mutation {
        what: "the sync before a producer's receipts",
        file: "producer/deliver.rs",
        from: "let outcome = self.partition.wait_durable(last.last_offset);",
        to: "let (outcome, _) = (Ok(()), last.last_offset);",
        caught_by: &[
            "producer_faults::what_a_receipt_said_to_be_durable_survives",
            "producer_faults::a_failed_sync_tells_every_receipt",
        ],
    },
    Mutation {
        what: "a batch that was refused goes before those behind it",
        file: "producer/deliver.rs",
        from: "delivery.held.take().or_else(|| self.next_batch(now_ms))",
        to: "self.next_batch(now_ms).or_else(|| delivery.held.take())",
        caught_by: &["producer_faults::a_full_disk_is_waited_for"],
    },
    Mutation {
        what: "the number behind a batch that was appended, and only then",
        file: "producer/deliver.rs",
        from: "                delivery.sequence = numbers.behind(batch.count()).base_sequence;\n",
        to: "",
        caught_by: &[
            "producer::batches_are_numbered_by_partition",
            "producer_laws::what_was_sent_is_what_is_read",
        ],
    },
    Mutation {
        what: "the bound on a producer's memory",
        file: "producer/memory.rs",
        from: "held.taken_bytes.saturating_add(bytes) > self.max",
        to: "bytes > self.max",
        caught_by: &["producer::what_is_gathered_is_bounded_exactly"],
    },
    Mutation {
        what: "the end of a partition that takes no more records",
        file: "producer/lane.rs",
        from: "        self.queue.lock().ended = true;",
        to: "",
        caught_by: &["producer::a_receipt_tells_where_the_record_is"],
    },
    Mutation {
        what: "the appends when a producer is dropped",
        file: "producer/mod.rs",
        from: "            None => self.shared.finish(),",
        to: "            None => {}",
        caught_by: &["producer_faults::dropping_a_producer_appends_what_was_gathered"],
    },
    Mutation {
        what: "the limit of the topic on a batch that gathers",
        file: "producer/gather.rs",
        from: "if end > self.limit && number > 0",
        to: "if number == u32::MAX",
        caught_by: &["producer::batches_are_within_the_limit_of_the_topic"],
    },
    Mutation {
        what: "that a table reads durable records only",
        file: "table/mod.rs",
        from: "followed.partition.read(offset, left.min(READ_BYTES))",
        to: "followed.partition.read_up_to(ReadUpTo::Appended, offset, left.min(READ_BYTES))",
        caught_by: &[
            "table::a_table_is_the_fold_of_what_it_has_passed",
            "table::after_a_crash_a_table_is_the_fold_of_what_was_kept_and_never_showed_more",
            "table::a_table_shows_nothing_of_an_append_whose_sync_failed",
        ],
    },
    Mutation {
        what: "that a table tells of records that were deleted before it folded them",
        file: "table/mod.rs",
        from: "                return Err(TableError::Truncated { topic: topic(), partition, offset, start });",
        to: "                followed.next = Some(start);\n                continue;",
        caught_by: &[
            "table::a_table_is_the_fold_of_what_it_has_passed",
            "table_errors::records_that_were_deleted_before_they_were_folded_are_told",
        ],
    },
    Mutation {
        what: "that a table stays before a record that its state refuses",
        file: "table/mod.rs",
        from: "                    followed.next = Some(view.offset);",
        to: "                    followed.next = Some(behind);",
        caught_by: &["table_errors::a_record_that_the_state_refuses_stops_it_until_it_is_skipped"],
    },
    Mutation {
        what: "waking who waits for a table when a partition is added",
        file: "topic.rs",
        from: "        self.inner.grown.notify();\n",
        to: "",
        caught_by: &["table_waiting::a_partition_that_is_added_wakes_who_waits"],
    },
    Mutation {
        what: "taking back the waker of who waits for a table no more",
        file: "table/changed.rs",
        from: "            topic.grown().deregister(ticket);",
        to: "            let _ = (topic, ticket);",
        caught_by: &["table_waiting::a_task_is_woken_by_any_partition_and_leaves_no_waker_behind"],
    },
    Mutation {
        what: "waiting for every partition of a table",
        file: "partition/any.rs",
        from: "self.parts.iter_mut().enumerate()",
        to: "self.parts.iter_mut().enumerate().take(1)",
        caught_by: &["table_waiting::a_task_is_woken_by_any_partition_and_leaves_no_waker_behind"],
    },
    Mutation {
        what: "the record of an offset that was ahead of its partition",
        file: "group/offsets.rs",
        from: "                self.unwritten.push((Arc::clone(group), partition.clone(), committed.value));\n",
        to: "",
        caught_by: &["group::offsets::a_group_offset_ahead_of_the_log_falls_to_its_end_and_is_reported"],
    },
    Mutation {
        what: "the fall of an offset that is ahead of its partition",
        file: "group/offsets.rs",
        from: "if committed.value.offset <= end || !",
        to: "if committed.value.offset > 0 || end > 0 || !",
        caught_by: &["group::offsets::a_group_offset_ahead_of_the_log_falls_to_its_end_and_is_reported"],
    },
    Mutation {
        what: "the comparison of a commit with the one before",
        file: "group/coordinator.rs",
        from: "committed.filter(|committed| committed > offset && !back)",
        to: "committed.filter(|_| back && false)",
        caught_by: &["group::bad_input::a_commit_that_moves_back_is_refused_unless_asked"],
    },
    Mutation {
        what: "the comparison of a commit with the durable end",
        file: "group/coordinator.rs",
        from: "if *offset > end {",
        to: "if *offset > end && back && !back {",
        caught_by: &["group::bad_input::a_commit_beyond_the_end_is_refused"],
    },
    Mutation {
        what: "the fence around records of an earlier ownership",
        file: "group/coordinator.rs",
        from: "since.filter(|since| *since != owner.since)",
        to: "since.filter(|since| *since > u64::MAX - owner.since)",
        caught_by: &["group::members::records_of_an_earlier_ownership_are_fenced"],
    },
    Mutation {
        what: "the owner's right to a partition until it has polled again",
        file: "group/coordinator.rs",
        from: "target.filter(|partition| !self.owners.contains_key(*partition))",
        to: "target.filter(move |partition| self.owners.get(*partition).is_none_or(|owner| owner.member != member))",
        caught_by: &[
            "group::members::a_member_that_comes_gets_its_share_when_the_other_has_polled_twice",
            "group::law::every_history_of_up_to_six_operations_keeps_the_laws_of_a_group",
        ],
    },
    Mutation {
        what: "putting out who does not poll",
        file: "group/coordinator.rs",
        from: "member.late_at() < now_ms)",
        to: "member.late_at() < now_ms && now_ms == 0)",
        caught_by: &[
            "group::members::a_member_that_does_not_poll_is_put_out_fenced_and_may_come_back",
            "group::members::who_waits_is_not_late",
            "group::law::every_history_of_up_to_six_operations_keeps_the_laws_of_a_group",
        ],
    },
    Mutation {
        what: "the topic's identity in a committed offset",
        file: "group/offsets.rs",
        from: "self.value.topic_id.is_none() || topic_id.is_none() ||",
        to: "topic_id.is_none() || topic_id.is_some() ||",
        caught_by: &["group::offsets::a_topic_made_anew_inherits_no_offsets"],
    },
    Mutation {
        what: "the wait for a commit to be durable",
        file: "group/offsets.rs",
        from: "(Ack::Durable, Some(last)) => self.core.wait_durable(last),",
        to: "(Ack::Durable, Some(last)) if last == u64::MAX => self.core.wait_durable(last),",
        caught_by: &[
            "group::crash::a_committed_offset_survives_every_crash_of_every_short_history",
            "group::crash::committed_offsets_survive_crash_after_crash",
        ],
    },
    Mutation {
        what: "the options by which committed offsets do not expire",
        file: "group/offsets.rs",
        from: "        retention_ms: None,\n        retention_bytes: None,\n",
        to: "",
        caught_by: &["group::offsets::offsets_do_not_expire_with_the_options_of_others"],
    },
];
