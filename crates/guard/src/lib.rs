//! The lease guard: finds the blobs that interrupted backups left locked, tells them apart from live ones and from
//! everything else that holds a lease, and cleans up.
//!
//! SQL Server takes an infinite lease on the blob it backs up to and releases it at the end. A backup that dies leaves
//! the blob partial and locked: no overwrite, no deletion, no restore. Whoever breaks that lease must be sure that its
//! holder is dead, and a storage account says little about that: no lease id, no age, no owner. The guard collects what
//! can be known and acts only on it:
//!
//! - **who** holds the lease ([`Holder`]): a restore by its well-known id, a backup on positive evidence only;
//! - **whether it lives** ([`Activity`], [`LeaseWitness`](azblob::lease::LeaseWitness), [`Ask`]): what the blob shows
//!   between two looks, what the vault's own door saw of connections and jobs, what SQL Server itself answers;
//! - **what is in it** ([`Content`]): a database file that lives in the account is never touched, a complete backup is
//!   not deleted unasked.
//!
//! [`ruling`] puts these together into one decision, the same for `list`, `break`, `delete` and `watch`.
//!
//! Invariants: nothing here looks at the machine's clock or waits but through [`Clock`], nothing walks a map in hash
//! order, nothing reaches an account but through [`Account`]; so a run over a simulated account and clock repeats.
//! The two adapters are [`azure`] and [`clock::SystemClock`]. A lease is never acquired, renewed or changed: the guard
//! can only look, break and delete. Deliberately absent: any judgement from a blob's age by the clock.

pub mod account;
pub mod act;
pub mod activity;
pub mod ask;
pub mod azure;
pub mod clock;
pub mod content;
pub mod event;
pub mod fault;
pub mod finding;
pub mod guard;
pub mod holder;
pub mod limits;
pub mod place;
pub mod report;
pub mod ruling;
pub mod scope;

mod contents;
mod look;
mod probe;
mod record;
#[cfg(test)]
mod scripted;
mod survey;
mod verification;

pub use account::Account;
pub use act::Deed;
pub use activity::Activity;
pub use ask::Ask;
pub use clock::Clock;
pub use content::Content;
pub use fault::Fault;
pub use finding::Finding;
pub use guard::Guard;
pub use holder::Holder;
pub use place::Place;
pub use ruling::Ruling;
