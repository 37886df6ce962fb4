//! The vault's records, each with its keys: what hangs under a vault, in the words of its domain.
//!
//! Ground rules: ids are UUIDs and never used twice; times are UTC unless a field says that they are the server's own; LSNs are
//! decimal numbers as SQL Server prints them; nothing here is a secret but [`Secret`], which is encrypted. A record holds facts,
//! and no decision is made here: those are the vault's.

pub mod container;
pub mod database;
pub mod id;
pub mod item;
pub mod job;
pub mod notice;
pub mod point;
pub mod policy;
pub mod restore;
pub mod secret;
pub mod server;
pub mod server_log;
pub mod vault;

pub use container::{Container, CredentialMade};
pub use database::{Database, DatabaseState, FileSeen};
pub use id::{
    ContainerId, DatabaseId, ForeignId, HostId, IntentId, ItemId, JobId, NoticeId, PointId, PolicyId,
    SecretId, ServerId, ServerLogId, VaultId,
};
pub use item::{ForeignOwner, Healing, HealingReason, Item, LastBackup, Protection, UNKNOWN_MAX};
pub use job::{BackupWork, Job, JobState, OnServer, Outcome, Tail, Task, Trigger, Work};
pub use notice::{Foreign, Notice};
pub use point::{DeletedFor, Deletion, Grade, Point, SetFacts};
pub use policy::{Intent, Policy};
pub use restore::{
    Allowed, Before, FileMove, Place, Reached, RestoreEnd, RestoreOrder, RestoreStep, RestoreStop,
    RestoreTarget, RestoreWork,
};
pub use secret::Secret;
pub use server::{Facts, GroupSeen, Host, Login, Probe, Server, ServerSettings, ServerState, Trust};
pub use server_log::{FolderError, ServerFolder, ServerLog, ServerLogEnd};
pub use vault::{Daily, Keeping, SoftDelete, SoftDeleteMode, Spent, Tidied, Vault};

use jiff::Timestamp;

use crate::keys::{Keys, number, text, tuple};
use crate::kind::Kind;
use crate::typed::Record;

/// Decimal digits of the longest LSN (`numeric(25,0)`), and one more.
const LSN_DIGITS: usize = 26;

/// A moment as a key.
#[must_use]
pub fn moment(at: Timestamp) -> String {
    number(at.as_microsecond())
}

/// A name as a key: in lower case, since SQL Server's default collations do not tell cases apart.
#[must_use]
pub fn name_key(name: &str) -> String {
    text(&name.to_lowercase())
}

/// An LSN in decimal digits as a key.
#[must_use]
pub fn lsn_key(decimal: &str) -> String {
    format!("{decimal:0>LSN_DIGITS$}")
}

macro_rules! record {
    ($type:ident, $kind:ident, |$it:ident| $keys:expr) => {
        impl Record for $type {
            const KIND: Kind = Kind::$kind;

            fn id(&self) -> String {
                self.id.to_string()
            }

            fn keys(&self) -> Keys {
                let $it = self;
                $keys
            }
        }
    };
}

record!(Vault, Vault, |vault| Keys {
    a: Some(name_key(&vault.name)),
    ..Keys::NONE
});
record!(Secret, Secret, |_secret| Keys::NONE);
record!(Host, Host, |host| Keys {
    a: Some(name_key(&host.name)),
    ..Keys::NONE
});
record!(Server, Server, |server| Keys {
    a: Some(name_key(&server.name)),
    b: server.is_registered().then(|| moment(server.discovery_due)),
    c: server.host.map(|host| host.to_string()),
    d: server.marker.map(|marker| marker.to_string()),
});
record!(Database, Database, |database| Keys {
    a: Some(tuple(&[&database.server.to_string(), &name_key(&database.name)])),
    b: database.database_guid.map(|guid| guid.to_string()),
    c: database.family_guid.map(|guid| guid.to_string()),
    d: Some(database.server.to_string()),
});
record!(Policy, Policy, |policy| Keys {
    a: Some(name_key(&policy.policy.name)),
    ..Keys::NONE
});
record!(Intent, Intent, |intent| Keys {
    a: Some(intent.server.to_string()),
    b: Some(intent.policy.to_string()),
    ..Keys::NONE
});
record!(Item, Item, |item| Keys {
    a: Some(item.database.to_string()),
    b: item.next_due().map(moment),
    c: Some(item.policy.to_string()),
    d: Some(item.server.to_string()),
});
record!(Job, Job, |job| Keys {
    a: Some(tuple(&[job.state.name(), &moment(job.run_at)])),
    b: job.item.map(|item| {
        tuple(&[
            &item.to_string(),
            job.work.name(),
            openness(job.state),
            &moment(job.created),
        ])
    }),
    c: Some(moment(job.created)),
    d: job
        .server
        .map(|server| tuple(&[&server.to_string(), openness(job.state), &moment(job.created)])),
});
record!(Point, Point, |point| Keys {
    a: Some(tuple(&[&point.item.to_string(), &lsn_key(&point.set.last_lsn)])),
    b: Some(tuple(&[
        &point.container.to_string(),
        &point.set.guid.to_string()
    ])),
    c: point.deletion.as_ref().map(|deletion| moment(deletion.until)),
    d: Some(tuple(&[&point.item.to_string(), &moment(point.ended)])),
});
record!(Container, Container, |container| Keys {
    a: Some(container.name.clone()),
    b: container
        .server
        .map(|server| server.to_string())
        .or_else(|| container.group.map(|group| group.to_string())),
    ..Keys::NONE
});
record!(Notice, Notice, |notice| Keys {
    a: Some(moment(notice.raised)),
    b: notice.item.map(|item| item.to_string()),
    c: notice.resolved.is_none().then(|| text(&notice.about)),
    d: Some(tuple(&[
        if notice.resolved.is_none() {
            "open"
        } else {
            "resolved"
        },
        &moment(notice.raised),
    ])),
});
record!(Foreign, Foreign, |foreign| Keys {
    a: foreign
        .database
        .map(|database| tuple(&[&database.to_string(), &text(&foreign.finished.to_string())])),
    b: Some(tuple(&[&foreign.server.to_string(), &foreign.set.to_string()])),
    ..Keys::NONE
});
record!(ServerLog, ServerLog, |log| Keys {
    a: log
        .is_waiting()
        .then(|| tuple(&[&log.item.to_string(), &lsn_key(&log.last_lsn)])),
    b: Some(tuple(&[&log.server.to_string(), &log.set.to_string()])),
    c: Some(tuple(&[
        &log.server.to_string(),
        if log.is_waiting() { "waiting" } else { "ended" },
        &moment(log.written),
    ])),
    d: Some(log.item.to_string()),
});

/// The word in keys for whether a job is over.
#[must_use]
pub fn openness(state: JobState) -> &'static str {
    if state.is_ended() { "ended" } else { "open" }
}
