//! Running statements: control of flow, and what happens where one fails.
//!
//! A failure ends its statement. Within TRY it goes up to the CATCH; else its errors are sent and the batch goes on, unless the
//! failure is one that ends batches: XACT_ABORT, a deadlock, a conversion that failed, an unknown name, a class of 20 or more
//! (which ends the session too).

use std::pin::Pin;
use std::time::Duration;

use crate::answers::Answers;
use crate::instance::waiting::is_killed;
use crate::message::Failure;
use crate::query::{self, convert};
use crate::session::names::Scope;
use crate::session::suspect;
use crate::session::work::{Frame, NESTING_MAX};
use crate::session::{Session, change, dispatch, leaf, lined::Lined, memory};
use crate::tsql;
use crate::tsql::statement::{Located, Statement};
use crate::value::{SqlType, Value};

/// What comes after a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The next one.
    Next,
    /// The end of the loop.
    Break,
    /// The loop's condition.
    Continue,
    /// The end of the text.
    Return,
    /// The end of the batch.
    Abort,
}

/// Failed conversions of the kinds that end a batch and roll its transaction back.
const CONVERSIONS: [i32; 8] = [235, 241, 242, 244, 245, 248, 295, 8114];
/// Names that are not there, found when the statement is compiled: they end the batch and leave the transaction.
const NAMES: [i32; 5] = [137, 207, 208, 1087, 4145];

type Running<'a> = Pin<Box<dyn Future<Output = Result<Flow, Failure>> + Send + 'a>>;

/// Parses and runs a text in the current frame.
pub(crate) async fn text(
    session: &mut Session,
    text: &str,
    answers: &mut dyn Answers,
) -> Result<Flow, Failure> {
    match tsql::parse(text, session.work.options.quoted_identifier) {
        Ok(statements) => run(session, &statements, answers).await,
        Err(failure) => {
            fail(session, failure, 1, answers)?;
            Ok(Flow::Abort)
        }
    }
}

/// Runs a text in a frame of its own, as EXEC does; the frame at its end comes back.
pub(crate) async fn nested(
    session: &mut Session,
    content: &str,
    frame: Frame,
    answers: &mut dyn Answers,
) -> Result<(Flow, Frame), Failure> {
    if session.work.depth == NESTING_MAX {
        return Err(Failure::new(217, &[&NESTING_MAX]));
    }
    session.work.depth += 1;
    let options = session.work.options.clone();
    let (database, lock_timeout) = (session.database.clone(), session.lock_timeout);
    session.hide_request(content);
    let outer = std::mem::replace(&mut session.work.frame, frame);
    let held = outer.bytes + memory::of_tables(&outer.tables);
    session.work.around += held;
    let flow = match session.work.check_room(0) {
        Ok(()) => Box::pin(text(session, content, answers)).await,
        Err(failure) => Err(failure),
    };
    let inner = std::mem::replace(&mut session.work.frame, outer);
    session.work.around -= held;
    session.work.depth -= 1;
    // USE and SET within the text end with it.
    session.work.options = options;
    session.lock_timeout = lock_timeout;
    if session.database != database && !session.ended {
        dispatch::enter(session, &database, answers)?;
    }
    for table in &inner.made {
        session.work.temporary.remove(table);
    }
    // A syntax error within ends the text, not the batch around it; what ends the batch has ended the transaction or the session
    // as well.
    Ok((flow?, inner))
}

/// Runs statements one after the other.
pub(crate) fn run<'a>(
    session: &'a mut Session,
    statements: &'a [Located],
    answers: &'a mut dyn Answers,
) -> Running<'a> {
    Box::pin(async move {
        for located in statements {
            if session.canceller.is_cancelled() || is_killed(session) {
                return Err(Failure::cancelled());
            }
            let flow = one(session, located, answers).await;
            sleep_off(session).await?;
            match flow? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    })
}

/// Sleeps for as long as a slow disk took longer.
async fn sleep_off(session: &Session) -> Result<(), Failure> {
    let owed = session.instance.switches.owed();
    if owed.is_zero() {
        return Ok(());
    }
    let clock = &session.instance.world.clock;
    session.canceller.unless_cancelled(clock.sleep(owed)).await
}

async fn one(session: &mut Session, located: &Located, answers: &mut dyn Answers) -> Result<Flow, Failure> {
    let line = located.line;
    match &located.statement {
        Statement::Block(body) => run(session, body, answers).await,
        Statement::If {
            condition,
            then,
            otherwise,
        } => match truth(session, condition).await {
            Ok(true) => run(session, then, answers).await,
            Ok(false) => run(session, otherwise, answers).await,
            Err(failure) => fail(session, failure, line, answers),
        },
        Statement::While { condition, body } => repeat(session, condition, body, line, answers).await,
        Statement::Break => Ok(Flow::Break),
        Statement::Continue => Ok(Flow::Continue),
        Statement::Return => Ok(Flow::Return),
        Statement::Try { body, handler } => attempt(session, body, handler, answers).await,
        statement => {
            let done = {
                let mut lined = Lined::new(answers, line);
                leaf::run(session, statement, &mut lined).await
            };
            match done {
                Ok(flow) => Ok(flow),
                Err(failure) => fail(session, failure, line, answers),
            }
        }
    }
}

async fn truth(session: &Session, condition: &sqlparser::ast::Expr) -> Result<bool, Failure> {
    let truth = change::unblocked(session, |scope| query::condition(condition, scope)).await?;
    Ok(truth == Some(true))
}

async fn repeat(
    session: &mut Session,
    condition: &sqlparser::ast::Expr,
    body: &[Located],
    line: u32,
    answers: &mut dyn Answers,
) -> Result<Flow, Failure> {
    loop {
        match truth(session, condition).await {
            Ok(true) => {}
            Ok(false) => return Ok(Flow::Next),
            Err(failure) => return fail(session, failure, line, answers),
        }
        match run(session, body, answers).await? {
            Flow::Break => return Ok(Flow::Next),
            Flow::Next | Flow::Continue => {}
            other => return Ok(other),
        }
        // A loop without end lets others run, and hears that it was cancelled.
        let clock = std::sync::Arc::clone(&session.instance.world.clock);
        session
            .canceller
            .unless_cancelled(clock.sleep(Duration::ZERO))
            .await?;
        if is_killed(session) {
            return Err(Failure::cancelled());
        }
    }
}

async fn attempt(
    session: &mut Session,
    body: &[Located],
    handler: &[Located],
    answers: &mut dyn Answers,
) -> Result<Flow, Failure> {
    let depth = session.work.depth;
    session.work.tries += 1;
    let tried = run(session, body, answers).await;
    session.work.tries -= 1;
    session.work.depth = depth;
    let failure = match tried {
        Ok(flow) => return Ok(flow),
        Err(failure) => failure,
    };
    // CATCH sees the last error only: of a failed BACKUP that is 3013, as in SQL Server.
    let Some(caught) = failure.messages.last().cloned() else {
        return Err(failure);
    };
    if ends_session(&failure) {
        return fail(session, failure, 0, answers);
    }
    session.last_error = caught.number;
    session.work.caught.push(caught);
    let handled = run(session, handler, answers).await;
    session.work.caught.pop();
    handled
}

fn ends_session(failure: &Failure) -> bool {
    failure.messages.iter().any(|message| message.class >= 20)
}

/// What a failure does: up to CATCH with it, or out to the client.
pub(crate) fn fail(
    session: &mut Session,
    mut failure: Failure,
    line: u32,
    answers: &mut dyn Answers,
) -> Result<Flow, Failure> {
    if failure.messages.is_empty() {
        return Err(failure);
    }
    for message in &mut failure.messages {
        if message.line == 0 {
            message.line = line;
        }
    }
    session.row_count = 0;
    suspect::note_failure(session, &failure);
    let has = |numbers: &[i32]| {
        failure
            .messages
            .iter()
            .any(|message| numbers.contains(&message.number))
    };
    // RAISERROR is the one error that XACT_ABORT leaves alone; THROW may have its number.
    let is_raised = has(&[50_000]) && !session.work.has_thrown;
    let rolls_back = ends_session(&failure)
        || has(&[1205])
        || has(&CONVERSIONS)
        || (session.work.options.xact_abort && !is_raised);
    if session.work.tries > 0 && !ends_session(&failure) {
        session.work.is_doomed |= rolls_back && session.nesting > 0;
        return Err(failure);
    }
    session.last_error = failure.messages.last().map_or(0, |message| message.number);
    let ends_batch = rolls_back || has(&NAMES);
    let ends_session = ends_session(&failure);
    for message in failure.messages {
        answers.message(message);
    }
    answers.done(None);
    if rolls_back && session.nesting > 0 {
        // What could not be rolled back is undone by recovery; the error that led here was told.
        drop(session.rollback());
    }
    session.ended |= ends_session;
    session.work.ends_batch |= rolls_back;
    Ok(if ends_batch { Flow::Abort } else { Flow::Next })
}

/// An expression's value in a session, waiting for the tables that it reads.
pub(crate) async fn evaluate(
    session: &Session,
    expression: &sqlparser::ast::Expr,
) -> Result<(Value, SqlType), Failure> {
    change::unblocked(session, |scope| query::evaluate(expression, scope)).await
}

/// The same as a value of a type.
pub(crate) async fn evaluate_as(
    session: &Session,
    expression: &sqlparser::ast::Expr,
    to: SqlType,
) -> Result<Value, Failure> {
    let (value, from) = evaluate(session, expression).await?;
    convert::convert(value, from, to)
}

/// The value of a word: itself, or the text of its variable.
///
/// # Errors
/// 137 for a variable that was not declared.
pub(crate) fn word(session: &Session, word: &tsql::statement::Word) -> Result<String, Failure> {
    use crate::query::Names;
    match word {
        tsql::statement::Word::Literal(text) => Ok(text.clone()),
        tsql::statement::Word::Variable(name) => {
            let (value, from) = Scope::new(session)
                .variable(name)
                .ok_or_else(|| Failure::new(137, &[name]))?;
            match convert::convert(value, from, SqlType::NVarChar(crate::value::Length::Max))? {
                Value::Text(text) => Ok(text),
                _ => Ok(String::new()),
            }
        }
    }
}

/// What comes after a text that ran within a batch: the batch goes on, unless the text ended the session or all that the batch
/// does.
pub(crate) fn after_text(session: &Session, flow: Flow) -> Flow {
    match flow {
        Flow::Abort if session.ended || session.work.ends_batch => Flow::Abort,
        _ => Flow::Next,
    }
}
