//! Frames from a stream of bytes.

use bytes::BytesMut;

use crate::decode_error::DecodeError;
use crate::frame::{Frame, Header, Limits, Status};

/// Cuts a stream of bytes into frames.
///
/// The bytes may come in pieces of any size: the frames are the same. Each byte is copied at most a few times on the
/// whole, so the cost is O(n) over a connection, and a call costs O(1) when no frame is complete. Nothing is reserved
/// ahead for a length that was only announced.
///
/// ```text
///  extend ---> [ bytes of frame 1 | frame 2 | half of frame 3 ] ---> next_frame: 1, 2, None
/// ```
///
/// # Examples
///
/// ```
/// use headwater_codec::{FrameReader, Limits, PacketType};
///
/// let mut frames = FrameReader::new(Limits::default());
/// frames.extend(&[0xC0, 0x00, 0x40, 0x02]);
/// assert_eq!(frames.next_frame()?.map(|frame| frame.packet_type()), Some(PacketType::PingReq));
/// assert_eq!(frames.next_frame()?, None);
/// assert_eq!(frames.needed(), 2);
/// frames.extend(&[0x00, 0x07]);
/// assert_eq!(frames.next_frame()?.map(|frame| frame.packet_type()), Some(PacketType::PubAck));
/// # Ok::<(), headwater_codec::DecodeError>(())
/// ```
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: BytesMut,
    limits: Limits,
    failed: Option<DecodeError>,
}

impl FrameReader {
    /// A reader at the start of a stream.
    pub fn new(limits: Limits) -> Self {
        Self { buffer: BytesMut::new(), limits, failed: None }
    }

    /// Other limits from the next frame on, such as after CONNECT.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Takes bytes of the stream. After an error they are dropped.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The buffer that is read from, for reading into it without a copy: append what arrives, and nothing else.
    ///
    /// It grows as whoever appends makes it grow; reserve what one read may bring, not what a header announces.
    ///
    /// # Examples
    ///
    /// ```
    /// use bytes::BufMut;
    /// use headwater_codec::{FrameReader, Limits};
    /// use std::io::Read;
    ///
    /// let mut socket: &[u8] = &[0xC0, 0x00]; // anything that can be read
    /// let mut frames = FrameReader::new(Limits::default());
    /// let mut spare = frames.buffer_mut().limit(4096).writer();
    /// std::io::copy(&mut socket.by_ref().take(4096), &mut spare)?;
    /// assert!(frames.next_frame()?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next whole frame; `None` if more bytes are needed.
    ///
    /// # Errors
    ///
    /// Those of [`Header::decode`]. There is no way to find the next packet after one, so the reader drops its
    /// buffer and gives the same error for ever.
    #[inline]
    pub fn next_frame(&mut self) -> Result<Option<Frame>, DecodeError> {
        if let Some(error) = self.failed {
            self.buffer.clear();
            return Err(error);
        }
        Frame::take_from(&mut self.buffer, &self.limits).inspect_err(|error| {
            self.failed = Some(*error);
            self.buffer = BytesMut::new();
        })
    }

    /// How many more bytes the next frame needs at the least; 0 if [`FrameReader::next_frame`] has something to say.
    pub fn needed(&self) -> usize {
        if self.failed.is_some() {
            return 0;
        }
        match Header::decode(&self.buffer, &self.limits) {
            Ok(Status::Complete(header)) => header.packet_len().saturating_sub(self.buffer.len()),
            Ok(Status::Partial { needed }) => needed,
            Err(_) => 0,
        }
    }

    /// How many bytes are kept: those of frames not taken yet, and of the one that is not complete.
    ///
    /// A server that gives a packet so long to arrive starts the clock when this leaves 0.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode_error::Rule;

    #[test]
    fn a_reader_that_failed_stays_failed_and_keeps_nothing() {
        let mut frames = FrameReader::new(Limits::default());
        frames.extend(&[0x00, 0x00, 0xC0, 0x00]);
        let error = frames.next_frame();
        assert_eq!(error.map_err(|e| e.rule), Err(Rule::PacketTypeReserved { packet_type: 0 }));
        frames.extend(&[0xC0, 0x00]);
        assert_eq!(frames.next_frame().map_err(|e| e.position), Err(0));
        assert_eq!((frames.buffered(), frames.needed()), (0, 0));
        frames.buffer_mut().extend_from_slice(&[0xC0, 0x00]);
        assert!(frames.next_frame().is_err());
        assert_eq!(frames.buffered(), 0);
    }

    #[test]
    fn a_packet_above_the_limit_is_refused_by_its_header() {
        let mut frames = FrameReader::new(Limits::new(100));
        frames.extend(&[0x30, 0x62]);
        assert_eq!((frames.next_frame(), frames.needed()), (Ok(None), 98));
        let mut frames = FrameReader::new(Limits::new(100));
        frames.extend(&[0x30, 0x63]);
        let rule = Rule::PacketTooLarge { size: 101, limit: 100 };
        assert_eq!(frames.next_frame().map_err(|e| e.rule), Err(rule));
    }

    #[test]
    fn nothing_is_reserved_for_what_is_only_announced() {
        let mut frames = FrameReader::new(Limits::PROTOCOL);
        frames.extend(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F]);
        assert_eq!(frames.next_frame(), Ok(None));
        assert_eq!(frames.needed(), 268_435_455);
        assert!(frames.buffer_mut().capacity() < 1024);
    }

    #[test]
    fn limits_may_change_between_frames() {
        let mut frames = FrameReader::new(Limits::new(4));
        frames.extend(&[0x40, 2, 0, 1, 0x40, 3, 0, 1, 0]);
        assert!(matches!(frames.next_frame(), Ok(Some(_))));
        frames.set_limits(Limits::new(5));
        assert!(matches!(frames.next_frame(), Ok(Some(_))));
    }
}
