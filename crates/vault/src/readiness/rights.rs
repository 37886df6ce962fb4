//! What the vault's login may, one probe a right. A member of sysadmin may everything, and is asked for nothing more.

use catalog::record::Probe;
use faults::{Code, Fault};
use mssql::quoting::Identifier;
use mssql::statement::login::{bulk as bulk_right, member, performance_state, sysadmin};

use super::{Looked, login, missed, passed};
use crate::discovery::seen::build;

/// The most databases that the T-SQL of one probe names.
const NAMED_MOST: usize = 100;

/// A right on the server.
struct Right {
    name: &'static str,
    is_held: bool,
    grant: &'static str,
    why: &'static str,
}

pub(super) fn probes(looked: &Looked<'_>) -> Vec<Probe> {
    let held = looked.rights;
    if held.sysadmin {
        return vec![passed(
            "rights",
            &format!("{} is a member of sysadmin", held.login),
        )];
    }
    let state = performance_state(build(looked.facts));
    let rights = [
        Right {
            name: "credentials",
            is_held: held.alter_credentials,
            grant: "ALTER ANY CREDENTIAL",
            why: "backups to URLs and the vault's marker need it",
        },
        Right {
            name: "server state",
            is_held: held.view_state,
            grant: state,
            why: "progress, and who blocks whom",
        },
        Right {
            name: "definitions",
            is_held: held.view_definition,
            grant: "VIEW ANY DEFINITION",
            why: "files, certificates, availability groups",
        },
        Right {
            name: "databases",
            is_held: held.view_databases,
            grant: "VIEW ANY DATABASE",
            why: "without it most databases cannot be seen",
        },
    ];
    let mut probes: Vec<Probe> = rights.iter().map(|right| server_right(looked, right)).collect();
    probes.push(history(looked));
    probes.push(backups(looked));
    if looked.overflows {
        probes.push(bulk(looked));
    }
    probes
}

/// Whether logs on the server's disk can be read: a warning, since backups go on without it.
fn bulk(looked: &Looked<'_>) -> Probe {
    let name = "logs on the server's disk";
    if looked.rights.administer_bulk {
        return passed(name, "ADMINISTER BULK OPERATIONS is granted");
    }
    let found = "ADMINISTER BULK OPERATIONS is not granted: logs that go to the server's disk could not be brought into the vault";
    let fault = Fault::new(Code::Bac2NotReady).at(looked.name).because(found);
    missed(name, found, Some(bulk_right(&login(looked.rights))), fault)
}

fn server_right(looked: &Looked<'_>, right: &Right) -> Probe {
    if right.is_held {
        return passed(right.name, &format!("{} is granted", right.grant));
    }
    let found = format!("{} is not granted: {}", right.grant, right.why);
    let repair = format!(
        "USE [master];\nGRANT {} TO {};",
        right.grant,
        login(looked.rights)
    );
    missed(right.name, &found, Some(repair), lacks(looked, &found))
}

fn lacks(looked: &Looked<'_>, found: &str) -> Fault {
    Fault::new(Code::UserErrorSQLNoSysadminMembership)
        .at(looked.name)
        .because(&format!("{found}; login {}", looked.rights.login))
}

fn history(looked: &Looked<'_>) -> Probe {
    if looked.rights.read_history {
        return passed("history", "msdb can be read");
    }
    let found = "the history of backups in msdb cannot be read";
    let msdb = Identifier::new("msdb").expect("four letters are a name");
    missed(
        "history",
        found,
        Some(member(&login(looked.rights), &msdb, "db_datareader")),
        lacks(looked, found),
    )
}

/// Databases that the login may not back up: a warning with the T-SQL for each, since some may be left out on purpose.
fn backups(looked: &Looked<'_>) -> Probe {
    let not: Vec<&str> = looked
        .databases
        .iter()
        .filter(|one| !one.may_back_up && !one.state.is_snapshot && !one.name.eq_ignore_ascii_case("tempdb"))
        .map(|one| one.name.as_str())
        .collect();
    if not.is_empty() {
        return passed("backups", "every database may be backed up");
    }
    let found = format!(
        "{} of {} databases may not be backed up",
        not.len(),
        looked.databases.len()
    );
    let who = login(looked.rights);
    let mut repair: Vec<String> = not
        .iter()
        .take(NAMED_MOST)
        .filter_map(|name| Identifier::new(name).ok())
        .map(|name| member(&who, &name, "db_backupoperator"))
        .collect();
    if not.len() > NAMED_MOST {
        repair.push(format!("-- and {} more", not.len() - NAMED_MOST));
    }
    repair.push(format!("-- or all rights: {}", sysadmin(&who)));
    let fault = Fault::new(Code::Bac2NotReady).at(looked.name).because(&found);
    missed("backups", &found, Some(repair.join("\n")), fault)
}
