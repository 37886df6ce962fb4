//! A restore that nothing is in the way of.

use catalog::record::{JobState, Place, RestoreTarget};
use schedule::BackupKind::{Differential, Full, Log};

use super::stand::{SHOP, Stand};

#[test]
fn a_database_is_restored_to_its_latest_point_on_another_instance() {
    let stand = Stand::new(501);
    stand.run(async {
        let set = stand.set().await;
        let (source, other) = (stand.cluster.sql(&stand.source), stand.cluster.sql(&stand.other));
        stand.back_up(&set, Full).await;
        source.add_rows(SHOP, 3).await;
        stand.back_up(&set, Log).await;
        source.add_rows(SHOP, 4).await;
        stand.back_up(&set, Differential).await;
        source.add_rows(SHOP, 5).await;
        stand.back_up(&set, Log).await;
        // What no point holds is not there afterwards.
        source.add_rows(SHOP, 6).await;
        let place = Place::new(set.other, SHOP);
        let job = stand.restore(&set, RestoreTarget::Latest, place).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(other.rows(SHOP).await, 5 + 3 + 4 + 5);
        assert_eq!(source.rows(SHOP).await, 5 + 3 + 4 + 5 + 6);
    });
}

#[test]
fn a_database_that_was_dropped_comes_back_under_its_name() {
    let stand = Stand::new(502);
    stand.run(async {
        let set = stand.set().await;
        let source = stand.cluster.sql(&stand.source);
        let full = stand.back_up(&set, Full).await;
        source.add_rows(SHOP, 3).await;
        stand.back_up(&set, Log).await;
        source.go(&format!("DROP DATABASE [{SHOP}]")).await;
        let point = RestoreTarget::Point { point: full.id };
        let job = stand.restore(&set, point, Place::new(set.source, SHOP)).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(source.rows(SHOP).await, 5);
    });
}
