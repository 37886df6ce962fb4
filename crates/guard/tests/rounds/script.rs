//! Two ways to clean up that people use, to show that the judge sees what is wrong with them.

use azblob::lease::{LeaseState, LeaseStatus};
use guard::account::{Account, ETag, Properties};
use guard::{Clock, Place};

use crate::account::Simulation;

/// Every locked blob, with its properties.
async fn locked(account: &Simulation) -> Vec<(Place, Properties)> {
    let mut found = Vec::new();
    let mut containers = None;
    loop {
        let Ok(page) = account.containers(containers.as_ref()).await else {
            return found;
        };
        for container in page.items {
            let mut from = None;
            while let Ok(blobs) = account.blobs(&container, "", from.as_ref()).await {
                for blob in blobs.items {
                    if blob.properties.lease.status == LeaseStatus::Locked {
                        found.push((Place::new(container.as_str(), blob.blob), blob.properties));
                    }
                }
                from = blobs.next;
                if from.is_none() {
                    break;
                }
            }
        }
        containers = page.next;
        if containers.is_none() {
            return found;
        }
    }
}

async fn break_it(account: &Simulation, place: &Place, tag: &ETag) {
    account.world().act_begins(place);
    let _ = account.head(place).await;
    let _ = account.break_lease(place, tag).await;
    account.world().truth.act = None;
}

/// The published script: whatever is locked is broken.
pub(crate) async fn published(account: &Simulation) {
    for (place, properties) in locked(account).await {
        if let Some(tag) = properties
            .etag
            .filter(|_| properties.lease.state == LeaseState::Leased)
        {
            break_it(account, &place, &tag).await;
        }
    }
}

/// Those whose Last-Modified is older than an hour by this machine's clock.
pub(crate) async fn by_age(account: &Simulation) {
    for (place, properties) in locked(account).await {
        let now = account.now();
        let old = properties
            .last_modified
            .is_some_and(|at| now.0 - at.0 > 3_600_000);
        let name = place.blob.to_lowercase();
        if let Some(tag) = properties.etag.filter(|_| old && name.ends_with(".bak")) {
            break_it(account, &place, &tag).await;
        }
    }
}
