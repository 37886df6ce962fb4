//! The bytes of a SQL Server backup: reading, verifying and writing them.

pub mod checksum;
