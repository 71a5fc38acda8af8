//! All disks that a loss of power may leave, or a choice of them; and the moments that are worth a look.
//!
//! ```text
//!   operation      write   write   sync    link    write   sync_dir
//!   may be lost    a       a b     -       l       l c     c
//!                            ^ before                 ^ before      a moment before each sync: there is most to
//!                              sync                     sync_dir    lose, and all that was to lose earlier is in it
//! ```

use super::chooser::{AllBut, Odometer};
use super::directory::Node;
use super::pages::mix;
use super::{ROOT, SimDisk};

/// How many disks are looked at for each moment.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// All of them when there are at most so many; otherwise so many: nothing and everything kept, each thing
    /// kept alone and lost alone, and then by chance.
    pub images: usize,
    /// So many more, by chance, in which a page may have gone to the disk in the middle of a copy into it.
    pub torn: usize,
    /// What chance decides.
    pub seed: u64,
}

impl SimDisk {
    /// Keeps the disk as it is before each sync from now on, for [`SimDisk::take_moments`].
    pub fn keep_moments(&self) {
        self.lock_state().moments = Some(Vec::new());
    }

    /// The disks as they were before each sync since the last call, and the one of now.
    #[must_use]
    pub fn take_moments(&self) -> Vec<Self> {
        let mut moments = self.lock_state().moments.as_mut().map(std::mem::take).unwrap_or_default();
        moments.push(self.snapshot());
        moments
    }

    /// How many disks a loss of power now may leave, by sectors and not counting those that are torn inside one; at most
    /// `u64::MAX`. Some of them may be equal.
    #[must_use]
    pub fn image_count(&self) -> u64 {
        let state = self.lock_state();
        let files = state.inodes.values().map(super::Inode::images);
        let names = state.directories.values().map(|dir| {
            u32::try_from(dir.pending()).ok().and_then(|bits| 1_u64.checked_shl(bits)).unwrap_or(u64::MAX)
        });
        files.chain(names).fold(1, u64::saturating_mul)
    }

    /// Calls `each` with disks as they may be after a loss of power now; tells whether those were all, but for torn
    /// sectors.
    pub fn crash_images(&self, bounds: Bounds, mut each: impl FnMut(Self)) -> bool {
        let all = self.image_count() <= bounds.images as u64;
        let mut odometer = Odometer::default();
        let mut left = bounds.images;
        if all {
            loop {
                each(self.crash_by(&mut odometer));
                if !odometer.advance() {
                    break;
                }
            }
        } else {
            'chosen: for but in (0..).map(|but: usize| but.checked_sub(1)) {
                for keep in [true, false] {
                    if left == 0 {
                        break 'chosen;
                    }
                    let mut chooser = AllBut { keep, but, at: 0 };
                    let image = self.crash_by(&mut chooser);
                    if but.is_some_and(|but| but >= chooser.at) {
                        continue;
                    }
                    each(image);
                    left -= 1;
                }
                if but.is_some_and(|but| but > 64) {
                    break;
                }
            }
            (0..left as u64).for_each(|at| each(self.crash(bounds.seed ^ at)));
        }
        (0..bounds.torn as u64).for_each(|at| each(self.crash(bounds.seed.wrapping_add(at) ^ (1 << 63))));
        all
    }

    /// A number that tells disks apart by their names and bytes, as programs see them. Disks that are equal have the
    /// same; others, but for an accident in 2^64, do not.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let state = self.lock_state();
        let mut open = vec![ROOT];
        let mut hash = 0;
        while let Some(id) = open.pop() {
            for (name, node) in state.directories.get(&id).into_iter().flat_map(|dir| &dir.live) {
                hash = name.bytes().fold(mix(hash, name.len() as u64), |hash, byte| mix(hash, byte.into()));
                match node {
                    Node::Dir(id) => open.push(*id),
                    Node::File(id) => {
                        hash = state.inodes.get(id).map_or(hash, |inode| inode.content().fingerprint(hash));
                    }
                }
            }
        }
        hash
    }
}
