//! Making a container as the server's owner: through the control socket of a running server, or on a store that nobody
//! serves. SQL Server never makes the container that it writes into.

use std::io;
use std::path::Path;

use azblob::error::ErrorCode;
use azblob::names::{AccountName, ContainerName};
use blobstore::{Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::control;

/// The line on the control socket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "camelCase", deny_unknown_fields)]
enum Line {
    CreateContainer { account: String, container: String },
}

/// The answer: whether it is new.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Created {
    created: bool,
}

/// Has the server that runs on a data directory make a container. `None` when none runs; otherwise whether it was made
/// or there before. Blocking.
///
/// # Errors
/// The connection broke, or the server says why it cannot.
pub fn ask(data: &Path, account: &AccountName, container: &ContainerName) -> io::Result<Option<bool>> {
    let line = Line::CreateContainer {
        account: account.to_string(),
        container: container.to_string(),
    };
    let Some(answer) = control::ask(data, &serde_json::to_string(&line)?)? else {
        return Ok(None);
    };
    let Created { created } = serde_json::from_str(&answer)?;
    Ok(Some(created))
}

/// Answers a line of the control socket, if it is one of this module's. Blocking.
pub(crate) fn answer(store: &Store, line: &str) -> Option<Result<String, String>> {
    let Line::CreateContainer { account, container } = serde_json::from_str(line).ok()?;
    let names = AccountName::new(account)
        .ok()
        .zip(ContainerName::new(container).ok());
    let Some((account, container)) = names else {
        return Some(Err("this is no name of an account and a container".to_owned()));
    };
    let created = create(store, &account, &container).map_err(|error| error.to_string());
    Some(created.map(|created| serde_json::json!(Created { created }).to_string()))
}

/// Makes a container, and says whether it was not there before. Blocking.
///
/// # Errors
/// Those of changing anything.
pub fn create(store: &Store, account: &AccountName, container: &ContainerName) -> Result<bool, StoreError> {
    match store.create_container(account, container, Default::default()) {
        Ok(_) => Ok(true),
        Err(StoreError::Protocol(ErrorCode::ContainerAlreadyExists)) => Ok(false),
        Err(error) => Err(error),
    }
}
