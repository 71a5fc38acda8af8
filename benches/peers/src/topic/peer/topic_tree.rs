//! `mqtt_topic_tree`: the tree itself, without the copy for readers. It wants its texts owned, and says nothing of the
//! subscribers it reserves room for at each match: one for each there is.

use mqtt_topic_tree::{QoS, TopicFilter, TopicName, TopicTree};

use super::Tree;

impl Tree for TopicTree {
    const NAME: &'static str = "mqtt_topic_tree";

    type Ticket = ();

    fn new(_: u32) -> Self {
        Self::default()
    }

    fn subscribe(&mut self, filter: &str, id: u32) -> Option<()> {
        let filter = TopicFilter::try_from(filter.to_owned()).ok()?;
        self.add_subscription(filter, id.into(), QoS::Level0);
        Some(())
    }

    fn unsubscribe(&mut self, filter: &str, id: u32, (): ()) {
        if let Ok(filter) = TopicFilter::try_from(filter.to_owned()) {
            self.remove_subscription(filter, id.into());
        }
    }

    #[inline]
    fn matches(&self, name: &str, ids: &mut Vec<u32>) {
        if let Ok(name) = TopicName::try_from(name.to_owned()) {
            ids.extend(self.get_subscriptions(&name).into_iter().map(|found| found.client_id as u32));
        }
    }
}
