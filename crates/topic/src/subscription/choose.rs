//! Who of a shared group gets a message.

use core::iter::Chain;
use core::ops::Range;

use super::group::Group;
use super::hash;

/// A way to choose one member of a group, for one message.
///
/// Section 4.8.2 of MQTT 5.0 leaves it to the server whom it sends a message of a shared subscription to. `open` says who may be
/// chosen: who is not connected, or has refused the message already, is left out and the next one is chosen.
///
/// # Examples
///
/// Always the member that joined first, as long as nobody left:
///
/// ```
/// use headwater_topic::{Choose, Group};
///
/// struct Leader;
///
/// impl<K, V> Choose<K, V> for Leader {
///     fn choose(&mut self, group: Group<'_, K, V>, open: &mut dyn FnMut(&K, &V) -> bool) -> Option<usize> {
///         group.members().iter().position(|(key, value)| open(key, value))
///     }
/// }
/// ```
pub trait Choose<K, V> {
    /// The place of the chosen one in [`Group::members`], or `None` if nobody may be chosen.
    fn choose(&mut self, group: Group<'_, K, V>, open: &mut dyn FnMut(&K, &V) -> bool) -> Option<usize>;
}

/// Each in turn: after as many messages as there are members, each has had one.
///
/// The turn is kept with the group, so all who match in the tree, from any thread, go on where the last one was. Who is left out is
/// passed over, and does not get a turn later for it. O(1), and one step for each who is left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundRobin;

impl<K, V> Choose<K, V> for RoundRobin {
    fn choose(&mut self, group: Group<'_, K, V>, open: &mut dyn FnMut(&K, &V) -> bool) -> Option<usize> {
        in_turn(group, |mut places| {
            places.find(|at| group.members().get(*at).is_some_and(|(key, value)| open(key, value)))
        })
    }
}

/// The same member for the same hash, as long as it is open: of the publisher, say, or of the topic name, so that one member
/// sees all messages of one device.
///
/// When a member comes or goes, only what it gets or had goes to another: the highest of a hash over member and `hash` is chosen, whatever
/// the order of the members. O(members).
#[derive(Clone, Copy, Debug)]
pub struct Sticky {
    /// What the messages that belong together have in common.
    pub hash: u64,
}

impl<K: core::hash::Hash, V> Choose<K, V> for Sticky {
    fn choose(&mut self, group: Group<'_, K, V>, open: &mut dyn FnMut(&K, &V) -> bool) -> Option<usize> {
        let members = group.members().iter().enumerate();
        members
            .filter(|(_, (key, value))| open(key, value))
            .max_by_key(|(_, (key, _))| hash::word(self.hash, u64::from(group.hash_of(*key))))
            .map(|(at, _)| at)
    }
}

/// Each as likely as any other, by a seed of the caller's. O(1), and one step for each who is left out.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Equal seeds make equal choices.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        // Weyl's sequence, scattered.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let drawn = u64::from(hash::word(0, self.state));
        // Below `end`, as `drawn` has 32 bits.
        usize::try_from((drawn * end as u64) >> 32).unwrap_or_default()
    }
}

impl<K, V> Choose<K, V> for Random {
    fn choose(&mut self, group: Group<'_, K, V>, open: &mut dyn FnMut(&K, &V) -> bool) -> Option<usize> {
        // Where most are open this ends at once; each try is as likely to hit any of them.
        for _ in 0..4 {
            let at = self.below(group.len());
            if group.members().get(at).is_some_and(|(key, value)| open(key, value)) {
                return Some(at);
            }
        }
        let members = group.members().iter().enumerate();
        let mut chosen = None;
        let mut seen = 0;
        // The nth that is open replaces the choice in one of n cases.
        for (at, _) in members.filter(|(_, (key, value))| open(key, value)) {
            seen += 1;
            if self.below(seen) == 0 {
                chosen = Some(at);
            }
        }
        chosen
    }
}

/// Who has the least to do, by a function of the caller's; of equals, each in turn.
///
/// O(members).
///
/// # Examples
///
/// ```
/// use headwater_topic::{LeastLoaded, SubscriptionTree, TopicFilter, TopicName};
///
/// let mut tree = SubscriptionTree::with_seed(7);
/// for (worker, queued) in [("a", 12), ("b", 3)] {
///     tree.subscribe(TopicFilter::parse("$share/workers/jobs/#")?, worker, queued);
/// }
/// let mut chosen = Vec::new();
/// let mut choice = LeastLoaded(|_: &&str, queued: &i32| *queued);
/// tree.matches_with(TopicName::parse("jobs/7")?, &mut choice, |_, _| true, |worker, _| chosen.push(*worker));
/// assert_eq!(chosen, ["b"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LeastLoaded<F>(
    /// The load of a member.
    pub F,
);

impl<K, V, L: Ord, F: FnMut(&K, &V) -> L> Choose<K, V> for LeastLoaded<F> {
    fn choose(&mut self, group: Group<'_, K, V>, open: &mut dyn FnMut(&K, &V) -> bool) -> Option<usize> {
        in_turn(group, |places| {
            let open = places.filter_map(|at| {
                let (key, value) = group.members().get(at)?;
                open(key, value).then(|| (at, (self.0)(key, value)))
            });
            // Of equals the first.
            open.min_by(|(_, a), (_, b)| a.cmp(b)).map(|(at, _)| at)
        })
    }
}

/// Chooses among all places, beginning with the one whose turn it is; the next turn is that of the one behind the chosen.
fn in_turn<K, V>(
    group: Group<'_, K, V>,
    choose: impl FnOnce(Chain<Range<usize>, Range<usize>>) -> Option<usize>,
) -> Option<usize> {
    let turn = group.turn().next();
    let first = turn % group.len();
    let chosen = choose((first..group.len()).chain(0..first))?;
    if chosen != first {
        // Else the one behind those who are passed over would get their turns too.
        group.turn().skip((chosen + group.len() - first) % group.len());
    }
    Some(chosen)
}
