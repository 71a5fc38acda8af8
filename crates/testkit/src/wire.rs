//! A connection that breaks, or falls silent: both directions in order, until everything that is under way is lost.

use std::collections::VecDeque;

/// The two directions of one network connection.
#[derive(Debug, Default)]
pub struct Wire {
    /// From the client.
    pub to_server: Direction,
    /// From the server.
    pub to_client: Direction,
}

/// One direction. What was sent arrives in order, one packet at a time, or never.
///
/// As with TCP, what is lost is a tail: whatever arrived was sent before whatever did not, and behind what vanished nothing comes any more.
/// Packets lie in one buffer, so that a hundred thousand connections allocate little.
#[derive(Debug, Default)]
pub struct Direction {
    bytes: Vec<u8>,
    /// How much of `bytes` has arrived.
    arrived: usize,
    /// The lengths of the packets behind it.
    lengths: VecDeque<usize>,
    is_silent: bool,
    has_ended: bool,
}

impl Wire {
    /// A connection with nothing under way.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything under way is lost; what is sent from now on belongs to a new connection.
    pub fn reset(&mut self) {
        self.to_server.reset();
        self.to_client.reset();
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.to_server.lengths.is_empty() && self.to_client.lengths.is_empty()
    }

    /// Whether what is sent arrives, in both directions.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        [&self.to_server, &self.to_client].iter().all(|one| !one.is_silent && !one.has_ended)
    }
}

impl Direction {
    /// One packet is written.
    pub fn send(&mut self, packet: &[u8]) {
        if !self.is_silent {
            self.bytes.extend_from_slice(packet);
            self.lengths.push_back(packet.len());
        }
    }

    /// What arrives next.
    pub fn receive(&mut self) -> Option<&[u8]> {
        let Some(length) = self.lengths.pop_front() else {
            self.bytes.clear();
            self.arrived = 0;
            return None;
        };
        let begin = self.arrived;
        self.arrived += length;
        self.bytes.get(begin..self.arrived)
    }

    /// What is under way, and what is sent from now on, vanishes: nobody is told.
    pub fn vanish(&mut self) {
        self.reset();
        self.is_silent = true;
    }

    /// The writer closes its end: behind what is under way the reader finds the end.
    pub fn end(&mut self) {
        self.has_ended = true;
    }

    /// Whether the reader finds the end now.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.has_ended && !self.is_silent && self.lengths.is_empty()
    }

    fn reset(&mut self) {
        self.bytes.clear();
        self.lengths.clear();
        self.arrived = 0;
        self.is_silent = false;
        self.has_ended = false;
    }
}
