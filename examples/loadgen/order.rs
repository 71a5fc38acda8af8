//! Which messages of a publisher a subscriber has.

use std::collections::BTreeMap;

/// What one subscriber has of one publisher, by sequence number.
#[derive(Debug, Default, Clone)]
pub(crate) struct Order {
    /// One behind the highest number that came.
    next: u32,
    /// Ranges below `next` that did not come: the first number, and the one behind the last.
    missing: BTreeMap<u32, u32>,
    /// Came once more.
    pub(crate) duplicated: u64,
    /// Came after one with a higher number.
    pub(crate) out_of_order: u64,
}

impl Order {
    /// Takes note of a message; tells whether it had not come before.
    pub(crate) fn note(&mut self, sequence: u32) -> bool {
        if sequence >= self.next {
            if sequence > self.next {
                self.missing.insert(self.next, sequence);
            }
            self.next = sequence.saturating_add(1);
            return true;
        }
        let hole = self.missing.range(..=sequence).next_back().map(|(first, behind)| (*first, *behind));
        let Some((first, behind)) = hole.filter(|(_, behind)| sequence < *behind) else {
            self.duplicated += 1;
            return false;
        };
        self.out_of_order += 1;
        self.missing.remove(&first);
        if first < sequence {
            self.missing.insert(first, sequence);
        }
        if sequence + 1 < behind {
            self.missing.insert(sequence + 1, behind);
        }
        true
    }

    /// How many of the messages that were sent did not come.
    pub(crate) fn lost(&self, sent: u32) -> u64 {
        let holes: u64 = self.missing.iter().map(|(first, behind)| u64::from(behind - first)).sum();
        holes + u64::from(sent.saturating_sub(self.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_list_of_all_that_came() {
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..2_000 {
            let sent = rng.u32(1..30);
            let came: Vec<u32> = (0..rng.usize(0..40)).map(|_| rng.u32(0..sent)).collect();
            let mut order = Order::default();
            let (mut seen, mut duplicated, mut late) = (Vec::new(), 0, 0);
            for sequence in came {
                assert_eq!(order.note(sequence), !seen.contains(&sequence));
                if seen.contains(&sequence) {
                    duplicated += 1;
                } else if seen.iter().any(|other| *other > sequence) {
                    late += 1;
                }
                seen.push(sequence);
            }
            let lost = (0..sent).filter(|sequence| !seen.contains(sequence)).count() as u64;
            assert_eq!((order.lost(sent), order.duplicated, order.out_of_order), (lost, duplicated, late));
        }
    }
}
