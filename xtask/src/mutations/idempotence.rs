//! The safeguards of idempotent producers: the window, the epochs, the snapshots, the ids.

use super::Mutation;

const RULES: &str = "idempotence::the_rules_are_those_of_a_kafka_broker";
const ONCE: &str = "idempotence_crash::acknowledged_batches_are_there_once_after_any_crash";

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
        caught_by: &[ONCE],
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
];
