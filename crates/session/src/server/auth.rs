//! Enhanced authentication, the server's side.
//!
//! ```text
//!  before CONNACK    CONNECT with a method
//!                           |
//!                           v    challenge(): AUTH 0x18
//!                        [Ours] ------------------------> [Theirs]
//!                           |  <------------------------      |
//!                           |            AUTH 0x18            |
//!            accept(): 0x00 |                                 | DISCONNECT
//!         refuse(): > 0x7F  |                                 | refuse(), any other packet, time out
//!                           v                                 v
//!                   [Idle] or the end                      the end
//!
//!  after it          [Idle]
//!                      |  ^
//!            AUTH 0x19 |  | authenticated(): AUTH 0x00
//!                      v  |      challenge(): AUTH 0x18
//!                     [Ours] ---------------------------> [Theirs]
//!                           <---------------------------
//!                                        AUTH 0x18
//! ```
//!
//! After CONNACK messages go on as before, and disconnect(), DISCONNECT, a time out or an AUTH that is not in the picture end the connection.

use headwater_codec::{Auth, Packet, PacketType, ReasonCode};

use super::{Event, Phase, Session};
use crate::auth::{AuthData, Step};
use crate::error::{Misuse, ProtocolError};
use crate::explained::Words;
use crate::time::Millis;

impl<T> Session<T> {
    /// A packet between CONNECT and CONNACK.
    pub(super) fn handle_asked<'p>(
        &mut self,
        packet: Packet<'p>,
        now: Millis,
    ) -> Result<Option<Event<'p, T>>, ProtocolError> {
        match (packet, self.auth.step) {
            (Packet::Auth(auth), Step::Theirs { .. }) => self.handle_auth(auth, now),
            (Packet::Disconnect(disconnect), Step::Theirs { .. }) => self.handle_disconnect(disconnect),
            // [MQTT-3.1.0-2]
            (Packet::Connect(_), Step::Theirs { .. }) => Err(ProtocolError::SecondConnect),
            // [MQTT-3.1.2-30]; and while the caller has to answer, nothing is read.
            (packet, _) => Err(ProtocolError::NotConnected { packet: packet.packet_type() }),
        }
    }

    pub(super) fn handle_auth<'p>(
        &mut self,
        auth: Auth<'p>,
        now: Millis,
    ) -> Result<Option<Event<'p, T>>, ProtocolError> {
        self.auth.check(PacketType::Auth, &auth.properties)?;
        let reason = auth.reason;
        let deadline = match (reason, self.auth.step) {
            // [MQTT-4.12.0-3]
            (ReasonCode::CONTINUE_AUTHENTICATION, Step::Theirs { deadline }) => deadline,
            (ReasonCode::RE_AUTHENTICATE, Step::Idle) => now.after(self.config.connect_timeout_millis),
            (ReasonCode::CONTINUE_AUTHENTICATION | ReasonCode::RE_AUTHENTICATE, _) => {
                return Err(ProtocolError::AuthOutOfTurn { reason });
            }
            // 5.0, section 3.15.2.1: success is the server's to say.
            _ => return Err(ProtocolError::WrongAuthReason { reason }),
        };
        self.auth.step = Step::Ours { deadline };
        Ok(Some(Event::Auth(auth)))
    }

    /// Asks the client for more: AUTH with 0x18 [MQTT-4.12.0-2], the method of CONNECT and this data. After
    /// [`Event::Connect`] of a client that names a method, and after [`Event::Auth`].
    ///
    /// # Errors
    ///
    /// Nothing has changed then. [`Misuse::WrongPhase`] if it is not for the server to answer, [`Misuse::NoAuthenticationMethod`] if the
    /// client named none [MQTT-4.12.0-6], [`Misuse::Encode`] if the data cannot be encoded, or the client takes no packet of that size.
    pub fn challenge<'a>(&mut self, data: impl Into<AuthData<'a>>) -> Result<(), Misuse> {
        let deadline = self.answerable()?;
        self.queue_auth(ReasonCode::CONTINUE_AUTHENTICATION, data.into())?;
        self.auth.step = Step::Theirs { deadline };
        Ok(())
    }

    /// Tells a client that it has authenticated itself again: AUTH with 0x00, the method of CONNECT and this data. After an
    /// [`Event::Auth`] behind CONNACK. One that failed is answered by [`disconnect`](Self::disconnect), with
    /// [`NOT_AUTHORIZED`](ReasonCode::NOT_AUTHORIZED) for instance [MQTT-4.12.1-2].
    ///
    /// # Errors
    ///
    /// As [`challenge`](Self::challenge); [`Misuse::WrongPhase`] also for a client that was not let in yet, see
    /// [`Accept::authenticated`](super::Accept::authenticated).
    pub fn authenticated<'a>(&mut self, data: impl Into<AuthData<'a>>) -> Result<(), Misuse> {
        self.answerable()?;
        if self.phase != Phase::Open {
            return Err(Misuse::WrongPhase);
        }
        self.queue_auth(ReasonCode::SUCCESS, data.into())?;
        self.auth.step = Step::Idle;
        Ok(())
    }

    /// Whether the client has to answer.
    pub(super) fn is_challenged(&self) -> bool {
        matches!(self.auth.step, Step::Theirs { .. })
    }

    /// Whether the client waits for a step of ours, and until when.
    fn answerable(&self) -> Result<Millis, Misuse> {
        match (self.phase, self.auth.step) {
            (Phase::Fresh { .. } | Phase::Closed, _) => Err(Misuse::WrongPhase),
            _ if !self.auth.has_method() => Err(Misuse::NoAuthenticationMethod),
            (_, Step::Ours { deadline }) => Ok(deadline),
            _ => Err(Misuse::WrongPhase),
        }
    }

    fn queue_auth(&mut self, reason: ReasonCode, mut data: AuthData<'_>) -> Result<(), Misuse> {
        if !self.client.problem_information {
            // [MQTT-3.1.2-29]
            data.words = Words::default();
        }
        self.auth.queue(&mut self.exchange, reason, data)
    }
}
