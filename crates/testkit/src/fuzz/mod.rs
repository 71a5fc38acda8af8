//! The bodies of the fuzz targets, so that plain `cargo test` replays the corpora without a fuzzer.
//!
//! Each has an oracle: it panics when the code is wrong, not only when it panics by itself.
//!
//! ```text
//!  target            input                                            oracle
//!  codec_packet      a packet                                         errors have a place; prefixes are errors; lenient takes more
//!  codec_stream      split, limits | a stream                         any split, any of the three framings: the same frames
//!  codec_round_trip  revision | a packet                              every sink gets the same bytes, and they read the same
//!  codec_encode      revision, kind, limits | fields of a packet      what is written reads equal; what is not has a reason
//!  session_walk      role, version, sizes | steps of three bytes    identifiers, window, quota, exactly once, the state and its changes
//!  topic_match       a topic name, filters, in lines                  one-off match and both trees agree with a naive matcher
//!  topic_retained    names that come and go, filters, in lines        pages give what a list gives; relations contradict no name
//!  log_compressed    codec, number of records | compressed records      what is taken reads the same in every codec; nothing above the limit
//!  log_directory     files of a partition, in pieces                  an error changes nothing; reopened, crashed, read beside: the same
//!  log_operations    options | steps of two bytes                     the model of a log, with crashes, kills and failed syncs
//!  log_producers     a snapshot | batches of producers                a log that stays open and one that is opened anew answer the same
//! ```

#![expect(clippy::expect_used, reason = "an oracle panics when the code is wrong")]

mod build;
mod encode;
mod fan_out;
mod log_compressed;
mod log_directory;
mod log_operations;
mod log_producers;
mod packet;
mod places;
mod retained;
mod round_trip;
mod session_walk;
mod sinks;
mod stream;
mod topic;

pub use encode::encode;
pub use log_compressed::log_compressed;
pub use log_directory::log_directory;
pub use log_operations::log_operations;
pub use log_producers::log_producers;
pub use packet::packet;
pub use retained::retained;
pub use round_trip::round_trip;
pub use session_walk::session_walk;
pub use stream::stream;
pub use topic::topic;

use headwater_codec::Version;

/// The revision that a byte stands for.
fn version(byte: u8) -> Version {
    match byte % 3 {
        0 => Version::V5,
        1 => Version::V3_1_1,
        _ => Version::V3_1,
    }
}
