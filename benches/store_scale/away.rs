//! A hundred thousand sessions whose clients are away, each of which has missed ten thousand messages: what each costs.

use std::fmt::Write;

use crate::bed::{Bed, PARTITIONS, SESSIONS, drain, memory_bytes, processor_time};

const MISSED: u32 = 10_000;

pub(crate) fn run() {
    let bed = Bed::new();
    bed.run();
    let before = ["VmRSS", "RssAnon"].map(memory_bytes);
    let begun = processor_time();
    for number in 0..SESSIONS {
        bed.leave_one_away(&format!("device-{number:06}"), "fleet/+/command");
    }
    bed.run();
    println!("  {SESSIONS} sessions came, subscribed and went in {:.2?}", processor_time() - begun);
    bed.publish(MISSED, |number, topic| {
        write!(topic, "fleet/{}/command", number % 16).expect("a string grows")
    });
    for (name, before) in ["VmRSS", "RssAnon"].into_iter().zip(before) {
        let grown = memory_bytes(name).saturating_sub(before);
        let each = grown / u64::from(SESSIONS);
        println!(
            "  {name} has grown by {grown} bytes: {each} a session, {} a session and partition",
            each / u64::from(PARTITIONS)
        );
    }
    let (count, spent) = drain(&mut bed.attach("device-077777"));
    assert_eq!(count, u64::from(MISSED));
    println!("  one of them came back and got its {count} in {spent:.2?}");
    // It is opened again, and holds the same.
    let dir = bed.close();
    let begun = processor_time();
    let bed = Bed::on(dir);
    println!("  opened again in {:.2?}", processor_time() - begun);
    assert_eq!(bed.store.statistics().sessions, SESSIONS as usize);
}
