//! How a session follows the partitions of the log.

/// How one session follows one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    /// The dispatcher puts what is for the session into its inbox.
    Live {
        /// It has handed out everything before this: known here before the lane says so to all.
        pushed: u64,
    },
    /// The session reads by itself.
    Behind {
        /// The next offset to look at.
        next: u64,
    },
}

/// How one session follows all partitions.
#[derive(Debug, Default)]
pub(crate) struct Follows {
    each: Box<[Follow]>,
    /// How many are [`Follow::Behind`].
    behind: usize,
}

impl Follows {
    pub(super) fn new(each: Box<[Follow]>) -> Self {
        let behind = each.iter().filter(|follow| follow.is_behind()).count();
        Self { each, behind }
    }

    pub(super) fn of(&self, partition: u32) -> Option<Follow> {
        self.each.get(usize::try_from(partition).ok()?).copied()
    }

    pub(super) fn set(&mut self, partition: u32, follow: Follow) {
        let Some(slot) = usize::try_from(partition).ok().and_then(|index| self.each.get_mut(index)) else {
            return;
        };
        let before = std::mem::replace(slot, follow);
        self.behind = self.behind + usize::from(follow.is_behind()) - usize::from(before.is_behind());
    }

    /// The first partition in which the session is behind, counted from the one after `turn`, that `may_read` lets through: its place
    /// and the next offset.
    pub(super) fn next_behind(&self, turn: usize, may_read: impl Fn(usize) -> bool) -> Option<(usize, u64)> {
        if self.behind == 0 {
            return None;
        }
        let count = self.each.len();
        (1..=count).map(|step| (turn + step) % count).find_map(|index| match self.each.get(index)? {
            Follow::Behind { next } if may_read(index) => Some((index, *next)),
            _ => None,
        })
    }

    /// The first offset of each partition that the session was not handed and has not read.
    pub(super) fn positions(&self, dispatched: &[u64]) -> Vec<u64> {
        let follows = self.each.iter().zip(dispatched);
        follows
            .map(|(follow, dispatched)| match follow {
                Follow::Live { pushed } => *dispatched.max(pushed),
                Follow::Behind { next } => *next,
            })
            .collect()
    }
}

impl Follow {
    fn is_behind(self) -> bool {
        matches!(self, Self::Behind { .. })
    }
}
