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
    /// All of them when there are at most so many, which is 2 or more; otherwise so many: nothing and everything kept, if
    /// so many are left each thing kept alone and lost alone, and then by chance.
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
        if all {
            let mut odometer = Odometer::default();
            loop {
                each(self.crash_by(&mut odometer));
                if !odometer.advance() {
                    break;
                }
            }
        } else {
            let mut left = bounds.images;
            let mut things = 0;
            for keep in [false, true] {
                let mut chooser = AllBut { keep, but: None, at: 0 };
                each(self.crash_by(&mut chooser));
                left = left.saturating_sub(1);
                things = things.max(chooser.at);
            }
            if 2 * things <= left {
                for but in 0..things {
                    for keep in [false, true] {
                        each(self.crash_by(&mut AllBut { keep, but: Some(but), at: 0 }));
                    }
                }
                left -= 2 * things;
            }
            (0..left as u64).for_each(|at| each(self.crash(bounds.seed.wrapping_add(at))));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use headwater_log::storage::{Access, Storage};

    use super::super::{PAGE_BYTES, SECTOR_BYTES};
    use super::*;

    const PATH: &str = "/a";

    fn disk(bytes: &[u8]) -> SimDisk {
        let disk = SimDisk::new(1);
        let file = disk.create(Path::new(PATH)).unwrap();
        file.write_at(bytes, 0).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        disk
    }

    fn write(disk: &SimDisk, bytes: &[u8], position: u64) {
        disk.open(Path::new(PATH), Access::ReadWrite).unwrap().write_at(bytes, position).unwrap();
    }

    #[test]
    fn all_images_are_all_subsets_of_sectors_names_and_lengths() {
        let disk = disk(&[1; 2 * PAGE_BYTES]);
        write(&disk, &[2; 2], SECTOR_BYTES as u64 - 1); // two sectors
        write(&disk, &[2; PAGE_BYTES + 1], PAGE_BYTES as u64); // eight, and another length with one more
        disk.create(Path::new("/b")).unwrap();
        assert_eq!(disk.image_count(), (1 << 11) * 2 * 2);
        let mut seen = BTreeSet::new();
        let bounds = Bounds { images: 1 << 13, torn: 0, seed: 0 };
        let mut count = 0;
        assert!(disk.crash_images(bounds, |image| {
            count += 1;
            seen.insert(image.fingerprint());
        }));
        // Where the file is short there is no choice for what is behind its end.
        assert_eq!((count, seen.len()), (2 * ((1 << 11) + (1 << 10)), 2 * ((1 << 11) + (1 << 10))));
        let mut count = 0;
        assert!(!disk.crash_images(Bounds { images: 100, torn: 7, seed: 0 }, |_| count += 1));
        assert_eq!(count, 107);
    }

    /// A page of a mapped window may go to the disk at any moment of a copy into it.
    #[test]
    fn a_copy_is_torn_at_each_of_its_bytes() {
        let disk = disk(&[0; PAGE_BYTES]);
        write(&disk, &[7; 20], 100);
        let mut seen = BTreeSet::new();
        disk.crash_images(Bounds { images: 2, torn: 3000, seed: 0 }, |image| {
            let bytes = image.content(Path::new(PATH)).unwrap();
            let new: Vec<usize> = (0..PAGE_BYTES).filter(|at| bytes[*at] == 7).collect();
            assert!(new.is_empty() || new.last().unwrap() - new[0] + 1 == new.len());
            seen.insert((new.first().copied(), new.len()));
        });
        // Nothing, all, nineteen beginnings and nineteen ends.
        assert_eq!(seen.len(), 40);
    }

    #[test]
    fn the_moments_are_those_before_each_sync_and_now() {
        let disk = disk(&[0; 10]);
        disk.keep_moments();
        write(&disk, &[1; 10], 0);
        disk.open(Path::new(PATH), Access::ReadWrite).unwrap().sync_data().unwrap();
        disk.create(Path::new("/b")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        let moments = disk.take_moments();
        assert_eq!(moments.iter().map(SimDisk::image_count).collect::<Vec<_>>(), [2, 2, 1]);
        assert_eq!(disk.take_moments().len(), 1);
    }
}
