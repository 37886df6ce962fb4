//! A fault happens.

use std::sync::Arc;

use super::grammar::Deed;
use super::snapshot;
use crate::answers::Transcript;
use crate::instance::Instance;
use crate::instance::server::AvailabilityGroup;
use crate::message::Failure;
use crate::views::databases;
use crate::world::Open;

/// Where a page is hit: behind its header.
const HIT_AT: u64 = 200;

/// Does it.
///
/// # Errors
/// 40510 with what could not be done: a name that is not there, a file that cannot be changed; or what another product's backup
/// met.
pub(super) async fn apply(instance: &Arc<Instance>, deed: &Deed) -> Result<(), Failure> {
    let switches = &instance.switches;
    match deed {
        Deed::NetworkLost { host, after } => switches.host(host, |host| host.lost_after = Some(*after)),
        Deed::NetworkBack(host) => switches.host(host, |host| *host = Default::default()),
        Deed::NetworkSlow(host, time) => switches.host(host, |host| host.slow = *time),
        Deed::NetworkExpired(host) => switches.host(host, |host| host.expired = true),
        Deed::Kill(None) => switches.kill(),
        Deed::Kill(Some((bytes, host))) => switches.host(host, |host| host.kill_after = Some(*bytes)),
        Deed::DiskSlow(path, time) => switches.path(path, |path| path.slow = *time),
        Deed::DiskFail(path, number) => {
            let error = crate::world::OsError::new(*number);
            switches.path(path, |path| path.error = Some(error));
        }
        Deed::DiskUnreadable(path, number) => {
            let error = crate::world::OsError::new(*number);
            switches.path(path, |path| path.unreadable = Some(error));
        }
        Deed::DiskWell(path) => switches.path(path, |path| *path = Default::default()),
        Deed::LogFull(database, is_full) => log_full(instance, database, *is_full)?,
        Deed::ClockJump(micros) => switches.jump(*micros),
        Deed::InstanceFaulty(is_faulty) => switches.set_faulty(*is_faulty),
        Deed::CorruptPage { database, file, page } => corrupt(instance, database, *file, *page)?,
        Deed::Deny {
            permission,
            login,
            deny,
        } => permit(instance, permission, login, *deny)?,
        Deed::CertificateMissing(name) => {
            instance.state().server.certificates.remove(name);
        }
        Deed::ForeignBackup { database, kind, path } => {
            return by_another(instance, &foreign_backup(database, kind, path)).await;
        }
        Deed::DatabaseDrop(name) => {
            let name = quoted(name);
            let text = format!(
                "ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE; DROP DATABASE {name};"
            );
            return by_another(instance, &text).await;
        }
        Deed::DatabaseRename(name, new) => {
            let text = format!("ALTER DATABASE {} MODIFY NAME = {};", quoted(name), quoted(new));
            return by_another(instance, &text).await;
        }
        Deed::DatabaseSimple(name) => {
            let text = format!("ALTER DATABASE {} SET RECOVERY SIMPLE;", quoted(name));
            return by_another(instance, &text).await;
        }
        Deed::DatabaseMirror(name, is_principal) => mirror(instance, name, Some(*is_principal))?,
        Deed::DatabaseUnmirror(name) => mirror(instance, name, None)?,
        Deed::DatabasePublish(name) => switch(instance, name, databases::PUBLISHED)?,
        Deed::DatabaseCapture(name) => switch(instance, name, databases::CAPTURED)?,
        Deed::DatabaseBulk(name) => bulk(instance, name)?,
        Deed::GroupJoin(database, group) => join(instance, database, group)?,
        Deed::GroupLeave(database) => {
            for group in instance.state().server.groups.values_mut() {
                group
                    .databases
                    .retain(|name, _| !name.eq_ignore_ascii_case(database));
            }
        }
        Deed::GroupRole(group, role, primary) => change_group(instance, group, |group| {
            group.role = *role;
            group.primary.clone_from(primary);
        })?,
        Deed::GroupReplica(group, server, priority) => change_group(instance, group, |group| {
            group.replicas.insert(server.clone(), *priority);
        })?,
        Deed::GroupApart(group, server, is_apart) => change_group(instance, group, |group| {
            if *is_apart {
                group.apart.insert(server.clone());
            } else {
                group.apart.remove(server);
            }
        })?,
        Deed::GroupClosed(group, is_closed) => {
            change_group(instance, group, |group| group.is_closed = *is_closed)?;
        }
        Deed::GroupBasic(group) => change_group(instance, group, |group| group.is_basic = true)?,
        Deed::GroupPreference(group, preference) => {
            change_group(instance, group, |group| group.preference = *preference)?;
        }
        Deed::Snapshot(name) => snapshot::take(instance, name)?,
        Deed::Rollback(name) => snapshot::put_back(instance, name)?,
    }
    Ok(())
}

fn missing(what: &str) -> Failure {
    Failure::new(40_510, &[&what])
}

/// `[name]`.
fn quoted(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

fn foreign_backup(database: &str, kind: &str, path: &str) -> String {
    let what = if kind == "log" { "LOG" } else { "DATABASE" };
    let differential = if kind == "differential" {
        ", DIFFERENTIAL"
    } else {
        ""
    };
    let path = path.replace('\'', "''");
    format!(
        "BACKUP {what} {} TO DISK = N'{path}' WITH FORMAT{differential}, NAME = N'another product';",
        quoted(database)
    )
}

/// Another product's session runs a batch.
async fn by_another(instance: &Arc<Instance>, text: &str) -> Result<(), Failure> {
    let mut session = instance.attach("sa")?;
    if let Some(facts) = instance.state().sessions.get_mut(&session.id) {
        facts.program = "another backup product".to_owned();
    }
    let mut transcript = Transcript::default();
    session.batch(text, &mut [], &mut transcript).await;
    let messages: Vec<_> = transcript.errors().cloned().collect();
    if messages.is_empty() {
        Ok(())
    } else {
        Err(Failure { messages })
    }
}

fn log_full(instance: &Instance, database: &str, is_full: bool) -> Result<(), Failure> {
    let path = {
        let state = instance.state();
        let entry = state.database(database).ok_or_else(|| missing(database))?;
        let log = entry
            .files
            .iter()
            .find(|file| file.file_type == bak::FileType::Log);
        log.map(|file| file.physical_name.clone())
            .ok_or_else(|| missing(database))?
    };
    let error = is_full.then(|| crate::world::OsError::new(112));
    instance.switches.path(&path, |path| path.error = error);
    Ok(())
}

fn corrupt(instance: &Instance, database: &str, file: u16, page: u32) -> Result<(), Failure> {
    let path = {
        let mut state = instance.state();
        let now = instance.world.clock.now();
        let entry = state.database_mut(database).ok_or_else(|| missing(database))?;
        if let Some(engine) = entry.engine.as_mut() {
            // What is changed in memory would heal the page when it is written.
            let written = engine.checkpoint(now);
            written.map_err(|error| crate::instance::trouble::failure(&error, entry))?;
        }
        let file = entry.files.iter().find(|known| known.file_id == file);
        file.map(|file| file.physical_name.clone())
            .ok_or_else(|| missing(database))?
    };
    let hit = || -> Result<(), crate::world::OsError> {
        let file = instance.world.disk.open(&path, Open::Write)?;
        let offset = u64::from(page) * 8192 + HIT_AT;
        let mut byte = [0];
        file.read_at(offset, &mut byte)?;
        file.write_at(offset, &[byte[0] ^ 0x10])?;
        file.sync()
    };
    hit().map_err(|error| Failure::new(823, &[&error, &path]))
}

fn permit(instance: &Instance, permission: &str, login: &str, deny: bool) -> Result<(), Failure> {
    let mut state = instance.state();
    let known = state
        .server
        .logins
        .iter_mut()
        .find(|(name, _)| name.eq_ignore_ascii_case(login));
    let (name, known) = known.ok_or_else(|| missing(login))?;
    let name = name.clone();
    let toggle = |denied: &mut std::collections::BTreeSet<String>| {
        if deny {
            denied.insert(permission.to_owned());
        } else {
            denied.remove(permission);
        }
    };
    toggle(&mut known.denied);
    for entry in state.databases.values_mut() {
        for user in entry.users.values_mut() {
            if user.login.as_deref() == Some(name.as_str()) {
                toggle(&mut user.denied);
            }
        }
    }
    instance.save(&state)
}

fn mirror(instance: &Instance, name: &str, role: Option<bool>) -> Result<(), Failure> {
    let guid = instance.world.chance.guid();
    let mut state = instance.state();
    let entry = state.database_mut(name).ok_or_else(|| missing(name))?;
    entry.mirroring = role.map(|is_principal| (guid, is_principal));
    instance.save(&state)
}

fn switch(instance: &Instance, name: &str, what: &str) -> Result<(), Failure> {
    let mut state = instance.state();
    let entry = state.database_mut(name).ok_or_else(|| missing(name))?;
    entry.switches.insert(what.to_owned());
    instance.save(&state)
}

fn bulk(instance: &Instance, name: &str) -> Result<(), Failure> {
    let now = instance.world.clock.now();
    let mut state = instance.state();
    let entry = state.database_mut(name).ok_or_else(|| missing(name))?;
    let engine = entry.engine.as_mut().ok_or_else(|| missing(name))?;
    let marked = engine
        .checkpoint(now)
        .and_then(|newest| engine.change_boot(&mut |boot| boot.bulk_logged = Some(newest)));
    marked.map_err(|_| missing(name))
}

fn join(instance: &Instance, database: &str, group: &str) -> Result<(), Failure> {
    let own = instance.settings.server_name();
    let mut state = instance.state();
    let name = state
        .database(database)
        .map(|entry| entry.name.clone())
        .ok_or_else(|| missing(database))?;
    let known = state
        .server
        .groups
        .entry(group.to_owned())
        .or_insert_with(|| AvailabilityGroup::new(group, &own));
    known.join(&name);
    instance.save(&state)
}

fn change_group(
    instance: &Instance,
    group: &str,
    change: impl FnOnce(&mut AvailabilityGroup),
) -> Result<(), Failure> {
    let mut state = instance.state();
    let known = state.server.groups.get_mut(group).ok_or_else(|| missing(group))?;
    change(known);
    instance.save(&state)
}
