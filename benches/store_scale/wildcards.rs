//! What is published, with ten subscriptions that have wildcards and with a hundred thousand.

use std::time::Duration;

use headwater::codec::QoS;
use headwater::store::{Attached, Next};

use crate::bed::{Bed, processor_time, publish, subscribe};

const SESSIONS: u32 = 1_000;
const ROUNDS: u32 = 40;
/// So many share a sync, so that it is not the disk that is measured.
const BATCH: u32 = 10_000;

pub(crate) fn run() {
    for (qos, name) in [(QoS::AtMostOnce, "QoS 0"), (QoS::AtLeastOnce, "QoS 1")] {
        for matching in [false, true] {
            // In turns, so that what the machine does besides meets both.
            let (few, many) = (Case::new(10, matching), Case::new(100_000, matching));
            let mut spent = [Duration::ZERO; 2];
            for _ in 0..ROUNDS {
                for (case, spent) in [&few, &many].into_iter().zip(&mut spent) {
                    *spent += case.round(qos);
                }
            }
            let rates = spent.map(|spent| f64::from(ROUNDS * BATCH) / spent.as_secs_f64());
            println!(
                "  {name}, {} match: {:.0} messages a second with 10 subscriptions, {:.0} with 100,000: {:.3} of it",
                if matching { "one" } else { "none" },
                rates[0],
                rates[1],
                rates[1] / rates[0]
            );
        }
    }
}

struct Case {
    sessions: std::cell::RefCell<Vec<Attached>>,
    bed: Bed,
    matching: bool,
}

impl Case {
    fn new(subscriptions: u32, matching: bool) -> Self {
        let bed = Bed::new();
        let mut sessions: Vec<Attached> =
            (0..SESSIONS.min(subscriptions)).map(|number| bed.attach(&format!("client-{number}"))).collect();
        let count = u32::try_from(sessions.len()).expect("a few");
        for number in 0..subscriptions {
            let filter = match number % 4 {
                0 => format!("site/{number}/+/temperature"),
                1 => format!("+/{number}/temperature"),
                2 => format!("site/{number}/#"),
                _ => format!("factory/+/line-{number}/#"),
            };
            let index = usize::try_from(number % count).expect("a few");
            subscribe(&mut sessions[index], &filter);
        }
        if matching {
            subscribe(&mut sessions[0], "factory/+/temperature");
        }
        Self { sessions: sessions.into(), bed, matching }
    }

    fn round(&self, qos: QoS) -> Duration {
        let begun = processor_time();
        for number in 0..BATCH {
            let topic =
                if number % 2 == 0 { "factory/line-1/temperature" } else { "factory/line-2/temperature" };
            publish(&self.bed.store, topic, qos, false);
        }
        if qos != QoS::AtMostOnce {
            self.bed.run();
        }
        let mut got = 0;
        while let Next::Delivery(_) = self.sessions.borrow_mut()[0].next(1).expect("a whole log") {
            got += 1;
        }
        let spent = processor_time() - begun;
        assert_eq!(got, if self.matching { BATCH } else { 0 });
        self.bed.run();
        spent
    }
}
