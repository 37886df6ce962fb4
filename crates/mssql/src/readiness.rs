//! Whether an instance and its databases are ready, and the T-SQL that makes them so.
//!
//! Each probe says one thing, whether it is needed or only advised, and how to mend it where a statement can. What was gathered
//! already is judged without asking again; only the way to the vault's door needs a statement of its own, because nobody but SQL
//! Server can tell whether SQL Server gets there.

use crate::build::Build;
use crate::databases::{Database, RecoveryModel, State};
use crate::facts::{Facts, Platform};
use crate::message::Message;
use crate::quoting::Identifier;
use crate::session::{Error, Session};
use crate::statement::Devices;
use crate::statement::login::{self, Purpose};
use crate::statement::restore::{Inspection, Look};

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub probe: Probe,
    /// What was found.
    pub standing: Standing,
    /// One sentence.
    pub sentence: String,
    /// Statements that mend it, for a human to run: the vault runs none of them by itself.
    pub fix: Option<String>,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// The version can back up to a URL.
    Version,
    /// Requests of others are seen.
    ViewState,
    /// Files, certificates and groups are seen.
    ViewDefinition,
    /// Credentials may be made; BACKUP and RESTORE with URLs ask for it.
    Credentials,
    /// msdb's history can be read.
    History,
    /// Databases may be restored.
    Restore,
    /// The database's state lets it be backed up.
    State,
    /// The login may back it up.
    BackupRight,
    /// Its recovery model allows logs.
    LogBackups,
    /// Its pages carry checksums.
    PageChecksums,
    /// It is mirrored.
    Mirroring,
    /// SQL Server reaches the vault's door.
    Door,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As it should be.
    Ready,
    /// It works; something would be better.
    Advice,
    /// It does not work so.
    Missing,
    /// It cannot be told.
    Unknown,
}

fn finding(
    probe: Probe,
    good: bool,
    bad: Standing,
    sentence: &str,
    fix: impl FnOnce() -> Option<String>,
) -> Finding {
    Finding {
        probe,
        standing: if good { Standing::Ready } else { bad },
        sentence: sentence.to_owned(),
        fix: if good { None } else { fix() },
    }
}

/// Of an instance, for a purpose.
#[must_use]
pub fn of_instance(facts: &Facts, purpose: Purpose) -> Vec<Finding> {
    let rights = &facts.rights;
    let all = rights.sysadmin;
    let login = Identifier::new(&rights.login).ok();
    let grant = |right: &str| login.as_ref().map(|login| format!("GRANT {right} TO {login};"));
    let state = if facts.build.major >= Build::V2022 {
        "VIEW SERVER PERFORMANCE STATE"
    } else {
        "VIEW SERVER STATE"
    };
    let right = |probe, held: bool, bad, what: &str, fix: Option<String>| {
        let sentence = match all {
            true => format!("the login {what}, as a member of sysadmin"),
            false => format!(
                "the login {}{what}",
                if held {
                    ""
                } else {
                    "must have the right to this: it "
                }
            ),
        };
        finding(probe, all || held, bad, &sentence, || fix)
    };
    let mut found = vec![
        finding(
            Probe::Version,
            facts.build >= Build::new(Build::V2012, 0, 3339, 0),
            Standing::Missing,
            &format!(
                "build {} (2012 SP1 CU2, 11.0.3339, is the first that backs up to a URL)",
                facts.build
            ),
            || None,
        ),
        right(
            Probe::ViewState,
            rights.view_state,
            Standing::Missing,
            "sees what runs on the server: progress, and whether a lost backup still runs",
            grant(state),
        ),
        right(
            Probe::ViewDefinition,
            rights.view_definition,
            Standing::Missing,
            "sees the files, certificates and availability groups of the server",
            grant("VIEW ANY DEFINITION"),
        ),
        right(
            Probe::Credentials,
            rights.alter_credentials,
            Standing::Missing,
            "makes credentials and uses them for URLs",
            grant("ALTER ANY CREDENTIAL"),
        ),
        right(
            Probe::History,
            rights.read_history,
            Standing::Missing,
            "reads the history of backups in msdb",
            login.as_ref().map(|login| member(login, "msdb", "db_datareader")),
        ),
    ];
    if purpose == Purpose::Restore {
        found.push(right(
            Probe::Restore,
            rights.dbcreator || rights.create_databases,
            Standing::Missing,
            "restores databases",
            login
                .as_ref()
                .map(|login| format!("ALTER SERVER ROLE [dbcreator] ADD MEMBER {login};")),
        ));
    }
    found
}

fn member(login: &Identifier, database: &str, role: &str) -> String {
    Identifier::new(database).map_or_else(
        |_| String::new(),
        |database| login::member(login, &database, role),
    )
}

/// Of a database, as far as it does not depend on what is planned for it.
#[must_use]
pub fn of_database(database: &Database, facts: &Facts) -> Vec<Finding> {
    let quoted = Identifier::new(&database.name).ok();
    let alter = |change: &str| {
        quoted
            .as_ref()
            .map(|name| format!("ALTER DATABASE {name} {change};"))
    };
    let login = Identifier::new(&facts.rights.login).ok();
    let may = facts.rights.sysadmin || (database.may_back_up && database.may_back_up_log);
    let is_copy = database.snapshot_of.is_some() || database.name == "tempdb";
    let mut found = vec![
        finding(
            Probe::State,
            database.state == State::Online && !is_copy && !database.is_in_standby,
            Standing::Missing,
            &state_sentence(database, is_copy),
            || None,
        ),
        finding(
            Probe::BackupRight,
            may,
            Standing::Missing,
            "the login is to back up the database and its log",
            || {
                let login = login.as_ref()?;
                Some(member(login, &database.name, "db_backupoperator"))
            },
        ),
        finding(
            Probe::PageChecksums,
            database.page_verify == "CHECKSUM",
            Standing::Advice,
            "pages carry checksums from their next write on, by which damage is seen in every backup",
            || alter("SET PAGE_VERIFY CHECKSUM"),
        ),
    ];
    if !database.is_system() {
        found.push(finding(
            Probe::LogBackups,
            matches!(
                database.recovery_model,
                RecoveryModel::Full | RecoveryModel::BulkLogged
            ),
            Standing::Advice,
            "backups of the log need the recovery model FULL or BULK_LOGGED, and a full after the change",
            || alter("SET RECOVERY FULL"),
        ));
    }
    if database.mirroring.is_some() {
        found.push(finding(
            Probe::Mirroring,
            database.mirroring_role.as_deref() == Some("PRINCIPAL"),
            Standing::Missing,
            "of a mirrored database only the principal can be backed up",
            || None,
        ));
    }
    found
}

fn state_sentence(database: &Database, is_copy: bool) -> String {
    if is_copy {
        return "tempdb and database snapshots cannot be backed up".to_owned();
    }
    if database.is_in_standby {
        return "the database is in standby, which cannot be backed up".to_owned();
    }
    format!("the database is {:?}", database.state).to_lowercase()
}

/// What SQL Server met on its way to the vault's door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// It came through: the door answered that the blob is not there.
    Reached,
    /// There is no credential for the container, or the login may not use it (3288, 3289).
    NoCredential,
    /// The door has no such container (operating system error 3).
    NoContainer,
    /// The door refused the signature: wrong, or expired (5, 86).
    Refused,
    /// The door's certificate is not trusted by that machine (50 on Windows, where a malformed signature gives the same; 12175 on
    /// Linux).
    NotTrusted,
    /// The name has no address there (12007).
    NoName,
    /// Nothing answers at port 443 of the name (12002, 12029, 12030, 53).
    NoAnswer,
    /// Something else: what SQL Server said.
    Unclear(Vec<Message>),
}

/// Asks for a blob that is not there, by RESTORE LABELONLY: `devices` name one that is in the vault's container, and free. What
/// the errors mean is documented for few of them and has not been tried on a real server.
///
/// # Errors
/// The session's end; an answer that comes too late is no answer of the door.
pub async fn knock(session: &mut Session, devices: Devices) -> Result<Door, Error> {
    let inspection = Inspection {
        look: Look::LabelOnly,
        devices,
        position: 1,
    };
    let ran = session.run(&inspection.to_string(), session.within).await;
    match ran.fault {
        None => Ok(met(&ran.outcome.messages)),
        Some(crate::Fault::TimedOut) => Ok(Door::NoAnswer),
        Some(fault) => Err(Error::Interrupted {
            fault,
            messages: ran.outcome.messages,
        }),
    }
}

/// Reads what SQL Server met from its messages.
#[must_use]
pub fn met(messages: &[Message]) -> Door {
    let Some(cause) = crate::message::cause(messages) else {
        return Door::Unclear(messages.to_vec());
    };
    match (cause.number, os_error(&cause.text)) {
        (3288 | 3289, _) => Door::NoCredential,
        (_, Some(2)) => Door::Reached,
        (_, Some(3)) => Door::NoContainer,
        (_, Some(5 | 86)) => Door::Refused,
        (_, Some(50 | 12_175)) => Door::NotTrusted,
        (_, Some(12_007)) => Door::NoName,
        (_, Some(53 | 12_002 | 12_029 | 12_030)) => Door::NoAnswer,
        _ => Door::Unclear(messages.to_vec()),
    }
}

/// The number in `Operating system error 5(Access is denied.)`.
fn os_error(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("perating system error ")?;
    let digits = rest
        .find(|sign: char| !sign.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// What it means, and how to mend it.
#[must_use]
pub fn judged(door: &Door, platform: Platform) -> Finding {
    let trust = match platform {
        Platform::Windows => {
            "import the vault's certificate authority into the machine's trusted roots (bac2 ca export prints it)"
        }
        Platform::Linux => {
            "put the vault's certificate authority into /var/opt/mssql/security/ca-certificates and restart SQL Server"
        }
    };
    let (standing, sentence) = match door {
        Door::Reached => (
            Standing::Ready,
            "SQL Server reaches the vault's door and is let in".to_owned(),
        ),
        Door::NoCredential => (
            Standing::Missing,
            "SQL Server has no credential for the container".to_owned(),
        ),
        Door::NoContainer => (
            Standing::Missing,
            "the vault's door has no such container".to_owned(),
        ),
        Door::Refused => (
            Standing::Missing,
            "the vault's door refuses the credential's signature".to_owned(),
        ),
        Door::NotTrusted => (
            Standing::Missing,
            format!("SQL Server does not trust the vault's certificate: {trust}"),
        ),
        Door::NoName => (
            Standing::Missing,
            "the vault's host name has no address on that machine: give its DNS, or its hosts file, one".to_owned(),
        ),
        Door::NoAnswer => (
            Standing::Missing,
            "nothing answers at port 443 of the vault's host: start the vault there, and let its port through the firewalls".to_owned(),
        ),
        Door::Unclear(messages) => (
            Standing::Unknown,
            crate::message::cause(messages).map_or_else(
                || "SQL Server gave no reason".to_owned(),
                |cause| format!("SQL Server met something else: {cause}"),
            ),
        ),
    };
    Finding {
        probe: Probe::Door,
        standing,
        sentence,
        fix: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(number: i32, text: &str) -> Vec<Message> {
        let message = |number, text: &str| Message {
            number,
            state: 1,
            class: 16,
            line: 1,
            procedure: String::new(),
            text: text.to_owned(),
        };
        vec![
            message(number, text),
            message(3013, "RESTORE LABELONLY is terminating abnormally."),
        ]
    }

    #[test]
    fn operating_system_errors_tell_how_far_sql_server_came() {
        let door = |error: &str| {
            let text = format!("Cannot open backup device 'https://v/c/x'. Operating system error {error}.");
            met(&said(3201, &text))
        };
        assert_eq!(
            door("2(The system cannot find the file specified.)"),
            Door::Reached
        );
        assert_eq!(door("5(Access is denied.)"), Door::Refused);
        assert_eq!(door("50(The request is not supported.)"), Door::NotTrusted);
        assert_eq!(
            door("12175(failed to retrieve text for this error.)"),
            Door::NotTrusted
        );
        assert_eq!(
            door("12007(The server name or address could not be resolved)"),
            Door::NoName
        );
        assert!(matches!(door("1117(I/O)"), Door::Unclear(_)));
        assert!(matches!(door("(?)"), Door::Unclear(_)));
        assert_eq!(met(&said(3289, "no credential")), Door::NoCredential);
    }

    #[test]
    fn the_way_to_trust_depends_on_the_machine() {
        let sentence = |platform| judged(&Door::NotTrusted, platform).sentence;
        assert!(sentence(Platform::Linux).contains("/var/opt/mssql/security/ca-certificates"));
        assert!(sentence(Platform::Windows).contains("trusted roots"));
    }
}
