//! What a restore would do, without doing it: the plan for people, and its T-SQL.

use azblob::names::ContainerName;
use catalog::record::{Allowed, Before, Container, PointId, RestoreOrder, RestoreStep, RestoreStop, Server};
use chain::tsql::{Device, End, Move, Options, Order, Recovery, Source};
use faults::{Code, Fault};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::checks::{Room, rooms};
use super::paths::PlacedFile;
use super::preparing::{Prepared, Told};
use crate::registration::Purpose;
use crate::vault::Vault;

/// What a restore would do.
#[derive(Debug, Clone, PartialEq)]
pub struct RestorePlan {
    /// What is restored: `SERVER/DATABASE`.
    pub source: String,
    /// Into what: `SERVER/DATABASE`.
    pub target: String,
    /// The statements, in their order.
    pub steps: Vec<RestoreStep>,
    /// Where it stops, where it stops at a moment: in UTC, where the server's offset is known, and on the clock of the server that was
    /// backed up.
    pub moment: Option<(Option<Timestamp>, DateTime)>,
    /// How far it gets in the log at most, as a decimal number.
    pub reaches: String,
    /// Bytes to read from the vault.
    pub bytes: u64,
    /// How long it takes, in seconds, by the newest restore to that instance; none where there was none.
    pub seconds: Option<u64>,
    /// Where each file will lie.
    pub files: Vec<PlacedFile>,
    /// Room on the target's volumes, as far as they are known.
    pub rooms: Vec<Room>,
    /// The database that is given up for it.
    pub overwrites: Option<Before>,
    /// The tail of that one's log is backed up first.
    pub takes_tail: bool,
    /// Sessions that are closed.
    pub closes: Vec<String>,
    /// What people should know.
    pub warnings: Vec<Fault>,
    /// What is as one might not expect it.
    pub notes: Vec<String>,
    /// The T-SQL that does the same; without the tail.
    pub script: String,
    /// Points that are used although they are damaged.
    pub damaged: Vec<PointId>,
}

impl Vault {
    /// Plans a restore and checks everything, and does nothing.
    ///
    /// # Errors
    /// What speaks against the restore; the target cannot be asked.
    pub async fn plan_restore(&self, order: &RestoreOrder) -> Result<RestorePlan, Fault> {
        let server = self.get::<Server>(order.place.server).await?.record;
        let mut session = self.session(&server, Purpose::Restore).await?;
        let prepared = self.prepared(order, &server, &mut session, &Told::new()).await;
        session.close().await;
        let prepared = prepared?;
        let script = self.script(&prepared, order).await?;
        let seconds = self.seconds_of(&server, prepared.way.bytes()).await?;
        Ok(shown(prepared, order, &server, script, seconds))
    }

    async fn script(&self, prepared: &Prepared, order: &RestoreOrder) -> Result<String, Fault> {
        let way = &prepared.way;
        let mut sources = Vec::with_capacity(way.steps.len());
        for (step, set) in way.steps.iter().zip(&way.sets) {
            let container = self.get::<Container>(step.container).await?.record;
            let name = ContainerName::new(container.name)
                .map_err(|_| Fault::new(Code::Bac2InternalError).because("a container without a name"))?;
            let url = self.world.shelf.url(&name);
            // By path, of which each file has its own: an older set may know the file by another name.
            let file_at = |path: &str| prepared.files.iter().find(|placed| placed.path == path);
            let moves = step.moves.iter().filter_map(|one| {
                let placed = file_at(&one.path)?;
                Some(Move {
                    file_id: placed.file.id,
                    unique_id: placed.file.unique,
                    logical_name: one.logical.clone(),
                    path: one.path.clone(),
                })
            });
            sources.push(Source {
                set,
                devices: step
                    .blobs
                    .iter()
                    .map(|blob| Device::Url(format!("{url}/{blob}")))
                    .collect(),
                position: 1,
                has_checksums: step.has_checksums,
                moves: moves.collect(),
            });
        }
        let remarks = remarks(prepared);
        let written = Order {
            database: &order.place.name,
            target: &way.target,
            remarks: &remarks,
            options: options(prepared, order),
        };
        chain::tsql::script(&way.plan, &sources, &written)
            .map_err(|error| Fault::new(Code::Bac2InputInvalid).because(&error.to_string()))
    }
}

fn options(prepared: &Prepared, order: &RestoreOrder) -> Options {
    let place = &order.place;
    Options {
        replace: place.overwrite && prepared.judged.before.is_some() && !place.continues,
        end: match &place.end {
            catalog::record::RestoreEnd::Recovered => End::Recovered(Recovery {
                keep_replication: place.allowed.contains(&Allowed::Replicated),
                keep_cdc: place.allowed.contains(&Allowed::ChangeDataCapture),
                ..Recovery::default()
            }),
            catalog::record::RestoreEnd::Restoring => End::Restoring,
            catalog::record::RestoreEnd::Standby { undo } => End::Standby { undo: undo.clone() },
        },
        ..Options::default()
    }
}

fn remarks(prepared: &Prepared) -> Vec<String> {
    let mut remarks = vec![format!("restores {}", prepared.source)];
    if prepared.judged.takes_tail {
        remarks.push(
            "the database that is there has a log: back up its tail first, or what it holds is lost"
                .to_owned(),
        );
    }
    if prepared.judged.drains {
        remarks.push("the database that is there has to be free of sessions".to_owned());
    }
    remarks
}

fn shown(
    prepared: Prepared,
    order: &RestoreOrder,
    server: &Server,
    script: String,
    seconds: Option<u64>,
) -> RestorePlan {
    let way = &prepared.way;
    let stop = way
        .steps
        .iter()
        .zip(&way.points)
        .rev()
        .find_map(|(step, point)| match &step.stop {
            Some(RestoreStop::At { at }) => Some((utc(*at, point.set.offset_minutes), *at)),
            _ => None,
        });
    let notes = notes(&prepared);
    let damaged = way
        .steps
        .iter()
        .filter(|step| step.is_damaged)
        .map(|step| step.point);
    RestorePlan {
        target: format!("{}/{}", server.name, order.place.name),
        moment: stop,
        reaches: way.reaches.to_string(),
        bytes: way.bytes(),
        seconds,
        rooms: rooms(&prepared.seen, &prepared.files),
        damaged: damaged.collect(),
        takes_tail: prepared.judged.takes_tail,
        closes: match prepared.judged.takes_tail || prepared.judged.drains {
            true => prepared.seen.sessions,
            false => Vec::new(),
        },
        source: prepared.source,
        steps: prepared.way.steps,
        files: prepared.files,
        overwrites: prepared.judged.before,
        warnings: prepared.judged.warnings,
        notes,
        script,
    }
}

/// What is as one might not expect it.
fn notes(prepared: &Prepared) -> Vec<String> {
    let mut notes = Vec::new();
    if prepared.lies_in_tail {
        notes.push(
            "the moment lies in the tail of the log, which is taken first; the way shown is the one without it".to_owned(),
        );
    }
    if prepared.is_unread {
        notes.push(
            "the vault cannot read which files some of the backups hold: the target is asked before it is touched, and its answer \
             decides where they go; the script leaves them where they were"
                .to_owned(),
        );
    }
    notes
}

/// A server's time in UTC, where its offset was recorded.
fn utc(local: DateTime, offset_minutes: Option<i16>) -> Option<Timestamp> {
    let offset = Offset::from_seconds(i32::from(offset_minutes?) * 60).ok()?;
    offset.to_timestamp(local).ok()
}
