//! One structured line per verdict.

use std::fmt::Debug;
use std::time::Duration;

use bak::Verdict;

use super::seen::Seen;
use super::shelf::{Finding, Recorded};

/// Logs what was found out about a commit. A blob that is no backup is worth no more than a debug line.
pub(crate) fn log_finding(
    blob: &impl Debug,
    finding: &Finding,
    recorded: Recorded,
    seen: &Seen,
    judging: Duration,
) {
    let is_final = recorded == Recorded::Final;
    let (bytes, read_back) = (seen.bytes(), seen.read_back());
    match finding {
        _ if recorded == Recorded::Stale => {
            tracing::debug!(?blob, "verdict of an overwritten commit dropped");
        }
        Finding::Foreign => tracing::debug!(?blob, "not a SQL Server backup"),
        Finding::Backup(report) => {
            let database = report.sets.first().map(|set| set.database_name.as_str());
            let pages_bad = report.pages.checksum_bad + report.pages.torn_bad;
            let (sets, pages, damage) = (report.sets.len(), report.pages.total, report.damage_count);
            let (verdict, reasons) = (report.verdict, report.reasons.join("; "));
            if matches!(verdict, Verdict::Ok | Verdict::Incomplete) {
                tracing::info!(
                    ?blob, %verdict, is_final, database, sets, pages, bytes, read_back, ?judging, reasons,
                    "verdict"
                );
            } else {
                tracing::warn!(
                    ?blob, %verdict, is_final, database, sets, pages, pages_bad, damage, bytes, read_back,
                    ?judging, reasons, "verdict"
                );
            }
        }
        Finding::Damaged(why) => {
            tracing::error!(?blob, verdict = %Verdict::Damaged, is_final, reasons = why.as_str(), "verdict");
        }
        Finding::CannotVerify(why) => {
            tracing::warn!(?blob, verdict = %Verdict::CannotVerify, is_final, reasons = why.as_str(), "verdict");
        }
    }
}
