//! A vault's disk with next to no room: logs go to a folder on the server, and come back through `OPENROWSET(BULK ..)` over TDS.

use std::time::Duration;

use catalog::record::{
    Grade, ItemId, Job, JobState, Place, RestoreOrder, RestoreTarget, ServerFolder, ServerId, ServerLog,
    ServerSettings, Work,
};
use faults::Code;
use schedule::BackupKind::{Full, Log};

use super::lab::{Lab, Release, Server, run};

/// A little longer than the vault's pause between two sweeps.
const A_SWEEP: Duration = Duration::from_secs(11 * 60);

/// Logs of the instance may go to a folder beside its data.
async fn set_folder(lab: &Lab, server: &Server, id: ServerId) {
    let folder = server.data().join("spare");
    std::fs::create_dir(&folder).unwrap();
    let settings = ServerSettings {
        log_overflow: Some(ServerFolder::parse(folder.to_str().unwrap()).unwrap()),
        ..ServerSettings::default()
    };
    lab.vault().set_server(id, settings).await.unwrap();
}

/// A log that goes to the server's disk.
async fn overflows(lab: &Lab, item: ItemId) -> Job {
    let job = lab.back_up(item, Log).await;
    assert_eq!(job.state, JobState::CompletedWithWarnings, "{job:#?}");
    let codes: Vec<Code> = job.warnings.iter().map(faults::Fault::code).collect();
    assert_eq!(codes, [Code::Bac2LogOnServerDisk]);
    assert_eq!(job.point, None);
    job
}

async fn waiting(lab: &Lab) -> usize {
    let logs = lab.records::<ServerLog>().await;
    logs.iter().filter(|log| log.is_waiting()).count()
}

fn brings(job: &Job) -> bool {
    matches!(&job.work, Work::Backup(work) if work.brings().is_some())
}

#[test]
fn logs_on_the_servers_disk_come_into_the_vault_when_it_has_room() {
    run(|| async {
        let lab = Lab::on_simulated_disk().await;
        let (server, id, item) = lab.shop(Release::V2022).await;
        set_folder(&lab, &server, id).await;
        lab.proved(item, Full).await;
        let rows = server.rows("Shop").await;
        let disk = lab.door.disk.clone().unwrap();
        let used = disk.used();
        disk.set_capacity(used + used / 40);
        server.add_rows("Shop", 3).await;
        overflows(&lab, item).await;
        server.add_rows("Shop", 4).await;
        overflows(&lab, item).await;
        assert_eq!(waiting(&lab).await, 2);
        assert!(lab.notice_codes().await.contains(&Code::Bac2LogOnServerDisk));
        let files: Vec<_> = std::fs::read_dir(server.data().join("spare")).unwrap().collect();
        assert_eq!(files.len(), 2);
        assert_eq!(lab.refused(item, Full).await, Code::Bac2StoreDiskFilling);

        disk.set_capacity(1 << 40);
        lab.until("the logs are in the vault", || async {
            let jobs: Vec<Job> = lab.jobs().await.into_iter().filter(brings).collect();
            for job in &jobs {
                assert!(job.fault.is_none(), "{job:#?}");
            }
            if jobs.is_empty() {
                // The sweep may have been under way when there was no room yet. It has a while before the next: else days pass.
                lab.advance(A_SWEEP);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            (waiting(&lab).await == 0).then_some(())
        })
        .await;
        let points = lab.points().await;
        assert_eq!(points.iter().filter(|point| point.kind == Log).count(), 2);
        assert!(
            points.iter().all(|point| point.grade == Grade::Proved),
            "{points:#?}"
        );
        assert!(!lab.notice_codes().await.contains(&Code::Bac2LogOnServerDisk));
        // Of a second that begins and ends within the chain moments are sure.
        server.fault("clock jump 5s").await;
        server.add_rows("Shop", 5).await;
        let log = lab.proved(item, Log).await;
        let (coverage, _) = lab.vault().coverage(item).await.unwrap();
        let logged: Vec<_> = coverage
            .spans
            .iter()
            .filter(|span| span.times.is_some())
            .collect();
        assert_eq!(logged.len(), 1, "{coverage:#?}");
        assert_eq!(logged[0].to.to_string(), log.set.last_lsn);

        let order = RestoreOrder {
            item,
            target: RestoreTarget::Latest,
            place: Place::new(id, "Copy"),
            accept_damaged: Vec::new(),
        };
        let job = lab.vault().restore(order).await.unwrap();
        let job = lab.ended(job).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(server.rows("Copy").await, rows + 3 + 4 + 5);
    });
}
