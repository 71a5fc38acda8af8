//! A table of a compacted topic is the fold of all that was ever appended, wherever compaction came in between.

use std::collections::HashMap;

use bytes::Bytes;
use headwater_log::{Ack, CleanupPolicy, Record, Table};
use proptest::prelude::*;

use crate::bed::{Bed, START_MS, small};

#[derive(Debug, Clone)]
enum Op {
    Append(u8, u8),
    Compact,
    CatchUp,
    CatchUpSome(u16),
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (1..40_u8, 1..8_u8).prop_map(|(count, keys)| Op::Append(count, keys)),
        3 => Just(Op::Compact),
        2 => Just(Op::CatchUp),
        2 => any::<u16>().prop_map(Op::CatchUpSome),
        1 => Just(Op::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_table_of_a_compacted_topic_is_the_fold_of_all_records(seed in any::<u64>(), ops in proptest::collection::vec(op(), 1..40)) {
        let topic = small().cleanup_policy(CleanupPolicy::Compact).min_cleanable_dirty_percent(100);
        let bed = Bed { topic, ..Bed::new(seed) };
        let (mut log, mut partition) = bed.open_partition();
        let mut table = Table::latest(&log.topic("t").unwrap());
        let mut expected = HashMap::<Bytes, Bytes>::new();
        let mut random = fastrand::Rng::with_seed(seed);
        for op in ops.iter().chain([&Op::CatchUp]) {
            match op {
                Op::Append(count, keys) => {
                    for _ in 0..*count {
                        let key = [random.u8(..*keys)];
                        let value = vec![random.u8(..); random.usize(..300)];
                        if random.u8(..4) == 0 {
                            partition.append(&Record::tombstone(&key), Ack::Appended).unwrap();
                            expected.remove(&key[..]);
                        } else {
                            partition.append(&Record::new(&value).key(&key), Ack::Appended).unwrap();
                            expected.insert(Bytes::copy_from_slice(&key), value.into());
                        }
                    }
                    partition.sync().unwrap();
                }
                Op::Compact => drop(partition.compact(START_MS, &mut |_| {}).unwrap()),
                Op::CatchUp => {
                    table.catch_up().unwrap();
                    assert_eq!(table.total_lag(), 0);
                    assert_eq!(table.state(), &expected);
                    // One that begins now comes to the same.
                    let mut new = Table::latest(&log.topic("t").unwrap());
                    new.catch_up().unwrap();
                    assert_eq!((new.position(0), new.state()), (table.position(0), &expected));
                }
                Op::CatchUpSome(bytes) => drop(table.catch_up_some((*bytes).into()).unwrap()),
                Op::Reopen => {
                    let saved: Vec<_> = table.positions().collect();
                    let state = table.into_state();
                    log.close().unwrap();
                    (log, partition) = bed.open_partition();
                    table = Table::new(&log.topic("t").unwrap(), state);
                    saved.into_iter().for_each(|position| table.seek(position).unwrap());
                }
            }
        }
    }
}
