//! Asking for memory before it is read, so that waits overlap.
//!
//! ```text
//!   read        issued, waited for: what comes after it piles up behind it in the processor, some hundred instructions, and stops
//!   prefetch    issued, forgotten:  what comes after it goes on, to the next prefetch
//! ```
//!
//! The only unsafe code of this crate: Rust has no prefetch that is safe and stable. It reads nothing, and where there is none of it,
//! nothing happens: answers do not depend on it.

/// Asks for the memory that this value begins in.
#[inline(always)]
#[cfg(all(target_arch = "x86_64", target_feature = "sse", not(miri)))]
#[expect(unsafe_code, reason = "a prefetch is an intrinsic of the processor")]
pub(super) fn prefetch<T: ?Sized>(value: &T) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: the instruction is there on every processor with SSE; it may be given any address, and changes nothing but caches.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(value).cast()) }
}

/// Nothing, where there is no stable intrinsic.
#[inline(always)]
#[cfg(not(all(target_arch = "x86_64", target_feature = "sse", not(miri))))]
pub(super) const fn prefetch<T: ?Sized>(_: &T) {}
