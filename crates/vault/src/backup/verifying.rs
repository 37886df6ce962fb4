//! RESTORE VERIFYONLY after a backup, where the policy wants it: SQL Server reads what it wrote once more.
//!
//! It raises what the vault cannot read from `accepted` to `engineVerified`; where it fails on such a backup, nobody vouches for
//! it.

use azblob::names::{BlobName, ContainerName};
use catalog::record::Grade;
use faults::{Fault, Operation};
use mssql::run::{NobodyWatches, Runner, Verdict};
use mssql::statement::restore::{Inspection, Look};

use super::grade::Judged;
use super::ground::Ground;
use super::taking::no_runner;
use crate::jobs::Doing;
use crate::registration::{Purpose, Stopwatch, said};
use crate::vault::Vault;

impl Vault {
    /// Has SQL Server read a backup, and changes its grade by what came of it.
    ///
    /// # Errors
    /// The instance cannot be asked.
    pub(super) async fn verify_by_engine(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        container: &ContainerName,
        blobs: &[BlobName],
        judged: &mut Judged,
    ) -> Result<(), Fault> {
        doing.begin("RESTORE VERIFYONLY").await?;
        let entry = self.entry(container, &ground.server)?;
        let devices = entry.devices(&entry.urls(blobs))?;
        let inspection = Inspection {
            look: Look::VerifyOnly {
                checksum: true,
                moves: Vec::new(),
            },
            devices,
            position: 1,
        };
        let target = self.target(&ground.server, Purpose::Backup).await?;
        let clock = Stopwatch(self.world.clock.clone());
        let mut runner = Runner::open(self.world.connector.as_ref(), &target, &clock)
            .await
            .map_err(|error| no_runner(&ground.server.name, error))?;
        doing.told.runs(runner.canceller());
        let report = runner.verify(&inspection, &mut NobodyWatches).await;
        doing.told.rests();
        runner.close().await;
        let words = said(&report.outcome.messages);
        doing.said(&words).await?;
        let fault = Fault::of(Operation::Restore, &words).at(&ground.target());
        let result = match (&report.verdict, judged.grade) {
            (Verdict::Succeeded(_), grade) => {
                if grade == Grade::Accepted {
                    judged.grade = Grade::EngineVerified;
                }
                "SQL Server read it without an error".to_owned()
            }
            (Verdict::Failed, grade) if report.fault.is_none() => {
                if grade == Grade::Accepted {
                    judged.grade = Grade::Disputed;
                }
                judged.reasons.push("RESTORE VERIFYONLY failed".to_owned());
                let warning = fault.clone();
                doing.write(|job| job.warnings.push(warning.clone())).await?;
                fault.happened()
            }
            // It was cancelled, or nobody heard its end: the backup stays what it is.
            _ => "SQL Server did not come to its end".to_owned(),
        };
        doing.end(&result).await
    }
}
