//! The real account against bac2's own door: every operation, over real sockets.
#![allow(missing_docs, clippy::unwrap_used)]

mod azure_support;

use azblob::lease::{LeaseDurationKind, LeaseState, LeaseStatus};
use azblob::response::BlobType;
use guard::account::{Account, Probe};
use guard::{Place, fault::Cause};

use azure_support::{Door, LEASE, RESTORE, RESTORE_DASHED};

#[tokio::test]
async fn a_left_behind_lease_is_found_looked_at_and_broken() {
    let door = Door::open().await;
    door.container("backups").await;
    door.page_blob("backups/dead.bak", 1 << 20).await;
    door.page("backups/dead.bak", 512, &[7; 512]).await;
    door.lease("backups/dead.bak", LEASE, "-1").await;
    let account = door.account();
    let place = Place::new("backups", "dead.bak");

    assert_eq!(account.address(), door.url());
    assert_eq!(account.containers(None).await.unwrap().items, ["backups"]);
    let page = account.blobs("backups", "", None).await.unwrap();
    assert_eq!(page.next, None);
    let [listed] = page.items.as_slice() else {
        panic!("{page:?}")
    };
    assert_eq!(listed.blob, "dead.bak");
    let head = account.head(&place).await.unwrap();
    assert_eq!(head.properties, listed.properties);
    assert_eq!(head.properties.kind, BlobType::Page);
    assert_eq!(head.properties.size, 1 << 20);
    assert_eq!(head.properties.lease.status, LeaseStatus::Locked);
    assert_eq!(head.properties.lease.state, LeaseState::Leased);
    assert_eq!(head.properties.lease.duration, Some(LeaseDurationKind::Infinite));
    let tag = head.properties.etag.unwrap();

    assert_eq!(account.probe(&place, RESTORE).await, Ok(Probe::Mismatch));
    assert_eq!(account.probe(&place, RESTORE_DASHED).await, Ok(Probe::Mismatch));
    assert_eq!(account.probe(&place, LEASE).await, Ok(Probe::Match));
    let ranges = account.page_ranges(&place, 1 << 20).await.unwrap();
    assert_eq!(ranges, [512..1024]);
    let bytes = account.read(&place, 1000..1030, &tag).await.unwrap();
    assert_eq!(bytes, [[7; 24].as_slice(), &[0; 6]].concat());

    let kept = account.delete(&place, &tag).await.unwrap_err();
    assert_eq!(kept.cause, Cause::Lease, "{kept}");
    account.break_lease(&place, &tag).await.unwrap();
    let head = account.head(&place).await.unwrap();
    assert_eq!(head.properties.lease.state, LeaseState::Broken);
    assert_eq!(head.properties.etag, Some(tag.clone()), "a lease changes no tag");
    assert_eq!(account.probe(&place, RESTORE).await, Ok(Probe::NotLeased));
    account.delete(&place, &tag).await.unwrap();
    let gone = account.head(&place).await.unwrap_err();
    assert_eq!(gone.cause, Cause::NotFound, "{gone}");
    assert_eq!(gone.code.as_deref(), Some("BlobNotFound"));
}
