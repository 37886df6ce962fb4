//! An instance: its databases, its sessions, what belongs to the server, and the deeds that change them.
//!
//! One mutex guards [`State`], the engines of the databases included; it is held for one bounded piece of work at a time and
//! never across an `await`. What must wait (a lock, a backup, WAITFOR) lets go of it, sleeps on the world's clock and looks
//! again, so that a run is repeatable.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::faults::Switches;
use crate::world::World;

pub mod access;
mod alter_database;
mod birth;
mod create_database;
mod drop_database;
pub mod exclusive;
mod kill;
pub mod locks;
mod login;
pub mod msdb;
mod opening;
mod own_files;
pub mod permission;
mod record;
pub mod server;
mod server_statement;
pub mod settings;
mod start;
pub mod state;
pub mod trouble;
pub mod waiting;

pub use alter_database::alter_database;
pub(crate) use birth::owner_as_user;
pub use create_database::{check_name, check_path, create_database, free_id};
pub use drop_database::drop_database;
pub use kill::kill;
pub(crate) use own_files::is_same;
pub use server_statement::{Resolve, server_statement};
pub use settings::{Settings, Version};
pub use start::note;
pub use state::{DatabaseEntry, DatabaseState, State};

/// A simulated instance.
pub struct Instance {
    /// Everything from outside.
    pub world: World,
    /// What it was started with.
    pub settings: Settings,
    /// Trouble that is switched on.
    pub switches: Arc<Switches>,
    state: Mutex<State>,
    /// It stops: nobody logs in any more.
    stopping: AtomicBool,
    /// SHUTDOWN was asked for, and all databases are closed.
    shut_down: AtomicBool,
}

/// Who logs in.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginRequest {
    /// Login name.
    pub user: String,
    /// Password; never printed.
    pub password: String,
    /// Database to start in; empty for the login's default.
    pub database: String,
    /// `program_name`.
    pub program: String,
    /// `host_name`.
    pub host: String,
    /// Process of the client on its host.
    pub process: u32,
}

impl Instance {
    /// The state, for one bounded piece of work.
    ///
    /// Where a piece of work panicked, a database may be changed by half: nothing of it shall reach a disk any more. The instance
    /// dies as by a loss of power, and recovery has the last word.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| {
            if !self.switches.is_dead() {
                tracing::error!("the instance ends after a fault of the simulation; its next start recovers");
                self.switches.kill();
            }
            poisoned.into_inner()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::{Instance, Settings, Version};
    use crate::memory::Memory;

    #[test]
    fn after_a_fault_of_its_own_nothing_is_written_any_more() {
        let memory = Memory::new(7);
        let instance = Instance::start(memory.world.clone(), Settings::new(Version::V2022, "/sql")).unwrap();
        let fault = catch_unwind(AssertUnwindSafe(|| {
            let _state = instance.state();
            panic!("half-way through a change");
        }));
        assert!(fault.is_err());
        let state = instance.state();
        assert!(instance.switches.is_dead());
        assert!(instance.save(&state).is_err());
    }
}
