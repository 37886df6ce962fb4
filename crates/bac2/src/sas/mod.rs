//! `bac2 sas`: shared access signatures, made with an account's key and no server, and the policies they may refer to.
//!
//! A token is what SQL Server keeps as the secret of its credential, so the defaults are SQL Server's: a whole container,
//! the four letters that BACKUP and RESTORE need, a year, and never more than 256 characters. The key comes from the
//! accounts file; the token goes to standard output alone, so that it can be piped where it belongs.

pub(crate) mod create;
pub(crate) mod keys;
pub(crate) mod policy;
mod when;

use azblob::limits::MAX_SQL_SERVER_TOKEN;
use azblob::names::ContainerName;
use azblob::permission::Permissions;
use azblob::sas::ServiceSas;
use azblob::time::UnixMillis;
use frontdoor::Account;

use crate::failure::Failure;
use when::When;

/// What SQL Server needs to back up into a container and to restore from it: read, write, delete and list, for a year.
pub(crate) fn for_backup(container: ContainerName, now: UnixMillis) -> ServiceSas {
    ServiceSas::of_container(container, Permissions::BACKUP, When::YEAR.from(now))
}

/// The token, signed with the account's first key.
pub(crate) fn signed(sas: &ServiceSas, account: &Account) -> Result<String, Failure> {
    let key = account.keys.first().expect("an account has a key");
    let token = sas.sign(&account.name, key);
    if token.len() <= MAX_SQL_SERVER_TOKEN {
        return Ok(token);
    }
    Err(Failure::unusable(
        "SasTooLong",
        format!(
            "the signature would have {} characters, and SQL Server takes {MAX_SQL_SERVER_TOKEN}",
            token.len()
        ),
        "give the stored policy a short name of plain letters, or leave out --start and --ip",
    ))
}
