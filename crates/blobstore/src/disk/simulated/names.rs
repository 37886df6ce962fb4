//! The directories of the simulated disk: as changed, as durable, and the changes between.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Component, Path};

use super::super::DirEntry;
use super::Random;

const ROOT: u64 = 0;

#[derive(Clone, Debug, Default)]
struct Dir {
    live: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
}

/// One change, atomic, pending until the directories in `unsynced` were synced.
#[derive(Clone, Debug)]
struct Change {
    remove: Option<(u64, String, u64)>,
    insert: Option<(u64, String, u64)>,
    unsynced: BTreeSet<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Names {
    dirs: BTreeMap<u64, Dir>,
    pending: Vec<Change>,
    next_id: u64,
}

impl Names {
    pub(super) fn new() -> Self {
        Self {
            dirs: BTreeMap::from([(ROOT, Dir::default())]),
            pending: Vec::new(),
            next_id: 1,
        }
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<u64> {
        let (dir, name) = self.parent(path)?;
        let id = *self.dirs[&dir].live.get(&name).ok_or(ErrorKind::NotFound)?;
        if self.dirs.contains_key(&id) {
            Err(ErrorKind::IsADirectory.into())
        } else {
            Ok(id)
        }
    }

    pub(super) fn create_file(&mut self, path: &Path) -> io::Result<u64> {
        let (dir, name) = self.parent(path)?;
        self.link_new(dir, name)
    }

    pub(super) fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        let id = self.link_new(dir, name)?;
        self.dirs.insert(id, Dir::default());
        Ok(())
    }

    fn link_new(&mut self, dir: u64, name: String) -> io::Result<u64> {
        if self.dirs[&dir].live.contains_key(&name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let id = self.next_id;
        self.next_id += 1;
        self.change(None, Some((dir, name, id)));
        Ok(id)
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let dir = self.dir(path)?;
        let entries = self.dirs[&dir].live.iter();
        Ok(entries
            .map(|(name, id)| DirEntry {
                name: name.clone(),
                is_dir: self.dirs.contains_key(id),
            })
            .collect())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_dir, from_name) = self.parent(from)?;
        let (to_dir, to_name) = self.parent(to)?;
        let id = *self.dirs[&from_dir]
            .live
            .get(&from_name)
            .ok_or(ErrorKind::NotFound)?;
        if let Some(replaced) = self.dirs[&to_dir].live.get(&to_name)
            && self.dirs.contains_key(replaced)
        {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.change(Some((from_dir, from_name, id)), Some((to_dir, to_name, id)));
        Ok(())
    }

    /// One more name for a file. A change of its own at a crash, like the name of a new file.
    pub(super) fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let id = self.file(from)?;
        let (dir, name) = self.parent(to)?;
        if self.dirs[&dir].live.contains_key(&name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.change(None, Some((dir, name, id)));
        Ok(())
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        let id = self.file(path)?;
        let (dir, name) = self.parent(path)?;
        self.change(Some((dir, name, id)), None);
        Ok(())
    }

    pub(super) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        let id = self.dir(path)?;
        if !self.dirs[&id].live.is_empty() {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        let (dir, name) = self.parent(path)?;
        self.change(Some((dir, name, id)), None);
        Ok(())
    }

    fn change(&mut self, remove: Option<(u64, String, u64)>, insert: Option<(u64, String, u64)>) {
        let unsynced = [&remove, &insert]
            .into_iter()
            .flatten()
            .map(|(dir, _, _)| *dir)
            .collect();
        let change = Change {
            remove,
            insert,
            unsynced,
        };
        apply(&mut self.dirs, &change, |dir| &mut dir.live);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self, path: &Path) -> io::Result<()> {
        let synced = self.dir(path)?;
        let mut still = Vec::new();
        for mut change in std::mem::take(&mut self.pending) {
            change.unsynced.remove(&synced);
            if change.unsynced.is_empty() {
                apply(&mut self.dirs, &change, |dir| &mut dir.durable);
            } else {
                still.push(change);
            }
        }
        self.pending = still;
        Ok(())
    }

    /// All changes of directories from `path` down; the name of `path` itself is its parent's.
    pub(super) fn sync_below(&mut self, path: &Path) -> io::Result<()> {
        let below = self.below(self.dir(path)?);
        let (synced, still): (Vec<Change>, Vec<Change>) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|change| change.unsynced.is_subset(&below));
        self.pending = still;
        for change in synced {
            apply(&mut self.dirs, &change, |dir| &mut dir.durable);
        }
        Ok(())
    }

    /// Each pending change on its own happened or did not. One that needs another which did not happen (the
    /// rename of a file never made) cannot have happened either.
    pub(super) fn crash(&mut self, random: &mut Random) {
        let keep_one_in = 1 + random.below(3);
        for change in std::mem::take(&mut self.pending) {
            let possible = change.remove.as_ref().is_none_or(|(dir, name, id)| {
                self.dirs
                    .get(dir)
                    .is_some_and(|d| d.durable.get(name) == Some(id))
            });
            if possible && random.one_in(keep_one_in) {
                apply(&mut self.dirs, &change, |dir| &mut dir.durable);
            }
        }
        for dir in self.dirs.values_mut() {
            dir.live.clone_from(&dir.durable);
        }
        let reachable = self.reachable();
        self.dirs.retain(|id, _| reachable.contains(id));
    }

    /// Everything that has a name.
    pub(super) fn reachable(&self) -> BTreeSet<u64> {
        self.below(ROOT)
    }

    fn below(&self, top: u64) -> BTreeSet<u64> {
        let mut found = BTreeSet::from([top]);
        let mut next = vec![top];
        while let Some(id) = next.pop() {
            if let Some(dir) = self.dirs.get(&id) {
                next.extend(dir.live.values().copied().filter(|child| found.insert(*child)));
            }
        }
        found
    }

    fn dir(&self, path: &Path) -> io::Result<u64> {
        let mut at = ROOT;
        for part in path.components() {
            if let Component::Normal(name) = part {
                let name = name.to_str().ok_or(ErrorKind::InvalidInput)?;
                at = *self.dirs[&at].live.get(name).ok_or(ErrorKind::NotFound)?;
                if !self.dirs.contains_key(&at) {
                    return Err(ErrorKind::NotADirectory.into());
                }
            }
        }
        Ok(at)
    }

    fn parent(&self, path: &Path) -> io::Result<(u64, String)> {
        let name = path
            .file_name()
            .and_then(|n| n.to_str())
            .ok_or(ErrorKind::InvalidInput)?;
        let dir = self.dir(path.parent().unwrap_or(Path::new("")))?;
        Ok((dir, name.to_owned()))
    }
}

fn apply(
    dirs: &mut BTreeMap<u64, Dir>,
    change: &Change,
    side: impl Fn(&mut Dir) -> &mut BTreeMap<String, u64>,
) {
    if let Some((dir, name, _)) = &change.remove
        && let Some(dir) = dirs.get_mut(dir)
    {
        side(dir).remove(name);
    }
    if let Some((dir, name, id)) = &change.insert
        && let Some(dir) = dirs.get_mut(dir)
    {
        side(dir).insert(name.clone(), *id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_is_atomic_at_a_crash() {
        let mut seen = BTreeSet::new();
        for seed in 0..40 {
            let mut names = Names::new();
            names.create_file(Path::new("/old")).unwrap();
            names.sync(Path::new("/")).unwrap();
            names.rename(Path::new("/old"), Path::new("/new")).unwrap();
            names.crash(&mut Random::new(seed));
            let left: Vec<String> = names
                .list(Path::new("/"))
                .unwrap()
                .into_iter()
                .map(|e| e.name)
                .collect();
            assert_eq!(left.len(), 1, "seed {seed}: {left:?}");
            seen.insert(left);
        }
        assert_eq!(seen.len(), 2, "both outcomes are tried");
    }

    #[test]
    fn a_second_name_is_a_change_of_its_own() {
        let mut seen = BTreeSet::new();
        for seed in 0..60 {
            let mut names = Names::new();
            let file = names.create_file(Path::new("/f")).unwrap();
            names.sync(Path::new("/")).unwrap();
            names.link(Path::new("/f"), Path::new("/g")).unwrap();
            assert!(names.link(Path::new("/f"), Path::new("/g")).is_err());
            names.remove_file(Path::new("/f")).unwrap();
            names.crash(&mut Random::new(seed));
            let found = |path: &str| {
                names
                    .file(Path::new(path))
                    .ok()
                    .inspect(|id| assert_eq!(*id, file))
            };
            seen.insert((found("/f").is_some(), found("/g").is_some()));
        }
        assert_eq!(seen.len(), 4, "every outcome is tried: {seen:?}");
    }

    #[test]
    fn a_move_between_directories_needs_both_syncs() {
        let mut lost = 0;
        for seed in 0..40 {
            let mut names = Names::new();
            for dir in ["/a", "/b"] {
                names.create_dir(Path::new(dir)).unwrap();
            }
            names.create_file(Path::new("/a/f")).unwrap();
            names.sync(Path::new("/")).unwrap();
            names.sync(Path::new("/a")).unwrap();
            names.rename(Path::new("/a/f"), Path::new("/b/f")).unwrap();
            names.sync(Path::new("/a")).unwrap();
            names.crash(&mut Random::new(seed));
            lost += usize::from(names.file(Path::new("/b/f")).is_err());
        }
        assert!(lost > 5, "{lost} of 40");
    }
}
