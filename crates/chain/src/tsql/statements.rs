//! The RESTORE statements of a script.

use std::collections::BTreeSet;

use bak::Lsn;

use super::words::Words;
use super::{Broker, Device, End, Move, Order, Recovery, Source, comments, datetime};
use crate::grade::Grade;
use crate::plan::{Plan, Step, Stop};
use crate::set::Kind;

/// Ends the batch where the statement before failed. Without it the next ones would run, and the last would recover what there is.
const OR_ELSE: &str = "IF @@ERROR <> 0 RETURN;\n";

/// The same where errors are expected: CONTINUE_AFTER_ERROR reports the damage it goes past. Only a RESTORE that gave up says 3013
/// (`RESTORE ... is terminating abnormally`), and says it last.
const OR_ELSE_DAMAGED: &str = "IF @@ERROR = 3013 RETURN;\n";

/// All steps, each with its comment and its check.
pub(super) fn steps(
    plan: &Plan,
    sources: &[Source<'_>],
    order: &Order<'_>,
    database: &str,
    words: &mut Words,
) -> String {
    let mut text = String::new();
    let mut shown = BTreeSet::new();
    for (at, (step, source)) in plan.steps.iter().zip(sources).enumerate() {
        let moves: Vec<&Move> = source
            .moves
            .iter()
            .filter(|file| shown.insert((file.file_id, file.unique_id)) || step.kind != Kind::Log)
            .collect();
        let mut options = options(step, source, order, &moves, words);
        if at == 0 && order.options.replace {
            options.push("REPLACE".to_owned());
        }
        options.push("NORECOVERY".to_owned());
        text += &comments::step(at + 1, plan.steps.len(), step, source, &moves);
        if let Some(from) = step.only_from {
            text += &unless_stopped(from, order, words);
        }
        text += match step.kind {
            Kind::Log => "RESTORE LOG ",
            Kind::Full | Kind::Differential(_) => "RESTORE DATABASE ",
        };
        text += database;
        text += "\n    FROM ";
        let devices: Vec<String> = source.devices.iter().map(|d| device(d, words)).collect();
        text += &devices.join(",\n         ");
        text += "\n    WITH ";
        text += &options.join(",\n         ");
        text += ";\n";
        text += match step.grade {
            Grade::Disputed => OR_ELSE_DAMAGED,
            _ => OR_ELSE,
        };
        text += match step.only_from {
            Some(_) => "END;\n\n",
            None => "\n",
        };
    }
    text
}

/// Opens a block that is left out where the restore has stopped before `from`. Where nobody can tell, it runs, and fails if it must: what
/// is left out by mistake would be missing without a word.
fn unless_stopped(from: Lsn, order: &Order<'_>, words: &mut Words) -> String {
    let name = words.string(order.database);
    format!(
        "IF NOT EXISTS (SELECT * FROM sys.master_files\n               \
         WHERE database_id = DB_ID({name}) AND file_id = 1 AND redo_start_lsn < {from})\nBEGIN\n"
    )
}

/// The statement after the last step, if there is one.
pub(super) fn end(end: &End, database: &str, words: &mut Words) -> String {
    let with = match end {
        End::Recovered(recovery) => recovered(*recovery),
        End::Standby { undo } => format!("STANDBY = {}", words.string(undo)),
        End::Restoring => return comments::end(end),
    };
    format!("{}RESTORE DATABASE {database} WITH {with};\n", comments::end(end))
}

fn recovered(recovery: Recovery) -> String {
    let mut options = vec!["RECOVERY"];
    options.extend(recovery.keep_replication.then_some("KEEP_REPLICATION"));
    options.extend(recovery.keep_cdc.then_some("KEEP_CDC"));
    options.extend(recovery.restricted_user.then_some("RESTRICTED_USER"));
    options.extend(match recovery.broker {
        Broker::Off => None,
        Broker::Enable => Some("ENABLE_BROKER"),
        Broker::New => Some("NEW_BROKER"),
        Broker::ErrorConversations => Some("ERROR_BROKER_CONVERSATIONS"),
    });
    options.join(", ")
}

fn device(device: &Device, words: &mut Words) -> String {
    let kind = if device.is_url() { "URL" } else { "DISK" };
    format!("{kind} = {}", words.string(device.name()))
}

fn options(
    step: &Step,
    source: &Source<'_>,
    order: &Order<'_>,
    moves: &[&Move],
    words: &mut Words,
) -> Vec<String> {
    let is_url = source.devices.iter().any(Device::is_url);
    let mut options = Vec::new();
    if let Some(credential) = order.options.credential.as_ref().filter(|_| is_url) {
        options.push(format!("CREDENTIAL = {}", words.string(credential)));
    }
    // Azure URLs hold one set and are documented not to take FILE.
    if !is_url || source.position != 1 {
        options.push(format!("FILE = {}", source.position));
    }
    for file in moves {
        let (name, path) = (words.string(&file.logical_name), words.string(&file.path));
        options.push(format!("MOVE {name} TO {path}"));
    }
    options.extend(step.stop.as_ref().map(|at| stop(at, words)));
    if order.options.verify_checksums && source.has_checksums {
        options.push("CHECKSUM".to_owned());
    }
    if step.grade == Grade::Disputed {
        options.push("CONTINUE_AFTER_ERROR".to_owned());
    }
    options.extend(order.options.stats.map(|percent| format!("STATS = {percent}")));
    options
}

fn stop(stop: &Stop, words: &mut Words) -> String {
    match stop {
        Stop::At(at) => format!("STOPAT = '{}'", datetime::at_or_before(*at)),
        Stop::AtLsn(lsn) => format!("STOPATMARK = 'lsn:{lsn}'"),
        Stop::BeforeLsn(lsn) => format!("STOPBEFOREMARK = 'lsn:{lsn}'"),
        Stop::AtMark { name, after } => {
            let mut text = format!("STOPATMARK = {}", words.string(name));
            if let Some(after) = after {
                text += &format!(" AFTER '{}'", datetime::at_or_after(*after));
            }
            text
        }
    }
}
