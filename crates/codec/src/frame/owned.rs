//! One whole packet with its bytes.

use bytes::{Bytes, BytesMut};

use crate::decode_error::DecodeError;
use crate::frame::{Header, Limits, Status};
use crate::packet::{DecodeOptions, Packet};
use crate::packet_type::PacketType;
use crate::version::Version;

/// One whole packet: its bytes, shared and never copied.
///
/// A decoded [`Packet`] borrows from its frame. What is to outlive the frame is kept by [`Frame::slice`]: a reference
/// on the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    bytes: Bytes,
    header: Header,
}

impl Frame {
    /// Takes the first frame off a buffer, if it is complete there.
    ///
    /// What [`FrameReader`](crate::FrameReader) does with a buffer of its own. Bytes are split off and not copied.
    ///
    /// # Errors
    ///
    /// Those of [`Header::decode`]. The buffer is then as it was, and of no more use.
    ///
    /// # Examples
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use headwater_codec::{Frame, Limits, PacketType};
    ///
    /// let mut buffer = BytesMut::from(&[0xC0, 0x00, 0x40, 0x02, 0x00][..]);
    /// let frame = Frame::take_from(&mut buffer, &Limits::default())?;
    /// assert_eq!(frame.map(|frame| frame.packet_type()), Some(PacketType::PingReq));
    /// assert_eq!(Frame::take_from(&mut buffer, &Limits::default())?, None);
    /// assert_eq!(buffer.len(), 3);
    /// # Ok::<(), headwater_codec::DecodeError>(())
    /// ```
    #[inline]
    pub fn take_from(buffer: &mut BytesMut, limits: &Limits) -> Result<Option<Self>, DecodeError> {
        match Header::decode(buffer, limits)? {
            Status::Complete(header) if header.packet_len() <= buffer.len() => {
                Ok(Some(Self { bytes: buffer.split_to(header.packet_len()).freeze(), header }))
            }
            Status::Complete(_) | Status::Partial { .. } => Ok(None),
        }
    }

    /// The kind of packet.
    #[inline]
    pub const fn packet_type(&self) -> PacketType {
        self.header.packet_type
    }

    /// The fixed header.
    #[inline]
    pub const fn header(&self) -> Header {
        self.header
    }

    /// The whole packet, fixed header included.
    #[inline]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The whole packet, fixed header included.
    #[inline]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Decodes the packet with default [`DecodeOptions`]; allocates nothing.
    ///
    /// # Errors
    ///
    /// The first rule the packet breaks, see [`Rule`](crate::Rule).
    #[inline]
    pub fn packet(&self, version: Version) -> Result<Packet<'_>, DecodeError> {
        self.packet_with(version, DecodeOptions::default())
    }

    /// Decodes the packet; allocates nothing.
    ///
    /// # Errors
    ///
    /// The first rule the packet breaks, see [`Rule`](crate::Rule).
    #[inline]
    pub fn packet_with(&self, version: Version, options: DecodeOptions) -> Result<Packet<'_>, DecodeError> {
        self.header.check_in(version)?;
        Packet::after_checked(&self.bytes, self.header, version, options)
    }

    /// A part of this frame, such as a payload or a topic name, as shared bytes of its own.
    ///
    /// No byte is copied; what the bytes came in, which may be a whole read of many packets, lives as long as the part does.
    /// Copy small parts that are kept long. A slice that is not a part of this frame is copied, so the answer is right
    /// in either case.
    ///
    /// # Examples
    ///
    /// ```
    /// use headwater_codec::{FrameReader, Limits, Packet, Version};
    ///
    /// let mut frames = FrameReader::new(Limits::default());
    /// frames.extend(b"\x30\x07\x00\x03a/b\xCA\xFE");
    /// let frame = frames.next_frame()?.expect("the packet is complete");
    /// let Packet::Publish(publish) = frame.packet(Version::V3_1_1)? else { unreachable!() };
    /// let payload = frame.slice(publish.payload);
    /// drop(frame);
    /// assert_eq!(payload, b"\xCA\xFE"[..]);
    /// # Ok::<(), headwater_codec::DecodeError>(())
    /// ```
    pub fn slice(&self, part: &[u8]) -> Bytes {
        let start = part.as_ptr().addr().wrapping_sub(self.bytes.as_ptr().addr());
        match start.checked_add(part.len()) {
            _ if part.is_empty() => Bytes::new(),
            Some(end) if end <= self.bytes.len() => self.bytes.slice(start..end),
            _ => Bytes::copy_from_slice(part),
        }
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
