//! Stored access policies: kept with their container, replaced as a whole, gone with it.

use azblob::access_policy::{AccessPolicy, PolicyId, SignedIdentifier};
use azblob::error::ErrorCode;
use azblob::metadata::Metadata;
use azblob::permission::Permissions;
use azblob::time::UnixMillis;

use crate::contract::{assert_code, on_both_disks, with_container};
use crate::support::{account, container};

fn policy(id: &str, expiry: Option<i64>) -> SignedIdentifier {
    SignedIdentifier {
        id: PolicyId::new(id).unwrap(),
        policy: AccessPolicy {
            start: None,
            expiry: expiry.map(UnixMillis),
            permissions: Some(Permissions::BACKUP),
        },
    }
}

#[test]
fn policies_survive_a_restart_and_not_their_container() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        assert_eq!(store.container_policies(&account(), &container()).unwrap(), []);
        let before = store.container(&account(), &container()).unwrap();
        let wanted = vec![
            policy("nightly", Some(4_070_908_800_000)),
            policy("the token says", None),
        ];
        let set = |policies: Vec<SignedIdentifier>| {
            store.set_container_policies(&account(), &container(), policies, &|_| Ok(()))
        };
        let after = set(wanted.clone()).unwrap();
        assert_ne!(after.etag, before.etag);
        assert_eq!(after.metadata, before.metadata);
        let refused = store.set_container_policies(&account(), &container(), Vec::new(), &|view| {
            assert_eq!(view.etag, after.etag);
            Err(ErrorCode::ConditionNotMet)
        });
        assert_code(refused, ErrorCode::ConditionNotMet);
        drop(store);

        let store = reopen();
        assert_eq!(
            store.container_policies(&account(), &container()).unwrap(),
            wanted
        );
        assert_eq!(store.container(&account(), &container()).unwrap(), after);
        store
            .delete_container(&account(), &container(), None, &|_| Ok(()))
            .unwrap();
        assert_code(
            store.container_policies(&account(), &container()),
            ErrorCode::ContainerNotFound,
        );
        store
            .create_container(&account(), &container(), Metadata::default())
            .unwrap();
        assert_eq!(store.container_policies(&account(), &container()).unwrap(), []);
    });
}
