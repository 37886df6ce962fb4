//! The machine's chance.

use aws_lc_rs::rand;

use crate::world::Chance;

/// Chance of the operating system, good enough for keys and nonces.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachineChance;

impl Chance for MachineChance {
    /// # Panics
    /// Where the operating system has no chance to give: nothing can be kept secret then.
    fn fill(&self, bytes: &mut [u8]) {
        rand::fill(bytes).expect("the operating system gives random bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::{Chance, MachineChance};

    #[test]
    fn two_ids_differ() {
        assert_ne!(MachineChance.uuid(), MachineChance.uuid());
        assert_eq!(MachineChance.uuid().get_version_num(), 4);
    }
}
