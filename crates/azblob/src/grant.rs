//! What the bearer of a checked signature may do.
//!
//! An account key may do everything. An access signature may do what its letters say, to what it was made for. The
//! table of operations is in `rules`; it names every operation, so that a new one cannot be forgotten.

mod rules;

use crate::error::{ErrorCode, Refusal};
use crate::permission::Permissions;
use crate::request::Operation;
use rules::Rule;

/// What somebody may do. Made by checking a signature, never by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant(Bearer);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bearer {
    Owner,
    Token { scope: Scope, permissions: Permissions },
}

/// What an access signature was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// `sr`: a container and what is in it, or a blob. Which one is in the signature itself.
    Service(SignedResource),
    /// `ss` and `srt`.
    Account {
        /// Whether the blob service is among the services.
        blob_service: bool,
        /// The kinds of resource.
        types: ResourceTypes,
    },
}

/// `sr` of a service signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedResource {
    /// `c`: a container and the blobs in it.
    Container,
    /// `b`: a blob.
    Blob,
    /// `bs`: one snapshot of a blob.
    Snapshot,
}

/// `srt` of an account signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceTypes {
    /// `s`: what is asked of the account as a whole.
    pub service: bool,
    /// `c`: what is asked of containers.
    pub container: bool,
    /// `o`: what is asked of blobs.
    pub object: bool,
}

impl Grant {
    /// Everything: the request was signed with an account key.
    pub(crate) const OWNER: Self = Self(Bearer::Owner);

    pub(crate) fn signature(scope: Scope, permissions: Permissions) -> Self {
        Self(Bearer::Token { scope, permissions })
    }

    /// Whether the request was signed with an account key.
    pub fn is_owner(&self) -> bool {
        self.0 == Bearer::Owner
    }

    /// Whether the operation is allowed. Where the bearer may make a blob but not overwrite one, the operation's
    /// conditions are tightened accordingly, and the store judges them at the moment of the change.
    ///
    /// # Errors
    /// 403 `AuthorizationServiceMismatch`, `AuthorizationResourceTypeMismatch`, `AuthorizationPermissionMismatch`, or
    /// `AuthorizationFailure` for what no service signature can allow.
    pub fn allow(&self, operation: &mut Operation) -> Result<(), Refusal> {
        let Bearer::Token { scope, permissions } = self.0 else {
            return Ok(());
        };
        let rule = rules::of(operation);
        scope.allow(&rule)?;
        if scope == Scope::Service(SignedResource::Snapshot) && !rules::is_of_snapshot(operation) {
            return Err(ErrorCode::AuthorizationResourceTypeMismatch.into());
        }
        if !permissions.any_of(rule.any_of) || !permissions.all_of(rule.all_of) {
            return Err(ErrorCode::AuthorizationPermissionMismatch.into());
        }
        if rule.overwrites && !permissions.any_of(Permissions::WRITE) {
            let conditions = rules::conditions_of_creation(operation);
            conditions
                .ok_or(ErrorCode::AuthorizationPermissionMismatch)?
                .only_new = true;
        }
        Ok(())
    }
}

impl Scope {
    fn allow(self, rule: &Rule) -> Result<(), ErrorCode> {
        match self {
            Self::Service(_) if !rule.by_service_signature => Err(ErrorCode::AuthorizationFailure),
            Self::Service(SignedResource::Container) => Ok(()),
            Self::Service(SignedResource::Blob | SignedResource::Snapshot) if rule.level.holds_blobs() => {
                Ok(())
            }
            Self::Service(_) => Err(ErrorCode::AuthorizationResourceTypeMismatch),
            Self::Account {
                blob_service: false, ..
            } => Err(ErrorCode::AuthorizationServiceMismatch),
            Self::Account { types, .. } if rule.level.is_among(types) => Ok(()),
            Self::Account { .. } => Err(ErrorCode::AuthorizationResourceTypeMismatch),
        }
    }
}

impl From<&str> for ResourceTypes {
    /// Reads `srt`; other letters mean nothing here.
    fn from(text: &str) -> Self {
        Self {
            service: text.contains('s'),
            container: text.contains('c'),
            object: text.contains('o'),
        }
    }
}

impl std::fmt::Display for ResourceTypes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (letter, there) in [("s", self.service), ("c", self.container), ("o", self.object)] {
            f.write_str(if there { letter } else { "" })?;
        }
        Ok(())
    }
}
