//! HEADERONLY, FILELISTONLY and LABELONLY.

use super::family::Family;
use super::header_only::{self};
use super::media_set::MediaSet;
use super::order::Order;
use super::{file_list, label_only, sheet};
use crate::answers::Answers;
use crate::instance::permission;
use crate::message::Failure;
use crate::session::Session;
use crate::tsql::restore::RestoreWhat;

/// What every form that only looks needs.
///
/// # Errors
/// 262 without the permission CREATE DATABASE.
pub(super) fn check_permission(session: &Session) -> Result<(), Failure> {
    let state = session.instance.state();
    if permission::on_server(&state, &session.login, "CREATE ANY DATABASE") {
        return Ok(());
    }
    Err(Failure::new(262, &[&"CREATE DATABASE", &"master"]))
}

/// Runs the statement.
///
/// # Errors
/// 262, those of the devices and media, without the trailer.
pub(super) async fn run(session: &Session, order: &Order, answers: &mut dyn Answers) -> Result<(), Failure> {
    check_permission(session)?;
    if order.what == RestoreWhat::LabelOnly {
        return label(session, order, answers).await;
    }
    let mut media = MediaSet::open(session, order).await?;
    let version = session.instance.settings.version;
    let rows = if order.what == RestoreWhat::HeaderOnly {
        Ok(headers(&media, version))
    } else {
        let header = media.set(order.position);
        header.map(|header| {
            let thumbprint = header.tde_thumbprint;
            file_list::rows(&header, thumbprint.as_ref().map(<[u8; 20]>::as_slice), version)
        })
    };
    media.close().await;
    sheet::send(&rows?, answers);
    Ok(())
}

fn headers(media: &MediaSet, version: crate::instance::Version) -> Vec<sheet::Row> {
    let Some(first) = media.families.first() else {
        return Vec::new();
    };
    // Of compressed media with several sets nothing tells what each of them takes.
    let size = (first.media.compressed && first.sets.len() == 1).then(|| media.bytes());
    let complete = |position: u16| {
        media.families.iter().all(|family| {
            family
                .sets
                .iter()
                .any(|set| set.position == position && set.complete)
        })
    };
    let rows = first.sets.iter().map(|set| {
        let is_complete = complete(set.position);
        header_only::row(first, set, is_complete, version, size)
    });
    rows.collect()
}

/// LABELONLY looks at one device.
async fn label(session: &Session, order: &Order, answers: &mut dyn Answers) -> Result<(), Failure> {
    let Some(device) = order.devices.first() else {
        return Err(Failure::new(3207, &[]));
    };
    let mut family = Family::open(session, device, order.credential.as_deref()).await?;
    family.source.close().await;
    sheet::send(&[label_only::row(&family)], answers);
    Ok(())
}
