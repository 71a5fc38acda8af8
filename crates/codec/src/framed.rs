//! Framing for `tokio_util::codec`, the only file here that knows of a runtime's types.

use std::io;

use bytes::BytesMut;
use thiserror::Error;
use tokio_util::codec::{Decoder, Encoder};

use crate::decode_error::DecodeError;
use crate::encode_error::EncodeError;
use crate::frame::{Frame, Limits, PACKET_SIZE_MAX};
use crate::packet::Packet;
use crate::sink::Limited;
use crate::version::Version;

/// Frames in, packets out, for `tokio_util::codec::Framed` over any socket.
///
/// What comes in are [`Frame`]s: a packet borrows from its frame, so it is decoded where it is looked at, by
/// [`Frame::packet`]. What goes out are [`Packet`]s, written in one revision: that of the CONNECT, which is its own.
///
/// # Examples
///
/// ```
/// use bytes::BytesMut;
/// use headwater_codec::framed::PacketCodec;
/// use headwater_codec::{Limits, Packet, Version};
/// use tokio_util::codec::{Decoder, Encoder};
///
/// let mut codec = PacketCodec::new(Version::V5, Limits::default());
/// let mut wire = BytesMut::new();
/// codec.encode(Packet::PingReq, &mut wire)?;
/// let frame = codec.decode(&mut wire)?.expect("a whole packet");
/// assert_eq!(frame.packet(Version::V5)?, Packet::PingReq);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PacketCodec {
    version: Version,
    limits: Limits,
    packet_size_max: usize,
}

impl PacketCodec {
    /// Writes packets of this revision and takes frames within these limits.
    pub const fn new(version: Version, limits: Limits) -> Self {
        Self { version, limits, packet_size_max: PACKET_SIZE_MAX as usize }
    }

    /// The revision packets are written in.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Another revision from the next packet on, such as that of the CONNECT a server has read.
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// Other limits from the next frame on, such as after CONNECT.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The largest packet that is written, in bytes: the Maximum Packet Size of the peer. [MQTT-3.1.2-24], [MQTT-3.2.2-15]
    pub fn set_packet_size_max(&mut self, packet_size_max: usize) {
        self.packet_size_max = packet_size_max;
    }
}

/// What goes wrong on a framed connection.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The peer's bytes are no packet: the connection is of no more use.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A packet cannot be written, and was not: the connection goes on.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Decoder for PacketCodec {
    type Item = Frame;
    type Error = CodecError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, CodecError> {
        Ok(Frame::take_from(buffer, &self.limits)?)
    }
}

impl Encoder<Packet<'_>> for PacketCodec {
    type Error = CodecError;

    fn encode(&mut self, packet: Packet<'_>, buffer: &mut BytesMut) -> Result<(), CodecError> {
        Ok(packet.encode(self.version, &mut Limited::new(buffer, self.packet_size_max))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PacketId;
    use crate::puback::PubAck;
    use crate::reason::ReasonCode;

    #[test]
    fn frames_come_as_their_bytes_do() {
        let mut codec = PacketCodec::new(Version::V5, Limits::default());
        let mut buffer = BytesMut::from(&[0xC0, 0x00, 0x40, 0x02, 0x00][..]);
        assert!(matches!(codec.decode(&mut buffer), Ok(Some(_))));
        assert!(matches!(codec.decode(&mut buffer), Ok(None)));
        buffer.extend_from_slice(&[0x07]);
        assert!(matches!(codec.decode(&mut buffer), Ok(Some(frame)) if frame.bytes().len() == 4));
        assert!(buffer.is_empty());
    }

    #[test]
    fn limits_hold_in_both_directions() {
        let mut codec = PacketCodec::new(Version::V5, Limits::new(3));
        codec.set_packet_size_max(4);
        let mut buffer = BytesMut::from(&[0x40, 0x02][..]);
        assert!(matches!(codec.decode(&mut buffer), Err(CodecError::Decode(_))));
        let mut out = BytesMut::new();
        let large = PubAck::with_reason(PacketId::MIN, ReasonCode::QUOTA_EXCEEDED);
        assert!(matches!(codec.encode(large.into(), &mut out), Err(CodecError::Encode(_))));
        assert!(codec.encode(PubAck::new(PacketId::MIN).into(), &mut out).is_ok());
        assert_eq!(out[..], [0x40, 2, 0, 1]);
    }
}
