//! The catalogue of error codes: every failure of the vault has one, and with it its causes, what to do, and what heals it.
//!
//! All of it is data: `catalogue.toml` beside this crate's sources is for people and tools to read, and is parsed once,
//! strictly. [`Code`] is the same list as a type, so that a caller can match on all of it; a test holds the two
//! together. [`classify()`] finds the code of what SQL Server said, by the rules in the same file.
//!
//! Where Azure Backup has a code for a failure, that code is used. A code of bac2's own begins with `Bac2`, and where it
//! is a closer name for something that Azure Backup has a wider code for, it says so ([`Entry::refines`]).
//!
//! Invariants: a [`Fault`] never holds a secret or more text than its limits, whoever made it ([`Said`] and
//! [`scrub()`]); a message that no rule knows still gets a code, and is shown. Deliberately absent: clock, network,
//! files, and any knowledge of jobs; who raises a fault knows those.

pub mod catalogue;
pub mod classify;
pub mod code;
pub mod entry;
pub mod fault;
pub mod heal;
pub mod operation;
pub mod report;
pub mod rule;
pub mod said;
pub mod scrub;
pub mod similar;

pub use classify::classify;
pub use code::Code;
pub use entry::Entry;
pub use fault::Fault;
pub use heal::Heal;
pub use operation::Operation;
pub use report::Report;
pub use said::Said;
pub use scrub::scrub;
