//! Enhanced authentication by AUTH (5.0, section 4.12): the method that each step names, and whose step is next.
//!
//! ```text
//!             server: CONNECT, AUTH 0x19 came                    client: connect(), reauthenticate()
//!                          |                                                      |
//!                          v                  our step leaves                     v
//!                       [Ours] --------------------------------------------> [Theirs]
//!                          |   <--------------------------------------------      |
//!                          |                  their step comes                    |
//!                          |                                                      |
//!                          '----------------------> [Idle] <----------------------'
//!             server: accept(), authenticated()                  client: CONNACK 0x00, AUTH 0x00 came
//! ```
//!
//! What a step is in each role, and what else ends an exchange, stands in the `auth.rs` of the role. Only the method is kept, at most
//! 65,535 bytes, once for the connection: data goes through to the caller. Nothing of it outlives the connection.

use alloc::boxed::Box;
use alloc::vec::Vec;

use headwater_codec::{Auth, Packet, PacketType, Properties, Property, ReasonCode};

use crate::error::{Misuse, ProtocolError};
use crate::exchange::Exchange;
use crate::explained::Words;
use crate::time::Millis;

/// What a step of enhanced authentication says: the data of the method and an explanation for people; bytes alone become one by `into`.
///
/// The method is not in it: each step names that of CONNECT [MQTT-4.12.0-5]. The explanation is left out as that of
/// [`Explained`](crate::Explained) is: the user properties, then the reason string, rather than make an AUTH larger than the peer takes
/// [MQTT-3.15.2-2] [MQTT-3.15.2-3], and both where the client wants none [MQTT-3.1.2-29].
///
/// # Examples
///
/// Each side has the other one prove that it knows the secret. A method of its own is the caller's work; what follows stands for an HMAC:
///
/// ```
/// use headwater_codec::{Connect, Packet, Properties, Property, Version};
/// use headwater_session::{Millis, Transmit, client, server};
/// # use std::hash::{DefaultHasher, Hash, Hasher};
/// # fn proof(secret: &str, nonce: &[u8]) -> [u8; 8] {
/// #     let mut hasher = DefaultHasher::new();
/// #     (secret, nonce).hash(&mut hasher);
/// #     hasher.finish().to_be_bytes()
/// # }
/// # let (version, now) = (Version::V5, Millis(0));
/// # let mut client = client::Session::<&str>::new(client::Config::default());
/// # let mut server = server::Session::<&str>::new(server::Config::default(), now);
///
/// // The client names the method, and sends what the server has to prove itself with.
/// let asked = [Property::AuthenticationMethod("proofs"), Property::AuthenticationData(b"from client")];
/// let mut connect = Connect::new(version, "line-1");
/// connect.properties = Properties::from(&asked);
/// client.connect(&connect, now)?;
///
/// // The server sends what the client has to prove itself with.
/// let Some(Transmit::Control(bytes)) = client.poll_transmit(now) else { panic!("CONNECT is due") };
/// let Some(server::Event::Connect(connect)) = server.handle(Packet::decode(bytes, version)?, now)? else { panic!() };
/// assert_eq!(connect.properties.authentication_method(), Some("proofs"));
/// let to_prove = connect.properties.authentication_data().unwrap_or_default().to_vec();
/// server.challenge(b"from server")?;
///
/// // The client does.
/// let Some(Transmit::Control(bytes)) = server.poll_transmit() else { panic!("AUTH is due") };
/// let Some(client::Event::Auth(auth)) = client.handle(Packet::decode(bytes, version)?, now)? else { panic!() };
/// let nonce = auth.properties.authentication_data().unwrap_or_default();
/// client.authenticate(&proof("secret", nonce))?;
///
/// // The server is content, lets it in, and proves itself.
/// let Some(Transmit::Control(bytes)) = client.poll_transmit(now) else { panic!("AUTH is due") };
/// let Some(server::Event::Auth(auth)) = server.handle(Packet::decode(bytes, version)?, now)? else { panic!() };
/// assert_eq!(auth.properties.authentication_data(), Some(&proof("secret", b"from server")[..]));
/// let proven = proof("secret", &to_prove);
/// server.accept(None, &server::Accept::default().authenticated(Some(&proven)), now)?;
///
/// // The client has the last word: without a proof it would leave.
/// let Some(Transmit::Control(bytes)) = server.poll_transmit() else { panic!("CONNACK is due") };
/// let Some(client::Event::Connected { connack, .. }) = client.handle(Packet::decode(bytes, version)?, now)? else { panic!() };
/// assert_eq!(connack.properties.authentication_data(), Some(&proof("secret", b"from client")[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuthData<'a> {
    data: Option<&'a [u8]>,
    pub(crate) words: Words<'a>,
}

impl<'a> AuthData<'a> {
    /// No data and no explanation: a step that only says that it was taken.
    pub const EMPTY: Self = Self { data: None, words: Words { reason_string: None, user_properties: &[] } };

    /// Data without explanation. More than 65,535 bytes cannot be encoded.
    #[must_use]
    pub const fn new(data: &'a [u8]) -> Self {
        Self { data: Some(data), ..Self::EMPTY }
    }

    /// The same with this reason string.
    #[must_use]
    pub const fn reason_string(mut self, text: &'a str) -> Self {
        self.words.reason_string = Some(text);
        self
    }

    /// The same with these user properties, names and values.
    #[must_use]
    pub const fn user_properties(mut self, pairs: &'a [(&'a str, &'a str)]) -> Self {
        self.words.user_properties = pairs;
        self
    }
}

impl<'a> From<&'a [u8]> for AuthData<'a> {
    fn from(data: &'a [u8]) -> Self {
        Self::new(data)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for AuthData<'a> {
    fn from(data: &'a [u8; N]) -> Self {
        Self::new(data)
    }
}

/// Whose step is next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nobody's: no exchange is under way.
    #[default]
    Idle,
    /// The caller's; the whole exchange must be over by then.
    Ours { deadline: Millis },
    /// The peer's; the whole exchange must be over by then.
    Theirs { deadline: Millis },
}

/// The authentication of one network connection.
#[derive(Debug, Default)]
pub(crate) struct Authentication {
    /// What CONNECT named.
    method: Option<Box<str>>,
    pub(crate) step: Step,
}

impl Authentication {
    /// A CONNECT with these properties begins an exchange if it names a method.
    pub(crate) fn begin(connect: &Properties<'_>, first: Step) -> Self {
        let method = connect.authentication_method().map(Box::from);
        let step = if method.is_some() { first } else { Step::Idle };
        Self { method, step }
    }

    pub(crate) fn has_method(&self) -> bool {
        self.method.is_some()
    }

    /// When the exchange that is under way must be over.
    pub(crate) fn deadline(&self) -> Option<Millis> {
        match self.step {
            Step::Idle => None,
            Step::Ours { deadline } | Step::Theirs { deadline } => Some(deadline),
        }
    }

    /// Whether a packet of the peer names the method of CONNECT, or none if that had none.
    pub(crate) fn check(&self, packet: PacketType, properties: &Properties<'_>) -> Result<(), ProtocolError> {
        match (self.method.as_deref(), packet) {
            // [MQTT-4.12.0-6] [MQTT-4.12.0-7]
            (None, PacketType::Auth) => Err(ProtocolError::UnexpectedAuth),
            // [MQTT-4.12.0-5] [MQTT-4.12.0-6] [MQTT-4.12.1-1]. An AUTH without properties, which section 3.15.2.1 knows, names no method
            // either.
            (method, _) if method != properties.authentication_method() => {
                Err(ProtocolError::WrongAuthMethod { packet })
            }
            _ => Ok(()),
        }
    }

    /// What names the method and carries data, in a packet that leaves.
    pub(crate) fn properties<'a>(&'a self, data: Option<&'a [u8]>) -> impl Iterator<Item = Property<'a>> {
        // [MQTT-4.12.0-5] [MQTT-4.12.0-6] [MQTT-4.12.1-1]
        let method = self.method.as_deref().map(Property::AuthenticationMethod);
        let data = data.filter(|_| self.has_method()).map(Property::AuthenticationData);
        method.into_iter().chain(data)
    }

    /// Queues an AUTH.
    pub(crate) fn queue<T>(
        &self,
        exchange: &mut Exchange<T>,
        reason: ReasonCode,
        AuthData { data, words }: AuthData<'_>,
    ) -> Result<(), Misuse> {
        let mut properties: Vec<_> = self.properties(data).collect();
        let needed = properties.len();
        words.push_onto(&mut properties);
        exchange
            .queue_explained(&properties, needed, |properties| Packet::Auth(Auth::new(reason, properties)))
    }
}
