//! The files that an instance has open itself.
//!
//! Windows lets nobody else write into them; other systems do, and a backup that names one of them would destroy it.

use super::{Instance, record};
use crate::engine::Engine;

/// The file by whose lock a process holds the instance's directory.
const LOCK: &str = "instance.lock";

impl Instance {
    /// Whether a path is that of a database's file, of an undo file, or of the instance's own record, however it is written.
    pub(crate) fn has_open(&self, path: &str) -> bool {
        let state = self.state();
        let of_databases = state.databases.values().flat_map(|entry| {
            let files = entry
                .engine
                .as_ref()
                .map_or_else(|| entry.files.clone(), Engine::files);
            let paths = files.into_iter().map(|file| file.physical_name);
            paths.chain(entry.standby.clone())
        });
        let own = [record::FILE, record::NEW_FILE, LOCK].map(|name| self.settings.path(&[name]));
        let wanted = steps(path);
        of_databases.chain(own).any(|known| steps(&known) == wanted)
    }
}

/// The steps of a path, without those that lead nowhere.
fn steps(path: &str) -> Vec<String> {
    path.split(['/', '\\'])
        .filter(|step| !step.is_empty() && *step != ".")
        .map(str::to_lowercase)
        .collect()
}
