//! What comes out: bytes to write and deadlines.

use super::{Phase, Session};
use crate::time::Millis;
use crate::transmit::Transmit;

impl<T> Session<T> {
    /// The next thing to write, `None` when there is nothing more for now.
    ///
    /// Control packets first, then messages, those of an earlier connection before new ones. After the session is closed only the
    /// farewell is left.
    pub fn poll_transmit(&mut self) -> Option<Transmit<'_, T>> {
        let messages = self.phase == Phase::Open;
        self.exchange.poll_transmit(messages)
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called if no packet comes before: the end of the time for CONNECT with its
    /// authentication, or for another one; or one and a half times the keep alive after the last packet [MQTT-3.1.2-22], but not while
    /// [`wants_packet`](Self::wants_packet) says no. `None` with neither.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        match self.phase {
            Phase::Fresh { deadline } | Phase::Asked { deadline } => Some(deadline),
            Phase::Open => self.silence().into_iter().chain(self.auth.deadline()).min(),
            Phase::Closed => None,
        }
    }

    /// When the client will have been silent for too long.
    fn silence(&self) -> Option<Millis> {
        let counts = self.client.keep_alive_secs > 0 && self.wants_packet();
        counts.then(|| self.heard.after(u64::from(self.client.keep_alive_secs) * 1_500))
    }
}
