//! The adapter for a real machine: its clock, its randomness, its disk, HTTPS. The only place but [`crate::tds`] that names them.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use simsql::machine::{Machine, Wire};
//!
//! let wire = Wire::new(None, Default::default())?;
//! let world = Machine::new("/srv/sim", &[], wire)?.world;
//! # Ok(()) }
//! ```

mod chance;
mod clock;
mod disk;
mod identity;
mod wire;

pub use chance::Chance;
pub use clock::Clock;
pub use disk::Disk;
pub use identity::{Identity, IdentityError};
pub use wire::{Wire, WireSetupError};

use std::path::Path;
use std::sync::Arc;

use crate::world::{Power, World};

/// The process of the instance.
#[derive(Clone, Copy, Debug)]
pub struct Process;

impl Power for Process {
    fn cut(&self) {
        // No destructor and no buffer gets another word: as `kill -9`.
        std::process::abort();
    }
}

/// A world made of this machine.
#[derive(Clone)]
pub struct Machine {
    /// All of it, as an instance takes it.
    pub world: World,
}

impl Machine {
    /// The machine with its disk confined to `directory` and `others`: paths outside are refused as access denied, as to a
    /// service account without rights there.
    ///
    /// # Errors
    /// Where `directory` cannot be made or one of `others` is not there.
    pub fn new(directory: impl AsRef<Path>, others: &[&Path], wire: Wire) -> std::io::Result<Self> {
        let disk = Disk::confined(directory.as_ref(), others)?;
        Ok(Self {
            world: World {
                clock: Arc::new(Clock::new()),
                chance: Arc::new(Chance),
                disk: Arc::new(disk),
                wire: Arc::new(wire),
                power: Arc::new(Process),
            },
        })
    }
}
