//! Who asks, and may they: the one place where a request is let through.
//!
//! Nobody is served without a signature. It is made with an account key (`Authorization`: SharedKey, SharedKeyLite) or is
//! a shared access signature in the query; where both are there, the header counts. The signature is checked before the
//! request is read any further, so that a stranger learns nothing from how it is refused.
//!
//! Stored access policies are asked of the store at every request that refers to one, so that a change or a revocation
//! holds from its acknowledgement on.

use azblob::access_policy::SignedIdentifier;
use azblob::error::ErrorCode;
use azblob::grant::Grant;
use azblob::names::{AccountName, ContainerName};
use azblob::request::{Address, Target};
use azblob::sas::{Overrides, Presented, Token};
use azblob::shared_key;
use blobstore::StoreError;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Uri};

use crate::config::Account;
use crate::door::{Door, now};
use crate::fault::Fault;
use crate::peer::Peer;

/// Who asks, as far as a signature says it.
pub(crate) struct Caller {
    /// What they may do.
    pub(crate) grant: Grant,
    /// Headers of the answer to a read that their token sets.
    pub(crate) overrides: Overrides,
}

impl Door {
    /// Checks the signature of a request to this account.
    ///
    /// # Errors
    /// 401 without a signature, 403 with one that does not hold, 400 with one that is malformed.
    pub(crate) async fn authenticate(
        &self,
        account: &Account,
        address: &Address,
        (method, uri, headers): (&Method, &Uri, &HeaderMap),
        peer: Peer,
    ) -> Result<Caller, Fault> {
        if !headers.contains_key(AUTHORIZATION)
            && let Some(token) = Token::from_query(uri.query().unwrap_or_default())?
        {
            return self.bearer(account, address, uri, &token, peer).await;
        }
        let grant = shared_key::verify(method, uri, headers, &account.name, &account.keys, now())?;
        Ok(Caller {
            grant,
            overrides: Overrides::default(),
        })
    }

    /// Checks a shared access signature.
    async fn bearer(
        &self,
        account: &Account,
        address: &Address,
        uri: &Uri,
        token: &Token,
        peer: Peer,
    ) -> Result<Caller, Fault> {
        let target = Target::of(address, uri)?;
        let policies = match (token.policy_id(), target.container()) {
            (Some(_), Some(container)) => self.policies(&account.name, container).await?,
            _ => Vec::new(),
        };
        let grant = token.verify(&Presented {
            account: &account.name,
            keys: &account.keys,
            target: &target,
            policies: &policies,
            now: now(),
            peer: peer.addr.ip(),
            secure: peer.secure,
        })?;
        Ok(Caller {
            grant,
            overrides: token.overrides()?,
        })
    }

    /// The stored policies of a container; none where there is no such container, which its absence is no secret of.
    async fn policies(
        &self,
        account: &AccountName,
        container: &ContainerName,
    ) -> Result<Vec<SignedIdentifier>, Fault> {
        let (account, container) = (account.clone(), container.clone());
        self.call(
            move |store| match store.container_policies(&account, &container) {
                Err(StoreError::Protocol(ErrorCode::ContainerNotFound)) => Ok(Vec::new()),
                other => Ok(other?),
            },
        )
        .await
    }
}
