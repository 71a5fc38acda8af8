//! The log against a model of it: any history of operations, kills, crashes and failed syncs.

use headwater_testkit::log_model::{Op, Run};
use headwater_testkit::sim_disk::SimDisk;
use proptest::prelude::*;

use crate::bed::small;

/// A run with segments of one page, or of several.
pub(crate) fn run(seed: u64) -> Run {
    let segment_bytes = if seed.is_multiple_of(2) { 4096 } else { 3 * 4096 };
    Run::new(SimDisk::new(seed), small().segment_bytes(segment_bytes))
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => Just(Op::Fill),
        8 => (1..6_u8, any::<bool>()).prop_map(|(count, durable)| Op::Append(count, durable)),
        2 => Just(Op::Sync),
        1 => Just(Op::Maintain),
        1 => (0..=255_u8).prop_map(Op::Delete),
        1 => Just(Op::Reopen),
        1 => Just(Op::Kill),
        2 => any::<u64>().prop_map(Op::Crash),
        1 => (0..4_u8).prop_map(Op::FailSync),
        1 => Just(Op::DropIndexes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// P1, P2, P3, P4, P6, P7, P8 and P11 over any history.
    #[test]
    fn any_history_keeps_the_promises(seed in any::<u64>(), ops in proptest::collection::vec(op(), 1..40)) {
        let mut run = run(seed);
        for op in ops {
            run.step(op);
        }
    }
}
