//! What is published: numbers on lines.

use headwater::codec::QoS;

pub(super) const PUBLISHERS: usize = 10;
/// Of each publisher, each with messages of every QoS.
const TOPICS: usize = 2;
const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// What keeps its order: messages of one publisher on one topic with one QoS [MQTT-4.6.0-6].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) publisher: usize,
    topic: usize,
    pub(super) qos: QoS,
}

impl Line {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..PUBLISHERS).flat_map(Self::of)
    }

    pub(super) fn of(publisher: usize) -> impl Iterator<Item = Self> {
        (0..TOPICS).flat_map(move |topic| QOS.map(|qos| Self { publisher, topic, qos }))
    }

    /// Its place among all.
    pub(super) fn index(self) -> usize {
        self.publisher * TOPICS * QOS.len() + self.index_of_publisher()
    }

    /// Its place among those of its publisher.
    pub(super) fn index_of_publisher(self) -> usize {
        self.topic * QOS.len() + usize::from(self.qos as u8)
    }

    pub(super) fn topic(self) -> String {
        format!("kill/{}/{}", self.publisher, self.topic)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) line: Line,
    pub(super) number: usize,
    /// Behind it nothing comes.
    pub(super) last: bool,
}

impl Message {
    pub(super) fn payload(self) -> String {
        let Self { line, number, last } = self;
        format!("{} {} {} {number} {}", line.publisher, line.topic, line.qos as u8, u8::from(last))
    }

    /// Whatever the broker makes of topics and payloads, it cannot be taken for another message.
    pub(super) fn read(topic: &str, payload: &str) -> Self {
        let fields: Vec<usize> = payload.split(' ').map(|field| field.parse().unwrap()).collect();
        let [publisher, at, qos, number, last] = fields[..] else { panic!("a strange message: {payload}") };
        let line = Line { publisher, topic: at, qos: QOS[qos] };
        assert_eq!(topic, line.topic(), "the topic of {payload}");
        Self { line, number, last: last == 1 }
    }
}
