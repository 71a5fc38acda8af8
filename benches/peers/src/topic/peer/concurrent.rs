//! Our tree as many threads read it while one writes. So far behind a lock of the standard library.

use std::sync::{PoisonError, RwLock};

use super::Tree;
use super::ours::Subscriptions;

/// What the threads share.
pub struct Concurrent(RwLock<Subscriptions>);

/// What each reading thread has.
pub struct Reader<'a>(&'a Concurrent);

impl Concurrent {
    /// One for subscribers 0 to this.
    pub fn new(subscribers: u32) -> Self {
        Self(RwLock::new(Subscriptions::new(subscribers)))
    }

    /// For one more thread that reads.
    pub fn reader(&self) -> Reader<'_> {
        Reader(self)
    }

    /// Enters a subscription.
    pub fn subscribe(&self, filter: &str, id: u32) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).subscribe(filter, id);
    }

    /// Takes a subscription out.
    pub fn unsubscribe(&self, filter: &str, id: u32) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).unsubscribe(filter, id, ());
    }
}

impl Reader<'_> {
    /// Appends the subscribers of all filters that match.
    #[inline]
    pub fn matches(&mut self, name: &str, ids: &mut Vec<u32>) {
        self.0.0.read().unwrap_or_else(PoisonError::into_inner).matches(name, ids);
    }
}
