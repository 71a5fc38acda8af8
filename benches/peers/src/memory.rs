//! How many bytes a structure holds, counted where they are allocated. The only unsafe code here.
//!
//! A binary that wants to know installs [`Counted`]; in any other [`live_bytes`] stays 0.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Bytes this thread allocated and has not freed; less than nothing where it freed what another allocated.
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, counted: one addition to a number of the thread's own per call.
#[derive(Clone, Copy, Debug)]
pub struct Counted;

/// What this thread holds.
pub fn live_bytes() -> isize {
    LIVE_BYTES.get()
}

fn count(bytes: isize) {
    // At the end of a thread the counter is gone before the last bytes are.
    let _ = LIVE_BYTES.try_with(|live| live.set(live.get() + bytes));
}

#[expect(unsafe_code, reason = "an allocator is an unsafe trait")]
// SAFETY: every call goes on to the system's allocator as it came; a counter that does not allocate is all there is besides.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller keeps the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller keeps the same contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.cast_signed() - layout.size().cast_signed());
        // SAFETY: the caller keeps the same contract, and the pointer came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller keeps the same contract, and the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: Counted = Counted;

    #[test]
    fn what_grows_is_counted_once_and_what_is_dropped_not_at_all() {
        let before = live_bytes();
        let mut bytes = vec![0_u8; 1000];
        bytes.reserve_exact(1000);
        bytes.extend([1; 1000]);
        assert_eq!(live_bytes() - before, bytes.capacity().cast_signed());
        drop(bytes);
        assert_eq!(live_bytes(), before);
    }
}
