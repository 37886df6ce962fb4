//! A policy as text: JSON or TOML, the same fields in both.
//!
//! An unknown field, a missing one and one that is no time, day, duration or zone are refused with the path of the field. What the
//! values mean together is for [`crate::validate()`].

use serde::Deserialize;

use crate::policy::{Policy, VERSION};

/// The longest text that is read, in bytes. A policy with every field takes about 2,000.
pub const TEXT_MAX: usize = 64 * 1024;

/// Why a text is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    /// A field is unknown, missing, or not what it should be.
    #[error("{field}: {reason}")]
    Field {
        /// The path of the field, as in `full.schedule.times[0]`.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It is no JSON, or no TOML, at all.
    #[error("the policy cannot be read: {0}")]
    Syntax(String),
    /// It was written by a later version.
    #[error(
        "version: the policy has version {0}, and this bac2 reads version {VERSION}; use a newer bac2, or write it anew"
    )]
    Version(u64),
    /// It is too long.
    #[error("the policy has {0} bytes, and {TEXT_MAX} are the most that is read; is it the right file?")]
    TooLong(usize),
}

/// The version alone, so that a document of another version is told from a faulty one.
#[derive(Deserialize)]
struct Header {
    version: Option<u64>,
}

impl Policy {
    /// Reads a policy from JSON.
    ///
    /// # Errors
    /// The text is no JSON, or a field is not as it should be; the first such field is named.
    pub fn from_json(text: &str) -> Result<Self, BadPolicy> {
        check_length(text)?;
        let header: Result<Header, _> = serde_json::from_str(text);
        check_version(header.ok())?;
        let mut reader = serde_json::Deserializer::from_str(text);
        let policy = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let (field, inner) = (error.path().to_string(), error.into_inner());
            if inner.is_data() {
                return field_error(&field, &inner.to_string());
            }
            BadPolicy::Syntax(inner.to_string())
        })?;
        reader
            .end()
            .map_err(|error| BadPolicy::Syntax(error.to_string()))?;
        Ok(policy)
    }

    /// Reads a policy from TOML.
    ///
    /// # Errors
    /// The text is no TOML, or a field is not as it should be; the first such field is named.
    pub fn from_toml(text: &str) -> Result<Self, BadPolicy> {
        check_length(text)?;
        check_version(toml::from_str(text).ok())?;
        let syntax = |error: toml::de::Error| BadPolicy::Syntax(error.message().to_owned());
        let reader = toml::Deserializer::parse(text).map_err(syntax)?;
        serde_path_to_error::deserialize(reader).map_err(|error| {
            let field = error.path().to_string();
            field_error(&field, error.into_inner().message())
        })
    }

    /// The policy as JSON for people and files: indented, fields in the order of the types, one line feed at the end.
    pub fn to_json(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("a policy has no map keys that are no strings");
        text.push('\n');
        text
    }

    /// The policy as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a policy is a table of tables and values")
    }
}

fn check_length(text: &str) -> Result<(), BadPolicy> {
    if text.len() > TEXT_MAX {
        return Err(BadPolicy::TooLong(text.len()));
    }
    Ok(())
}

/// Where the version cannot be read, the full reading tells why.
fn check_version(header: Option<Header>) -> Result<(), BadPolicy> {
    match header.and_then(|header| header.version) {
        Some(version) if version != u64::from(VERSION) => Err(BadPolicy::Version(version)),
        _ => Ok(()),
    }
}

fn field_error(field: &str, reason: &str) -> BadPolicy {
    // Serde's own messages end with line and column, which the path makes superfluous and which tools would have to cut off.
    let reason = reason.split(" at line ").next().unwrap_or(reason).trim();
    let field = if field.is_empty() || field == "." {
        "policy"
    } else {
        field
    };
    BadPolicy::Field {
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
}
