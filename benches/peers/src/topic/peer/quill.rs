//! `quill-pubsub`: its registry has a lock of its own, which nobody else holds here.

use quill::{Pattern, Registry, Topic};

use super::Tree;

impl Tree for Registry<u32> {
    const NAME: &'static str = "quill-pubsub";

    type Ticket = ();

    fn new(_: u32) -> Self {
        Self::new()
    }

    fn subscribe(&mut self, filter: &str, id: u32) -> Option<()> {
        Self::subscribe(self, Pattern::parse(filter).ok()?, id);
        Some(())
    }

    fn unsubscribe(&mut self, filter: &str, id: u32, (): ()) {
        if let Ok(filter) = Pattern::parse(filter) {
            Self::unsubscribe(self, &filter, &id);
        }
    }

    #[inline]
    fn matches(&self, name: &str, ids: &mut Vec<u32>) {
        if let Ok(name) = Topic::parse(name) {
            ids.extend(self.matching(&name));
        }
    }
}

/// The one-off match, both texts parsed.
pub fn one_off(filter: &str, name: &str) -> bool {
    match (Pattern::parse(filter), Topic::parse(name)) {
        (Ok(filter), Ok(name)) => filter.matches(&name),
        _ => false,
    }
}
