//! The bytes of a SQL Server backup: a streaming reader and verifier, and a writer.
//!
//! Ground floor: no clock, no network, no file. Bytes come in, findings go out.

pub mod backup_set;
pub mod checksum;
pub mod compressed;
pub mod content;
pub mod damage;
pub mod limits;
pub mod local_time;
pub mod lsn;
pub mod report;
pub mod sniff;
pub mod software_version;
pub mod stripes;
pub mod trailer;
pub mod verdict;
pub mod verifier;
pub mod writer;

mod bytes;
mod config;
mod findings;
mod gather;
mod log;
mod mtf;
mod pages;
mod reader;

pub use backup_set::{BackupSet, BackupType, DatabaseFile, FileType, Media, RecoveryModel};
pub use content::ContentReader;
pub use damage::{Damage, DamageKind};
pub use local_time::LocalTime;
pub use log::fingerprint::{LogAgreement, LogFingerprint};
pub use lsn::Lsn;
pub use report::{LogBlockCounts, PageCounts, Report, StreamChecksumCounts};
pub use sniff::{Container, FileKind, Foreign, sniff};
pub use software_version::SoftwareVersion;
pub use trailer::{Trailer, trailer};
pub use verdict::Verdict;
pub use verifier::Verifier;
