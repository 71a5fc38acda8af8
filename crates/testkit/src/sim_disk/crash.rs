use std::collections::{BTreeMap, BTreeSet};

use super::chooser::Choose;
use super::directory::{Directory, Node};
use super::inode::Inode;
use super::{ROOT, SimDisk, State};

impl SimDisk {
    /// A disk as it may be after a loss of power now, by chance. This one goes on undisturbed.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        self.crash_by(&mut fastrand::Rng::with_seed(seed))
    }

    /// The same with choices of the caller, for instance all of them ([`Odometer`](super::Odometer)).
    #[must_use]
    pub fn crash_by(&self, choose: &mut dyn Choose) -> Self {
        let state = self.lock_state();
        let mut image = state.empty();
        // From the root on: what no name leads to is gone.
        let mut open = vec![ROOT];
        while let Some(id) = open.pop() {
            let names = state.directories.get(&id).map(|dir| dir.crashed(choose)).unwrap_or_default();
            for node in names.values() {
                match node {
                    Node::Dir(id) => open.push(*id),
                    Node::File(id) => {
                        if let Some(inode) = state.inodes.get(id) {
                            image.inodes.entry(*id).or_insert_with(|| Inode::durable(inode.crashed(choose)));
                        }
                    }
                }
            }
            image.directories.insert(id, Directory::durable(names));
        }
        Self::from_state(image)
    }

    /// The disk after the process died: everything written is seen, what was not synced can still be lost. On
    /// this one every operation fails from now on, so that what the dead process would do at its end is not done.
    #[must_use]
    pub fn kill(&self) -> Self {
        let killed = self.snapshot();
        self.halt();
        killed
    }

    /// Every operation on this disk fails from now on: the process that had it is dead, or its end is of no interest.
    pub fn halt(&self) {
        self.lock_state().halted = true;
    }

    /// The disk as [`SimDisk::kill`] would leave it, while this one goes on.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        Self::from_state(self.lock_state().fork())
    }
}

impl State {
    /// The same disk for another process.
    fn fork(&mut self) -> Self {
        let mut next = self.empty();
        next.inodes = self.inodes.iter().map(|(id, inode)| (*id, inode.orphaned())).collect();
        next.directories = self.directories.clone();
        next.random = fastrand::Rng::with_seed(self.random.u64(..));
        next
    }

    /// Keeps the disk as it is, if somebody wants to see the moments before each sync.
    pub(super) fn keep_moment(&mut self) {
        if self.moments.is_some() && !self.halted {
            let moment = SimDisk::from_state(self.fork());
            self.moments.get_or_insert_default().push(moment);
        }
    }

    /// A disk of the same properties with nothing on it.
    fn empty(&self) -> Self {
        Self {
            inodes: BTreeMap::new(),
            directories: BTreeMap::new(),
            next_id: self.next_id,
            locks: BTreeSet::new(),
            faults: Vec::new(),
            counts: BTreeMap::new(),
            random: self.random.clone(),
            short_io: self.short_io,
            space_bytes: self.space_bytes,
            halted: false,
            moments: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use headwater_log::storage::{Access, Storage};

    use super::super::{Fault, Odometer, Op, PAGE_BYTES};
    use super::*;

    const PATH: &str = "/data/a";

    /// A disk with a file of three durable pages of ones.
    fn disk() -> SimDisk {
        let disk = SimDisk::new(1);
        disk.create_dir_all(Path::new("/data")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        let file = disk.create(Path::new(PATH)).unwrap();
        file.write_at(&[1; 3 * PAGE_BYTES], 0).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("/data")).unwrap();
        disk
    }

    fn read(disk: &SimDisk) -> Vec<u8> {
        disk.content(Path::new(PATH)).unwrap()
    }

    #[test]
    fn synced_bytes_survive_every_crash() {
        let disk = disk();
        assert!((0..100).all(|seed| read(&disk.crash(seed)) == [1; 3 * PAGE_BYTES]));
    }

    #[test]
    fn unsynced_pages_are_kept_lost_and_torn() {
        let disk = disk();
        let file = disk.open(Path::new(PATH), Access::ReadWrite).unwrap();
        file.write_at(&[2; PAGE_BYTES], PAGE_BYTES as u64).unwrap();
        let mut seen = BTreeSet::new();
        for seed in 0..200 {
            let bytes = read(&disk.crash(seed));
            assert!(bytes[..PAGE_BYTES].iter().chain(&bytes[2 * PAGE_BYTES..]).all(|byte| *byte == 1));
            let new = bytes.iter().filter(|byte| **byte == 2).count();
            seen.insert(if new == 0 {
                "lost"
            } else if new == PAGE_BYTES {
                "kept"
            } else {
                "torn"
            });
        }
        assert_eq!(seen.len(), 3);
    }

    #[test]
    fn a_file_has_one_of_the_lengths_it_had_since_the_last_sync() {
        let disk = disk();
        let file = disk.open(Path::new(PATH), Access::ReadWrite).unwrap();
        drop(file.map(3 * PAGE_BYTES, Access::ReadWrite).unwrap());
        assert_eq!(read(&disk), [1; 3 * PAGE_BYTES]);
        file.set_len(4 * PAGE_BYTES as u64).unwrap();
        let lens: BTreeSet<_> = (0..50).map(|seed| read(&disk.crash(seed)).len() / PAGE_BYTES).collect();
        assert_eq!(lens, BTreeSet::from([3, 4]));
    }

    #[test]
    fn a_failed_sync_is_not_made_good_by_the_next() {
        let disk = disk();
        let file = disk.open(Path::new(PATH), Access::ReadWrite).unwrap();
        file.write_at(&[2; 3 * PAGE_BYTES], 0).unwrap();
        disk.inject(Fault::on(Op::SyncData));
        file.sync_data().unwrap_err();
        file.sync_data().unwrap();
        assert_eq!(read(&disk), [2; 3 * PAGE_BYTES], "programs see what they wrote");
        let after = read(&disk.crash(0));
        assert!(after.contains(&1), "some page never reached the platter");
        // Written again, it does.
        file.write_at(&[2; 3 * PAGE_BYTES], 0).unwrap();
        file.sync_data().unwrap();
        assert_eq!(read(&disk.crash(0)), [2; 3 * PAGE_BYTES]);
    }

    #[test]
    fn a_rename_is_kept_or_lost_as_one() {
        let disk = disk();
        disk.rename(Path::new(PATH), Path::new("/data/b")).unwrap();
        let mut odometer = Odometer::default();
        let mut seen = BTreeSet::new();
        loop {
            seen.insert(format!("{:?}", disk.crash_by(&mut odometer).files()));
            if !odometer.advance() {
                break;
            }
        }
        assert_eq!(seen.len(), 2, "{seen:?}");
    }

    #[test]
    fn a_killed_process_changes_nothing_more_and_loses_its_locks() {
        let disk = disk();
        let guard = disk.lock(Path::new("/data/.lock")).unwrap().unwrap();
        assert!(disk.lock(Path::new("/data/.lock")).unwrap().is_none());
        let file = disk.open(Path::new(PATH), Access::ReadWrite).unwrap();
        file.write_at(&[3; PAGE_BYTES], 0).unwrap();
        let next = disk.kill();
        file.write_at(&[4; PAGE_BYTES], 0).unwrap_err();
        assert_eq!(read(&next)[0], 3);
        assert!((0..50).any(|seed| read(&next.crash(seed))[0] == 1), "it was never synced");
        assert!(next.lock(Path::new("/data/.lock")).unwrap().is_some());
        drop(guard);
    }

    #[test]
    fn a_full_disk_refuses_and_heals() {
        let disk = disk();
        let file = disk.open(Path::new(PATH), Access::ReadWrite).unwrap();
        disk.set_space_bytes(Some(4 * PAGE_BYTES as u64));
        file.allocate(3 * PAGE_BYTES as u64, 4 * PAGE_BYTES as u64).unwrap();
        let error = file.allocate(4 * PAGE_BYTES as u64, 5 * PAGE_BYTES as u64).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        disk.set_space_bytes(None);
        file.allocate(4 * PAGE_BYTES as u64, 5 * PAGE_BYTES as u64).unwrap();
    }
}
