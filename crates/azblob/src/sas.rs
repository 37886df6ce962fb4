//! Shared access signatures: a query string that lets its bearer do some things for some time, both ways.
//!
//! A server reads the token of a request with [`Token::from_query`] and checks it with [`Token::verify`], which gives a
//! [`Grant`]: what the bearer may do. A client, or an administrator, makes one with [`ServiceSas`] or [`AccountSas`].
//! Both sides build the text that is signed in one place (`text`), for every version of the token.
//!
//! What is signed is the text of each field as it was sent, decoded; what it means is read beside it. A token may stand
//! in any order between the other parameters of a request. SQL Server puts whatever its credential holds into the
//! query, so that a query without a signature in it is simply no token.
//!
//! Not offered, and refused by name rather than by a signature that does not match: user delegation signatures (there
//! is no Microsoft Entra ID behind this service), tokens for versions and directories, encryption scopes.

mod fields;
mod mint;
mod overrides;
mod source;
mod text;
mod verify;

pub use mint::{AccountSas, ServiceSas};
pub use overrides::Overrides;
pub use source::SourceRange;
pub use verify::Presented;

use crate::error::{ErrorCode, Refusal};
use crate::grant::{Grant, Scope, SignedResource};
use crate::permission::Permissions;
use crate::version::ApiVersion;
use fields::{Field, Fields};

/// The token of a request, well-formed but not checked yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    fields: Fields,
    kind: Kind,
    /// `sv`; tokens from before 2012-02-12 have none.
    version: Option<ApiVersion>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Service(SignedResource),
    Account,
}

impl Token {
    /// The token in a query string; `None` where there is no signature in it.
    ///
    /// # Errors
    /// 403 `AuthenticationFailed` for a token that is malformed or given twice; 400 for what is not offered.
    pub fn from_query(query: &str) -> Result<Option<Self>, Refusal> {
        let Some(fields) = Fields::of_query(query)? else {
            return Ok(None);
        };
        let version = match fields.get(Field::Sv) {
            None => None,
            Some(text) => Some(ApiVersion::parse(text).ok_or_else(|| malformed(&fields, Field::Sv))?),
        };
        for field in [Field::Skoid, Field::Sktid, Field::Sks] {
            if fields.get(field).is_some() {
                return Err(failed(
                    "User delegation signatures need Microsoft Entra ID, which this server does not have. Use a \
                     signature made with an account key.",
                ));
            }
        }
        if let Some(scope) = fields.get(Field::Ses) {
            return Err(Refusal::query(
                "ses",
                scope,
                "Encryption scopes are not offered by this server.",
            ));
        }
        let kind = if fields.get(Field::Ss).is_some() || fields.get(Field::Srt).is_some() {
            for field in [Field::Sv, Field::Ss, Field::Srt] {
                fields.required(field)?;
            }
            Kind::Account
        } else {
            Kind::Service(signed_resource(&fields, version)?)
        };
        Ok(Some(Self {
            fields,
            kind,
            version,
        }))
    }

    /// The stored access policy that the token refers to. Only service signatures can.
    pub fn policy_id(&self) -> Option<&str> {
        match self.kind {
            Kind::Service(_) => self.fields.get(Field::Si),
            Kind::Account => None,
        }
    }

    /// The version of the service that the token was made for, which is that of the request where the request names
    /// none itself.
    pub fn version(&self) -> Option<ApiVersion> {
        self.version
    }

    /// Headers of the answer that the token sets.
    ///
    /// # Errors
    /// 400 `InvalidQueryParameterValue` for what no header can hold.
    pub fn overrides(&self) -> Result<Overrides, Refusal> {
        // Older versions do not sign these parameters: anybody could have added them.
        if self.kind == Kind::Account || self.version < Some(ApiVersion::V2013_08_15) {
            return Ok(Overrides::default());
        }
        Overrides::of(&self.fields)
    }
}

fn signed_resource(fields: &Fields, version: Option<ApiVersion>) -> Result<SignedResource, Refusal> {
    match fields.required(Field::Sr)? {
        "c" => Ok(SignedResource::Container),
        "b" => Ok(SignedResource::Blob),
        "bs" if version >= Some(ApiVersion::V2018_11_09) => Ok(SignedResource::Snapshot),
        "bv" => Err(Refusal::query(
            "sr",
            "bv",
            "Versions of blobs are not offered by this server.",
        )),
        "d" => Err(Refusal::query(
            "sr",
            "d",
            "A hierarchical namespace is not offered by this server.",
        )),
        _ => Err(malformed(fields, Field::Sr)),
    }
}

impl std::fmt::Debug for Token {
    /// Without the signature.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("kind", &self.kind)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// 403 with the detail that Azure shows beside it.
pub(crate) fn failed(detail: impl Into<String>) -> Refusal {
    Refusal::from(ErrorCode::AuthenticationFailed).detail("AuthenticationErrorDetail", detail)
}

fn malformed(fields: &Fields, field: Field) -> Refusal {
    let value = fields.get(field).unwrap_or_default();
    failed(format!("{} is not well formed: '{value}'.", field.name()))
}
