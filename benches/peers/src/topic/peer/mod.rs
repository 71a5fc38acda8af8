//! One file per tree: how it subscribes and matches by the cheapest way its documentation shows.
//!
//! Each gets the text and parses it by its own rules, and each copies the numbers of all subscribers found into one list
//! that is reused.

pub mod concurrent;
pub mod engine;
pub mod limit;
pub mod ours;
pub mod paho;
pub mod quill;
pub mod submap;
pub mod topic_tree;

/// A set of subscriptions, searched by topic name.
pub trait Tree: Sized + 'static {
    /// The crate, and what sets this entry apart from others of the same crate.
    const NAME: &'static str;

    /// What it wants back to unsubscribe, besides the filter and the subscriber.
    type Ticket;

    /// An empty one, for subscribers 0 to this.
    fn new(subscribers: u32) -> Self;

    /// Enters a subscription; `None` if the filter is refused.
    fn subscribe(&mut self, filter: &str, id: u32) -> Option<Self::Ticket>;

    /// Takes a subscription out.
    fn unsubscribe(&mut self, filter: &str, id: u32, ticket: Self::Ticket);

    /// Appends the subscribers of all filters that match; none if the name is refused.
    fn matches(&self, name: &str, ids: &mut Vec<u32>);
}
