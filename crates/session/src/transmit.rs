//! What a session wants to be written to the network.

use headwater_codec::Delivery;

use crate::alias::Aliases;

/// The next thing to write, from `poll_transmit`.
#[derive(Debug)]
pub enum Transmit<'a, T> {
    /// Encoded control packets, whole and in order: write them as they are.
    Control(&'a [u8]),
    /// A message of the caller: encode it as a PUBLISH with this [`Delivery`].
    ///
    /// The session keeps a message of QoS 1 or 2 until its exchange is complete and names it again after a reconnection. One that cannot
    /// be sent, because it is larger than the peer takes or its time is over, is given up with `discard`.
    Publish {
        /// What was given to `publish`.
        message: &'a T,
        /// QoS, packet identifier and DUP flag of this sending.
        delivery: Delivery,
        /// What may stand for its topic.
        aliases: Aliases<'a>,
    },
}
