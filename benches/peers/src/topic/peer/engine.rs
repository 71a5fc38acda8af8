//! `mqtt-topic-engine`: its trie, whose values are sets of the standard library as its documentation has them, and its
//! router over the same trie.

use std::collections::HashSet;

use mqtt_topic_engine::topic_matcher::TopicMatcherNode;
use mqtt_topic_engine::{CacheStrategy, QoS, SubscriptionId, TopicPath, TopicPatternPath, TopicRouter};

use super::Tree;

fn pattern(filter: &str) -> Option<TopicPatternPath> {
    TopicPatternPath::new_from_string(filter, CacheStrategy::NoCache).ok()
}

impl Tree for TopicMatcherNode<HashSet<u32>> {
    const NAME: &'static str = "topic-engine, trie";

    type Ticket = ();

    fn new(_: u32) -> Self {
        Self::new()
    }

    fn subscribe(&mut self, filter: &str, id: u32) -> Option<()> {
        self.get_or_create_subscription_table(&pattern(filter)?).insert(id);
        Some(())
    }

    fn unsubscribe(&mut self, filter: &str, id: u32, (): ()) {
        if let Some(pattern) = pattern(filter) {
            // An error is a filter that is not there.
            let _ = self.update_node(pattern.slice(), |ids| {
                ids.remove(&id);
            });
        }
    }

    #[inline]
    fn matches(&self, name: &str, ids: &mut Vec<u32>) {
        if let Ok(name) = TopicPath::new(name) {
            self.find_by_path(&name).into_iter().for_each(|found| ids.extend(found));
        }
    }
}

impl Tree for TopicRouter<u32> {
    const NAME: &'static str = "topic-engine, router";

    type Ticket = SubscriptionId;

    fn new(_: u32) -> Self {
        Self::new()
    }

    fn subscribe(&mut self, filter: &str, id: u32) -> Option<SubscriptionId> {
        Some(self.add_subscription(pattern(filter)?, QoS::AtMostOnce, id).1)
    }

    fn unsubscribe(&mut self, _: &str, _: u32, ticket: SubscriptionId) {
        // An error is a ticket that is not there.
        let _ = Self::unsubscribe(self, &ticket);
    }

    #[inline]
    fn matches(&self, name: &str, ids: &mut Vec<u32>) {
        if let Ok(name) = TopicPath::new(name) {
            ids.extend(self.get_subscribers(&name).into_iter().map(|(_, _, id)| *id));
        }
    }
}

/// The one-off match, both texts parsed.
pub fn one_off(filter: &str, name: &str) -> bool {
    match (pattern(filter), TopicPath::new(name)) {
        (Some(pattern), Ok(name)) => pattern.try_match(name.into()).is_ok(),
        _ => false,
    }
}
