//! RESTORE VERIFYONLY after a backup, where the policy wants it: SQL Server reads what it wrote once more.
//!
//! The point stands before that begins, and stays where SQL Server cannot be asked. What is read without an error is raised from
//! `accepted` to `engineVerified`; what SQL Server cannot read for what is in it is disputed, whatever the vault's reader found.
//! That the login may not do it, or that there is no room for the database, says nothing about the backup.

use std::time::Duration;

use catalog::record::{Grade, Point};
use catalog::{demand, scoped, update};
use faults::{Code, Fault, Operation, Said};
use mssql::run::{NobodyWatches, Report, Runner, Verdict};
use mssql::statement::restore::{Inspection, Look};

use super::ground::Ground;
use super::keeping::names_of;
use super::taking::{container_of, no_runner, warn};
use crate::jobs::Doing;
use crate::registration::{Purpose, Stopwatch, said};
use crate::vault::Vault;

/// What SQL Server says of a backup whose content is not what it wrote: page and block checksums, media and set headers, streams that
/// end too early.
const DAMAGED: [i32; 12] = [
    3182, 3183, 3186, 3187, 3189, 3203, 3227, 3241, 3242, 3243, 3254, 3256,
];
/// The least time that it has, and the bytes that it reads in a second at least: after that it hangs.
const WITHIN_MIN: Duration = Duration::from_secs(3600);
const BYTES_PER_SECOND: u64 = 10_000_000;

impl Vault {
    /// Has SQL Server read a backup, and changes its grade by what came of it.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(super) async fn verify_by_engine(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        point: Point,
    ) -> Result<(), Fault> {
        doing.begin("RESTORE VERIFYONLY").await?;
        let report = match self.read_by_engine(doing, ground, &point).await {
            Ok(report) => report,
            Err(fault) => return not_verified(doing, fault).await,
        };
        let words = said(&report.outcome.messages);
        doing.said(&words).await?;
        let target = ground.target();
        let fault = Fault::of(Operation::Restore, &words).at(&target);
        match report.verdict {
            Verdict::Succeeded(_) => {
                if point.grade == Grade::Accepted {
                    self.raise_grade(ground, point).await?;
                }
                doing.end("SQL Server read it without an error").await
            }
            Verdict::Failed if words.iter().any(is_of_data) => {
                let why = format!("RESTORE VERIFYONLY failed: {}", fault.happened());
                let disputed = Fault::new(Code::Bac2StreamDisputed).at(&target).because(&why);
                warn(doing, [Some(disputed.clone()), None]).await?;
                self.dispute(point.id, &why, &disputed).await?;
                if let Some(point) = self.find::<Point>(point.id).await? {
                    self.put_set_record(ground, &container_of(ground)?, &point.record)
                        .await?;
                }
                doing.end(&why).await
            }
            Verdict::Failed => not_verified(doing, fault).await,
            // It was cancelled, or nobody heard its end: the backup stays what it is.
            Verdict::Unknown => doing.end("SQL Server did not come to its end").await,
        }
    }

    async fn read_by_engine(
        &self,
        doing: &Doing<'_>,
        ground: &Ground,
        point: &Point,
    ) -> Result<Report, Fault> {
        let entry = self.entry(&container_of(ground)?, &ground.server)?;
        let devices = entry.devices(&entry.urls(&names_of(&point.blobs)?))?;
        let inspection = Inspection {
            look: Look::VerifyOnly {
                checksum: true,
                moves: Vec::new(),
            },
            devices,
            position: 1,
        };
        let target = self.target(&ground.server, Purpose::Restore).await?;
        let clock = Stopwatch(self.world.clock.clone());
        let mut runner = Runner::open(self.world.connector.as_ref(), &target, &clock)
            .await
            .map_err(|error| no_runner(&ground.server.name, error))?;
        runner.patience.within = Some(WITHIN_MIN + Duration::from_secs(point.bytes / BYTES_PER_SECOND));
        doing.told.runs(runner.canceller());
        let report = runner.verify(&inspection, &mut NobodyWatches).await;
        doing.told.rests();
        runner.close().await;
        Ok(report)
    }

    async fn raise_grade(&self, ground: &Ground, point: Point) -> Result<(), Fault> {
        let id = point.id;
        let raised = self
            .transact(move |tx| {
                scoped(async move {
                    let mut point = demand::<Point>(tx, &self.key, &id.to_string()).await?;
                    point.record.grade = Grade::EngineVerified;
                    Ok(update(tx, point).await?.record)
                })
            })
            .await?;
        self.put_set_record(ground, &container_of(ground)?, &raised).await
    }
}

/// The backup stays what it is, and people hear that SQL Server could not be asked.
async fn not_verified(doing: &mut Doing<'_>, fault: Fault) -> Result<(), Fault> {
    let result = format!("not verified: {}", fault.happened());
    warn(doing, [Some(fault), None]).await?;
    doing.end(&result).await
}

fn is_of_data(said: &Said) -> bool {
    DAMAGED.contains(&said.number())
}
