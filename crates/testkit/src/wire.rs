//! A connection that breaks: both directions in order, until everything that is under way is lost.

use std::collections::VecDeque;

/// The two directions of one network connection. What was sent arrives in order, one piece at a time, or never.
///
/// As with TCP, a cut takes a tail: whatever arrived was sent before whatever did not.
#[derive(Debug, Default)]
pub struct Wire {
    to_server: VecDeque<Vec<u8>>,
    to_client: VecDeque<Vec<u8>>,
}

impl Wire {
    /// A connection with nothing under way.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The client writes one packet.
    pub fn send_to_server(&mut self, packet: Vec<u8>) {
        self.to_server.push_back(packet);
    }

    /// The server writes one packet.
    pub fn send_to_client(&mut self, packet: Vec<u8>) {
        self.to_client.push_back(packet);
    }

    /// What arrives next at the server.
    pub fn at_server(&mut self) -> Option<Vec<u8>> {
        self.to_server.pop_front()
    }

    /// What arrives next at the client.
    pub fn at_client(&mut self) -> Option<Vec<u8>> {
        self.to_client.pop_front()
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.to_server.is_empty() && self.to_client.is_empty()
    }

    /// The connection breaks: everything under way is lost.
    pub fn cut(&mut self) {
        self.to_server.clear();
        self.to_client.clear();
    }
}
