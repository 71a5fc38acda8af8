//! Where encoded bytes go.

use crate::frame::PACKET_SIZE_MAX;

/// Takes the bytes of encoded packets.
///
/// Encoding asks for the room first and writes only when the whole packet fits, so a sink never sees half a packet.
/// There are sinks over a slice ([`SliceSink`]), over nothing ([`Counter`]), over another sink with a smaller packet
/// limit ([`Limited`]) and, with `alloc`, over `BytesMut`, `Vec<u8>` and any `BufMut` (`BufSink`).
///
/// # Examples
///
/// A sink of one's own, which writes hexadecimal text:
///
/// ```
/// use headwater_codec::{Packet, Sink, Version};
///
/// struct Hex(String);
///
/// impl Sink for Hex {
///     fn room(&self) -> usize {
///         usize::MAX
///     }
///
///     fn put(&mut self, bytes: &[u8]) {
///         self.0.extend(bytes.iter().map(|byte| format!("{byte:02X} ")));
///     }
/// }
///
/// let mut hex = Hex(String::new());
/// Packet::PingReq.encode(Version::V5, &mut hex)?;
/// assert_eq!(hex.0, "C0 00 ");
/// # Ok::<(), headwater_codec::EncodeError>(())
/// ```
pub trait Sink {
    /// How many more bytes [`Sink::put`] takes; `usize::MAX` if the sink grows.
    fn room(&self) -> usize;

    /// Appends bytes. Encoding never puts more than [`Sink::room`] said.
    fn put(&mut self, bytes: &[u8]);

    /// Appends one byte.
    #[inline]
    fn put_u8(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    /// Appends exactly so many bytes and hands them out, to be overwritten at once; `None` if the sink has no memory to lend.
    ///
    /// A sink that lends is written to without a call for each field. Encoding never asks for more than [`Sink::room`]
    /// said, asks for heads and short payloads only, and overwrites all of what it gets.
    #[inline]
    fn lend(&mut self, bytes: usize) -> Option<&mut [u8]> {
        let _ = bytes;
        None
    }

    /// The largest whole packet the receiver takes, in bytes.
    ///
    /// A larger one is refused by [`EncodeError::PacketTooLarge`](crate::EncodeError::PacketTooLarge).
    #[inline]
    fn packet_size_max(&self) -> usize {
        PACKET_SIZE_MAX as usize
    }
}

impl<S: Sink + ?Sized> Sink for &mut S {
    #[inline]
    fn room(&self) -> usize {
        (**self).room()
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        (**self).put(bytes);
    }

    #[inline]
    fn put_u8(&mut self, byte: u8) {
        (**self).put_u8(byte);
    }

    #[inline]
    fn lend(&mut self, bytes: usize) -> Option<&mut [u8]> {
        (**self).lend(bytes)
    }

    #[inline]
    fn packet_size_max(&self) -> usize {
        (**self).packet_size_max()
    }
}

/// Writes into the caller's slice, front to back; works without a heap.
///
/// # Examples
///
/// ```
/// use headwater_codec::{Packet, SliceSink, Version};
///
/// let mut buffer = [0; 16];
/// let mut sink = SliceSink::new(&mut buffer);
/// Packet::PingReq.encode(Version::V3_1_1, &mut sink)?;
/// assert_eq!(sink.written(), [0xC0, 0x00]);
/// # Ok::<(), headwater_codec::EncodeError>(())
/// ```
#[derive(Debug)]
pub struct SliceSink<'b> {
    buffer: &'b mut [u8],
    length: usize,
}

impl<'b> SliceSink<'b> {
    /// A sink that begins at the first byte of the slice.
    #[inline]
    pub const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// The bytes written so far.
    #[inline]
    pub fn written(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// The bytes written, for as long as the slice lives.
    #[inline]
    pub fn into_written(self) -> &'b mut [u8] {
        self.buffer.get_mut(..self.length).unwrap_or_default()
    }
}

impl Sink for SliceSink<'_> {
    #[inline]
    fn room(&self) -> usize {
        self.buffer.len() - self.length
    }

    /// Takes all the bytes or, if they do not fit, none.
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let spare = self.buffer.get_mut(self.length..).unwrap_or_default();
        if let Some((room, _)) = spare.split_at_mut_checked(bytes.len()) {
            room.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }

    #[inline]
    fn lend(&mut self, bytes: usize) -> Option<&mut [u8]> {
        let spare = self.buffer.get_mut(self.length..).unwrap_or_default();
        let (room, _) = spare.split_at_mut_checked(bytes)?;
        self.length += bytes;
        Some(room)
    }
}

/// Counts bytes and keeps none: the exact size of what would be written.
///
/// # Examples
///
/// ```
/// use headwater_codec::sink::Counter;
/// use headwater_codec::{Packet, PacketId, PubAck, Version};
///
/// let mut counter = Counter::new();
/// Packet::PingReq.encode(Version::V5, &mut counter)?;
/// PubAck::new(PacketId::MIN).encode(Version::V5, &mut counter)?;
/// assert_eq!(counter.count(), 2 + 4);
/// # Ok::<(), headwater_codec::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter {
    length: usize,
}

impl Counter {
    /// A counter at 0.
    #[inline]
    pub const fn new() -> Self {
        Self { length: 0 }
    }

    /// The bytes counted so far.
    #[inline]
    pub const fn count(&self) -> usize {
        self.length
    }
}

impl Sink for Counter {
    #[inline]
    fn room(&self) -> usize {
        usize::MAX
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.length = self.length.saturating_add(bytes.len());
    }

    #[inline]
    fn put_u8(&mut self, _byte: u8) {
        self.length = self.length.saturating_add(1);
    }
}

/// Another sink, with the largest packet its receiver takes.
///
/// This is where the Maximum Packet Size of CONNECT or CONNACK goes: a larger packet is refused before a byte is
/// written. [MQTT-3.1.2-24], [MQTT-3.2.2-15]
///
/// # Examples
///
/// ```
/// use headwater_codec::sink::Limited;
/// use headwater_codec::{EncodeError, Packet, PacketId, PubAck, ReasonCode, SliceSink, Version};
///
/// let mut buffer = [0; 16];
/// let mut sink = Limited::new(SliceSink::new(&mut buffer), 4);
/// PubAck::new(PacketId::MIN).encode(Version::V5, &mut sink)?;
/// let refused = PubAck::with_reason(PacketId::MIN, ReasonCode::QUOTA_EXCEEDED).encode(Version::V5, &mut sink);
/// assert_eq!(refused, Err(EncodeError::PacketTooLarge { size: 6, limit: 4 }));
/// assert_eq!(sink.into_inner().written(), [0x40, 2, 0, 1]);
/// # Ok::<(), headwater_codec::EncodeError>(())
/// ```
#[derive(Debug)]
pub struct Limited<S> {
    sink: S,
    packet_size_max: usize,
}

impl<S: Sink> Limited<S> {
    /// The sink, for packets of at most this many bytes.
    #[inline]
    pub const fn new(sink: S, packet_size_max: usize) -> Self {
        Self { sink, packet_size_max }
    }

    /// The sink.
    #[inline]
    pub fn into_inner(self) -> S {
        self.sink
    }
}

impl<S: Sink> Sink for Limited<S> {
    #[inline]
    fn room(&self) -> usize {
        self.sink.room()
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.sink.put(bytes);
    }

    #[inline]
    fn put_u8(&mut self, byte: u8) {
        self.sink.put_u8(byte);
    }

    #[inline]
    fn lend(&mut self, bytes: usize) -> Option<&mut [u8]> {
        self.sink.lend(bytes)
    }

    #[inline]
    fn packet_size_max(&self) -> usize {
        self.packet_size_max.min(self.sink.packet_size_max())
    }
}

#[cfg(feature = "alloc")]
mod growing {
    use alloc::vec::Vec;

    use bytes::{BufMut, BytesMut};

    use super::Sink;

    /// How many bytes are cleared at once.
    const CLEARED: usize = 64;

    /// Any `BufMut` of the `bytes` crate as a sink.
    ///
    /// # Examples
    ///
    /// ```
    /// use headwater_codec::sink::BufSink;
    /// use headwater_codec::{EncodeError, Packet, Version};
    ///
    /// let mut room = [0; 3];
    /// let mut sink = BufSink(&mut room[..]);
    /// Packet::PingReq.encode(Version::V5, &mut sink)?;
    /// let refused = Packet::PingReq.encode(Version::V5, &mut sink);
    /// assert_eq!(refused, Err(EncodeError::NoRoom { needed: 2, room: 1 }));
    /// assert_eq!(room, [0xC0, 0, 0]);
    /// # Ok::<(), EncodeError>(())
    /// ```
    #[derive(Debug)]
    pub struct BufSink<B>(
        /// The buffer that is written to.
        pub B,
    );

    impl<B: BufMut> Sink for BufSink<B> {
        #[inline]
        fn room(&self) -> usize {
            self.0.remaining_mut()
        }

        #[inline]
        fn put(&mut self, bytes: &[u8]) {
            self.0.put_slice(bytes);
        }
    }

    /// What grows by the same methods.
    macro_rules! grows {
        ($($buffer:ty)+) => {
            $(impl Sink for $buffer {
                #[inline]
                fn room(&self) -> usize {
                    self.remaining_mut()
                }

                #[inline]
                fn put(&mut self, bytes: &[u8]) {
                    self.extend_from_slice(bytes);
                }

                #[inline]
                fn lend(&mut self, bytes: usize) -> Option<&mut [u8]> {
                    let end = self.len();
                    // As many as a short packet has are cleared by a few stores. Only in room that is there: none is asked
                    // for that is not needed.
                    if bytes <= CLEARED && self.capacity() - end >= CLEARED {
                        self.extend_from_slice(&[0; CLEARED]);
                        self.truncate(end + bytes);
                    } else {
                        self.resize(end + bytes, 0);
                    }
                    self.get_mut(end..)
                }
            })+
        };
    }

    grows! { BytesMut Vec<u8> }
}

#[cfg(feature = "alloc")]
pub use growing::BufSink;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_sink_takes_all_or_nothing() {
        let mut buffer = [0; 3];
        let mut sink = SliceSink::new(&mut buffer);
        sink.put(b"ab");
        assert_eq!(sink.room(), 1);
        sink.put(b"cd");
        assert_eq!(sink.written(), b"ab");
        sink.put_u8(b'c');
        assert_eq!((sink.room(), &*sink.into_written()), (0, &b"abc"[..]));
    }

    #[test]
    fn a_counter_does_not_wrap() {
        let mut counter = Counter { length: usize::MAX };
        counter.put_u8(0);
        counter.put(b"ab");
        assert_eq!(counter.count(), usize::MAX);
    }

    #[test]
    fn the_smaller_of_two_limits_holds() {
        let inner = Limited::new(Counter::new(), 10);
        assert_eq!(Limited::new(inner, 20).packet_size_max(), 10);
    }
}
