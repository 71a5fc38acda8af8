//! A session with a narrow filter comes back to ten million messages that are not for it.

use std::fmt::Write;

use crate::bed::{Bed, drain, processor_time};

const FOREIGN: u32 = 10_000_000;
/// Every so manyth is for the session.
const MINE_EVERY: u32 = 1_000_000;
const DEVICES: u32 = 10_000;

/// Client identifier, filter, and how many it gets.
const CASES: [(&str, &str, u64); 5] = [
    ("prefix", "mine/#", 10),
    ("level", "+/alarm", 10),
    ("exact", "mine/alarm", 10),
    ("none", "dev/none/temp", 0),
    ("wide", "+/4711/temp", 1_000),
];

pub(crate) fn run() {
    let bed = Bed::new();
    for (client_id, filter, _) in CASES {
        for round in ["live", "again", "reopened"] {
            bed.leave_one_away(&format!("{client_id}-{round}"), filter);
        }
    }
    let begun = processor_time();
    let mut state = 1_u32;
    bed.publish(FOREIGN, |number, topic| {
        // Devices in no order, each as often as the others.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let device = (number + (state >> 16) % 97) % DEVICES;
        if number % MINE_EVERY == 777 {
            topic.push_str("mine/alarm");
        } else {
            write!(topic, "dev/{device}/temp").expect("a string grows");
        }
    });
    println!("  {FOREIGN} messages were published and dispatched in {:.2?}", (processor_time() - begun));
    for (client_id, filter, count) in CASES {
        resume(&bed, &format!("{client_id}-live"), filter, count);
    }
    let bed = Bed::on(bed.close());
    println!("  opened again");
    for round in ["reopened", "again"] {
        for (client_id, filter, count) in CASES {
            resume(&bed, &format!("{client_id}-{round}"), filter, count);
        }
    }
}

fn resume(bed: &Bed, client_id: &str, filter: &str, count: u64) {
    let before = bed.store.statistics();
    let (found, spent) = drain(&mut bed.attach(client_id));
    if client_id.starts_with("wide") {
        assert!(found.abs_diff(count) < count / 5, "{found}");
    } else {
        assert_eq!(found, count, "{filter}");
    }
    let after = bed.store.statistics();
    let (scanned, skipped) = (after.scanned - before.scanned, after.skipped - before.skipped);
    println!(
        "  {client_id}, {filter}: {found} messages after {spent:.2?}, {scanned} records read, {skipped} skipped"
    );
}
