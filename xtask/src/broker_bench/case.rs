//! What both brokers do.

/// A load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    qos: u8,
    publishers: u32,
    subscribers: u32,
    size: u32,
}

/// Each quality of service with each shape and size.
pub(crate) fn all() -> impl Iterator<Item = Case> {
    let shapes = [(1, 1), (10, 10), (1, 100)];
    (0..=2).flat_map(move |qos| {
        shapes.into_iter().flat_map(move |(publishers, subscribers)| {
            [16, 1_024].into_iter().map(move |size| Case { qos, publishers, subscribers, size })
        })
    })
}

impl Case {
    /// As in `qos1 10x10 16B`: each of ten publishers has a subscriber of its own; of `1x100` all get everything.
    pub(crate) fn name(&self) -> String {
        format!("qos{} {}x{} {}B", self.qos, self.publishers, self.subscribers, self.size)
    }

    /// The options of the load generator.
    pub(crate) fn options(&self, seconds: u64) -> Vec<String> {
        let options = [
            ("--qos", u64::from(self.qos)),
            ("--publishers", self.publishers.into()),
            ("--subscribers", self.subscribers.into()),
            ("--size", self.size.into()),
            ("--seconds", seconds),
        ];
        options.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_string()]).collect()
    }
}
