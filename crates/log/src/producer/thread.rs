//! The thread of a producer: Kafka's `Sender`.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::Shared;
use crate::error::{IoError, ProducerError};

/// Ends the producer for good if the thread is ended by a panic of foreign code: a `Clock`, or a `Waker`.
struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.abandon();
        }
    }
}

pub(super) fn start(shared: &Arc<Shared>) -> Result<JoinHandle<()>, ProducerError> {
    let guard = Guard(Arc::clone(shared));
    let work = move || run(&guard.0);
    let thread = thread::Builder::new().name("headwater-send".to_owned()).spawn(work);
    Ok(thread.map_err(IoError::of("start a thread for", &shared.path))?)
}

fn run(shared: &Shared) {
    while !shared.agenda.is_stopped() {
        if !shared.work() {
            shared.agenda.sleep(|| shared.now_ms());
        }
    }
    shared.finish();
}
