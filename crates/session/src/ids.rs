//! Which packet identifier is given out next.
//!
//! ```text
//!        given out          may be given out
//!   1 ------------> last -------------------> through ------> 65,535, and 1 again
//!                          (without avoided ranges, and without those in flight)
//! ```

use alloc::vec::Vec;

use headwater_codec::PacketId;

/// All packet identifiers there are.
pub(crate) const IDS: usize = 65_535;

/// Packet identifiers, counted up and around.
#[derive(Debug)]
pub(crate) struct Ids {
    last: u16,
    /// The last one that may be given out; `None` if all may.
    through: Option<PacketId>,
    /// How many there are up to `through`, those that are avoided left out.
    left: usize,
    /// First and last of each range that is never given out.
    avoided: Vec<(PacketId, PacketId)>,
}

impl Ids {
    pub(crate) fn new() -> Self {
        Self { last: 0, through: None, left: IDS, avoided: Vec::new() }
    }

    /// The one that was given out last.
    pub(crate) fn last(&self) -> Option<PacketId> {
        PacketId::new(self.last)
    }

    /// Goes on behind this one.
    pub(crate) fn go_on_behind(&mut self, last: PacketId) {
        self.last = last.get();
        self.count();
    }

    pub(crate) fn avoided(&self) -> &[(PacketId, PacketId)] {
        &self.avoided
    }

    pub(crate) fn avoid(&mut self, avoided: Vec<(PacketId, PacketId)>) {
        self.avoided = avoided;
        self.count();
    }

    /// They are given out up to and with this one.
    pub(crate) fn reserve(&mut self, through: PacketId) {
        if self.through != Some(through) {
            self.through = Some(through);
            self.count();
        }
    }

    fn count(&mut self) {
        // Until something is reserved nobody counts.
        if self.avoided.is_empty() || self.through.is_none() {
            self.left = self.distance();
            return;
        }
        let is_avoided = |id: &PacketId| is_within(&self.avoided, *id);
        self.left = behind(self.last).take(self.distance()).filter(|id| !is_avoided(id)).count();
    }

    /// From the last one given out to the last one that may be.
    fn distance(&self) -> usize {
        let Some(through) = self.through else { return IDS };
        let (last, through) = (usize::from(self.last), usize::from(through.get()));
        if last <= through { through - last } else { IDS - last + through }
    }

    /// How many may be given out, those that are in use among them.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// Those that may be given out, as at most two ranges.
    pub(crate) fn ahead(&self) -> impl Iterator<Item = (PacketId, PacketId)> {
        let end = usize::from(self.last) + self.distance();
        let range = |first: usize, last: usize| {
            let id = |number| u16::try_from(number).ok().and_then(PacketId::new);
            id(first).zip(id(last)).filter(|(first, last)| first <= last)
        };
        let before = range(usize::from(self.last) + 1, end.min(IDS));
        let around = range(1, end.saturating_sub(IDS));
        [before, around].into_iter().flatten()
    }

    /// Gives out the next one that is not in use [MQTT-2.2.1-3]. O(in use) at worst, O(1) when acknowledgements come in order.
    pub(crate) fn next(&mut self, is_used: impl Fn(PacketId) -> bool) -> Option<PacketId> {
        let mut left = self.left;
        for id in behind(self.last).take(IDS) {
            if left == 0 {
                return None;
            }
            if is_within(&self.avoided, id) {
                continue;
            }
            left -= 1;
            if !is_used(id) {
                self.last = id.get();
                if self.through.is_some() {
                    self.left = left;
                }
                return Some(id);
            }
        }
        None
    }
}

/// The identifiers behind this one, around and around.
fn behind(last: u16) -> impl Iterator<Item = PacketId> {
    let next = |id: &PacketId| Some(id.get().checked_add(1).and_then(PacketId::new).unwrap_or(PacketId::MIN));
    let first = last.checked_add(1).and_then(PacketId::new).unwrap_or(PacketId::MIN);
    core::iter::successors(Some(first), next)
}

fn is_within(ranges: &[(PacketId, PacketId)], id: PacketId) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&id))
}

/// The identifier so many behind `last`, those that are avoided not counted.
pub(crate) fn nth_behind(
    last: Option<PacketId>,
    avoided: &[(PacketId, PacketId)],
    count: u16,
) -> Option<PacketId> {
    if avoided.is_empty() {
        let number =
            (usize::from(last.map_or(0, PacketId::get)) + usize::from(count)).checked_sub(1)? % IDS + 1;
        return u16::try_from(number).ok().and_then(PacketId::new);
    }
    let ids = behind(last.map_or(0, PacketId::get)).take(IDS).filter(|id| !is_within(avoided, *id));
    ids.take(usize::from(count)).last()
}
