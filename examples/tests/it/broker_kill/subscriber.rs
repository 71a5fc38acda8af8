//! Notes what comes, and how often.

use std::time::{Duration, Instant};

use headwater::codec::{Properties, QoS, SubscribeFilter};
use headwater::session::client::Session;
use headwater::topic::TopicFilter;

use super::client::{Turn, Work};
use super::message::{Line, Message};
use super::stage::{Stage, Stages};

const STAYS_MS: std::ops::Range<u64> = 20..400;
const AWAY_MS: std::ops::Range<u64> = 0..300;

/// What came of a line.
#[derive(Default)]
pub(super) struct Came {
    /// Numbers in the order in which they came first.
    pub(super) firsts: Vec<usize>,
    /// How often each came.
    pub(super) times: Vec<usize>,
}

impl Came {
    pub(super) fn note(&mut self, number: usize) {
        if self.times.len() <= number {
            self.times.resize(number + 1, 0);
        }
        self.times[number] += 1;
        if self.times[number] == 1 {
            self.firsts.push(number);
        }
    }
}

pub(super) struct Subscriber<'a> {
    stages: &'a Stages,
    pub(super) name: &'static str,
    pub(super) qos: QoS,
    comes_and_goes: bool,
    /// When it goes next; an answer to SUBSCRIBE would not be sent again.
    goes: Option<Instant>,
    /// For each line.
    pub(super) came: Vec<Came>,
    /// Lines of QoS 1 and 2 whose last message is not there.
    open: usize,
}

impl<'a> Subscriber<'a> {
    pub(super) fn new(stages: &'a Stages, name: &'static str, qos: QoS, comes_and_goes: bool) -> Self {
        Self {
            stages,
            name,
            qos,
            comes_and_goes,
            goes: None,
            came: Line::all().map(|_| Came::default()).collect(),
            open: Line::all().filter(|line| line.qos != QoS::AtMostOnce).count(),
        }
    }
}

impl Work for Subscriber<'_> {
    fn opened(&mut self, session: &mut Session<Message>) {
        let filter = SubscribeFilter::new(TopicFilter::parse("kill/#").unwrap(), self.qos);
        session.subscribe(&[filter], Properties::default()).unwrap();
    }

    fn subscribed(&mut self) {
        self.stages.count_ready();
        self.goes = self.comes_and_goes.then(Instant::now);
    }

    fn arrived(&mut self, message: Message, qos: QoS) {
        // [MQTT-3.8.4-8]
        assert_eq!(qos, self.qos.min(message.line.qos), "{}: the QoS of {message:?}", self.name);
        let came = &mut self.came[message.line.index()];
        came.note(message.number);
        if message.last && qos != QoS::AtMostOnce && came.times[message.number] == 1 {
            self.open -= 1;
        }
    }

    fn turn(&mut self, _session: &mut Session<Message>) -> Turn {
        if self.open == 0 {
            return Turn::End;
        }
        let now = Instant::now();
        if self.goes.is_none_or(|goes| goes > now) || self.stages.stage() == Stage::Last {
            return Turn::GoOn;
        }
        let away = Duration::from_millis(fastrand::u64(AWAY_MS));
        self.goes = Some(now + away + Duration::from_millis(fastrand::u64(STAYS_MS)));
        if fastrand::bool() { Turn::Leave { away } } else { Turn::Cut { away } }
    }
}
