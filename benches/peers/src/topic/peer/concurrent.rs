//! Our tree as many threads read it while one writes.

use headwater_topic::{ConcurrentTree, TopicFilter, TopicName};

/// What the threads share.
pub struct Concurrent(ConcurrentTree<u32, ()>);

/// What each reading thread has.
pub struct Reader<'a>(&'a Concurrent);

impl Concurrent {
    /// One for subscribers 0 to this.
    pub fn new(_: u32) -> Self {
        Self(ConcurrentTree::new())
    }

    /// For one more thread that reads.
    pub fn reader(&self) -> Reader<'_> {
        Reader(self)
    }

    /// Enters a subscription.
    pub fn subscribe(&self, filter: &str, id: u32) {
        if let Ok(filter) = TopicFilter::parse(filter) {
            self.0.subscribe(filter, id, ());
        }
    }

    /// Takes a subscription out.
    pub fn unsubscribe(&self, filter: &str, id: u32) {
        if let Ok(filter) = TopicFilter::parse(filter) {
            self.0.unsubscribe(filter, &id);
        }
    }
}

impl Reader<'_> {
    /// Appends the subscribers of all filters that match.
    #[inline]
    pub fn matches(&mut self, name: &str, ids: &mut Vec<u32>) {
        if let Ok(name) = TopicName::parse(name) {
            self.0.0.read().matches_by_filter(name, |subscribers| ids.extend_from_slice(subscribers.keys()));
        }
    }
}
