//! Waiting for a lock: ask, sleep, ask again, until the session's LOCK_TIMEOUT.
//!
//! Nothing is queued: of several that wait, whoever asks first after a release gets it. While a session waits,
//! `sys.dm_exec_requests` shows for what and for whom.

use std::time::Duration;

use super::State;
use super::locks::SessionId;
use crate::message::Failure;
use crate::session::Session;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// What a session waits for, as `sys.dm_exec_requests` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// `LCK_M_U`, `LCK_M_X`, ...
    pub wait_type: &'static str,
    /// `DATABASE: 5 [BULKOP_BACKUP_DB]`.
    pub resource: String,
}

/// Calls `attempt` until it succeeds, with the state; it tells who is in the way where it does not. `expired` makes the error for
/// a LOCK_TIMEOUT that passed: 1222 as a rule.
///
/// # Errors
/// `expired`, or [`Failure::cancelled`] where the session was cancelled or killed meanwhile.
pub async fn wait_for<T: Send>(
    session: &Session,
    waiting: &Waiting,
    mut attempt: impl FnMut(&mut State) -> Result<T, SessionId> + Send,
    expired: impl Fn() -> Failure + Send,
) -> Result<T, Failure> {
    let clock = &session.instance.world.clock;
    let start = clock.uptime();
    loop {
        let answer = {
            let mut state = session.instance.state();
            let answer = attempt(&mut state);
            note(session, &mut state, waiting, answer.as_ref().err().copied());
            answer
        };
        let Err(_) = answer else {
            return answer.map_err(|_| Failure::cancelled());
        };
        let waited = clock.uptime().saturating_sub(start);
        let limit = u64::try_from(session.lock_timeout)
            .ok()
            .map(Duration::from_millis);
        if limit.is_some_and(|limit| waited >= limit) {
            clear(session);
            return Err(expired());
        }
        let pause = limit.map_or(PAUSE, |limit| PAUSE.min(limit.saturating_sub(waited)));
        let slept = session.canceller.unless_cancelled(clock.sleep(pause)).await;
        if slept.is_err() || is_killed(session) {
            clear(session);
            return Err(Failure::cancelled());
        }
    }
}

/// Whether another session told this one to end, or the instance died.
#[must_use]
pub fn is_killed(session: &Session) -> bool {
    // A dead instance has no sessions.
    session.instance.switches.is_dead()
        || session
            .instance
            .state()
            .sessions
            .get(&session.id)
            .is_none_or(|facts| facts.killed)
}

fn note(session: &Session, state: &mut State, waiting: &Waiting, blocked_by: Option<SessionId>) {
    let now = session.instance.world.clock.now();
    let Some(request) = state
        .sessions
        .get_mut(&session.id)
        .and_then(|facts| facts.request.as_mut())
    else {
        return;
    };
    match blocked_by {
        Some(owner) => {
            request.wait_type = Some(waiting.wait_type.to_owned());
            request.wait_resource.clone_from(&waiting.resource);
            request.wait_since.get_or_insert(now);
            request.blocked_by = owner;
        }
        None => {
            request.wait_type = None;
            request.wait_resource.clear();
            request.wait_since = None;
            request.blocked_by = 0;
        }
    }
}

fn clear(session: &Session) {
    let mut state = session.instance.state();
    note(
        session,
        &mut state,
        &Waiting {
            wait_type: "",
            resource: String::new(),
        },
        None,
    );
}
