//! What the measured programs share: a start, a panic handler, and inputs that the compiler cannot see through.
//!
//! A program is `main`, which the C library's start calls, and ends with 0 if it did what it should. So the host can run what it
//! measured. Nothing here differs between the programs, so nothing of it is left in the difference of their sizes.
//!
//! What is marked unsafe: `main` is exported by its name, which nothing else here has, and the C library is linked, of which no function is
//! declared or called by hand.

#![no_std]

use core::hint::black_box;
use core::panic::PanicInfo;

use headwater_codec::{Connect, Delivery, Packet, PacketId, Publish, SliceSink, TopicName, Version};

/// `std` would bring one of its own, and there can be only one.
#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    loop {}
}

// `memcpy`, `memset` and `memcmp`, as any toolchain has them.
#[link(name = "c")]
unsafe extern "C" {}

/// Makes a function that returns true the program.
#[macro_export]
macro_rules! program {
    ($run:path) => {
        #[unsafe(no_mangle)]
        extern "C" fn main() -> i32 {
            i32::from(!$run(core::hint::black_box($crate::Input::new())))
        }
    };
}

/// What a device learns at run time only.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// The revision it speaks, by option.
    pub version: Version,
    /// Its name.
    pub client_id: &'static str,
    /// Where it publishes.
    pub topic: &'static str,
    /// What it publishes.
    pub payload: &'static [u8],
    /// What the server answers: a PUBACK for packet identifier 7, with reason code and empty properties.
    pub answer: &'static [u8],
    /// The same as 3.1.1 has it.
    pub short_answer: &'static [u8],
}

impl Input {
    /// The values with which a program is tried.
    #[inline(never)]
    pub fn new() -> Self {
        Self {
            version: Version::V5,
            client_id: "sensor-7",
            topic: "plant/7",
            payload: b"21.5",
            answer: &[0x40, 4, 0, 7, 0x10, 0],
            short_answer: &[0x40, 2, 0, 7],
        }
    }
}

impl Default for Input {
    fn default() -> Self {
        Self::new()
    }
}

/// Decodes an answer as any packet: true if it is the PUBACK that was waited for.
#[inline(always)]
pub fn decode(version: Version, answer: &[u8]) -> bool {
    match Packet::decode(answer, version) {
        Ok(Packet::PubAck(puback)) => puback.packet_id.get() == 7 && !puback.reason.is_error(),
        _ => false,
    }
}

/// Encodes CONNECT and a PUBLISH of QoS 1, one behind the other, into a slice: true if both are there.
#[inline(always)]
pub fn encode(version: Version, input: Input) -> bool {
    let Ok(topic) = TopicName::parse(input.topic) else { return false };
    let Some(packet_id) = PacketId::new(7) else { return false };
    let mut connect = Connect::new(version, input.client_id);
    connect.keep_alive_secs = 60;
    let publish =
        Publish::new(topic, input.payload).with_delivery(Delivery::AtLeastOnce { packet_id, dup: false });

    let mut buffer = [0; 128];
    let mut sink = SliceSink::new(&mut buffer);
    let done = connect.encode(&mut sink).is_ok() && publish.encode(version, &mut sink).is_ok();
    done && black_box(sink.written()).len() > 30
}
