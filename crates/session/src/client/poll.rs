//! What comes out: bytes to write and deadlines.

use headwater_codec::Packet;

use super::{Phase, Session};
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

    /// When [`handle_timeout`](Self::handle_timeout) must be called: the end of the server's time to answer, or the moment when a
    /// PINGREQ is due [MQTT-3.1.2-20].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        match self.phase {
            Phase::Asked { deadline } => Some(deadline),
            Phase::Open { ping: Some(deadline) } => Some(deadline),
            Phase::Open { ping: None } if self.keep_alive_secs > 0 => {
                Some(self.spoke.after_secs(u64::from(self.keep_alive_secs)))
            }
            Phase::Open { ping: None } | Phase::Idle | Phase::Closed => None,
        }
    }

    /// A deadline may have passed: queues a PINGREQ, or gives the connection up. Earlier calls do no harm.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::ResponseTimeout`] when the server did not answer in time; the session is closed.
    pub fn handle_timeout(&mut self, now: Millis) -> Result<(), ProtocolError> {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        if let Phase::Open { ping: None } = self.phase {
            let queued = self.exchange.queue(&Packet::PingReq);
            debug_assert!(queued.is_ok(), "PINGREQ is two bytes");
            self.phase = Phase::Open { ping: Some(now.after(self.config.response_timeout_millis)) };
            return Ok(());
        }
        self.phase = Phase::Closed;
        Err(ProtocolError::ResponseTimeout)
    }
}
