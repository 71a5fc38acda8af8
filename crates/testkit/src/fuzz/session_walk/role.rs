//! A session of either role, by one set of calls.

use headwater_codec::{Connect, Packet, PacketId, Properties, Property, QoS, ReasonCode, Version};
use headwater_session::persist::{Change, ChangesLost};
use headwater_session::{Millis, ProtocolError, Receipt, State, Transmit, client, server};

/// The authentication method of those who have one.
pub(super) const METHOD: &str = "walk";

/// Messages are numbers.
#[derive(Debug)]
pub(super) enum Role {
    Client(client::Session<u32>),
    Server(server::Session<u32>),
}

/// What a packet led to, without borrowing it.
#[derive(Debug)]
pub(super) enum Said {
    Nothing,
    /// A client asks to be let in.
    Asked {
        clean_start: bool,
    },
    /// A server lets us in.
    Connected {
        unfinished: Vec<u32>,
        session_present: bool,
    },
    Message(Option<Receipt>),
    Delivered(u32),
    Requested(server::Request),
    Answered(PacketId),
    /// A step of the peer's authentication.
    Auth,
    Other,
}

macro_rules! either {
    ($role:expr, $session:ident => $call:expr) => {
        match $role {
            Role::Client($session) => $call,
            Role::Server($session) => $call,
        }
    };
}

impl Role {
    pub(super) fn handle(&mut self, packet: Packet<'_>, now: Millis) -> Result<Said, ProtocolError> {
        Ok(match self {
            Self::Client(session) => match session.handle(packet, now)? {
                None => Said::Nothing,
                Some(client::Event::Connected { connack, unfinished }) => {
                    Said::Connected { unfinished, session_present: connack.session_present }
                }
                Some(client::Event::Publish { receipt, .. }) => Said::Message(receipt),
                Some(client::Event::Delivered { message, .. }) => Said::Delivered(message),
                Some(client::Event::Subscribed(suback)) => Said::Answered(suback.packet_id),
                Some(client::Event::Unsubscribed(unsuback)) => Said::Answered(unsuback.packet_id),
                Some(client::Event::Auth(_)) => Said::Auth,
                Some(_) => Said::Other,
            },
            Self::Server(session) => match session.handle(packet, now)? {
                None => Said::Nothing,
                Some(server::Event::Connect(connect)) => Said::Asked { clean_start: connect.clean_start },
                Some(server::Event::Publish { receipt, .. }) => Said::Message(receipt),
                Some(server::Event::Delivered { message, .. }) => Said::Delivered(message),
                Some(
                    server::Event::Subscribe { request, .. } | server::Event::Unsubscribe { request, .. },
                ) => Said::Requested(request),
                Some(server::Event::Auth(_)) => Said::Auth,
                Some(_) => Said::Other,
            },
        })
    }

    pub(super) fn poll_transmit(&mut self, now: Millis) -> Option<Transmit<'_, u32>> {
        match self {
            Self::Client(session) => session.poll_transmit(now),
            Self::Server(session) => session.poll_transmit(),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Millis) -> Result<(), ProtocolError> {
        either!(self, session => session.handle_timeout(now))
    }

    pub(super) fn next_deadline(&self) -> Option<Millis> {
        either!(self, session => session.next_deadline())
    }

    pub(super) fn publish(&mut self, message: u32, qos: QoS) -> Option<PacketId> {
        either!(self, session => session.publish(message, qos)).ok().flatten()
    }

    pub(super) fn discard(&mut self, packet_id: PacketId) -> Option<u32> {
        either!(self, session => session.discard(packet_id))
    }

    pub(super) fn acknowledge(&mut self, receipt: Receipt, reason: ReasonCode) {
        either!(self, session => session.acknowledge(receipt, reason)).expect("PUBACK carries these reasons");
    }

    pub(super) fn disconnect(&mut self, reason: ReasonCode) {
        either!(self, session => session.disconnect(reason));
    }

    pub(super) fn record_changes(&mut self) {
        either!(self, session => session.record_changes(10_000));
    }

    pub(super) fn poll_change(&mut self) -> Result<Option<Change<&u32>>, ChangesLost> {
        either!(self, session => session.poll_change())
    }

    pub(super) fn state(&self) -> State<u32> {
        either!(self, session => session.state())
    }

    pub(super) fn version(&self) -> Version {
        either!(self, session => session.version())
    }

    pub(super) fn is_open(&self) -> bool {
        either!(self, session => session.is_open())
    }

    pub(super) fn is_closed(&self) -> bool {
        either!(self, session => session.is_closed())
    }

    pub(super) fn in_flight(&self) -> usize {
        either!(self, session => session.in_flight())
    }

    /// The next step of an authentication, whichever the phase allows; tells whether there was one.
    pub(super) fn authenticate(&mut self, ends: bool, now: Millis) -> bool {
        let data = b"data";
        match self {
            Self::Client(session) => {
                session.authenticate(data).is_ok() || session.reauthenticate(data, now).is_ok()
            }
            Self::Server(session) => {
                ends && session.authenticated(data).is_ok() || session.challenge(data).is_ok()
            }
        }
    }

    pub(super) fn held(&self) -> usize {
        either!(self, session => session.held())
    }

    pub(super) fn queued_bytes(&self) -> usize {
        either!(self, session => session.queued_bytes())
    }
}

/// A CONNECT: of the client under test, and of the peer of a server. One with a method has an identifier, too.
pub(super) fn with_connect<R>(
    version: Version,
    flags: u8,
    method: bool,
    then: impl FnOnce(&Connect<'_>) -> R,
) -> R {
    let mut connect = Connect::new(version, if flags & 0x40 == 0 { "walk" } else { "" });
    connect.clean_start = flags & 1 != 0;
    connect.keep_alive_secs = u16::from(flags >> 1 & 3) * 5;
    let properties = [
        Property::SessionExpiryInterval(u32::from(flags >> 3 & 1) * 100),
        Property::ReceiveMaximum(small(flags >> 4 & 3)),
        Property::TopicAliasMaximum(u16::from(flags >> 7)),
        Property::AuthenticationMethod(METHOD),
    ];
    if version == Version::V5 {
        let count = if method && flags & 0x40 == 0 { 4 } else { 3 };
        connect.properties = Properties::from(properties.get(..count).unwrap_or(&properties));
    }
    then(&connect)
}

/// 1 to 4.
pub(super) fn small(bits: u8) -> core::num::NonZeroU16 {
    core::num::NonZeroU16::MIN.saturating_add(u16::from(bits % 4))
}
