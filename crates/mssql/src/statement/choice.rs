//! How a backup to blobs is made on a server: the table of version, edition, encryption and size.
//!
//! | SQL Server | device | WITH |
//! |---|---|---|
//! | before 2012 SP1 CU2 | none | |
//! | 2012 SP1 CU2, 2014 | one page blob, at most 1 TB | CREDENTIAL; no sizes |
//! | 2016 and later | 1 to 64 block blobs | from 1 GiB on, and for compressed TDE: BLOCKSIZE = 65536, MAXTRANSFERSIZE = 4194304 |
//!
//! COMPRESSION where it is wished, the edition has it, and the build does not spoil it: databases under TDE do not compress
//! before 2016, and some builds of 2016 and 2019 made such backups that do not restore. Every departure from what was wished has
//! its reason, for the job's record.

use std::fmt;

use super::backup::Transfer;
use super::compression::{Codec, Compression};
use crate::build::{Build, Edition};

const GIB: u64 = 1 << 30;
/// The first build with BACKUP TO URL: 2012 SP1 CU2 (Microsoft's list of builds).
const FIRST_WITH_URL: Build = Build::new(Build::V2012, 0, 3339, 0);
/// 2016 RTM CU7 and SP1 CU4: the first of their branches whose compressed backups of TDE databases can be trusted with stripes
/// and checksums (SQL Server Release Services, September 2017; the builds from Microsoft's list).
const TDE_2016_RTM: Build = Build::new(Build::V2016, 0, 2210, 0);
const SP1_2016: u16 = 4001;
const TDE_2016_SP1: Build = Build::new(Build::V2016, 0, 4446, 0);
/// 2019 CU16: before it such backups may end in 3241 when they are restored (KB5014298).
const TDE_2019: Build = Build::new(Build::V2019, 0, 4223, 0);
/// Largest page blob.
const PAGE_BLOB_MAX: u64 = 1 << 40;
/// What a block blob is given: BLOCKSIZE and the most that MAXTRANSFERSIZE may be everywhere.
const BLOCK_SIZE: u32 = 65_536;
const TRANSFER: u32 = 4 << 20;
/// The engine's own for blobs, taken where memory is scarce.
const SMALL_TRANSFER: u32 = 1 << 20;
/// From this size on a backup is large.
const LARGE: u64 = GIB;
/// Blocks that are planned for one blob. 50,000 are allowed, but blocks may be smaller than a transfer: half of them is a margin
/// that is known to do.
const BLOCKS_PLANNED: u64 = 25_000;
const BLOCKS_MAX: u64 = 50_000;
/// Most stripes.
const STRIPES_MAX: u64 = 64;
/// Buffers of one backup: fewer stall it, more only take memory.
const BUFFERS_MIN: u64 = 4;
const BUFFERS_MAX: u64 = 32;

/// What is known of server and database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// The build.
    pub build: Build,
    /// The edition.
    pub edition: Edition,
    /// Whether the database is under TDE.
    pub tde: bool,
    /// What the backup will be, in bytes and uncompressed, as far as it can be told.
    pub estimated_bytes: u64,
    /// Memory that all backups of the vault on this server may take for buffers, in bytes.
    pub memory: u64,
    /// How many of them may run at the same time; 0 counts as 1.
    pub concurrency: u32,
}

/// What is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// Compression.
    pub compression: bool,
    /// By which algorithm; none: the server's own.
    pub codec: Option<Codec>,
    /// Encryption by SQL Server.
    pub encryption: bool,
    /// Stripes, where the user says how many.
    pub stripes: Option<u8>,
}

/// How it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Page blob or block blobs.
    pub mode: Mode,
    /// How many blobs, 1 to 64.
    pub stripes: u8,
    /// COMPRESSION.
    pub compression: Compression,
    /// Sizes.
    pub transfer: Transfer,
    /// Where it is not as wished, and why.
    pub reasons: Vec<Reason>,
}

/// The kind of blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One page blob, WITH CREDENTIAL.
    Page,
    /// Block blobs.
    Block,
}

/// Why a wish is not fulfilled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// This edition makes no compressed backups.
    EditionDoesNotCompress,
    /// Databases under TDE do not get smaller before 2016.
    TdeDoesNotCompress,
    /// This build's compressed backups of TDE databases cannot be trusted; this build or a later one can.
    TdeCompressionBroken(Build),
    /// This version has no such algorithm: the server's own is taken.
    NoSuchCodec(Codec),
    /// Page blobs cannot be striped.
    PageBlobHasNoStripes,
    /// The memory that backups may take is not enough for large transfers.
    MemoryScarce,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EditionDoesNotCompress => f.write_str("this edition makes no compressed backups"),
            Self::TdeDoesNotCompress => f.write_str(
                "a database under transparent data encryption does not get smaller before SQL Server 2016",
            ),
            Self::TdeCompressionBroken(good) => write!(
                f,
                "compressed backups of encrypted databases may not restore from this build; update to {good} or later"
            ),
            Self::NoSuchCodec(codec) => write!(
                f,
                "this version does not compress with {codec}, so it does with the algorithm of its own"
            ),
            Self::PageBlobHasNoStripes => {
                f.write_str("before SQL Server 2016 a backup to a URL has one blob")
            }
            Self::MemoryScarce => f.write_str("the memory for backups allows only small transfers"),
        }
    }
}

/// Why there is no way at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The build cannot.
    #[error("build {0} cannot back up to a URL; {FIRST_WITH_URL} is the first that can")]
    TooOld(Build),
    /// Encryption needs 2014 and the right edition.
    #[error("this edition or version cannot encrypt backups")]
    NoEncryption,
    /// Too large.
    #[error("about {0} bytes are more than a backup to URLs can hold here")]
    TooLarge(u64),
}

/// The kind of blob that a build writes.
///
/// # Errors
/// [`Refusal::TooOld`].
pub fn mode(build: Build) -> Result<Mode, Refusal> {
    if build < FIRST_WITH_URL {
        return Err(Refusal::TooOld(build));
    }
    Ok(if build.major < Build::V2016 {
        Mode::Page
    } else {
        Mode::Block
    })
}

/// Chooses.
///
/// # Errors
/// [`Refusal`].
pub fn choose(here: &Circumstances, wishes: &Wishes) -> Result<Choice, Refusal> {
    let mode = mode(here.build)?;
    if wishes.encryption && (here.build.major < Build::V2014 || !here.edition.encrypts()) {
        return Err(Refusal::NoEncryption);
    }
    let mut reasons = Vec::new();
    let compression = compression(here, wishes, &mut reasons);
    if mode == Mode::Page {
        if here.estimated_bytes > PAGE_BLOB_MAX {
            return Err(Refusal::TooLarge(here.estimated_bytes));
        }
        if wishes.stripes.is_some_and(|stripes| stripes > 1) {
            reasons.push(Reason::PageBlobHasNoStripes);
        }
        return Ok(Choice {
            mode: Mode::Page,
            stripes: 1,
            compression,
            transfer: Transfer::default(),
            reasons,
        });
    }
    let large = here.estimated_bytes >= LARGE || (here.tde && compression != Compression::Off);
    let transfer = if large {
        large_transfer(here, &mut reasons)
    } else {
        Transfer::default()
    };
    let per_block = u64::from(transfer.max_transfer_size.unwrap_or(SMALL_TRANSFER));
    if here.estimated_bytes > per_block * BLOCKS_MAX * STRIPES_MAX {
        return Err(Refusal::TooLarge(here.estimated_bytes));
    }
    let needed = here.estimated_bytes.div_ceil(per_block * BLOCKS_PLANNED);
    let wished = u64::from(wishes.stripes.unwrap_or(1));
    let stripes = needed.max(wished).clamp(1, STRIPES_MAX);
    Ok(Choice {
        mode: Mode::Block,
        stripes: u8::try_from(stripes).expect("at most 64"),
        compression,
        transfer,
        reasons,
    })
}

fn compression(here: &Circumstances, wishes: &Wishes, reasons: &mut Vec<Reason>) -> Compression {
    if !wishes.compression {
        return Compression::Off;
    }
    if let Some(reason) = against_compression(here) {
        reasons.push(reason);
        return Compression::Off;
    }
    match wishes.codec {
        None => Compression::On,
        Some(codec) if here.build.major >= codec.since() => codec.on(here.build),
        Some(codec) => {
            reasons.push(Reason::NoSuchCodec(codec));
            Compression::On
        }
    }
}

fn against_compression(here: &Circumstances) -> Option<Reason> {
    if !here.edition.compresses() {
        return Some(Reason::EditionDoesNotCompress);
    }
    if !here.tde {
        return None;
    }
    let broken_before = match here.build.major {
        ..=Build::V2014 => return Some(Reason::TdeDoesNotCompress),
        Build::V2016 if here.build.build < SP1_2016 => TDE_2016_RTM,
        Build::V2016 => TDE_2016_SP1,
        Build::V2019 => TDE_2019,
        _ => return None,
    };
    (here.build < broken_before).then_some(Reason::TdeCompressionBroken(broken_before))
}

/// Buffers times their size times backups at a time stay within the memory.
fn large_transfer(here: &Circumstances, reasons: &mut Vec<Reason>) -> Transfer {
    let share = here.memory / u64::from(here.concurrency.max(1));
    let buffers = |size: u32| share / u64::from(size);
    let size = if buffers(TRANSFER) >= BUFFERS_MIN {
        TRANSFER
    } else {
        reasons.push(Reason::MemoryScarce);
        SMALL_TRANSFER
    };
    let count = buffers(size).clamp(BUFFERS_MIN, BUFFERS_MAX);
    Transfer {
        block_size: Some(BLOCK_SIZE),
        max_transfer_size: Some(size),
        buffer_count: Some(u32::try_from(count).expect("at most 32")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::compression::Level;

    fn on(build: &str) -> Circumstances {
        Circumstances {
            build: build.parse().unwrap(),
            edition: Edition::Enterprise,
            tde: false,
            estimated_bytes: 100 << 20,
            memory: 2 * GIB,
            concurrency: 4,
        }
    }

    const COMPRESSED: Wishes = Wishes {
        compression: true,
        codec: None,
        encryption: false,
        stripes: None,
    };

    #[test]
    fn an_algorithm_is_said_where_the_version_has_it() {
        let chosen = |build, codec| {
            let wishes = Wishes {
                codec: Some(codec),
                ..COMPRESSED
            };
            let choice = choose(&on(build), &wishes).unwrap();
            (choice.compression, choice.reasons)
        };
        let zstd = Codec::Zstd(Some(Level::High));
        for (build, codec, expected, is_refused) in [
            ("15.0.4415.0", Codec::MsXpress, Compression::On, false),
            (
                "16.0.4175.0",
                Codec::MsXpress,
                Compression::By(Codec::MsXpress),
                false,
            ),
            ("12.0.6024.0", Codec::QatDeflate, Compression::On, true),
            ("15.0.4415.0", Codec::QatDeflate, Compression::On, true),
            (
                "16.0.4175.0",
                Codec::QatDeflate,
                Compression::By(Codec::QatDeflate),
                false,
            ),
            ("16.0.4175.0", zstd, Compression::On, true),
            ("17.0.1000.7", zstd, Compression::By(zstd), false),
        ] {
            let reasons: Vec<Reason> = is_refused
                .then_some(Reason::NoSuchCodec(codec))
                .into_iter()
                .collect();
            assert_eq!(chosen(build, codec), (expected, reasons), "{build} {codec}");
        }
        // Where nothing is compressed, no algorithm is said and none is missed.
        let express = Circumstances {
            edition: Edition::Express,
            ..on("16.0.4175.0")
        };
        let wishes = Wishes {
            codec: Some(zstd),
            ..COMPRESSED
        };
        let choice = choose(&express, &wishes).unwrap();
        assert_eq!(
            (choice.compression, choice.reasons),
            (Compression::Off, vec![Reason::EditionDoesNotCompress])
        );
    }

    fn compression(build: &str, tde: bool) -> (bool, Vec<Reason>) {
        let choice = choose(&Circumstances { tde, ..on(build) }, &COMPRESSED).unwrap();
        (choice.compression != Compression::Off, choice.reasons)
    }

    #[test]
    fn versions_decide_the_kind_of_blob() {
        let mode = |build| choose(&on(build), &COMPRESSED).map(|choice| choice.mode);
        assert!(matches!(mode("11.0.3000.0"), Err(Refusal::TooOld(_))));
        assert_eq!(mode("11.0.3339.0"), Ok(Mode::Page));
        assert_eq!(mode("12.0.2000.8"), Ok(Mode::Page));
        assert_eq!(mode("13.0.1601.5"), Ok(Mode::Block));
        assert_eq!(mode("17.0.1000.7"), Ok(Mode::Block));
        let old = choose(
            &on("12.0.6024.0"),
            &Wishes {
                stripes: Some(4),
                ..COMPRESSED
            },
        )
        .unwrap();
        assert_eq!((old.stripes, old.transfer), (1, Transfer::default()));
        assert_eq!(old.reasons, [Reason::PageBlobHasNoStripes]);
    }

    #[test]
    fn builds_that_spoil_compressed_backups_of_encrypted_databases() {
        let broken =
            |build: &str| matches!(compression(build, true).1[..], [Reason::TdeCompressionBroken(_)]);
        for build in [
            "13.0.1601.5",
            "13.0.2209.0",
            "13.0.4001.0",
            "13.0.4435.0",
            "15.0.2000.5",
            "15.0.4198.2",
        ] {
            assert!(broken(build), "{build}");
            assert!(compression(build, false).0, "{build}");
        }
        for build in [
            "13.0.2210.0",
            "13.0.4446.0",
            "13.0.6300.2",
            "14.0.1000.169",
            "15.0.4223.1",
            "16.0.1000.6",
        ] {
            assert_eq!(compression(build, true), (true, vec![]), "{build}");
        }
        assert_eq!(
            compression("12.0.2000.8", true),
            (false, vec![Reason::TdeDoesNotCompress])
        );
        let web = Circumstances {
            edition: Edition::Web,
            ..on("16.0.1000.6")
        };
        assert_eq!(
            choose(&web, &COMPRESSED).unwrap().reasons,
            [Reason::EditionDoesNotCompress]
        );
    }

    #[test]
    fn encryption_needs_2014_and_its_editions() {
        let wishes = Wishes {
            encryption: true,
            ..COMPRESSED
        };
        assert_eq!(choose(&on("11.0.7001.0"), &wishes), Err(Refusal::NoEncryption));
        assert!(choose(&on("12.0.2000.8"), &wishes).is_ok());
        let express = Circumstances {
            edition: Edition::Express,
            ..on("16.0.1000.6")
        };
        assert_eq!(choose(&express, &wishes), Err(Refusal::NoEncryption));
    }

    #[test]
    fn sizes_and_stripes_follow_the_estimate() {
        let of = |bytes| {
            let here = Circumstances {
                estimated_bytes: bytes,
                ..on("15.0.4415.0")
            };
            choose(&here, &COMPRESSED).map(|choice| (choice.stripes, choice.transfer.max_transfer_size))
        };
        assert_eq!(of(0), Ok((1, None)));
        assert_eq!(of(GIB - 1), Ok((1, None)));
        assert_eq!(of(GIB), Ok((1, Some(4_194_304))));
        // 25,000 blocks of 4 MiB are 104,857,600,000 bytes.
        assert_eq!(of(104_857_600_000), Ok((1, Some(4_194_304))));
        assert_eq!(of(104_857_600_001), Ok((2, Some(4_194_304))));
        // 64 stripes of 50,000 blocks: 12.2 TiB, as documented.
        assert_eq!(of(64 * 209_715_200_000), Ok((64, Some(4_194_304))));
        assert_eq!(
            of(64 * 209_715_200_000 + 1),
            Err(Refusal::TooLarge(13_421_772_800_001))
        );
    }

    #[test]
    fn buffers_stay_within_the_memory() {
        let of = |memory, concurrency| {
            let here = Circumstances {
                estimated_bytes: 10 * GIB,
                memory,
                concurrency,
                ..on("16.0.4175.0")
            };
            let transfer = choose(&here, &COMPRESSED).unwrap().transfer;
            (
                transfer.max_transfer_size.unwrap(),
                transfer.buffer_count.unwrap(),
            )
        };
        assert_eq!(of(2 * GIB, 4), (4 << 20, 32));
        assert_eq!(of(GIB, 20), (4 << 20, 12));
        assert_eq!(of(256 << 20, 20), (1 << 20, 12));
        // The least that works, whatever is asked.
        assert_eq!(of(0, 0), (1 << 20, 4));
    }

    #[test]
    fn compressed_tde_states_its_transfer_size_however_small_it_is() {
        let here = Circumstances {
            tde: true,
            ..on("16.0.1000.6")
        };
        let choice = choose(&here, &COMPRESSED).unwrap();
        assert!(
            choice
                .transfer
                .max_transfer_size
                .is_some_and(|size| size > 65_536)
        );
    }
}
