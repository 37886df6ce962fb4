//! What an account's Blob service is set to: `blobs/ACCOUNT/service.json`, replaced in one step.
//!
//! Everything is in memory after the start, because it is asked for on every request that names no version or comes
//! from a browser. An account that was never set has no file.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::PoisonError;

use azblob::names::AccountName;
use azblob::service_properties::{ServiceChange, ServiceProperties};

use crate::data_dir::{DataDir, ensure_dir, read_file, replace_file};
use crate::disk::{Disk, SyncPoint};
use crate::error::StoreError;
use crate::store::Store;

/// Name of the file in an account's directory.
const FILE: &str = "service.json";

/// The settings of all accounts that have any.
pub(crate) type Services = BTreeMap<AccountName, ServiceProperties>;

impl Store {
    /// What an account's Blob service is set to.
    pub fn service_properties(&self, account: &AccountName) -> ServiceProperties {
        let services = self.core.services.lock().unwrap_or_else(PoisonError::into_inner);
        services.get(account).cloned().unwrap_or_default()
    }

    /// Changes it. Durable on return.
    ///
    /// # Errors
    /// Those of changing anything.
    pub fn change_service_properties(
        &self,
        account: &AccountName,
        change: ServiceChange,
    ) -> Result<(), StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let _change = core
            .containers_change
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let changed = self.service_properties(account).changed(change);
        let account_dir = core.dir.blobs().join(account.as_str());
        core.changed("making", &account_dir, ensure_dir(&*core.disk, &account_dir))?;
        core.sync_dir(&core.dir.blobs(), SyncPoint::AccountEntry)?;
        let path = account_dir.join(FILE);
        let bytes = serde_json::to_vec_pretty(&changed).expect("the record has string keys only");
        let replaced = replace_file(&*core.disk, &path, &bytes, SyncPoint::ServiceRecord);
        core.changed("writing", &path, replaced)?;
        core.sync_dir(&account_dir, SyncPoint::ServiceEntry)?;
        let mut services = core.services.lock().unwrap_or_else(PoisonError::into_inner);
        services.insert(account.clone(), changed);
        Ok(())
    }
}

/// Reads the settings of these accounts at start. One that is unreadable is said so and counts as never set: no
/// origin is then allowed.
pub(crate) fn load<'a>(
    disk: &dyn Disk,
    dir: &DataDir,
    accounts: impl Iterator<Item = &'a AccountName>,
) -> Services {
    let mut services = Services::new();
    for account in accounts {
        let path = dir.blobs().join(account.as_str()).join(FILE);
        let bytes = match read_file(disk, &path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "the settings of the account cannot be read");
                continue;
            }
        };
        match serde_json::from_slice(&bytes) {
            Ok(properties) => {
                services.insert(account.clone(), properties);
            }
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "the settings of the account are unreadable");
            }
        }
    }
    services
}
