//! What comes out: bytes to write and deadlines.

use headwater_codec::Packet;

use super::{Phase, Session};
use crate::auth::Step;
use crate::error::ProtocolError;
use crate::time::Millis;
use crate::transmit::Transmit;

impl<T> Session<T> {
    /// The next thing to write, `None` when there is nothing more for now.
    ///
    /// Control packets first, then messages, those of an earlier connection before new ones. No message leaves before CONNACK came.
    pub fn poll_transmit(&mut self, now: Millis) -> Option<Transmit<'_, T>> {
        let messages = self.is_open();
        let transmit = self.exchange.poll_transmit(messages)?;
        self.spoke = now;
        Some(transmit)
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called: the end of the server's time to answer, or of that for another
    /// authentication, or the moment when a PINGREQ is due [MQTT-3.1.2-20].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        match self.phase {
            Phase::Asked { deadline } => Some(deadline),
            Phase::Open { ping } => ping.into_iter().chain(self.auth.deadline()).chain(self.ping_due()).min(),
            Phase::Idle | Phase::Closed => None,
        }
    }

    fn ping_due(&self) -> Option<Millis> {
        (self.keep_alive_secs > 0).then(|| self.spoke.after_secs(u64::from(self.keep_alive_secs)))
    }

    /// A deadline may have passed: queues a PINGREQ, or gives the connection up. Earlier calls do no harm.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::ResponseTimeout`] when the server did not answer in time, [`ProtocolError::AuthTimeout`] when an authentication
    /// was not over in time; the session is closed.
    pub fn handle_timeout(&mut self, now: Millis) -> Result<(), ProtocolError> {
        let is_over = |deadline: Option<Millis>| deadline.is_some_and(|deadline| now >= deadline);
        let authentication_is_late = match (self.phase, self.auth.step) {
            (Phase::Open { .. }, _) | (Phase::Asked { .. }, Step::Ours { .. }) => {
                is_over(self.auth.deadline())
            }
            // Before CONNACK the server answers by the time for CONNECT: that is below.
            _ => false,
        };
        if authentication_is_late {
            let error = ProtocolError::AuthTimeout;
            // [MQTT-4.12.1-2]
            self.disconnect(error.reason_code());
            return Err(error);
        }
        let late = match self.phase {
            Phase::Asked { deadline } => is_over(Some(deadline)),
            Phase::Open { ping } => is_over(ping),
            Phase::Idle | Phase::Closed => false,
        };
        if late {
            self.leave_unanswered();
            self.phase = Phase::Closed;
            return Err(ProtocolError::ResponseTimeout);
        }
        if let Phase::Open { ping } = self.phase
            && is_over(self.ping_due())
        {
            self.exchange.queue_small(&Packet::PingReq);
            // Also while an answer is awaited: the server counts the silence.
            self.spoke = now;
            self.phase = Phase::Open { ping: ping.or(Some(now.after(self.config.response_timeout_millis))) };
        }
        Ok(())
    }
}
