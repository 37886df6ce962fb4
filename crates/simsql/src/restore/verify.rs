//! RESTORE VERIFYONLY: reads all of a set as a restore would, and puts it nowhere.

use bak::content::SetHeader;

use super::lane::{Flaw, Lane};
use super::media_set::MediaSet;
use super::order::Order;
use super::progress::Progress;
use super::{files, history};
use crate::answers::Answers;
use crate::message::{Failure, Message};
use crate::session::Session;

/// Runs the statement.
///
/// # Errors
/// 262 permission, those of the devices, 3187, 3189, 3183, 3241, 3256, without the trailer.
pub(super) async fn run(session: &Session, order: &Order, answers: &mut dyn Answers) -> Result<(), Failure> {
    super::looking::check_permission(session)?;
    let mut media = MediaSet::open(session, order).await?;
    let done = verify(session, order, &mut media, answers).await;
    media.close().await;
    done
}

async fn verify(
    session: &Session,
    order: &Order,
    media: &mut MediaSet,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let header = media.set(order.position)?;
    if order.checksum == Some(true) && !header.set.has_backup_checksums {
        return Err(Failure::new(3187, &[]));
    }
    files::check_moves(order, &header)?;
    let mut progress = Progress::new(session, order.stats, &header);
    let families = media.families.iter_mut();
    for family in families {
        let mut lane = Lane::new(order.position);
        while !lane.at_end {
            lane.fill(session, family).await?;
            let bytes = lane.drain();
            progress.add(session, bytes, answers);
            judge(order, &header, &mut lane, family.device.name())?;
        }
    }
    progress.end(session, answers);
    let mut problems = files::problems_for_verify(session, order, &header);
    if !problems.is_empty() {
        problems.insert(0, Message::new(3181, &[]));
    }
    for problem in problems {
        answers.message(Message { class: 0, ..problem });
    }
    answers.message(Message::new(3262, &[&order.position]));
    if order.load_history {
        history::load(session, &header, media, answers).await;
    }
    Ok(())
}

fn judge(order: &Order, header: &SetHeader, lane: &mut Lane, device: &str) -> Result<(), Failure> {
    let verifies = header.set.has_backup_checksums && order.checksum != Some(false);
    for flaw in lane.flaws.drain(..) {
        return Err(match flaw {
            Flaw::Page { .. } if !verifies => continue,
            Flaw::Page { .. } | Flaw::Stream if order.continue_after_error => continue,
            Flaw::Page { file, page } => {
                Failure::new(3183, &[&file, &page, &header.set.database_name]).and(3189, &[])
            }
            Flaw::Stream => Failure::new(3189, &[]),
            Flaw::Structure => Failure::new(3241, &[&device]),
        });
    }
    Ok(())
}
