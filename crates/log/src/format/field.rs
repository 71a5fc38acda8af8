//! Big-endian fields, taken from the front of a slice or put into a sink.

/// Where encoded bytes go.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

/// Fills a slice from its front. What does not fit is left out and remembered.
#[derive(Debug)]
pub(crate) struct Fill<'a> {
    rest: &'a mut [u8],
    overflow: bool,
}

impl<'a> Fill<'a> {
    pub(crate) fn new(target: &'a mut [u8]) -> Self {
        Self { rest: target, overflow: false }
    }

    /// Whether exactly the whole slice was filled.
    pub(crate) fn is_exact(&self) -> bool {
        self.rest.is_empty() && !self.overflow
    }
}

impl Sink for Fill<'_> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        match std::mem::take(&mut self.rest).split_at_mut_checked(bytes.len()) {
            Some((target, rest)) => {
                target.copy_from_slice(bytes);
                self.rest = rest;
            }
            None => self.overflow = true,
        }
    }
}

impl Sink for Vec<u8> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Takes `N` bytes from the front.
#[inline(always)]
pub(crate) fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (front, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*front)
}

/// Takes `len` bytes from the front.
#[inline(always)]
pub(crate) fn take_slice<'a>(from: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (front, rest) = from.split_at_checked(len)?;
    *from = rest;
    Some(front)
}

pub(crate) fn take_i16(from: &mut &[u8]) -> Option<i16> {
    take(from).map(i16::from_be_bytes)
}

pub(crate) fn take_u16(from: &mut &[u8]) -> Option<u16> {
    take(from).map(u16::from_be_bytes)
}

pub(crate) fn take_i32(from: &mut &[u8]) -> Option<i32> {
    take(from).map(i32::from_be_bytes)
}

pub(crate) fn take_u32(from: &mut &[u8]) -> Option<u32> {
    take(from).map(u32::from_be_bytes)
}

pub(crate) fn take_i64(from: &mut &[u8]) -> Option<i64> {
    take(from).map(i64::from_be_bytes)
}

pub(crate) fn take_u64(from: &mut &[u8]) -> Option<u64> {
    take(from).map(u64::from_be_bytes)
}
