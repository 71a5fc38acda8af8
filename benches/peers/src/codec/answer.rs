//! What a packet says, in words that every crate's packets can be put into.

use std::fmt::Display;

/// What one packet says: its kind, and all its fields in no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    kind: &'static str,
    facts: Vec<String>,
}

impl Answer {
    /// A packet of this kind.
    pub fn new(kind: &'static str) -> Self {
        Self { kind, facts: Vec::new() }
    }

    /// A field.
    #[must_use]
    pub fn fact(mut self, field: &str, value: impl Display) -> Self {
        self.facts.push(format!("{field}: {value}"));
        self.facts.sort_unstable();
        self
    }

    /// A field that may be missing.
    #[must_use]
    pub fn maybe(self, field: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.fact(field, value),
            None => self,
        }
    }

    /// Bytes that may be missing, by their length and sum.
    #[must_use]
    pub fn bytes(self, field: &str, value: Option<&[u8]>) -> Self {
        let sum = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        self.maybe(field, value.map(|bytes| format!("{} bytes, sum {}", bytes.len(), sum(bytes))))
    }

    /// User properties.
    #[must_use]
    pub fn user<'a>(self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        pairs.into_iter().fold(self, |answer, (name, value)| {
            answer.fact("user property", format_args!("{name} = {value}"))
        })
    }

    /// Filters with their maximum QoS, in their order.
    #[must_use]
    pub fn filters<'a>(self, filters: impl IntoIterator<Item = (&'a str, u8)>) -> Self {
        filters.into_iter().enumerate().fold(self, |answer, (index, (filter, qos))| {
            answer.fact("filter", format_args!("{index}, {filter}, QoS {qos}"))
        })
    }
}

/// Stops if somebody read something else out of a case than it says.
pub fn compare(who: &str, case: &str, answers: &[Answer], right: &[Answer]) {
    assert_eq!(answers.len(), right.len(), "{who}, {case}: the number of packets");
    for (answer, right) in answers.iter().zip(right) {
        assert_eq!(answer, right, "{who}, {case}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_properties_does_not_matter_and_that_of_filters_does() {
        let one = Answer::new("x").fact("a", 1).fact("b", 2);
        assert_eq!(one, Answer::new("x").fact("b", 2).fact("a", 1));
        let ab = Answer::new("x").filters([("a", 0), ("b", 0)]);
        assert_ne!(ab, Answer::new("x").filters([("b", 0), ("a", 0)]));
    }

    #[test]
    #[should_panic(expected = "who, case")]
    fn another_answer_stops_the_run() {
        compare("who", "case", &[Answer::new("x")], &[Answer::new("y")]);
    }
}
