//! Stored access policies, as the server's owner lists, sets and revokes them: through the control socket of a running
//! server, or on a store that nobody serves.
//!
//! It is what Set Container ACL does, without a key and one policy at a time. What is wanted is a [`Wish`]; the answer is
//! what the container has afterwards.

use std::io;
use std::path::Path;

use azblob::access_policy::{PolicyId, SignedIdentifier};
use azblob::error::ErrorCode;
use azblob::limits::MAX_ACCESS_POLICIES;
use azblob::names::ContainerName;
use blobstore::{ContainerView, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::control;
use crate::sealing::account_of;

/// Which policies, and what shall become of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wish {
    /// Storage account; needed only where several have a container of this name.
    pub account: Option<String>,
    /// Container.
    pub container: String,
    /// What shall change; nothing, to look.
    pub change: Option<Change>,
}

/// A change of one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// Makes it, or replaces it.
    Set(SignedIdentifier),
    /// Removes it: every token that refers to it is refused from then on.
    Revoke(PolicyId),
}

/// The policies of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policies {
    /// Storage account.
    pub account: String,
    /// Container.
    pub container: String,
    /// In the order in which they were made.
    pub policies: Vec<SignedIdentifier>,
}

/// One line on the control socket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "camelCase")]
enum Line {
    Policies(Wish),
}

/// Asks the server that runs on a data directory; `None` when none runs. Blocking.
///
/// # Errors
/// The connection broke, or the server says why it cannot.
pub fn ask(data: &Path, wish: &Wish) -> io::Result<Option<Policies>> {
    let line = serde_json::to_string(&Line::Policies(wish.clone()))?;
    let Some(answer) = control::ask(data, &line)? else {
        return Ok(None);
    };
    Ok(Some(serde_json::from_str(&answer)?))
}

/// Answers a line of the control socket, if it is of this kind. Blocking.
pub(crate) fn answer(store: &Store, line: &str) -> Option<Result<String, String>> {
    let Line::Policies(wish) = serde_json::from_str(line).ok()?;
    let answer = carry_out(store, &wish);
    Some(answer.and_then(|policies| serde_json::to_string(&policies).map_err(|error| error.to_string())))
}

/// Does what is wished. Blocking; what was changed is durable, and holds for the next request.
///
/// # Errors
/// A sentence: there is no such container or policy, several accounts have the container, or there are policies enough.
pub fn carry_out(store: &Store, wish: &Wish) -> Result<Policies, String> {
    let container = ContainerName::new(wish.container.as_str())
        .map_err(|_| format!("{:?} is no name of a container", wish.container))?;
    let account = account_of(store, wish.account.as_deref(), &container)?;
    let before = store.container(&account, &container).map_err(sentence)?;
    let mut policies = store.container_policies(&account, &container).map_err(sentence)?;
    if let Some(change) = &wish.change {
        apply(&mut policies, change)?;
        // Not over a change that came in between, over the blob protocol for one.
        let unchanged = |view: &ContainerView| match view.etag == before.etag {
            true => Ok(()),
            false => Err(ErrorCode::ConditionNotMet),
        };
        store
            .set_container_policies(&account, &container, policies.clone(), &unchanged)
            .map_err(sentence)?;
        tracing::warn!(%account, %container, ?change, "a stored access policy was changed by its owner");
    }
    Ok(Policies {
        account: account.to_string(),
        container: container.to_string(),
        policies,
    })
}

fn apply(policies: &mut Vec<SignedIdentifier>, change: &Change) -> Result<(), String> {
    match change {
        Change::Set(new) => match policies.iter().position(|old| old.id == new.id) {
            Some(at) => policies[at] = new.clone(),
            None if policies.len() < MAX_ACCESS_POLICIES => policies.push(new.clone()),
            None => {
                return Err(format!(
                    "the container has {MAX_ACCESS_POLICIES} policies, which is the most"
                ));
            }
        },
        Change::Revoke(id) => {
            let at = policies.iter().position(|old| old.id == *id);
            policies.remove(at.ok_or_else(|| format!("the container has no policy {id}"))?);
        }
    }
    Ok(())
}

fn sentence(error: StoreError) -> String {
    match error {
        StoreError::Protocol(ErrorCode::ConditionNotMet) => {
            "the container was changed at the same moment; nothing was done".to_owned()
        }
        other => other.to_string(),
    }
}
