//! Statements as types, printed as T-SQL.
//!
//! What prints here runs as it is: names and texts are quoted by [`quoting`](crate::quoting), numbers are numbers, and what SQL
//! Server refuses together cannot be put together, or is refused before it is sent. A statement with a secret in it prints to a
//! [`Secret`](crate::Secret) and to nothing else.

pub mod backup;
pub mod choice;
pub mod compression;
pub mod credential;
pub mod devices;
pub mod login;
pub mod restore;

pub use backup::Backup;
pub use choice::{Choice, Circumstances, Wishes};
pub use compression::{Codec, Compression};
pub use devices::Devices;
pub use restore::Restore;
