use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};

use super::chooser::Choose;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    File(u64),
    Dir(u64),
}

/// Names: those that programs see, those on the platter, and what lies between.
#[derive(Debug, Clone, Default)]
pub(super) struct Directory {
    pub(super) live: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
pub(super) enum Change {
    Link { name: String, node: Node },
    Unlink { name: String },
    Rename { from: String, to: String, node: Node },
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, Node>) {
        match self {
            Self::Link { name, node } => _ = names.insert(name.clone(), *node),
            Self::Unlink { name } => _ = names.remove(name),
            Self::Rename { from, to, node } => {
                if names.get(from) == Some(node) {
                    names.remove(from);
                }
                names.insert(to.clone(), *node);
            }
        }
    }
}

impl Directory {
    /// A directory with these names, all durable.
    pub(super) fn durable(names: BTreeMap<String, Node>) -> Self {
        Self { live: names.clone(), durable: names, pending: Vec::new() }
    }

    pub(super) fn apply(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        self.durable = self.live.clone();
        self.pending.clear();
    }

    /// How many changes are pending.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The names after a loss of power: each change since the last sync was kept or lost.
    pub(super) fn crashed(&self, choose: &mut dyn Choose) -> BTreeMap<String, Node> {
        let mut names = self.durable.clone();
        // All, none, or some: some alone would hardly ever be all.
        let fate = match (self.pending.is_empty(), choose.one_by_one()) {
            (true, _) => 0,
            (false, true) => 2,
            (false, false) => choose.below(3),
        };
        match fate {
            0 => names = self.live.clone(),
            1 => {}
            _ => {
                for change in &self.pending {
                    if choose.below(2) == 1 {
                        change.apply(&mut names);
                    }
                }
            }
        }
        names
    }
}

/// The names that a path consists of, from the root.
pub(super) fn names(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => {
                names.push(name.to_str().ok_or(io::ErrorKind::InvalidInput)?.to_owned());
            }
            Component::ParentDir | Component::Prefix(_) => return Err(io::ErrorKind::InvalidInput.into()),
        }
    }
    Ok(names)
}
