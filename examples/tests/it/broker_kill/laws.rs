//! What has to hold of what came, and what does not.

use std::collections::BTreeMap;
use std::fmt;

use headwater::codec::QoS;

use super::message::{Line, Message};
use super::publisher::Publisher;
use super::subscriber::{Came, Subscriber};

/// Who was wrong with which law, and in what QoS of the line.
type Breach = (String, &'static str, QoS);

/// What was found: breaches of the laws, and how often something came again that may.
#[derive(Default)]
pub(super) struct Found {
    /// How many, and the first of them.
    wrong: BTreeMap<Breach, (usize, Line, usize)>,
    again: Vec<String>,
}

impl Found {
    /// At the QoS of a line or of the subscription, whichever is lower.
    pub(super) fn subscriber(&mut self, subscriber: &Subscriber<'_>, publishers: &[Publisher<'_>]) {
        self.lines(&format!("subscriber {}", subscriber.name), &subscriber.came, publishers, |line| {
            line.qos.min(subscriber.qos)
        });
    }

    /// The records of the log, in the order in which they are read.
    pub(super) fn log(&mut self, records: &[serde_json::Value], publishers: &[Publisher<'_>]) {
        let mut came: Vec<Came> = Line::all().map(|_| Came::default()).collect();
        for record in records {
            let [topic, payload] = ["key", "value"].map(|field| record[field].as_str().unwrap());
            let message = Message::read(topic, payload);
            came[message.line.index()].note(message.number);
        }
        self.lines("log", &came, publishers, |line| line.qos);
    }

    fn lines(
        &mut self,
        who: &str,
        came: &[Came],
        publishers: &[Publisher<'_>],
        qos_of: impl Fn(Line) -> QoS,
    ) {
        let mut again = 0;
        for (line, publisher) in Line::all().map(|line| (line, &publishers[line.publisher])) {
            let (came, acknowledged) = (&came[line.index()], publisher.acknowledged(line));
            let published = publisher.published(line);
            let mut wrong = |law, number| {
                let breach = (who.to_owned(), law, line.qos);
                self.wrong.entry(breach).or_insert((0, line, number)).0 += 1;
            };
            if line.qos != QoS::AtMostOnce {
                (0..published)
                    .filter(|number| !acknowledged.contains(number))
                    .for_each(|number| wrong("is not acknowledged", number));
            }
            acknowledged
                .iter()
                .filter(|&&number| came.times.get(number).is_none_or(|&times| times == 0))
                .for_each(|&number| wrong("was acknowledged and is lost", number));
            for (number, _) in came.times.iter().enumerate().filter(|&(_, &times)| times > 1) {
                if qos_of(line) == QoS::AtLeastOnce {
                    again += 1;
                } else {
                    wrong("came more than once", number);
                }
            }
            // [MQTT-4.6.0-6]
            for pair in came.firsts.windows(2).filter(|pair| pair[0] > pair[1]) {
                wrong("came first behind a later one", pair[1]);
            }
            came.firsts
                .iter()
                .filter(|&&number| number >= published)
                .for_each(|&number| wrong("was never published", number));
        }
        self.again.push(format!("{who} {again}"));
    }

    pub(super) fn check(&self) {
        let wrong: Vec<String> = self
            .wrong
            .iter()
            .map(|((who, law, qos), (count, line, number))| {
                format!(
                    "{who}: of {qos:?} {count} messages: {law}; the first is number {number} on {}",
                    line.topic()
                )
            })
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.wrong.is_empty() {
            "nothing acknowledged is lost, QoS 2 came once, each line is in order"
        } else {
            "NOT ALL HOLDS"
        };
        write!(f, "{verdict}; of QoS 1 came more than once: {}", self.again.join(", "))
    }
}
