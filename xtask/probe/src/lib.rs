//! A library without `std`: it is enough that it builds.
//!
//! `core-tier` uses what needs no heap, and has none: without an allocator nothing that needs one links. `alloc-tier` uses the rest.
//! The functions are reachable from outside, so that the linker keeps them.

#![no_std]

use core::panic::PanicInfo;

use headwater_codec::frame::first;
use headwater_codec::{Limits, Packet, Publish, SliceSink, Status, Version};
use headwater_topic::{TopicFilter, TopicName};

/// `std` would bring one of its own, and there can be only one.
#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    loop {}
}

/// Matches one topic against one filter; both are UTF-8. 1 for a match, 0 for none, -1 for what is neither.
#[unsafe(no_mangle)]
pub extern "C" fn probe_match() -> i32 {
    let (Ok(filter), Ok(name)) = (TopicFilter::parse("factory/#"), TopicName::parse("factory/line-1")) else { return -1 };
    i32::from(filter.matches(name))
}

/// Encodes a packet into a buffer, finds it there and decodes it again.
#[unsafe(no_mangle)]
pub extern "C" fn probe_round_trip() -> i32 {
    let Ok(topic) = TopicName::parse("factory/line-1") else { return -1 };
    let mut buffer = [0; 64];
    let mut sink = SliceSink::new(&mut buffer);
    if Publish::new(topic, b"21.5").encode(Version::V5, &mut sink).is_err() {
        return -1;
    }
    let Ok(Status::Complete(frame)) = first(sink.written(), &Limits::default()) else { return -1 };
    match Packet::decode(frame, Version::V5) {
        Ok(Packet::Publish(publish)) => i32::from(publish.payload == b"21.5"),
        _ => 0,
    }
}

#[cfg(feature = "alloc-tier")]
mod alloc_tier {
    use core::alloc::{GlobalAlloc, Layout};

    use headwater_codec::{FrameReader, Limits, Version};
    use headwater_session::{Millis, server};
    use headwater_topic::{SubscriptionTree, TopicFilter};

    /// An allocator that has nothing: the probe is built, not run.
    struct Nothing;

    // SAFETY: null is what an allocator returns that has no memory left; nothing is ever handed out, so nothing is freed.
    unsafe impl GlobalAlloc for Nothing {
        unsafe fn alloc(&self, _layout: Layout) -> *mut u8 {
            core::ptr::null_mut()
        }

        unsafe fn dealloc(&self, _pointer: *mut u8, _layout: Layout) {}
    }

    #[global_allocator]
    static NOTHING: Nothing = Nothing;

    /// Makes a tree, a stream of frames and a session.
    #[unsafe(no_mangle)]
    pub extern "C" fn probe_alloc() -> usize {
        let mut tree = SubscriptionTree::with_seed(7);
        if let Ok(filter) = TopicFilter::parse("a/+") {
            tree.subscribe(filter, 1_u32, ());
        }
        let mut frames = FrameReader::new(Limits::default());
        frames.extend(&[0xC0, 0x00]);
        let is_ping = matches!(frames.next_frame(), Ok(Some(frame)) if frame.packet(Version::V5).is_ok());
        let session = server::Session::<u32>::new(server::Config::default(), Millis(0));
        tree.len() + usize::from(is_ping) + session.in_flight()
    }
}
