//! One locked blob and all that is known of it.

use azblob::lease::LeaseWitness;

use crate::account::Properties;
use crate::activity::Activity;
use crate::content::Content;
use crate::holder::Holder;
use crate::place::Place;

/// One locked blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub place: Place,
    /// As of the last look.
    pub properties: Properties,
    /// Who holds the lease.
    pub holder: Holder,
    /// Whether it shows signs of life.
    pub activity: Activity,
    /// What it holds.
    pub content: Content,
    /// Blocks put and not committed, and their bytes; of a block blob.
    pub uncommitted: Option<Uncommitted>,
    /// What the vault's own door saw of it; `None` on every other account.
    pub witness: Option<LeaseWitness>,
}

/// Blocks that were put and not committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uncommitted {
    /// How many.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}
