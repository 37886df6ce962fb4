//! The end of a restore: that the database stands where the plan says, its recovery, and that it is open.
//!
//! Before recovery it can still be told how far the log got, and more can be added; so what differs stops there.

use catalog::record::{Reached, RestoreEnd, RestoreStop, RestoreWork, Server};
use faults::{Code, Fault, Operation};
use mssql::databases::{Access, Database, State};
use mssql::{Message, Session};

use super::running::{look, name_of, note, redo_of, target_of};
use super::{statements, work_of};
use crate::discovery::seen::state_name;
use crate::jobs::Doing;
use crate::registration::{failed, said};
use crate::vault::Vault;

/// SQL Server's message of success.
const SUCCEEDED: i32 = 3014;

impl Vault {
    /// Ends a restore whose steps are done, and looks at what came of it.
    ///
    /// # Errors
    /// It is not what was planned; recovery failed; the instance does not answer.
    pub(super) async fn end_restore(
        &self,
        doing: &mut Doing<'_>,
        session: &mut Session,
        server: &Server,
    ) -> Result<(), Fault> {
        doing.begin("Recover and confirm").await?;
        let work = work_of(doing)?;
        let place = &work.order.place;
        let at = target_of(&work, server);
        let before = look(session, &work, server).await?;
        let before = before.ok_or_else(|| differs(&at, "it is not there any more"))?;
        let was_sent = work.sent.is_some();
        let mut redo = redo_of(&before);
        if !(was_sent && has_ended(&before, &place.end)) {
            if before.state != State::Restoring && !before.is_in_standby {
                return Err(differs(&at, "somebody recovered it before all steps were done"));
            }
            stands_at(&work, redo).map_err(|why| differs(&at, &why))?;
            if let Some(statement) = statements::end(place)? {
                let now = self.now();
                note(doing, |work| work.sent = Some(now)).await?;
                doing.statement(&statement).await?;
                end_by(doing, session, &statement, &at).await?;
            }
        } else {
            redo = None;
        }
        let seen = look(session, &work, server).await?;
        let seen = seen.ok_or_else(|| differs(&at, "it is not there any more"))?;
        if !has_ended(&seen, &place.end) {
            return Err(differs(&at, &format!("it is {:?}", seen.state)));
        }
        if seen.access == Access::Single && seen.state == State::Online {
            self.admit(doing, session, server, "MULTI_USER").await?;
        }
        let chain = seen.chain.as_ref();
        let fork = chain.and_then(|chain| chain.fork_point);
        let reached = Reached {
            state: state_of(&seen),
            lsn: redo.or(fork).map(|lsn| lsn.to_string()),
            database_guid: chain.and_then(|chain| chain.database_guid),
        };
        note(doing, |work| {
            work.reached = Some(reached.clone());
            work.sent = None;
        })
        .await?;
        doing.write(|job| job.percent = Some(100.0)).await?;
        doing
            .end(&match &reached.lsn {
                Some(lsn) => format!("{} at LSN {lsn}", reached.state),
                None => reached.state.clone(),
            })
            .await
    }

    /// Says who may enter the target.
    ///
    /// # Errors
    /// The instance refuses, or does not answer.
    pub(super) async fn admit(
        &self,
        doing: &mut Doing<'_>,
        session: &mut Session,
        server: &Server,
        whom: &str,
    ) -> Result<(), Fault> {
        let work = work_of(doing)?;
        let statement = format!(
            "ALTER DATABASE {} SET {whom} WITH ROLLBACK IMMEDIATE;",
            name_of(&work)?
        );
        doing.statement(&statement).await?;
        let ran = session.execute(&statement).await;
        ran.map_err(|error| failed(Operation::Restore, &target_of(&work, server), error))
            .map(drop)
    }
}

/// `state_desc`, as people read it.
pub(super) fn state_of(seen: &Database) -> String {
    match seen.state {
        State::Online if seen.is_in_standby => "STANDBY".to_owned(),
        state => state_name(state),
    }
}

fn has_ended(seen: &Database, end: &RestoreEnd) -> bool {
    match end {
        RestoreEnd::Recovered => seen.state == State::Online && !seen.is_in_standby,
        RestoreEnd::Restoring => seen.state == State::Restoring,
        RestoreEnd::Standby { .. } => seen.is_in_standby,
    }
}

fn differs(at: &str, why: &str) -> Fault {
    Fault::new(Code::Bac2RestoredPointDiffers).at(at).because(why)
}

/// Whether a database that waits for more stands where the steps lead; why not.
fn stands_at(work: &RestoreWork, redo: Option<bak::Lsn>) -> Result<(), String> {
    let parse = |lsn: &str| lsn.parse::<bak::Lsn>().ok();
    // What cannot be seen cannot differ; SQL Server itself refuses a log that does not fit.
    let (Some(redo), Some(last)) = (redo, work.steps.last()) else {
        return Ok(());
    };
    let stops = work.steps.iter().find(|step| step.stop.is_some());
    let first = stops.unwrap_or(last);
    let (least, most) = match first.stop.as_ref() {
        Some(RestoreStop::At { .. }) => (parse(&first.first_lsn), work.reaches.as_deref().and_then(parse)),
        Some(RestoreStop::AtLsn { lsn }) => (parse(lsn), parse(&last.last_lsn)),
        // A data backup's own log ends at its LastLSN.
        None => (parse(&last.last_lsn), parse(&last.last_lsn)),
    };
    let is_within = least.is_none_or(|least| redo >= least) && most.is_none_or(|most| redo <= most);
    if is_within {
        return Ok(());
    }
    let shown = |lsn: Option<bak::Lsn>| lsn.map_or_else(|| "?".to_owned(), |lsn| lsn.to_string());
    Err(format!(
        "the plan leads to an LSN from {} to {}, and the log was applied up to {redo}",
        shown(least),
        shown(most)
    ))
}

/// Runs the statement that ends a restore, for as long as it takes.
async fn end_by(
    doing: &mut Doing<'_>,
    session: &mut Session,
    statement: &str,
    at: &str,
) -> Result<(), Fault> {
    let ran = session.run(statement, None).await;
    let words = said(&ran.outcome.messages);
    doing.said(&words).await?;
    if ran.outcome.find(SUCCEEDED).is_some() {
        return Ok(());
    }
    match ran.fault {
        None if !ran.outcome.messages.iter().any(Message::is_error) => Ok(()),
        None => Err(Fault::of(Operation::Restore, &words).at(at)),
        Some(fault) => Err(Fault::new(Code::Bac2SessionLost)
            .with_said(Operation::Restore, &words)
            .at(at)
            .because(&fault.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use catalog::record::{ContainerId, PointId, RestoreStep, RestoreStop};
    use catalog::record::{ItemId, Place, RestoreOrder, RestoreTarget, RestoreWork, ServerId};
    use schedule::BackupKind;
    use uuid::Uuid;

    use super::stands_at;

    fn work(stops: Option<RestoreStop>, reaches: &str) -> RestoreWork {
        let id = Uuid::from_u128(1);
        let mut work = RestoreWork::of(RestoreOrder {
            item: ItemId(id),
            target: RestoreTarget::Latest,
            place: Place::new(ServerId(id), "Shop"),
            accept_damaged: Vec::new(),
        });
        let step = |first: &str, last: &str, stop| RestoreStep {
            point: PointId(id),
            kind: BackupKind::Log,
            container: ContainerId(id),
            blobs: Vec::new(),
            first_lsn: first.to_owned(),
            last_lsn: last.to_owned(),
            bytes: 1,
            has_checksums: true,
            is_damaged: false,
            stop,
            only_from: None,
            moves: Vec::new(),
        };
        work.steps = vec![step("100", "200", None), step("200", "300", stops)];
        work.reaches = Some(reaches.to_owned());
        work
    }

    fn stands(work: &RestoreWork, redo: &str) -> bool {
        stands_at(work, Some(redo.parse().unwrap())).is_ok()
    }

    #[test]
    fn a_database_stands_where_its_last_log_ends_or_stops() {
        let whole = work(None, "300");
        assert!(stands(&whole, "300"));
        assert!(!stands(&whole, "299") && !stands(&whole, "301"));
        let at = jiff::civil::date(2026, 1, 1).at(0, 0, 0, 0);
        let moment = work(Some(RestoreStop::At { at }), "300");
        for (redo, stands_there) in [
            ("199", false),
            ("200", true),
            ("250", true),
            ("300", true),
            ("301", false),
        ] {
            assert_eq!(stands(&moment, redo), stands_there, "{redo}");
        }
        let record = work(
            Some(RestoreStop::AtLsn {
                lsn: "250".to_owned(),
            }),
            "250",
        );
        for (redo, stands_there) in [("249", false), ("250", true), ("251", true), ("301", false)] {
            assert_eq!(stands(&record, redo), stands_there, "{redo}");
        }
        assert!(stands_at(&whole, None).is_ok(), "what cannot be seen");
    }
}
