//! `paho-mqtt`: its matcher keeps one value per filter; here that is a list of subscribers, the first few in place.

use paho_mqtt::topic_matcher::TopicMatcher;
use smallvec::{SmallVec, smallvec};

use super::Tree;

/// The subscribers of a filter.
pub type Ids = SmallVec<[u32; 2]>;

impl Tree for TopicMatcher<Ids> {
    const NAME: &'static str = "paho-mqtt";

    type Ticket = ();

    fn new(_: u32) -> Self {
        Self::new()
    }

    fn subscribe(&mut self, filter: &str, id: u32) -> Option<()> {
        match self.get_mut(filter) {
            Some(ids) => ids.push(id),
            None => self.insert(filter, smallvec![id]),
        }
        Some(())
    }

    fn unsubscribe(&mut self, filter: &str, id: u32, (): ()) {
        let Some(ids) = self.get_mut(filter) else { return };
        ids.retain(|one| *one != id);
        if ids.is_empty() {
            self.remove(filter);
        }
    }

    #[inline]
    fn matches(&self, name: &str, ids: &mut Vec<u32>) {
        Self::matches(self, name).for_each(|(_, found)| ids.extend_from_slice(found));
    }
}

/// The one-off match; neither text is checked.
pub fn one_off(filter: &str, name: &str) -> bool {
    paho_mqtt::topic_matcher::topic_matches(filter, name)
}
