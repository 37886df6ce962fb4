//! A restore as files: what is written out restores on an instance that knows nothing of the vault.

use catalog::record::{Place, RestoreTarget};
use schedule::BackupKind::{Full, Log};
use simsql::world::Disk as _;

use super::stand::{SHOP, Set, Stand};

/// Writes all files of a plan into a directory of an instance.
async fn written(stand: &Stand, set: &Set, plan: &vault::restoring::FilesPlan, directory: &str) {
    for file in &plan.files {
        let mut bytes = Vec::new();
        loop {
            let piece = set.vault.read_piece(file, bytes.len() as u64).await.unwrap();
            if piece.is_empty() {
                break;
            }
            bytes.extend_from_slice(&piece);
        }
        assert_eq!(bytes.len() as u64, file.bytes);
        stand
            .other
            .disk()
            .put(&format!("{directory}/{}", file.name), bytes);
    }
}

#[test]
fn the_files_and_their_script_restore_the_database() {
    let stand = Stand::new(531);
    stand.run(async {
        let set = stand.set().await;
        let sql = stand.cluster.sql(&stand.source);
        stand.back_up(&set, Full).await;
        sql.add_rows(SHOP, 3).await;
        stand.back_up(&set, Log).await;
        sql.add_rows(SHOP, 4).await;
        stand.back_up(&set, Log).await;
        let order = stand.order(&set, RestoreTarget::Latest, Place::new(set.other, SHOP));
        let directory = "/sql/backup";
        let plan = set.vault.plan_files(&order, directory).await.unwrap();
        assert_eq!(plan.files.len(), 3);
        assert!(plan.steps.is_empty());
        written(&stand, &set, &plan, directory).await;
        let other = stand.cluster.sql(&stand.other);
        other.go(&plan.script).await;
        assert_eq!(other.rows(SHOP).await, 5 + 3 + 4);
    });
}

#[test]
fn names_of_files_hold_nothing_that_a_file_system_would_mind() {
    let stand = Stand::new(532);
    stand.run(async {
        let set = stand.set_named("Kopie ]/ '\u{fc}:").await;
        stand.back_up(&set, Full).await;
        let order = stand.order(&set, RestoreTarget::Latest, Place::new(set.other, "x"));
        let plan = set.vault.plan_files(&order, "D:\\Backups\\").await.unwrap();
        let name = &plan.files[0].name;
        assert!(
            name.starts_with("Kopie_____\u{fc}_") && name.ends_with(".bak"),
            "{name}"
        );
        assert!(
            plan.script.contains(&format!("D:\\Backups\\{name}")),
            "{}",
            plan.script
        );
        assert!(stand.other.disk().look("/sql").is_some());
    });
}
