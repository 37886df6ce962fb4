//! WAITFOR DELAY and WAITFOR TIME.

use std::time::Duration;

use sqlparser::ast;

use crate::instance::waiting::is_killed;
use crate::message::Failure;
use crate::session::Session;
use crate::session::run;
use crate::value::{DateTime, SqlType, Value};

/// A WAITFOR looks this often whether its session was killed.
const LOOK: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
/// Ticks are units of 100 ns.
const TICK_NANOS: u64 = 100;

/// Waits for a while, or until a time of day on the server's clock.
///
/// # Errors
/// 148 for a text that is no time below 24 hours; [`Failure::cancelled`].
pub(crate) async fn run(session: &mut Session, until: bool, time: &ast::Expr) -> Result<(), Failure> {
    let (value, from) = run::evaluate(session, time).await?;
    let shown = match &value {
        Value::Text(text) => text.clone(),
        _ => String::new(),
    };
    let incorrect = |_| Failure::new(148, &[&shown]);
    let ticks = match crate::query::convert::convert(value, from, SqlType::Time(7)).map_err(incorrect)? {
        Value::Time(ticks) => ticks,
        _ => return Err(Failure::new(148, &[&shown])),
    };
    let target = Duration::from_nanos(ticks.saturating_mul(TICK_NANOS));
    let wait = if until {
        to_time_of_day(session, target)
    } else {
        target
    };
    sleep(session, wait).await
}

fn to_time_of_day(session: &Session, target: Duration) -> Duration {
    let clock = &session.instance.world.clock;
    let now = clock.now();
    let DateTime { ticks, .. } = now.local(clock.offset_minutes(now));
    let passed = Duration::from_nanos(ticks.saturating_mul(TICK_NANOS));
    match target.checked_sub(passed) {
        Some(left) => left,
        None => target + DAY - passed,
    }
}

async fn sleep(session: &Session, wait: Duration) -> Result<(), Failure> {
    let clock = &session.instance.world.clock;
    let end = clock.uptime() + wait;
    loop {
        let left = end.saturating_sub(clock.uptime());
        if left.is_zero() {
            return Ok(());
        }
        session
            .canceller
            .unless_cancelled(clock.sleep(left.min(LOOK)))
            .await?;
        if is_killed(session) {
            return Err(Failure::cancelled());
        }
    }
}
