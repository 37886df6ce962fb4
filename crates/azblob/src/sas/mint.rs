//! Making tokens.

use super::SourceRange;
use super::fields::{Field, Fields};
use super::text::{self, Resource};
use crate::access_policy::PolicyId;
use crate::grant::ResourceTypes;
use crate::names::{AccountName, BlobName, ContainerName};
use crate::permission::Permissions;
use crate::shared_key::Secret;
use crate::time::UnixMillis;
use crate::version::ApiVersion;

/// A token for one container or one blob. Times are cut to the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSas {
    /// `sv`, which fixes the layout. Tokens from before 2012-02-12 are not made any more.
    pub version: ApiVersion,
    /// In which container.
    pub container: ContainerName,
    /// The blob; all of the container without it.
    pub blob: Option<BlobName>,
    /// What it allows; absent where the stored policy says so.
    pub permissions: Option<Permissions>,
    /// From when on; at once without it.
    pub start: Option<UnixMillis>,
    /// Until when; absent where the stored policy says so.
    pub expiry: Option<UnixMillis>,
    /// The stored policy it refers to.
    pub policy: Option<PolicyId>,
    /// Good over TLS only.
    pub https_only: bool,
    /// Good from these addresses only.
    pub source: Option<SourceRange>,
}

/// A token for an account. Times are cut to the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSas {
    /// `sv`, which fixes the layout; 2015-04-05 or later.
    pub version: ApiVersion,
    /// For what kinds of resource.
    pub types: ResourceTypes,
    /// What it allows.
    pub permissions: Permissions,
    /// From when on; at once without it.
    pub start: Option<UnixMillis>,
    /// Until when.
    pub expiry: UnixMillis,
    /// Good over TLS only.
    pub https_only: bool,
    /// Good from these addresses only.
    pub source: Option<SourceRange>,
}

impl ServiceSas {
    /// A token for all of a container until `expiry`, and nothing else said.
    pub fn of_container(container: ContainerName, permissions: Permissions, expiry: UnixMillis) -> Self {
        Self {
            version: ApiVersion::CURRENT,
            container,
            blob: None,
            permissions: Some(permissions),
            start: None,
            expiry: Some(expiry),
            policy: None,
            https_only: false,
            source: None,
        }
    }

    /// The signed token: a query string without a leading question mark.
    pub fn sign(&self, account: &AccountName, secret: &Secret) -> String {
        let mut fields = Fields::default();
        fields.set(Field::Sv, self.version.to_string());
        fields.set(Field::Sr, if self.blob.is_some() { "b" } else { "c" });
        fields.set(Field::Si, self.policy.as_ref().map_or("", PolicyId::as_str));
        fields.set(Field::Sp, self.permissions.unwrap_or_default().to_string());
        set_limits(&mut fields, self.start, self.expiry, self.https_only, self.source);
        let resource = Resource {
            account,
            container: self.container.as_str(),
            blob: self.blob.as_ref().map(BlobName::as_str),
            snapshot: "",
        };
        let signed = text::of_service(&fields, Some(self.version), &resource);
        fields.set_signature(&secret.hmac(signed.as_bytes()));
        fields.to_query()
    }
}

impl AccountSas {
    /// The signed token, for the blob service: a query string without a leading question mark.
    pub fn sign(&self, account: &AccountName, secret: &Secret) -> String {
        let mut fields = Fields::default();
        fields.set(Field::Sv, self.version.to_string());
        fields.set(Field::Ss, "b");
        fields.set(Field::Srt, self.types.to_string());
        fields.set(Field::Sp, self.permissions.to_string());
        set_limits(
            &mut fields,
            self.start,
            Some(self.expiry),
            self.https_only,
            self.source,
        );
        let signed = text::of_account(&fields, Some(self.version), account);
        fields.set_signature(&secret.hmac(signed.as_bytes()));
        fields.to_query()
    }
}

fn set_limits(
    fields: &mut Fields,
    start: Option<UnixMillis>,
    expiry: Option<UnixMillis>,
    https_only: bool,
    source: Option<SourceRange>,
) {
    let moment = |at: Option<UnixMillis>| at.map(UnixMillis::iso_short).unwrap_or_default();
    fields.set(Field::St, moment(start));
    fields.set(Field::Se, moment(expiry));
    fields.set(
        Field::Sip,
        source.map(|range| range.to_string()).unwrap_or_default(),
    );
    fields.set(Field::Spr, if https_only { "https" } else { "" });
}
