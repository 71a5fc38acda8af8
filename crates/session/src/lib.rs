//! MQTT sessions without I/O, for clients and servers: QoS 0, 1 and 2, keep alive, flow control and resumption.
//!
//! A session is a state machine. Packets and time go in; events, packets to write and deadlines come out. It opens no socket, reads no
//! clock, starts no thread and draws no random number, so the same session runs under any runtime, on a microcontroller, or a
//! hundred thousand times a minute in a test.
//!
//! ```text
//!              handle(packet, now)                       publish(message), acknowledge(receipt)
//!   network ------------------------>  +---------+  <-------------------------------------------- caller
//!           <------------------------  | Session |  --------------------------------------------> caller
//!              poll_transmit()         +---------+       Event: a message, a request, delivered
//!              next_deadline()
//! ```
//!
//! * [`server::Session`] is one network connection of a server; what must outlive it is [`State`].
//! * [`client::Session`] is a client over any number of network connections.
//!
//! **Acknowledged means what the caller says.** A received QoS 1 or 2 message comes with a [`Receipt`]; PUBACK or PUBREC leaves when the
//! caller hands it back, for instance after the message is on disk, and in the order in which the messages came.
//!
//! **Messages are the caller's.** A session is generic over what is sent. It keeps a message until its exchange is complete and names
//! it in [`Transmit::Publish`]; the caller encodes it, so a payload need not be copied on its way from a file to a socket.
//!
//! # Examples
//!
//! A client and a server, with no network between them but a function call:
//!
//! ```
//! use headwater_codec::{Connect, Packet, Publish, QoS, ReasonCode, Version};
//! use headwater_session::{Millis, Transmit, client, server};
//! use headwater_topic::TopicName;
//!
//! let version = Version::V3_1_1;
//! let topic = TopicName::parse("factory/line-1/temperature")?;
//! let mut client = client::Session::<&str>::new(client::Config::default());
//! let mut server = server::Session::<&str>::new(server::Config::default(), Millis(0));
//!
//! client.connect(&Connect::new(version, "line-1"), Millis(0))?;
//! let Some(Transmit::Control(bytes)) = client.poll_transmit(Millis(0)) else { panic!("CONNECT is due") };
//! server.handle(Packet::decode(bytes, version)?, Millis(0))?;
//! server.accept(None, &server::Accept::default(), Millis(0))?;
//! let Some(Transmit::Control(bytes)) = server.poll_transmit() else { panic!("CONNACK is due") };
//! client.handle(Packet::decode(bytes, version)?, Millis(0))?;
//!
//! client.publish("21.5", QoS::AtLeastOnce)?;
//! let Some(Transmit::Publish { message, delivery, .. }) = client.poll_transmit(Millis(1)) else { panic!("PUBLISH is due") };
//! let publish = Publish::new(topic, message.as_bytes()).with_delivery(delivery);
//! let Some(server::Event::Publish { publish, receipt: Some(receipt), .. }) =
//!     server.handle(Packet::Publish(publish), Millis(1))?
//! else {
//!     panic!("a message comes")
//! };
//! assert_eq!(publish.payload, b"21.5");
//!
//! server.acknowledge(receipt, ReasonCode::SUCCESS)?;
//! let Some(Transmit::Control(bytes)) = server.poll_transmit() else { panic!("PUBACK is due") };
//! let delivered = client.handle(Packet::decode(bytes, version)?, Millis(2))?;
//! assert_eq!(delivered, Some(client::Event::Delivered { message: "21.5", reason: ReasonCode::SUCCESS }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What works, and what does not yet
//!
//! QoS 0, 1 and 2 in both directions, resending in order after a reconnection, receive maximum both ways, keep alive, session expiry, the
//! limits that CONNACK announces, in both roles, topic aliases both ways, reason strings and user properties in CONNACK, PUBACK, PUBREC,
//! SUBACK, UNSUBACK, AUTH and DISCONNECT, states and their changes as bytes ([`persist`]), enhanced authentication by AUTH in both roles, of
//! which the method itself is the caller's. Not yet: words in PUBREL and PUBCOMP, which the session sends by itself.
//!
//! What a client encodes itself is not seen by its session: [`client::Session::check`] tells whether the server takes a PUBLISH.
//!
//! The crate is `no_std` with `alloc`.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod alias;
mod auth;
pub mod client;
mod error;
mod exchange;
mod explained;
mod ids;
mod incoming;
mod outgoing;
pub mod persist;
pub mod server;
mod state;
mod time;
mod transmit;

pub use self::alias::{Alias, Aliases, Topic};
pub use self::auth::AuthData;
pub use self::error::{Misuse, ProtocolError, Refused};
pub use self::explained::Explained;
pub use self::state::{InFlight, Incoming, Receipt, Stage, State};
pub use self::time::Millis;
pub use self::transmit::Transmit;
