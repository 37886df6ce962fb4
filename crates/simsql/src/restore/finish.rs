//! The end of a restore: RECOVERY, NORECOVERY or STANDBY.

use super::order::Finish;
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
    /// The database was read-only when it was backed up.
    pub(super) read_only: Option<bool>,
}

/// Leaves the database as the statement says.
///
/// # Errors
/// 3167 behind what the engine says where recovery fails; the database is RESTORING then.
pub(super) fn finish(
    session: &Session,
    ending: &Ending<'_>,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let instance = &session.instance;
    let mut state = instance.state();
    match ending.finish {
        Finish::NoRecovery => {}
        Finish::Recovery => recover(session, &mut state, ending, answers)?,
        Finish::Standby(path) => {
            stand_by(&mut state, ending.target, path)?;
        }
    }
    instance.save(&state)
}

fn recover(
    session: &Session,
    state: &mut State,
    ending: &Ending<'_>,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let instance = &session.instance;
    let now = instance.world.clock.now();
    let fork = instance.world.chance.guid();
    let target = ending.target;
    let engine = engine_of(&mut state.databases, target)?;
    let (old, new) = (
        engine.boot().version,
        instance.settings.version.database_version(),
    );
    let recovered = engine.recover(fork, now).and_then(|()| {
        engine.change_boot(&mut |boot| {
            boot.name.clone_from(&target.name);
            boot.version = new;
        })
    });
    let Some(entry) = state.databases.get_mut(&target.id) else {
        return Err(Failure::new(3204, &[]));
    };
    recovered.map_err(|error| trouble::failure(&error, entry).and(3167, &[&target.name]))?;
    if old < new {
        answers.message(Message::new(951, &[&target.name, &old, &new]));
    }
    entry.state = DatabaseState::Online;
    entry.standby = None;
    if let Some(read_only) = ending.read_only {
        entry.is_read_only = read_only;
    }
    if ending.restricted {
        entry.user_access = UserAccess::Restricted;
    }
    Ok(())
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
    entry.is_read_only = true;
    Ok(())
}
