//! The broker without a network: its connections at the other ends of pipes, its log on a disk that forgets, its time a clock that runs
//! only when everybody waits. A day of silence takes no time, and what happens does not depend on the machine.
//!
//! ```text
//!   Peer --pipe--> headwater_broker::Connection --> Store --> Log --> SimDisk
//!   Peer --pipe--> headwater_broker::Connection ----'  ^
//!                                                      lanes: tasks of the same thread
//! ```
//!
//! [`broker_connection`] is the body of the fuzz target of that name; plain `cargo test` replays its corpus. The tests of this package are
//! those of the broker's promises that need more time, or a worse disk, than a test over a socket has.

#![expect(clippy::expect_used, clippy::panic, reason = "an oracle panics when the code is wrong")]

mod bed;
mod peer;
mod walk;

pub use bed::Bed;
pub use peer::Peer;
pub use walk::broker_connection;

/// Runs something by a clock that goes on only when everything waits. All of it is in one thread.
///
/// # Panics
///
/// When it has not ended after a week of that clock: something waits for what never comes.
pub fn in_no_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without sockets needs nothing");
    let week = std::time::Duration::from_secs(7 * 86_400);
    runtime.block_on(async { tokio::time::timeout(week, work).await }).expect("it ends")
}
