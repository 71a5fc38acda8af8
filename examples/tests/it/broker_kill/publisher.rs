//! Publishes at every QoS, in bursts, and notes what is acknowledged.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use headwater::codec::QoS;
use headwater::session::client::Session;

use super::client::{Turn, Work};
use super::message::{Line, Message};
use super::stage::{Stage, Stages};

/// On each line, and the time between two.
const BURST: std::ops::RangeInclusive<usize> = 1..=3;
const PAUSE_MS: std::ops::Range<u64> = 5..45;

pub(super) struct Publisher<'a> {
    stages: &'a Stages,
    number: usize,
    next_burst: Instant,
    /// For each of its lines, how many messages were given to the session, and which were acknowledged.
    published: Vec<usize>,
    acknowledged: Vec<BTreeSet<usize>>,
    /// Whose exchange was not complete when the broker was killed.
    pub(super) in_flight: usize,
    idle: bool,
    said_last: bool,
}

impl<'a> Publisher<'a> {
    pub(super) fn new(stages: &'a Stages, number: usize) -> Self {
        let lines = Line::of(number).count();
        Self {
            stages,
            number,
            next_burst: Instant::now(),
            published: vec![0; lines],
            acknowledged: vec![BTreeSet::new(); lines],
            in_flight: 0,
            idle: false,
            said_last: false,
        }
    }

    /// How many messages of this QoS it has published.
    pub(super) fn count(&self, qos: QoS) -> usize {
        Line::of(self.number).filter(|line| line.qos == qos).map(|line| self.published(line)).sum()
    }

    pub(super) fn published(&self, line: Line) -> usize {
        self.published[line.index_of_publisher()]
    }

    /// Which of them were acknowledged.
    pub(super) fn acknowledged(&self, line: Line) -> &BTreeSet<usize> {
        &self.acknowledged[line.index_of_publisher()]
    }

    fn publish(&mut self, session: &mut Session<Message>, line: Line, last: bool) {
        let number = &mut self.published[line.index_of_publisher()];
        if session.publish(Message { line, number: *number, last }, line.qos).is_ok() {
            *number += 1;
        }
    }
}

impl Work for Publisher<'_> {
    fn opened(&mut self, _session: &mut Session<Message>) {
        self.stages.count_ready();
    }

    fn delivered(&mut self, message: Message) {
        self.acknowledged[message.line.index_of_publisher()].insert(message.number);
    }

    fn broken(&mut self, session: &Session<Message>) {
        self.in_flight += session.in_flight();
    }

    fn turn(&mut self, session: &mut Session<Message>) -> Turn {
        let now = Instant::now();
        match self.stages.stage() {
            Stage::Load if self.next_burst <= now => {
                self.next_burst = now + Duration::from_millis(fastrand::u64(PAUSE_MS));
                for line in Line::of(self.number) {
                    for _ in 0..fastrand::usize(BURST) {
                        self.publish(session, line, false);
                    }
                }
            }
            Stage::Drain if session.in_flight() == 0 && !self.idle => {
                self.idle = true;
                self.stages.count_idle();
            }
            Stage::Last if !self.said_last => {
                self.said_last = true;
                Line::of(self.number).for_each(|line| self.publish(session, line, true));
            }
            Stage::Last if session.in_flight() == 0 => return Turn::End,
            Stage::Load | Stage::Drain | Stage::Last => {}
        }
        Turn::GoOn
    }
}
