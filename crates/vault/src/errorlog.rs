//! What the error logs of the instances say of blobs that broken backups hold: the lease guard's ears.
//!
//! A backup that breaks off leaves its lease, and whoever meets that lease is told by 412, 409 or a transfer that failed. The
//! vault's own jobs clean up after themselves; but another's BACKUP into a container of the vault, one of a session that was
//! killed, or a RESTORE, says so in the error log of its instance alone. It is read on at each discovery and soon after a failed
//! backup. A URL of the vault's store is looked at at once, by the rules of the sweep; of any other people are told, with the
//! command that looks there, for the vault has no key to it.
//!
//! Invariants: a line is followed once, by a mark in the instance's record that is of the instance's clock; of a line nothing is
//! kept but its time and the URL without what follows a question mark. An instance that does not let its log be read is ready all
//! the same, and its readiness says what it lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use azblob::names::{BlobName, ContainerName};
use catalog::record::{Container, Login, Probe, Server, ServerId};
use catalog::{Range, Slot};
use faults::{Code, Fault, Operation};
use jiff::{SignedDuration, Timestamp};
use mssql::Session;
use mssql::errorlog::{Trouble, troubles};
use mssql::statement::login;
use mssql::value::{DateTime, TICKS_PER_SECOND};

use crate::discovery::seen::build;
use crate::notices::About;
use crate::readiness;
use crate::registration::{Purpose, failed};
use crate::vault::Vault;

/// What the probe is called.
const PROBE: &str = "error log";

/// So much of a log is read of an instance that was never asked.
const FIRST: SignedDuration = SignedDuration::from_hours(24);

/// So long after a failed backup its instance's log is read: with it come those that fail with it.
const SOON: Duration = Duration::from_secs(30);

/// What is known of the clock of an instance is known to the second.
const GRAIN: SignedDuration = SignedDuration::from_secs(1);

/// URLs that one reading follows, the newest; what it leaves out of the vault's own the sweep finds.
const URLS_MAX: usize = 100;

/// Days from 0001-01-01 to 1970-01-01 in the Gregorian calendar.
const EPOCH_DAYS: i64 = 719_162;
const DAY_SECONDS: i64 = 86_400;

/// Instances whose error logs are to be read, and from which uptime on. It may be forgotten: the next discovery reads them.
#[derive(Debug, Default)]
pub(crate) struct ErrorLogs(Mutex<BTreeMap<ServerId, Duration>>);

impl ErrorLogs {
    /// A backup failed there.
    pub(crate) fn read_soon(&self, server: ServerId, uptime: Duration) {
        let mut wanted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.entry(server).or_insert(uptime + SOON);
    }

    /// Takes what is due.
    fn due(&self, uptime: Duration) -> Vec<ServerId> {
        let mut wanted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wanted
            .extract_if(.., |_, at| *at <= uptime)
            .map(|(id, _)| id)
            .collect()
    }
}

/// What one reading came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Followed {
    /// Blobs of the vault's that were removed with their leases.
    removed: usize,
    /// URLs elsewhere, and when that was, by the instance's clock.
    elsewhere: BTreeMap<String, Timestamp>,
}

impl Vault {
    /// Reads the error logs of instances whose backups failed, for ever.
    pub(crate) async fn run_error_logs(&self) {
        loop {
            let heard = self.bell.rings();
            for id in self.error_logs.due(self.world.clock.uptime()) {
                // An instance that does not answer is asked by its next discovery.
                drop(self.read_error_log_of(id).await);
            }
            self.rest(None, heard).await;
        }
    }

    async fn read_error_log_of(&self, id: ServerId) -> Result<(), Fault> {
        let server = self.get::<Server>(id).await?.record;
        if !server.is_registered() {
            return Ok(());
        }
        let mut session = self.session(&server, Purpose::Backup).await?;
        let read = self.probe_error_log(&server, &mut session).await;
        session.close().await;
        read.map(drop)
    }

    /// Reads on in the error log of an instance, follows what it says, and tells whether it may be read.
    ///
    /// # Errors
    /// The instance does not answer; the catalog cannot be written.
    pub(crate) async fn probe_error_log(
        &self,
        server: &Server,
        session: &mut Session,
    ) -> Result<Probe, Fault> {
        let clock = ServerClock::of(server);
        let now = clock.shown(self.now());
        // A mark of a clock that was put back since would hide what comes; one within the grain is that of the newest line.
        let latest = now.checked_add(GRAIN).unwrap_or(now);
        let mark = server.error_log_read.map(|mark| mark.min(latest));
        let since = mark.unwrap_or_else(|| now.checked_sub(FIRST).unwrap_or(now));
        let (mut new, probe) = match troubles(session, clock.local(since)).await {
            Ok(found) => (found, readiness::passed(PROBE, "it can be read")),
            // There is more than can be read: it is left out, or it would be in the way each time.
            Err(mssql::Error::Interrupted {
                fault: mssql::Fault::TooMuch,
                ..
            }) => (
                Vec::new(),
                readiness::passed(PROBE, "more stood there than is read at once"),
            ),
            Err(error) => return unread(server, error),
        };
        new.retain(|trouble| mark.is_none_or(|mark| clock.moment(trouble.at) > mark));
        let newest = new.iter().map(|trouble| clock.moment(trouble.at)).max();
        let read = now.checked_sub(GRAIN).unwrap_or(now);
        let followed = self.follow(&clock, new).await?;
        self.tell_elsewhere(server, &followed).await?;
        let until = newest
            .map_or(read, |newest| newest.max(read))
            .max(mark.unwrap_or(read));
        self.change::<Server, _>(server.id, |server| {
            server.error_log_read = Some(until);
            Ok(())
        })
        .await?;
        Ok(match followed.removed {
            0 => probe,
            removed => readiness::passed(
                PROBE,
                &format!("it told of blobs that broken backups held; {removed} were removed"),
            ),
        })
    }

    /// Looks at each URL once.
    async fn follow(&self, clock: &ServerClock, new: Vec<Trouble>) -> Result<Followed, Fault> {
        let mut newest: BTreeMap<String, Timestamp> = BTreeMap::new();
        for trouble in new {
            let at = clock.moment(trouble.at);
            let entry = newest.entry(trouble.url).or_insert(at);
            *entry = at.max(*entry);
        }
        let mut urls: Vec<(String, Timestamp)> = newest.into_iter().collect();
        urls.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        urls.truncate(URLS_MAX);
        let mut followed = Followed::default();
        if urls.is_empty() {
            return Ok(followed);
        }
        let containers = self.list::<Container>(Slot::Id, Range::ALL).await?;
        let names: Vec<ContainerName> = containers
            .into_iter()
            .filter_map(|container| ContainerName::new(container.record.name).ok())
            .collect();
        for (url, at) in urls {
            let own = names.iter().find_map(|name| {
                let blob = blob_of(&url, &self.world.shelf.url(name))?;
                Some((name, blob))
            });
            match own {
                Some((container, blob)) => {
                    followed.removed += usize::from(self.look_at_held(container, &blob).await);
                }
                None => drop(followed.elsewhere.insert(url, at)),
            }
        }
        Ok(followed)
    }

    /// Removes a blob whose backup broke off, where nothing can be using it; whether it did. One that may still be used, and one
    /// without a lease, of which nobody knows how long it has been so, are the sweep's.
    async fn look_at_held(&self, container: &ContainerName, blob: &BlobName) -> bool {
        let seen = self.world.shelf.look(container, blob).await;
        let is_held =
            matches!(&seen, Ok(Some(seen)) if !seen.is_sealed && !seen.is_committed && seen.lease.is_some());
        is_held && self.clean_blob(container, blob).await.is_ok()
    }

    /// Tells people of URLs that are not the vault's.
    async fn tell_elsewhere(&self, server: &Server, followed: &Followed) -> Result<(), Fault> {
        let Some((url, at)) = followed.elsewhere.iter().max_by_key(|(_, at)| **at) else {
            return Ok(());
        };
        let accounts: BTreeSet<&str> = followed.elsewhere.keys().map(|url| container_of(url)).collect();
        let others = match followed.elsewhere.len() - 1 {
            0 => String::new(),
            count => format!(", and {count} more in {} containers", accounts.len()),
        };
        let (account, container) = container_of(url).rsplit_once('/').unwrap_or((url, ""));
        let why = format!(
            "the error log of the instance says at {at} (UTC, by its clock) that a backup or restore of {url}{others} broke off or met a lease; it is not in \
             the vault's store: look with `bac2 leases list --account-url {account} --container {container}`"
        );
        let about = About {
            matter: format!("foreignUrl/{}", server.id),
            server: Some(server.id),
            ..About::default()
        };
        let fault = Fault::new(Code::Bac2UrlLeased)
            .at(&server.name)
            .because(&faults::scrub(&why));
        self.raise(about, fault).await
    }
}

/// What a log that was not read means for its instance: nothing but a probe that is missed. Only without a connection nobody can ask
/// on.
///
/// # Errors
/// The connection is lost.
fn unread(server: &Server, error: mssql::Error) -> Result<Probe, Fault> {
    let (is_lost, is_refused) = (error.is_lost(), matches!(error, mssql::Error::Refused { .. }));
    let fault = failed(Operation::Discovery, &server.name, error);
    if is_lost {
        return Err(fault);
    }
    let (what, repair) = match is_refused {
        true => ("the login may not read it", right_to_read(server)),
        false => ("it could not be read", None),
    };
    let found = format!("{what}; blobs that others' broken backups hold are found by the sweep alone");
    let fault = Fault::new(Code::Bac2NotReady)
        .at(&server.name)
        .because(&fault.happened());
    Ok(readiness::missed(PROBE, &found, repair, fault))
}

/// What gives the login of an instance the right to read its error log; none where its name or the version are not known.
fn right_to_read(server: &Server) -> Option<String> {
    let name = match &server.login {
        Login::Sql { user, .. } => Some(user.as_str()),
        _ => None,
    };
    let login = name.and_then(|name| mssql::quoting::Identifier::new(name).ok())?;
    let version = server.facts.as_ref().map(build)?;
    Some(login::error_log(&login, version))
}

/// The blob that a URL names in a container; the scheme and the host are the same in any case.
fn blob_of(url: &str, container: &str) -> Option<BlobName> {
    let head = url.get(..container.len())?;
    let blob = url.get(container.len()..)?.strip_prefix('/')?;
    match head.eq_ignore_ascii_case(container) {
        true => BlobName::new(blob).ok(),
        false => None,
    }
}

/// A URL up to its container: two segments of a path where the account stands in it, as at an address, one where it is in the host.
fn container_of(url: &str) -> &str {
    let Some(host) = url.find("://").map(|at| at + 3) else {
        return url;
    };
    let authority = url[host..].split('/').next().unwrap_or_default();
    let name = authority.split(':').next().unwrap_or_default();
    let segments =
        match name.parse::<std::net::Ipv4Addr>().is_ok() || name == "localhost" || name.starts_with('[') {
            true => 2,
            false => 1,
        };
    let end = url[host..]
        .match_indices('/')
        .nth(segments)
        .map(|(at, _)| host + at);
    &url[..end.unwrap_or(url.len())]
}

/// The clock of an instance, by what it said of it when it was asked last.
struct ServerClock {
    /// Ahead of UTC, by its zone.
    zone: SignedDuration,
    /// Ahead of the vault's clock, beside that.
    ahead: SignedDuration,
}

impl ServerClock {
    fn of(server: &Server) -> Self {
        let facts = server.facts.as_ref();
        let minutes = facts.map_or(0, |facts| i64::from(facts.offset_minutes));
        Self {
            zone: SignedDuration::from_mins(minutes),
            ahead: SignedDuration::from_secs(facts.map_or(0, |facts| facts.clock_ahead_seconds)),
        }
    }

    /// What it shows, as UTC, at a moment of the vault's.
    fn shown(&self, at: Timestamp) -> Timestamp {
        at.checked_add(self.ahead).unwrap_or(at)
    }

    /// What it showed, as UTC, when it showed this.
    fn moment(&self, local: DateTime) -> Timestamp {
        let at = Timestamp::from_millisecond(local.millis_since_1970()).unwrap_or(Timestamp::UNIX_EPOCH);
        at.checked_sub(self.zone).unwrap_or(at)
    }

    /// What it shows, when that is this as UTC.
    fn local(&self, at: Timestamp) -> DateTime {
        let at = at.checked_add(self.zone).unwrap_or(at);
        let seconds = at.as_second();
        DateTime {
            days: i32::try_from(seconds.div_euclid(DAY_SECONDS) + EPOCH_DAYS).unwrap_or(i32::MAX),
            ticks: seconds.rem_euclid(DAY_SECONDS).unsigned_abs() * TICKS_PER_SECOND,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use catalog::record::{Facts, Server, ServerId};
    use faults::Code;
    use jiff::SignedDuration;
    use uuid::Uuid;

    use super::{ErrorLogs, SOON, ServerClock, blob_of, container_of, unread};
    use crate::staged::Stage;

    /// An instance of 2022.
    fn instance() -> Server {
        let stage = Stage::new();
        let mut server = stage.run(async {
            let vault = stage.vault().await;
            let id = vault.enrol("sql1").await;
            vault.get::<Server>(id).await.unwrap().record
        });
        server.facts = Some(Facts {
            server_name: "SQL1".to_owned(),
            machine_name: "SQL1".to_owned(),
            instance_name: None,
            version: "16.0.4165.4".to_owned(),
            edition: "Developer Edition (64-bit)".to_owned(),
            engine_edition: 3,
            collation: "Latin1_General_CI_AS".to_owned(),
            data_path: None,
            log_path: None,
            backup_path: None,
            offset_minutes: 0,
            clock_ahead_seconds: 0,
            started: None,
            is_hadr: false,
            is_clustered: false,
            is_linux: false,
        });
        server
    }

    #[test]
    fn a_log_that_cannot_be_read_is_a_probe_that_is_missed_and_no_more() {
        use mssql::{Error, Fault, Message};
        let server = instance();
        let interrupted = |fault| Error::Interrupted {
            fault,
            messages: Vec::new(),
        };
        let reason = || "why".to_owned();
        let denied = Message {
            number: 229,
            state: 5,
            class: 14,
            line: 1,
            procedure: "xp_readerrorlog".to_owned(),
            text: "The EXECUTE permission was denied on the object 'xp_readerrorlog'.".to_owned(),
        };
        for (error, has_repair) in [
            (interrupted(Fault::TimedOut), false),
            (interrupted(Fault::Cancelled), false),
            (interrupted(Fault::Unusable { reason: reason() }), false),
            (Error::Shape { reason: reason() }, false),
            (
                Error::Refused {
                    messages: vec![denied],
                },
                true,
            ),
        ] {
            let what = error.to_string();
            let probe = unread(&server, error).expect(&what);
            assert!(!probe.passed && probe.fault.is_some(), "{what}");
            let repair = probe.repair.unwrap_or_default();
            assert_eq!(repair.contains("xp_readerrorlog TO [sa]"), has_repair, "{repair}");
        }
        let lost = unread(&server, interrupted(Fault::Lost { reason: reason() }));
        assert_eq!(lost.unwrap_err().code(), Code::Bac2SessionLost);
    }

    #[test]
    fn a_log_is_read_once_for_all_that_fails_in_half_a_minute() {
        let logs = ErrorLogs::default();
        let [one, two] = [1, 2].map(|number| ServerId(Uuid::from_u128(number)));
        let second = Duration::from_secs(1);
        logs.read_soon(one, second);
        logs.read_soon(one, 2 * second);
        logs.read_soon(two, 3 * second);
        assert_eq!(logs.due(SOON), []);
        assert_eq!(logs.due(SOON + second), [one]);
        assert_eq!(logs.due(SOON + second), []);
        assert_eq!(logs.due(SOON + 3 * second), [two]);
    }

    #[test]
    fn a_url_is_the_vaults_where_its_container_is() {
        let container = "https://vault.example.com/sql1-7f3a";
        let blob = |url: &str| blob_of(url, container).map(|blob| blob.to_string());
        let own = "https://VAULT.example.com/sql1-7f3a/shop-1/a.bak";
        assert_eq!(blob(own).as_deref(), Some("shop-1/a.bak"));
        for other in [
            "https://vault.example.com/sql1-7f3ab/a.bak",
            "https://vault.example.com/sql1-7f3a",
            "https://other.example.com/sql1-7f3a/a.bak",
            "https://vault",
        ] {
            assert_eq!(blob(other), None, "{other}");
        }
    }

    #[test]
    fn the_container_is_behind_the_account_wherever_that_stands() {
        for (url, container) in [
            (
                "https://acc.blob.core.windows.net/c/d/a.bak",
                "https://acc.blob.core.windows.net/c",
            ),
            (
                "http://127.0.0.1:10000/acc/c/a.bak",
                "http://127.0.0.1:10000/acc/c",
            ),
            ("https://host/c", "https://host/c"),
        ] {
            assert_eq!(container_of(url), container);
        }
    }

    #[test]
    fn the_clock_of_an_instance_reads_the_same_both_ways() {
        let clock = ServerClock {
            zone: SignedDuration::from_mins(330),
            ahead: SignedDuration::from_secs(90),
        };
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(clock.shown(at).to_string(), "2026-01-01T00:01:30Z");
        assert_eq!(clock.local(at).to_string(), "2026-01-01T05:30:00");
        assert_eq!(clock.moment(clock.local(at)), at);
    }
}
