//! Every limit of the reader in one place. A file beyond one of them is reported as not verifiable, with the limit named; nothing is
//! ever allocated by a length that a file announces.

/// Findings of damage that a report lists; the rest is only counted.
pub const DAMAGE_LISTED: usize = 1000;

/// Reasons that a report lists.
pub const REASONS_LISTED: usize = 100;

/// Backup sets that one file may hold. SQL Server's own set number has 16 bits.
pub const SETS: usize = 4096;

/// Bytes of a backup set's configuration (the MQCI stream): 1 to 3 KB in real backups, about 1.2 KB a database file.
pub const CONFIGURATION: u64 = 16 << 20;

/// Bytes of configuration over all sets of a file whose database files are listed.
pub const CONFIGURATIONS: u64 = 64 << 20;

/// Bytes of a small stream that is read as a whole: identity of the media, a stream checksum.
pub const SMALL_STREAM: u64 = 64;

/// Bytes of a set map that are compared with what they repeat; it grows by about 200 bytes a set.
pub const SET_MAP: u64 = 2 << 20;

/// Filemarks whose offsets are remembered: the room in the filemark of a 4 KiB block is 503 entries.
pub const FILEMARKS: usize = 512;

/// Database files whose latest page-free-space map is kept at a time, 8 KiB each.
pub const SPACE_MAPS: usize = 64;

/// Backup sets of a file whose log fingerprints are kept whole, some 8 KB each in the report.
pub const FINGERPRINTS_WHOLE: usize = 64;

/// Windows of the log fingerprints of the further sets, some 500 bytes each in the report.
pub const FINGERPRINT_WINDOWS: usize = 16;
