//! The files that an instance has open itself.
//!
//! Windows lets nobody else write into them; other systems do, and a backup that names one of them would destroy it.

use super::{Instance, State, record};
use crate::engine::Engine;

/// The file by whose lock a process holds the instance's directory.
const LOCK: &str = "instance.lock";

impl Instance {
    /// Whether a path is that of a database's file, of an undo file, or of the instance's own record, however it is written.
    pub(crate) fn has_open(&self, path: &str) -> bool {
        let state = self.state();
        let mut undo_files = state
            .databases
            .values()
            .filter_map(|entry| entry.standby.as_deref());
        undo_files.any(|known| is_same(known, path)) || self.keeps(&state, path)
    }

    /// Whether a path is that of the undo file which another database than `name` stands by with.
    pub(crate) fn undoes_another(state: &State, name: &str, path: &str) -> bool {
        let others = state.databases.values();
        let mut others = others.filter(|entry| !entry.name.eq_ignore_ascii_case(name));
        others.any(|entry| {
            let undo_file = entry.standby.as_deref();
            undo_file.is_some_and(|known| is_same(known, path))
        })
    }

    /// Whether a path is that of a database's file or of the instance's own record, however it is written.
    pub(crate) fn keeps(&self, state: &State, path: &str) -> bool {
        let of_databases = state.databases.values().flat_map(|entry| {
            let files = entry
                .engine
                .as_ref()
                .map_or_else(|| entry.files.clone(), Engine::files);
            files.into_iter().map(|file| file.physical_name)
        });
        let own = [record::FILE, record::NEW_FILE, LOCK].map(|name| self.settings.path(&[name]));
        of_databases.chain(own).any(|known| is_same(&known, path))
    }
}

/// Whether two paths name one file, without regard to case and to steps that lead nowhere.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    steps(one) == steps(other)
}

/// The steps of a path, without those that lead nowhere.
fn steps(path: &str) -> Vec<String> {
    path.split(['/', '\\'])
        .filter(|step| !step.is_empty() && *step != ".")
        .map(str::to_lowercase)
        .collect()
}
