//! `submap`, with MQTT's wildcards. All subscribers are registered before the clock runs.

use submap::SubMap;

use super::Tree;

impl Tree for SubMap<u32> {
    const NAME: &'static str = "submap";

    type Ticket = ();

    fn new(subscribers: u32) -> Self {
        let mut map = Self::new().match_any("+").wildcard("#");
        for id in 0..subscribers {
            map.register_client(&id);
        }
        map
    }

    fn subscribe(&mut self, filter: &str, id: u32) -> Option<()> {
        Self::subscribe(self, filter, &id).then_some(())
    }

    fn unsubscribe(&mut self, filter: &str, id: u32, (): ()) {
        Self::unsubscribe(self, filter, &id);
    }

    #[inline]
    fn matches(&self, name: &str, ids: &mut Vec<u32>) {
        ids.extend(self.get_subscribers(name));
    }
}
