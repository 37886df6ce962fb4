//! When faults happen.

use std::sync::Arc;
use std::time::Duration;

use super::deed;
use super::grammar::{Line, parse};
use crate::answers::Answers;
use crate::instance::Instance;
use crate::message::{Failure, Message};
use crate::session::Session;
use crate::value::Value;

/// Faults that wait at most.
const MOST: usize = 1000;

/// Faults that wait for their time.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Due at this uptime.
    waiting: Vec<(Duration, Line)>,
}

/// `EXEC sim_fault 'line'`: does it, or has it wait for its time.
///
/// # Errors
/// 229 for anyone but sysadmin; 40510 for what is no fault, and what the deed says.
pub async fn execute(
    session: &mut Session,
    arguments: &[Value],
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let instance = Arc::clone(&session.instance);
    if !crate::instance::permission::is_sysadmin(&instance.state(), &session.login) {
        return Err(Failure::new(229, &[&"EXECUTE", &"sim_fault", &"master", &"sys"]));
    }
    let [Value::Text(text)] = arguments else {
        return Err(Failure::new(40_510, &[&"sim_fault without one line of text"]));
    };
    let line = parse(text).ok_or_else(|| Failure::new(40_510, &[&format!("the fault '{text}'")]))?;
    let told = format!("Simulated fault: {text}");
    if line.after.is_zero() {
        deed::apply(&instance, &line.deed).await?;
    } else {
        instance.schedule(line)?;
    }
    answers.message(Message {
        number: 40_511,
        state: 1,
        class: 0,
        text: told,
        line: 0,
        procedure: String::new(),
    });
    Ok(())
}

impl Instance {
    /// Has a fault wait for its time, counted from now.
    ///
    /// # Errors
    /// 701 where too many wait.
    pub fn schedule(&self, line: Line) -> Result<(), Failure> {
        let due = self.world.clock.uptime() + line.after;
        let mut state = self.state();
        if state.faults.waiting.len() >= MOST {
            return Err(Failure::new(701, &[]));
        }
        state.faults.waiting.push((due, line));
        Ok(())
    }

    /// Has the faults happen whose time has come, in their order. Call it now and then; what a fault itself meets goes to the
    /// error log.
    pub async fn let_faults_happen(self: &Arc<Self>) {
        let now = self.world.clock.uptime();
        let due: Vec<Line> = {
            let mut state = self.state();
            let waiting = std::mem::take(&mut state.faults.waiting);
            let (mut due, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(at, _)| *at <= now);
            state.faults.waiting = later;
            due.sort_by_key(|(at, _)| *at);
            due.into_iter().map(|(_, line)| line).collect()
        };
        for line in due {
            if let Err(failure) = deed::apply(self, &line.deed).await {
                for message in failure.messages {
                    self.log(message);
                }
            }
        }
    }
}
