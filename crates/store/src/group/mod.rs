//! Shared subscriptions: a group of sessions that gets each message once (5.0, section 4.8.2).
//!
//! A group is a share name with a filter. It follows the log by itself, as a session does, and what it examines goes to one of its
//! members that are connected and have room.
//!
//! ```text
//!   dispatcher, when live -------> in turns --> inbox of one member --> next() --> exchange --> finish()
//!   the log, when behind: read by     ^                |                              |
//!   the member that has room ---------'                '-- the client goes before ----'-> returned, to the next one
//!
//!   offsets of one partition:
//!   ---- finished ----|-- finished, held by members or returned --|---- not examined ---->
//!                                                               next
//! ```
//!
//! Kept in the log is what is not examined, and what is held or returned: [`GroupRecord`]. So a crash loses nothing, whatever of it the members had
//! saved; what was finished since the group was last saved comes again.
//!
//! Locks, in the order in which they are taken: sessions, groups, tree of groups, `saving` or `reading` of a group, the lane's `dispatching`,
//! state of a group, state of a session.

mod choice;
mod cursor;
mod hand;
mod keep;
mod load;
mod members;
mod read;
mod record;
mod registry;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use headwater_topic::{TopicFilter, TopicFilterBuf};

use self::choice::Turn;
use self::cursor::Cursor;
use self::keep::Saving;
use self::read::PieceSize;
use crate::session::Core;
use crate::subscription::Terms;

pub(crate) use self::keep::{Occasion, text_of};
pub(crate) use self::load::{Claims, load};
pub(crate) use self::members::Fate;
pub use self::record::GroupRecord;
pub(crate) use self::registry::Groups;

/// One group.
pub(crate) struct Group {
    /// Its key in the tree; unique while the store is open.
    pub(crate) key: u64,
    /// The whole shared filter.
    pub(crate) text: TopicFilterBuf,
    /// Held by the member that reads the log for all.
    reading: Mutex<PieceSize>,
    saving: Mutex<Saving>,
    state: Mutex<State>,
}

/// What changes.
struct State {
    /// A partition each.
    cursors: Box<[Cursor]>,
    /// The members that are connected.
    here: Vec<Member>,
    /// The keys of the others.
    away: BTreeSet<u64>,
    turn: Turn,
    /// What members were handed and have not finished: key of the session, partition, offset.
    held: BTreeSet<(u64, u32, u64)>,
    /// The partition that was read last, so that each gets its turn.
    read: usize,
    /// How much was handed out, finished or returned since the group was saved.
    changes: usize,
    /// Whether the last member has gone: then nothing is handed out, returned or saved any more.
    ended: bool,
}

/// A member that is connected.
struct Member {
    core: Arc<Core>,
    terms: Terms,
}

impl Group {
    fn new(key: u64, text: TopicFilterBuf, cursors: Box<[Cursor]>) -> Self {
        let state = State {
            cursors,
            here: Vec::new(),
            away: BTreeSet::new(),
            turn: Turn::default(),
            held: BTreeSet::new(),
            read: 0,
            changes: 0,
            ended: false,
        };
        Self { key, text, reading: Mutex::default(), saving: Mutex::default(), state: Mutex::new(state) }
    }

    /// What its messages match.
    fn filter(&self) -> TopicFilter<'_> {
        let whole = self.text.as_filter();
        whole.shared().map_or(whole, |shared| shared.filter())
    }
}

impl State {
    fn cursor_mut(&mut self, partition: u32) -> Option<&mut Cursor> {
        self.cursors.get_mut(usize::try_from(partition).ok()?)
    }

    /// Whether members have something to read.
    fn is_behind(&self) -> bool {
        !self.ended && self.cursors.iter().any(|cursor| !cursor.is_live())
    }

    /// How much is not finished of what was examined.
    fn unfinished(&self) -> usize {
        self.held.len() + self.cursors.iter().map(Cursor::returned_len).sum::<usize>()
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("text", &self.text.as_str()).finish_non_exhaustive()
    }
}
