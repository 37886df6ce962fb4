//! The end of a restore: RECOVERY, NORECOVERY or STANDBY.

use super::order::Finish;
use super::pieces::{self, with_engine};
use super::target::Target;
use super::transfer::engine_of;
use crate::answers::Answers;
use crate::instance::state::UserAccess;
use crate::instance::{DatabaseState, State, trouble};
use crate::message::{Failure, Message};
use crate::session::Session;

/// What the end is made with.
pub(super) struct Ending<'a> {
    pub(super) target: &'a Target,
    pub(super) finish: &'a Finish,
    /// RESTRICTED_USER.
    pub(super) restricted: bool,
}

/// Leaves the database as the statement says.
///
/// # Errors
/// 3167 behind what the engine says where recovery fails; the database is RESTORING then. [`Failure::cancelled`].
pub(super) async fn finish(
    session: &Session,
    ending: &Ending<'_>,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let instance = &session.instance;
    match ending.finish {
        Finish::NoRecovery => instance.save(&instance.state()),
        Finish::Recovery => recover(session, ending, answers).await,
        Finish::Standby(path) => {
            let mut state = instance.state();
            stand_by(&mut state, ending.target, path)?;
            instance.save(&state)
        }
    }
}

async fn recover(session: &Session, ending: &Ending<'_>, answers: &mut dyn Answers) -> Result<(), Failure> {
    let instance = &session.instance;
    let now = instance.world.clock.now();
    let fork = instance.world.chance.guid();
    let target = ending.target;
    let old = with_engine(session, target, |engine| Ok(engine.boot().version))?;
    let new = instance.settings.version.database_version();
    super::begin::leave_standby(session, target)?;
    let recovered = pieces::recover(session, target, fork, now).await.and_then(|()| {
        with_engine(session, target, |engine| {
            engine.change_boot(&mut |boot| {
                boot.name.clone_from(&target.name);
                boot.version = new;
            })
        })
    });
    recovered.map_err(|failure| failure.and(3167, &[&target.name]))?;
    let mut state = instance.state();
    let Some(entry) = state.databases.get_mut(&target.id) else {
        return Err(Failure::new(3204, &[]));
    };
    if old < new {
        answers.message(Message::new(951, &[&target.name, &old, &new]));
    }
    entry.state = DatabaseState::Online;
    entry.standby = None;
    if ending.restricted {
        entry.user_access = UserAccess::Restricted;
    }
    instance.save(&state)
}

fn stand_by(state: &mut State, target: &Target, path: &str) -> Result<(), Failure> {
    let engine = engine_of(&mut state.databases, target)?;
    let entered = engine.enter_standby(path);
    let Some(entry) = state.databases.get_mut(&target.id) else {
        return Err(Failure::new(3204, &[]));
    };
    entered.map_err(|error| trouble::failure(&error, entry))?;
    entry.state = DatabaseState::Online;
    entry.standby = Some(path.to_owned());
    Ok(())
}
