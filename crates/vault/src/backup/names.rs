//! Names of blobs, and the mark by which a backup is found in `msdb`.
//!
//! Blob names are ASCII and short, and never a raw name of a database: true names stand in records. Each attempt has names of its
//! own, so the engine itself refuses to overwrite, and what a dead attempt left is in nobody's way.

use azblob::names::BlobName;
use catalog::record::{ItemId, Job, JobId, ServerFolder, VaultId};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schedule::BackupKind;

/// Characters of the slug.
const SLUG_MAX: usize = 24;
/// The longest URL of a blob that the vault gives to SQL Server, which takes 259 characters for a device.
pub(super) const URL_MAX: usize = 200;

/// What is left of a name in `[a-z0-9-]`, at most 24 characters; `db` where nothing is.
pub(super) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.chars().map(|letter| letter.to_ascii_lowercase()) {
        if slug.len() == SLUG_MAX {
            break;
        }
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "db" } else { slug }.to_owned()
}

/// What the names of one attempt are made of.
pub(super) struct Attempt<'a> {
    /// The database's name.
    pub(super) database: &'a str,
    /// The protected database.
    pub(super) item: ItemId,
    /// Its job.
    pub(super) job: &'a Job,
    /// What is taken.
    pub(super) kind: BackupKind,
    /// When.
    pub(super) at: Timestamp,
}

impl Attempt<'_> {
    /// `<slug>-<item>/<UTC>-<type>-<job>-<stripe>.bak`, one for each stripe, from 1.
    ///
    /// # Panics
    /// Never: what is put together here are names.
    pub(super) fn blobs(&self, stripes: u8) -> Vec<BlobName> {
        let short = |id: &uuid::Uuid| id.simple().to_string()[..8].to_owned();
        let slug = slug(self.database);
        let item = short(&self.item.0);
        let job = short(&self.job.id.0);
        let at = self.at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ");
        let (kind, suffix) = match self.kind {
            BackupKind::Full => ("full", "bak"),
            BackupKind::CopyOnlyFull => ("copy", "bak"),
            BackupKind::Differential => ("diff", "bak"),
            BackupKind::Log => ("log", "trn"),
        };
        // The first attempt needs no number: the job's id and the second tell it from all others.
        let attempt = match self.job.attempt {
            0 | 1 => String::new(),
            again => format!("a{again}"),
        };
        (1..=stripes.max(1))
            .map(|stripe| {
                let name = format!("{slug}-{item}/{at}-{kind}-{job}{attempt}-{stripe}.{suffix}");
                BlobName::new(name).expect("ASCII without control characters, and short")
            })
            .collect()
    }
}

impl Attempt<'_> {
    /// The same in a folder on the server, where a name has no folder of its own.
    pub(super) fn file(&self, folder: &ServerFolder) -> String {
        let name = self.blobs(1).pop().map(|blob| blob.to_string());
        folder.file(&name.unwrap_or_default().replace('/', "-"))
    }
}

/// NAME of a backup set: says whose it is.
pub(super) fn set_name(job: &Job) -> String {
    format!("bac2 {}", job.id)
}

/// DESCRIPTION of a backup set: no other attempt on any server has it, so a lost session's backup is found by it.
pub(super) fn marker(job: &Job, vault: VaultId) -> String {
    format!("bac2 {} attempt {} vault {vault}", job.id, job.attempt)
}

/// The job that a DESCRIPTION names, where it is of this vault.
pub(crate) fn job_of_marker(marker: &str, vault: VaultId) -> Option<JobId> {
    let (job, rest) = marker.strip_prefix("bac2 ")?.split_once(" attempt ")?;
    let (attempt, of) = rest.split_once(" vault ")?;
    let is_whole = attempt.parse::<u32>().is_ok() && of == vault.to_string();
    is_whole.then(|| job.parse().ok().map(JobId)).flatten()
}

#[cfg(test)]
mod tests {
    use catalog::record::{BackupWork, ItemId, Job, JobId, JobState, Trigger, VaultId, Work};
    use schedule::BackupKind;
    use uuid::Uuid;

    use super::{Attempt, job_of_marker, marker, slug};

    fn job(attempt: u32) -> Job {
        let at = "2026-11-21T22:00:00Z".parse().unwrap();
        Job {
            id: JobId(Uuid::from_u128(0xaaaa_bbbb_0000_0000_0000_0000_0000_0001)),
            work: Work::Backup(BackupWork::of(BackupKind::Full)),
            trigger: Trigger::OnDemand,
            state: JobState::InProgress,
            server: None,
            item: None,
            created: at,
            run_at: at,
            started: None,
            ended: None,
            attempt,
            generation: 1,
            cancel: None,
            tasks: Vec::new(),
            said: Vec::new(),
            statements: Vec::new(),
            bytes: 0,
            bytes_per_second: None,
            percent: None,
            fault: None,
            warnings: Vec::new(),
            point: None,
        }
    }

    #[test]
    fn slugs_are_what_urls_bear_unquoted() {
        for (name, expected) in [
            ("Shop", "shop"),
            ("it's [x] & Söhne", "it-s-x-s-hne"),
            ("Ж", "db"),
            ("", "db"),
            ("a-database-of-a-very-long-name", "a-database-of-a-very-lon"),
            ("--x--", "x"),
        ] {
            assert_eq!(slug(name), expected);
        }
    }

    #[test]
    fn every_attempt_and_stripe_has_a_name_of_its_own() {
        let (first, second) = (job(1), job(2));
        let names = |job: &Job, kind| {
            let attempt = Attempt {
                database: "Shop",
                item: ItemId(Uuid::from_u128(0x1234_5678 << 96)),
                job,
                kind,
                at: "2026-11-21T22:33:09.5Z".parse().unwrap(),
            };
            attempt
                .blobs(2)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(&first, BackupKind::Full),
            [
                "shop-12345678/20261121T223309Z-full-aaaabbbb-1.bak",
                "shop-12345678/20261121T223309Z-full-aaaabbbb-2.bak"
            ]
        );
        assert_eq!(
            names(&second, BackupKind::Log)[0],
            "shop-12345678/20261121T223309Z-log-aaaabbbba2-1.trn"
        );
        let vault = VaultId(Uuid::from_u128(7));
        assert_ne!(marker(&first, vault), marker(&second, vault));
        assert!(marker(&job(u32::MAX), vault).len() <= mssql::statement::backup::DESCRIPTION_MAX);
    }

    #[test]
    fn a_mark_names_its_job_to_its_vault_alone() {
        let (job, vault) = (job(2), VaultId(Uuid::from_u128(7)));
        let mark = marker(&job, vault);
        assert_eq!(job_of_marker(&mark, vault), Some(job.id));
        assert_eq!(job_of_marker(&mark, VaultId(Uuid::from_u128(8))), None);
        for other in ["", "nightly", "bac2 1 attempt 2 vault 7", &mark[..mark.len() - 1]] {
            assert_eq!(job_of_marker(other, vault), None, "{other}");
        }
    }
}
