//! The transaction log in a backup: MSTL blocks, each a run of log blocks of one virtual log file.

pub(crate) mod fingerprint;
pub(crate) mod reader;
pub(crate) mod segment;
