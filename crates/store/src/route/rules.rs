//! All rules of a store, as `publish` asks them.

use std::borrow::Cow;

use headwater_topic::TopicName;

use super::Route;
use super::template::Template;

/// All rules, in order.
#[derive(Debug)]
pub(crate) struct Rules {
    /// With the place of its log topic.
    rules: Box<[(Route, usize)]>,
}

/// Where one message goes.
#[derive(Debug)]
pub(crate) struct Routed<'a> {
    /// The place of the log topic.
    pub(crate) home: usize,
    pub(crate) key: Cow<'a, str>,
    /// Names and values of the headers that are not the message's.
    pub(crate) headers: Vec<(&'a str, Cow<'a, str>)>,
}

impl Rules {
    /// `place` finds a log topic.
    pub(crate) fn new(routes: &[Route], place: impl Fn(&str) -> Option<usize>) -> Self {
        let rules = routes.iter().filter_map(|route| Some((route.clone(), place(route.topic_name())?)));
        Self { rules: rules.collect() }
    }

    /// What the first rule says that matches; `None` if none does.
    #[inline]
    pub(crate) fn route<'a>(&'a self, topic: TopicName<'a>, client_id: &'a str) -> Option<Routed<'a>> {
        if self.rules.is_empty() { None } else { self.find(topic, client_id) }
    }

    fn find<'a>(&'a self, topic: TopicName<'a>, client_id: &'a str) -> Option<Routed<'a>> {
        let (route, home) = self.rules.iter().find(|(route, _)| route.matches(topic))?;
        let render = |template: &'a Template| template.render(topic.as_str(), client_id);
        Some(Routed {
            home: *home,
            key: render(&route.key),
            headers: route.headers.iter().map(|(name, value)| (&**name, render(value))).collect(),
        })
    }
}
