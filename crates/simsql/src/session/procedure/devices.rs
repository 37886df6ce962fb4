//! Logical backup devices: `sp_addumpdevice`, `sp_dropdevice`.

use super::Call;
use crate::instance::permission;
use crate::message::Failure;
use crate::session::Session;

/// Devices at most.
const MOST: usize = 10_000;

/// `sp_addumpdevice 'disk', 'name', 'path'`.
///
/// # Errors
/// 15247, 15026 where the name is taken, 40510 for anything but disks.
pub(super) fn add(session: &Session, call: &Call) -> Result<(), Failure> {
    let kind = call.required(0, "@devtype")?;
    let name = call.required(1, "@logicalname")?;
    let path = call.required(2, "@physicalname")?;
    if !kind.eq_ignore_ascii_case("disk") {
        return Err(Failure::new(40510, &[&format!("backup devices of type {kind}")]));
    }
    let mut state = session.instance.state();
    if !permission::on_server(&state, &session.login, "ALTER RESOURCES") {
        return Err(Failure::new(15247, &[]));
    }
    let devices = &mut state.server.devices;
    if devices.len() >= MOST {
        return Err(Failure::new(701, &[&"default"]));
    }
    if devices.keys().any(|known| known.eq_ignore_ascii_case(&name)) {
        return Err(Failure::new(15026, &[&name]));
    }
    devices.insert(name, path);
    session.instance.save(&state)
}

/// `sp_dropdevice 'name' [, 'delfile']`.
///
/// # Errors
/// 15247, 15012 where there is none.
pub(super) fn remove(session: &Session, call: &Call) -> Result<(), Failure> {
    let name = call.required(0, "@logicalname")?;
    let deletes = call
        .text(1, "@delfile")
        .is_some_and(|option| option.eq_ignore_ascii_case("delfile"));
    let mut state = session.instance.state();
    if !permission::on_server(&state, &session.login, "ALTER RESOURCES") {
        return Err(Failure::new(15247, &[]));
    }
    let devices = &mut state.server.devices;
    let known = devices
        .keys()
        .find(|known| known.eq_ignore_ascii_case(&name))
        .cloned()
        .ok_or_else(|| Failure::new(15012, &[&name]))?;
    let path = devices.remove(&known);
    session.instance.save(&state)?;
    drop(state);
    // A file that the instance has open itself is nobody's to delete.
    if let Some(path) = path.filter(|path| deletes && !session.instance.has_open(path)) {
        // The device is gone whether or not there was a file.
        drop(session.instance.world.disk.remove(&path));
    }
    Ok(())
}
