//! Logging in and out.

use std::sync::Arc;

use super::server::Login;
use super::state::{SessionFacts, State, UserAccess};
use super::{Instance, LoginRequest, access, permission};
use crate::message::{Failure, Message};
use crate::session::Session;

/// Sessions at once, as `user connections` allows at most.
const SESSIONS: usize = 32_767;
/// The first session of a user; those before belong to the system.
const FIRST: u16 = 51;

impl Instance {
    /// Logs in.
    ///
    /// # Errors
    /// 18456 for any reason that concerns the login (the client sees state 1, the error log the true one), 18470 where it is
    /// disabled, 4060 where its database cannot be entered, 17809 where there are too many sessions, 17142 while the instance is
    /// faulty, 6005 while it stops.
    pub fn connect(self: &Arc<Self>, request: &LoginRequest) -> Result<Session, Failure> {
        if self.is_stopping() {
            return Err(Failure::new(6005, &[]));
        }
        if self.switches.is_faulty() {
            return Err(Failure::new(17_142, &[]));
        }
        let (login, default) = {
            let mut state = self.state();
            match self.check(&state, request) {
                Ok(found) => found,
                Err(refusal) => {
                    let message = refusal.message(&request.user);
                    let now = self.world.clock.now();
                    super::start::note(&mut state, now, message.clone().with_state(refusal.state()));
                    return Err(message.into());
                }
            }
        };
        let wanted = if request.database.is_empty() {
            default
        } else {
            request.database.clone()
        };
        let mut session = self.open_session(&login, request)?;
        access::enter(&mut session, &wanted)
            .map_err(|_| Failure::new(4060, &[&wanted]).and(18_456, &[&login]))?;
        session.home.clone_from(&session.database);
        Ok(session)
    }

    /// A session of a login without its password: for tests, for the vault's simulation, for faults that play another product.
    ///
    /// # Errors
    /// 18456 where there is no such login.
    pub fn attach(self: &Arc<Self>, login: &str) -> Result<Session, Failure> {
        if find(&self.state(), login).is_none() {
            return Err(Failure::new(18_456, &[&login]));
        }
        let request = LoginRequest {
            user: login.to_owned(),
            password: String::new(),
            database: String::new(),
            program: "in process".to_owned(),
            host: self.settings.machine.clone(),
            process: 1,
        };
        self.open_session(login, &request)
    }

    fn check(&self, state: &State, request: &LoginRequest) -> Result<(String, String), Refusal> {
        let (name, login) = find(state, &request.user).ok_or(Refusal::Unknown)?;
        let matches = if name == "sa" && login.password.is_empty() {
            self.settings
                .sa_password
                .as_deref()
                .is_some_and(|password| same(password.as_bytes(), request.password.as_bytes()))
        } else {
            login.verify(&request.password)
        };
        if !matches {
            return Err(Refusal::Password);
        }
        if !login.enabled {
            return Err(Refusal::Disabled);
        }
        if !permission::on_server(state, name, "CONNECT SQL") {
            return Err(Refusal::Denied);
        }
        Ok((name.clone(), login.default_database.clone()))
    }

    fn open_session(self: &Arc<Self>, login: &str, request: &LoginRequest) -> Result<Session, Failure> {
        let mut state = self.state();
        if state.sessions.len() >= SESSIONS {
            return Err(Failure::new(17_809, &[&SESSIONS]));
        }
        let id = (FIRST..u16::MAX)
            .find(|id| !state.sessions.contains_key(id))
            .expect("fewer sessions than numbers");
        let facts = SessionFacts {
            login: login.to_owned(),
            program: request.program.clone(),
            host: request.host.clone(),
            process: request.process,
            login_time: self.world.clock.now(),
            database: 1,
            transactions: 0,
            request: None,
            killed: false,
        };
        state.sessions.insert(id, facts);
        if let Some(master) = state.databases.get_mut(&1) {
            master.locks.users.insert(id);
        }
        drop(state);
        Ok(Session::new(Arc::clone(self), id, login))
    }

    /// Ends a session: everything that it holds is let go. Its transaction was rolled back by the session itself.
    pub fn disconnect(&self, id: u16) {
        let mut state = self.state();
        state.sessions.remove(&id);
        for database in state.databases.values_mut() {
            database.locks.release(id);
            // SINGLE_USER stays, free for whoever comes next.
            if database.user_access == UserAccess::Single {
                database.locks.users.remove(&id);
            }
        }
    }
}

/// Why a login was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Unknown,
    Password,
    Disabled,
    Denied,
}

impl Refusal {
    /// The state that the error log shows; the client sees 1.
    fn state(self) -> u8 {
        match self {
            Self::Unknown => 5,
            Self::Password => 8,
            Self::Disabled => 1,
            Self::Denied => 12,
        }
    }

    fn message(self, user: &str) -> Message {
        match self {
            Self::Disabled => Message::new(18_470, &[&user]),
            Self::Unknown | Self::Password | Self::Denied => Message::new(18_456, &[&user]),
        }
    }
}

/// A login by name, without regard to case.
pub(super) fn find<'a>(state: &'a State, name: &str) -> Option<(&'a String, &'a Login)> {
    state
        .server
        .logins
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// Compares secrets in a time that does not depend on where they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one, other).is_ok()
}

/// Rounds of PBKDF2: a simulation's logins are made for tests, so few.
const ROUNDS: std::num::NonZeroU32 = std::num::NonZeroU32::new(1000).expect("not zero");

impl Login {
    /// A login with a password.
    pub(super) fn new(instance: &Instance, password: &str, default_database: &str) -> Self {
        let salt = instance.world.chance.guid().simple().to_string();
        Self {
            password: digest(&salt, password),
            salt,
            enabled: true,
            default_database: default_database.to_owned(),
            roles: std::collections::BTreeSet::new(),
            granted: std::collections::BTreeSet::new(),
            denied: std::collections::BTreeSet::new(),
            sid: instance.world.chance.guid(),
            created: instance.world.clock.now(),
        }
    }

    /// Gives it another password, and another salt.
    pub(super) fn set_password(&mut self, instance: &Instance, password: &str) {
        self.salt = instance.world.chance.guid().simple().to_string();
        self.password = digest(&self.salt, password);
    }

    fn verify(&self, password: &str) -> bool {
        !self.password.is_empty() && same(self.password.as_bytes(), digest(&self.salt, password).as_bytes())
    }
}

fn digest(salt: &str, password: &str) -> String {
    let mut out = [0u8; 32];
    aws_lc_rs::pbkdf2::derive(
        aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA256,
        ROUNDS,
        salt.as_bytes(),
        password.as_bytes(),
        &mut out,
    );
    out.iter().map(|byte| format!("{byte:02x}")).collect()
}
