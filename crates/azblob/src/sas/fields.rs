//! The parameters of a token, as text.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::failed;
use crate::error::Refusal;
use crate::query;

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// A parameter of a token. The order is that in which a token of ours is written.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Field { $($(#[$doc])* $name,)* }

        impl Field {
            const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name in the query.
            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

fields! {
    Sv = "sv";
    Ss = "ss";
    Srt = "srt";
    Sr = "sr";
    Si = "si";
    Sp = "sp";
    St = "st";
    Se = "se";
    Sip = "sip";
    Spr = "spr";
    Ses = "ses";
    Sdd = "sdd";
    /// Cache-Control of the answer.
    Rscc = "rscc";
    /// Content-Disposition of the answer.
    Rscd = "rscd";
    /// Content-Encoding of the answer.
    Rsce = "rsce";
    /// Content-Language of the answer.
    Rscl = "rscl";
    /// Content-Type of the answer.
    Rsct = "rsct";
    /// These three mark a user delegation signature.
    Skoid = "skoid";
    Sktid = "sktid";
    Sks = "sks";
    /// Not of the token but of the request: a token for a snapshot signs which one.
    Snapshot = "snapshot";
    Sig = "sig";
}

/// Which parameters were given, decoded. An empty one is none.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(BTreeMap<Field, String>);

/// What stays as it is in a value; a colon and a comma may stand in a query, and are in every token.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b',');

impl Fields {
    /// Picks the token's parameters out of a query; `None` where there is no signature.
    ///
    /// # Errors
    /// 403 for a parameter with a control character in it, or one that is given twice: which of the two was meant is anybody's guess, and a server and what
    /// stands before it might guess differently.
    pub(super) fn of_query(query: &str) -> Result<Option<Self>, Refusal> {
        let mut fields = Self::default();
        let (mut twice, mut control) = (None, None);
        for (name, value) in query::pairs(query) {
            // Whoever puts "?TOKEN" where "TOKEN" belongs has a question mark before the first name.
            let name = name.trim_start_matches('?').to_ascii_lowercase();
            let Some(field) = Field::ALL.iter().copied().find(|f| f.name() == name) else {
                continue;
            };
            let value = match field {
                // Neither Base64 nor a time has a blank in it: it was a plus that nobody encoded.
                Field::Sig | Field::St | Field::Se => value.replace(' ', "+"),
                _ => value,
            };
            // The text that is signed parts its fields by line breaks: none of them may hold one.
            control = control.or(value.contains(|c: char| c.is_ascii_control()).then_some(field));
            if fields.0.insert(field, value).is_some() {
                twice = Some(field);
            }
        }
        fields.0.retain(|_, value| !value.is_empty());
        if fields.get(Field::Sig).is_none() {
            return Ok(None);
        }
        if let Some(field) = twice {
            return Err(failed(format!("{} is given more than once.", field.name())));
        }
        if let Some(field) = control {
            return Err(failed(format!("{} is not well formed.", field.name())));
        }
        Ok(Some(fields))
    }

    pub(super) fn get(&self, field: Field) -> Option<&str> {
        self.0.get(&field).map(String::as_str)
    }

    /// The field's text, empty when it was not given, as it is signed.
    pub(super) fn text(&self, field: Field) -> &str {
        self.get(field).unwrap_or_default()
    }

    pub(super) fn required(&self, field: Field) -> Result<&str, Refusal> {
        self.get(field)
            .ok_or_else(|| failed(format!("{} is mandatory. Cannot be empty", field.name())))
    }

    pub(super) fn set(&mut self, field: Field, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.0.insert(field, value);
        }
    }

    /// The bytes of the signature.
    pub(super) fn signature(&self) -> Result<Vec<u8>, Refusal> {
        STANDARD
            .decode(self.text(Field::Sig))
            .map_err(|_| failed("Signature fields not well formed."))
    }

    pub(super) fn set_signature(&mut self, signature: &[u8]) {
        self.set(Field::Sig, STANDARD.encode(signature));
    }

    /// The token, without a leading question mark.
    pub(super) fn to_query(&self) -> String {
        let parts = self
            .0
            .iter()
            .map(|(field, value)| format!("{}={}", field.name(), utf8_percent_encode(value, VALUE)));
        parts.collect::<Vec<_>>().join("&")
    }
}
