//! The text that is signed, in every layout that tokens have had.
//!
//! One line a field, decoded, empty where it was not given. Layouts as documented in "Create a service SAS" and "Create
//! an account SAS"; a version that is not known yet has the newest layout.

use super::fields::{Field, Fields};
use crate::names::AccountName;
use crate::version::ApiVersion;

/// What a service signature is for, as the request addresses it.
pub(super) struct Resource<'a> {
    pub(super) account: &'a AccountName,
    pub(super) container: &'a str,
    pub(super) blob: Option<&'a str>,
    /// `snapshot` of the request.
    pub(super) snapshot: &'a str,
}

impl Resource<'_> {
    /// The account stands here once, with path-style addresses too.
    fn canonical(&self, version: Option<ApiVersion>) -> String {
        let service = if version >= Some(ApiVersion::V2015_02_21) {
            "/blob"
        } else {
            ""
        };
        let (account, container) = (self.account, self.container);
        match self.blob {
            None => format!("{service}/{account}/{container}"),
            Some(blob) => format!("{service}/{account}/{container}/{blob}"),
        }
    }
}

/// The string to sign of a service signature.
pub(super) fn of_service(fields: &Fields, version: Option<ApiVersion>, resource: &Resource<'_>) -> String {
    let path = resource.canonical(version);
    let text = |field| fields.text(field);
    let mut lines = vec![
        text(Field::Sp),
        text(Field::St),
        text(Field::Se),
        path.as_str(),
        text(Field::Si),
    ];
    let Some(version) = version else {
        return lines.join("\n");
    };
    if version >= ApiVersion::V2015_04_05 {
        lines.extend([text(Field::Sip), text(Field::Spr)]);
    }
    lines.push(text(Field::Sv));
    if version >= ApiVersion::V2018_11_09 {
        lines.extend([text(Field::Sr), resource.snapshot]);
    }
    if version >= ApiVersion::V2020_12_06 {
        lines.push(text(Field::Ses));
    }
    if version >= ApiVersion::V2013_08_15 {
        let headers = [Field::Rscc, Field::Rscd, Field::Rsce, Field::Rscl, Field::Rsct];
        lines.extend(headers.map(text));
    }
    lines.join("\n")
}

/// The string to sign of an account signature. It ends with a line break.
pub(super) fn of_account(fields: &Fields, version: Option<ApiVersion>, account: &AccountName) -> String {
    let text = |field| fields.text(field);
    let mut lines = vec![
        account.as_str(),
        text(Field::Sp),
        text(Field::Ss),
        text(Field::Srt),
        text(Field::St),
        text(Field::Se),
        text(Field::Sip),
        text(Field::Spr),
        text(Field::Sv),
    ];
    if version >= Some(ApiVersion::V2020_12_06) {
        lines.push(text(Field::Ses));
    }
    lines.push("");
    lines.join("\n")
}
