//! The adapter for a real machine: its clock, its randomness, its disk, HTTPS. The only place but [`crate::tds`] that names them.
