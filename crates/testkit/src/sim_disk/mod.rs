//! A disk that forgets what was not synced.
//!
//! ```text
//!             what programs see       what the kernel            what the platter has
//!                                     takes for written
//!   file      live bytes, length  ->  clean bytes, length   ->   durable bytes, length
//!                                sync_data                  (a failed sync leaves a difference here)
//!   directory live names      ------------ sync_dir ------------> durable names
//! ```
//!
//! [`SimDisk::crash`] gives a disk as it may be after a loss of power: each page of 4 KiB that was written since
//! the last sync is kept, lost, or torn, by sectors of 512 bytes or in the middle of a copy: a page of a mapped
//! window may reach the disk while it is written, with any beginning or end of what is new; a file has one of
//! the lengths it had since then; each change to a directory is kept or lost on its own, a rename as one change.
//! [`SimDisk::crash_images`] gives all such disks, or so many of them.
//! [`SimDisk::kill`] gives the disk as it is after the process died: everything that was written is seen, and
//! what was not synced can still be lost by a later crash.
//!
//! A failed sync does what Linux does: some of the pages reached the platter, all of them count as written, and
//! a later sync that succeeds does not write them again.
//!
//! Mapped windows are memory of the heap; what was written through them is found by comparison. Writing beyond
//! the end of a file through a window, which would end a real process with SIGBUS, is an assertion.

mod chooser;
mod crash;
mod directory;
mod fault;
mod file;
mod images;
mod inode;
mod pages;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use headwater_log::storage::{Access, DirEntry, File, LockGuard, Storage};

pub use chooser::{Choose, Odometer};
use directory::{Change, Directory, Node};
pub use fault::{Fault, Op};
use file::SimFile;
pub use images::Bounds;
use inode::Inode;
use pages::Pages;

/// The bytes of a page.
pub const PAGE_BYTES: usize = 4096;
/// The bytes of a sector: no write is torn inside one, except for a copy that was under way.
pub const SECTOR_BYTES: usize = 512;

/// A simulated disk. Clones are the same disk.
///
/// # Examples
///
/// ```
/// use std::path::Path;
/// use headwater_log::storage::{Access, Storage};
/// use headwater_testkit::sim_disk::SimDisk;
///
/// let disk = SimDisk::new(7);
/// disk.create_dir_all(Path::new("/data")).unwrap();
/// let file = disk.create(Path::new("/data/a")).unwrap();
/// file.write_at(b"abc", 0).unwrap();
/// file.sync_data().unwrap();
/// // The bytes are durable, the name is not: some crashes lose the file.
/// let lost = (0..50).filter(|seed| disk.crash(*seed).open(Path::new("/data/a"), Access::Read).is_err());
/// assert!((1..50).contains(&lost.count()));
/// ```
#[derive(Debug, Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    inodes: BTreeMap<u64, Inode>,
    directories: BTreeMap<u64, Directory>,
    next_id: u64,
    locks: BTreeSet<PathBuf>,
    faults: Vec<Fault>,
    counts: BTreeMap<Op, u64>,
    random: fastrand::Rng,
    short_io: bool,
    space_bytes: Option<u64>,
    halted: bool,
    /// The disk before each sync, if wanted.
    moments: Option<Vec<SimDisk>>,
}

/// The directory `/`, which is always there.
const ROOT: u64 = 0;

impl SimDisk {
    /// An empty disk. What happens by chance, such as what a failed sync writes, is decided by the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::from_state(State {
            inodes: BTreeMap::new(),
            directories: BTreeMap::from([(ROOT, Directory::default())]),
            next_id: ROOT + 1,
            locks: BTreeSet::new(),
            faults: Vec::new(),
            counts: BTreeMap::new(),
            random: fastrand::Rng::with_seed(seed),
            short_io: false,
            space_bytes: None,
            halted: false,
            moments: None,
        })
    }

    fn from_state(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock for an operation, counts it, and fails if a fault is due.
    fn begin(&self, op: Op, path: &Path) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock_state();
        state.count(op, path)?;
        Ok(state)
    }

    /// Lets an operation fail.
    pub fn inject(&self, fault: Fault) {
        self.lock_state().faults.push(fault);
    }

    /// Takes all faults back that have not happened, or that go on.
    pub fn clear_faults(&self) {
        self.lock_state().faults.clear();
    }

    /// Lets reads and writes transfer less than they could, and be interrupted.
    pub fn set_short_io(&self, short_io: bool) {
        self.lock_state().short_io = short_io;
    }

    /// Limits the space of all files together; `None` is no limit.
    pub fn set_space_bytes(&self, space_bytes: Option<u64>) {
        self.lock_state().space_bytes = space_bytes;
    }

    /// How often an operation was called.
    #[must_use]
    pub fn count(&self, op: Op) -> u64 {
        self.lock_state().counts.get(&op).copied().unwrap_or(0)
    }

    /// How many operations were called in all.
    #[must_use]
    pub fn count_all(&self) -> u64 {
        self.lock_state().counts.values().sum()
    }

    /// The bytes of a file as a program sees them; `None` when there is no such file.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.lock_state();
        state.file_id(path).ok().and_then(|id| state.inodes.get(&id)).map(|inode| inode.content().to_vec())
    }

    /// Replaces the bytes of a file, durably, as damage does; false when there is no such file.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut state = self.lock_state();
        let Some(inode) = state.file_id(path).ok().and_then(|id| state.inodes.get_mut(&id)) else {
            return false;
        };
        let mut content = inode.content().to_vec();
        change(&mut content);
        *inode = Inode::durable(Pages::of(&content));
        true
    }

    /// All files, with their paths.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let state = self.lock_state();
        let mut files = Vec::new();
        let mut open = vec![(PathBuf::from("/"), ROOT)];
        while let Some((path, id)) = open.pop() {
            for (name, node) in state.directories.get(&id).into_iter().flat_map(|dir| &dir.live) {
                match node {
                    Node::File(_) => files.push(path.join(name)),
                    Node::Dir(id) => open.push((path.join(name), *id)),
                }
            }
        }
        files.sort();
        files
    }
}

impl State {
    fn count(&mut self, op: Op, path: &Path) -> io::Result<()> {
        if self.halted {
            return Err(io::Error::other("the process is dead"));
        }
        *self.counts.entry(op).or_default() += 1;
        for fault in &mut self.faults {
            fault.strike(op, path)?;
        }
        Ok(())
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        let mut node = Node::Dir(ROOT);
        for name in directory::names(path)? {
            let Node::Dir(id) = node else { return Err(io::ErrorKind::NotADirectory.into()) };
            let dir = self.directories.get(&id);
            node = *dir.and_then(|dir| dir.live.get(&name)).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(node)
    }

    fn file_id(&self, path: &Path) -> io::Result<u64> {
        match self.node(path)? {
            Node::File(id) => Ok(id),
            Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn directory(&mut self, path: &Path) -> io::Result<&mut Directory> {
        match self.node(path)? {
            Node::Dir(id) => self.directories.get_mut(&id).ok_or_else(|| io::ErrorKind::NotFound.into()),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// The directory that a path is in, and its name there.
    fn parent(&mut self, path: &Path) -> io::Result<(&mut Directory, String)> {
        let name = directory::names(path)?.pop().ok_or(io::ErrorKind::InvalidInput)?;
        let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        Ok((self.directory(parent)?, name))
    }

    fn create_file(&mut self, path: &Path) -> io::Result<u64> {
        if let Ok(node) = self.node(path) {
            let Node::File(id) = node else { return Err(io::ErrorKind::IsADirectory.into()) };
            return Ok(id);
        }
        let id = self.new_id();
        let (parent, name) = self.parent(path)?;
        parent.apply(Change::Link { name, node: Node::File(id) });
        self.inodes.insert(id, Inode::default());
        Ok(id)
    }

    /// Whether the files may grow by so much.
    fn check_space(&self, more: u64) -> io::Result<()> {
        // What no name leads to has given its space back.
        let nodes = self.directories.values().flat_map(|directory| directory.live.values());
        let named = nodes.filter_map(|node| match node {
            Node::File(id) => self.inodes.get(id),
            Node::Dir(_) => None,
        });
        let used: u64 = named.map(|inode| inode.len() as u64).sum();
        match self.space_bytes {
            Some(space) if more > 0 && used.saturating_add(more) > space => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }
}

impl Storage for SimDisk {
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut state = self.begin(Op::List, dir)?;
        let names = &state.directory(dir)?.live;
        let entry = |(name, node): (&String, &Node)| DirEntry {
            name: name.clone(),
            is_dir: matches!(node, Node::Dir(_)),
        };
        Ok(names.iter().map(entry).collect())
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.begin(Op::CreateDirAll, dir)?;
        let mut path = PathBuf::from("/");
        for name in directory::names(dir)? {
            let parent = path.clone();
            path.push(&name);
            match state.node(&path) {
                Ok(Node::Dir(_)) => {}
                Ok(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                Err(_) => {
                    let id = state.new_id();
                    state.directories.insert(id, Directory::default());
                    state.directory(&parent)?.apply(Change::Link { name, node: Node::Dir(id) });
                }
            }
        }
        Ok(())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.begin(Op::CreateDir, dir)?;
        if state.node(dir).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = state.new_id();
        state.directories.insert(id, Directory::default());
        let (parent, name) = state.parent(dir)?;
        parent.apply(Change::Link { name, node: Node::Dir(id) });
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.begin(Op::RemoveDir, dir)?;
        if !state.directory(dir)?.live.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let (parent, name) = state.parent(dir)?;
        parent.apply(Change::Unlink { name });
        Ok(())
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
        let id = self.begin(Op::Open, path)?.file_id(path)?;
        Ok(Arc::new(SimFile::new(self.clone(), path, id, access)))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut state = self.begin(Op::Create, path)?;
        let id = state.create_file(path)?;
        if let Some(inode) = state.inodes.get_mut(&id) {
            inode.set_len(0)?;
        }
        drop(state);
        Ok(Arc::new(SimFile::new(self.clone(), path, id, Access::ReadWrite)))
    }

    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut state = self.begin(Op::CreateNew, path)?;
        if state.node(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = state.create_file(path)?;
        drop(state);
        Ok(Arc::new(SimFile::new(self.clone(), path, id, Access::ReadWrite)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.begin(Op::Rename, from)?;
        let node = state.node(from)?;
        let (_, old) = state.parent(from)?;
        let (parent, name) = state.parent(to)?;
        if from.parent() != to.parent() {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        parent.apply(Change::Rename { from: old, to: name, node });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.begin(Op::Remove, path)?;
        state.file_id(path)?;
        let (parent, name) = state.parent(path)?;
        parent.apply(Change::Unlink { name });
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.begin(Op::SyncDir, dir)?;
        state.keep_moment();
        state.directory(dir)?.sync();
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard>>> {
        let mut state = self.begin(Op::Lock, path)?;
        state.create_file(path)?;
        if !state.locks.insert(path.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Box::new(SimLock { disk: self.clone(), path: path.to_owned() })))
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl LockGuard for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.lock_state().locks.remove(&self.path);
    }
}
