//! What opening costs: a hundred thousand sessions and ten thousand retained messages, after nothing, after ten million messages, and after
//! many that retention has taken since.

use std::fmt::Write;

use headwater::codec::QoS;

use crate::bed::{Bed, SESSIONS, processor_time, publish};

const RETAINED: u32 = 10_000;
const MESSAGES: u32 = 10_000_000;

pub(crate) fn run() {
    let bed = Bed::new();
    let bed = again(bed, "nothing in it");
    for number in 0..SESSIONS {
        bed.leave_one_away(&format!("device-{number:06}"), &format!("fleet/{number}/#"));
    }
    for number in 0..RETAINED {
        publish(&bed.store, &format!("state/{number}"), QoS::AtLeastOnce, true);
    }
    bed.run();
    let bed = again(bed, "100,000 sessions, 10,000 retained messages");
    bed.publish(MESSAGES, |number, topic| {
        write!(topic, "dev/{}/temp", number % 10_000).expect("a string grows")
    });
    let bed = again(bed, "the same, and 10,000,000 messages");
    // What was replaced counts until it is compacted.
    for round in 0..4 {
        for number in 0..SESSIONS {
            bed.leave_one_away(&format!("device-{number:06}"), &format!("fleet/{number}/{round}"));
        }
    }
    bed.run();
    let bed = again(bed, "each session saved eight times since");
    bed.log.maintain(2).expect("compaction");
    again(bed, "the same, after maintenance");
}

fn again(bed: Bed, what: &str) -> Bed {
    let dir = bed.close();
    let begun = processor_time();
    let bed = Bed::on(dir);
    println!("  {what}: opened in {:.2?}", processor_time() - begun);
    bed
}
