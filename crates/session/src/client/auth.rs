//! Enhanced authentication, the client's side.
//!
//! ```text
//!  before CONNACK    connect() with a method
//!                           |
//!                           v    AUTH 0x18
//!                       [Theirs] ---------------------------> [Ours]
//!                           |    <---------------------------
//!                           |      authenticate(): AUTH 0x18
//!              CONNACK 0x00 v
//!                        [Idle]
//!  after it               |  ^
//!    reauthenticate():    |  | AUTH 0x00
//!            AUTH 0x19    v  |   AUTH 0x18
//!                       [Theirs] ---------------------------> [Ours]
//!                                <---------------------------
//!                                  authenticate(): AUTH 0x18
//! ```
//!
//! A server that is content without our answer ends the exchange also in [Ours]. CONNACK with an error, DISCONNECT, disconnect(), a time out
//! and an AUTH that is not in the picture end the connection.

use headwater_codec::{Auth, PacketType, ReasonCode};

use super::{Event, Phase, Session};
use crate::auth::{AuthData, Step};
use crate::error::{Misuse, ProtocolError};
use crate::time::Millis;

impl<T> Session<T> {
    pub(super) fn handle_auth<'p>(&mut self, auth: Auth<'p>) -> Result<Option<Event<'p, T>>, ProtocolError> {
        self.auth.check(PacketType::Auth, &auth.properties)?;
        let reason = auth.reason;
        self.auth.step = match (reason, self.auth.step) {
            // [MQTT-4.12.0-2]
            (ReasonCode::CONTINUE_AUTHENTICATION, Step::Theirs { deadline }) => Step::Ours { deadline },
            // Before CONNACK, success is said by CONNACK.
            (ReasonCode::SUCCESS, Step::Ours { .. } | Step::Theirs { .. }) if self.is_open() => Step::Idle,
            (ReasonCode::CONTINUE_AUTHENTICATION | ReasonCode::SUCCESS, _) => {
                return Err(ProtocolError::AuthOutOfTurn { reason });
            }
            // 5.0, section 3.15.2.1: to authenticate again is the client's to ask.
            _ => return Err(ProtocolError::WrongAuthReason { reason }),
        };
        Ok(Some(Event::Auth(auth)))
    }

    /// Answers an [`Event::Auth`] with 0x18: AUTH with 0x18 [MQTT-4.12.0-3], the method of CONNECT and this data. A
    /// client that is not content with the server calls [`disconnect`](Self::disconnect) instead.
    ///
    /// # Errors
    ///
    /// Nothing has changed then. [`Misuse::WrongPhase`] without a connection, or if the server waits for no answer,
    /// [`Misuse::NoAuthenticationMethod`] if CONNECT named none [MQTT-4.12.0-7], [`Misuse::Encode`] if the data cannot be encoded, or the
    /// packet is larger than the server takes.
    pub fn authenticate<'a>(&mut self, data: impl Into<AuthData<'a>>) -> Result<(), Misuse> {
        self.agreed()?;
        let Step::Ours { deadline } = self.auth.step else { return Err(Misuse::WrongPhase) };
        self.auth.queue(&mut self.exchange, ReasonCode::CONTINUE_AUTHENTICATION, data.into())?;
        self.auth.step = Step::Theirs { deadline };
        Ok(())
    }

    /// Authenticates again on the open connection: AUTH with 0x19, the method of CONNECT [MQTT-4.12.1-1] and this data. Messages go on
    /// meanwhile.
    ///
    /// The server asks for more by [`Event::Auth`] with 0x18, is content by one with 0x00, and ends the connection if it
    /// is not; a client that is not content with the server calls [`disconnect`](Self::disconnect) [MQTT-4.12.1-2]. The whole exchange
    /// has [`Config::response_timeout_millis`](super::Config::response_timeout_millis).
    ///
    /// # Errors
    ///
    /// Nothing has changed then. [`Misuse::WrongPhase`] without an open connection, and while an earlier exchange is under way,
    /// [`Misuse::NoAuthenticationMethod`] and [`Misuse::Encode`] as in [`authenticate`](Self::authenticate).
    pub fn reauthenticate<'a>(&mut self, data: impl Into<AuthData<'a>>, now: Millis) -> Result<(), Misuse> {
        self.agreed()?;
        if !self.is_open() || self.auth.step != Step::Idle {
            return Err(Misuse::WrongPhase);
        }
        self.auth.queue(&mut self.exchange, ReasonCode::RE_AUTHENTICATE, data.into())?;
        self.auth.step = Step::Theirs { deadline: now.after(self.config.response_timeout_millis) };
        Ok(())
    }

    /// Whether there is a connection, and CONNECT named a method.
    fn agreed(&self) -> Result<(), Misuse> {
        match self.phase {
            Phase::Idle | Phase::Closed => Err(Misuse::WrongPhase),
            Phase::Asked { .. } | Phase::Open { .. } if self.auth.has_method() => Ok(()),
            Phase::Asked { .. } | Phase::Open { .. } => Err(Misuse::NoAuthenticationMethod),
        }
    }
}
