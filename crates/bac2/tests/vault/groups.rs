//! Availability groups, over one replica that is a process: what it tells of its group decides who may back up, and with which code
//! not. Groups of several replicas are tested in simulated time, where their databases' files can be carried between instances.

use faults::Code;
use schedule::BackupKind::{CopyOnlyFull, Full, Log};

use super::lab::{Lab, Release, run};

#[test]
fn a_backup_that_the_group_wants_elsewhere() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        server.make_database("Shop").await;
        server.foreign_backup("DATABASE", "Shop", "before.bak", "").await;
        server.fault("group join Shop AG1").await;
        let id = lab.register(&server).await;
        let item = lab.protect(id, "Shop").await;
        lab.proved(item, Full).await;
        server.fault("group preference AG1 secondary_only").await;
        assert_eq!(
            lab.refused(item, Log).await,
            Code::FabricSvcBackupPreferenceCheckFailedUserError
        );
        server.fault("group preference AG1 primary").await;
        lab.proved(item, Log).await;
        server.fault("group role AG1 secondary").await;
        assert_eq!(
            lab.refused(item, Full).await,
            Code::FabricSvcBackupPreferenceCheckFailedUserError
        );
        server.fault("group role AG1 primary").await;
        lab.proved(item, CopyOnlyFull).await;
    });
}

#[test]
fn into_a_group_and_out_of_it() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        server.fault("group join Shop AG1").await;
        assert_eq!(
            lab.refused(item, Log).await,
            Code::UserErrorBackupFailedStandaloneDatabaseMovedInToAG
        );
        lab.rediscover(id).await;
        lab.noticed(Code::UserErrorBackupFailedStandaloneDatabaseMovedInToAG)
            .await;
        let item = lab.protect(id, "Shop").await;
        lab.proved(item, Full).await;
        server.fault("group leave Shop").await;
        assert_eq!(
            lab.refused(item, Full).await,
            Code::UserErrorBackupFailedDatabaseMovedOutOfAG
        );
    });
}
