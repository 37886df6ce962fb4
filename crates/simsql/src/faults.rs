//! Trouble on demand: what goes wrong in the life of a server, one line of text each, at once or after a while.
//!
//! ```text
//! network lost vault.example after 1048576 bytes   the connection drops at that byte of what is sent, and stays lost
//! network back vault.example                       all is well again
//! network slow vault.example 200ms                 every request takes longer
//! network expired vault.example                    every request is answered with 403, as to a SAS that has expired
//! kill after 1048576 bytes to vault.example        the instance dies there, its lease stays; `kill` alone: now
//! disk slow PATH 50ms                              every write below PATH takes longer
//! disk fail PATH 1117                              every write below PATH fails with this error of the operating system
//! disk unreadable PATH 1117                        every read below PATH fails with this error of the operating system
//! disk full PATH                                   whatever grows below PATH fails with 112
//! disk well PATH
//! log full DATABASE / log well DATABASE            there is no room for its log to grow
//! page corrupt DATABASE FILE PAGE                  a byte of the page changes on disk
//! deny PERMISSION to LOGIN / allow PERMISSION to LOGIN
//! certificate missing NAME
//! backup foreign DATABASE full|differential|log PATH     another product takes a backup
//! database drop NAME / database rename NAME NEW / database simple NAME
//! database mirror NAME principal|mirror / database unmirror NAME
//! group join DATABASE GROUP / group leave DATABASE
//! group role GROUP primary|secondary|resolving [PRIMARY]      this replica's, and who is the primary where it is not
//! group replica GROUP SERVER [PRIORITY]            another replica; its databases are not carried there
//! group apart GROUP SERVER / group together GROUP SERVER      another replica is out of touch, or in touch again
//! group closed GROUP / group readable GROUP        whether secondaries let anybody in
//! group basic GROUP                                the group is a basic one
//! group preference GROUP primary|secondary_only|secondary|none
//! clock jump -1h                                   the clock shows something else; no time passes
//! snapshot NAME / rollback NAME                    the whole instance as it was: LSNs are used again
//! instance faulty / instance well                  nobody can log in
//! ```
//!
//! `after 5s` before a line delays it. Names with spaces stand in `[brackets]` or `"quotes"`. A file holds one line each; `#`
//! begins a comment. `EXEC sim_fault 'line'` does one. What is switched on for disk and network is a wrapper around the
//! [world](crate::world), so that nothing else knows of it.

mod clock;
mod deed;
mod disk;
mod grammar;
mod schedule;
mod snapshot;
mod switches;
mod wire;

pub use grammar::{Deed, GrammarError, Line, parse, parse_file};
pub use schedule::{Faults, execute};
pub use switches::Switches;

use std::sync::Arc;

use crate::world::World;

/// The world with its faults.
pub(crate) fn wrap(world: &World, switches: &Arc<Switches>) -> World {
    World {
        clock: Arc::new(clock::FaultyClock {
            inner: Arc::clone(&world.clock),
            switches: Arc::clone(switches),
        }),
        chance: Arc::clone(&world.chance),
        disk: Arc::new(disk::FaultyDisk {
            inner: Arc::clone(&world.disk),
            switches: Arc::clone(switches),
        }),
        wire: Arc::new(wire::FaultyWire {
            inner: Arc::clone(&world.wire),
            clock: Arc::clone(&world.clock),
            switches: Arc::clone(switches),
        }),
        power: Arc::clone(&world.power),
    }
}
