//! Findings for the tests of the report.

use std::time::Duration;

use azblob::lease::{LeaseDurationKind, LeaseState, LeaseStatus, LeaseView};
use azblob::response::BlobType;
use azblob::time::UnixMillis;
use bak::{BackupType, Container, LocalTime};

use crate::account::{ETag, Properties};
use crate::activity::Activity;
use crate::content::{Contained, Content, Ending};
use crate::finding::Finding;
use crate::holder::{Evidence, Holder};
use crate::place::Place;
use crate::ruling::{Grounds, Ruling, Why};

use super::{Did, Entry, Skip};

/// 2026-11-21T12:00:00Z: 20,778 days after 1970-01-01 and half a day.
pub(super) const NOON: UnixMillis = UnixMillis(20_778 * 86_400_000 + 43_200_000);

pub(super) const ACCOUNT: &str = "https://backups.blob.core.windows.net";

/// A page blob that a backup left behind an hour and five minutes ago.
pub(super) fn finding() -> Finding {
    Finding {
        place: Place::new("sql", "Sales/full.bak"),
        properties: Properties {
            kind: BlobType::Page,
            size: 1 << 40,
            etag: Some(ETag("\"0x8DE28F1\"".to_owned())),
            last_modified: Some(UnixMillis(NOON.0 - 3_900_000)),
            created: Some(UnixMillis(NOON.0 - 7_200_000)),
            lease: LeaseView {
                status: LeaseStatus::Locked,
                state: LeaseState::Leased,
                duration: Some(LeaseDurationKind::Infinite),
            },
        },
        holder: Holder::Backup(Evidence::TapeHeader),
        activity: Activity::Quiet {
            lasting: Duration::from_secs(3_600),
            since: UnixMillis(NOON.0 - 3_600_000),
        },
        content: Content::Backup(Box::new(Contained {
            container: Container::Mtf,
            database_name: "Sales".to_owned(),
            server_name: "SQL01".to_owned(),
            backup_type: Some(BackupType::Full),
            backup_start_date: Some(LocalTime {
                year: 2026,
                month: 11,
                day: 21,
                hour: 11,
                minute: 30,
                second: 0,
            }),
            ending: Ending::CutShort,
            sets: 1,
        })),
        uncommitted: None,
        witness: None,
    }
}

pub(super) fn entry(finding: Finding, ruling: Ruling, did: Did) -> Entry {
    Entry::Blob {
        finding: Box::new(finding),
        ruling,
        did,
        at: NOON,
    }
}

pub(super) fn every_grounds() -> Vec<Grounds> {
    vec![
        Grounds::QuietBackup,
        Grounds::QuietBackupNotRunning,
        Grounds::AbandonedAtOurDoor,
        Grounds::IncludedRestore,
        Grounds::NamedByUser,
    ]
}

pub(super) fn every_why() -> Vec<Why> {
    vec![
        Why::NotLocked,
        Why::DataFile,
        Why::LogFile,
        Why::Disk,
        Why::FixedLease,
        Why::UnknownDuration,
        Why::Breaking,
        Why::UnknownHolder,
        Why::Restore,
        Why::Growing,
        Why::ConnectionOpen,
        Why::JobRunning,
        Why::Running {
            server: "SQL01".to_owned(),
            session: 57,
        },
        Why::Unanswered {
            server: "SQL02".to_owned(),
            reason: "the login was refused".to_owned(),
        },
        Why::NoTag,
        Why::ContentUnread,
    ]
}

/// All but [`Skip::Ruled`], whose words are the rule's.
pub(super) fn every_skip() -> Vec<Skip> {
    vec![
        Skip::NotQuietYet,
        Skip::Stirred,
        Skip::Released,
        Skip::Gone,
        Skip::CompleteBackup,
        Skip::NotVerified("its log ends in the middle of a block.".to_owned()),
        Skip::Declined,
        Skip::NotAsked("SQL01 could not be asked what it runs: no route".to_owned()),
    ]
}
