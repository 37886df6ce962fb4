//! Names and texts as T-SQL: the only way in which anything from outside gets into a statement.
//!
//! An [`Identifier`] goes between brackets with `]` doubled, a [`Literal`] behind `N'` with `'` doubled; nothing else ends
//! either. NUL is refused because tools and logs cut texts there, so that what a human reviews is not what runs.

use std::fmt;

/// Longest name, `sysname`, in UTF-16 units.
pub const NAME_MAX: usize = 128;
/// Longest name of a backup device (a path or a URL), in UTF-16 units.
pub const DEVICE_MAX: usize = 259;
/// Longest text that a plain `nvarchar` literal holds, in UTF-16 units.
pub const LITERAL_MAX: usize = 4000;

/// A text that cannot be quoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuotingError {
    /// A name must have a character.
    #[error("the {what} is empty")]
    Empty {
        /// What it was to be.
        what: &'static str,
    },
    /// NUL.
    #[error("the {what} holds a NUL character")]
    Nul {
        /// What it was to be.
        what: &'static str,
    },
    /// Too long.
    #[error("the {what} has {units} characters; {most} are the most that SQL Server takes")]
    TooLong {
        /// What it was to be.
        what: &'static str,
        /// UTF-16 units that it has.
        units: usize,
        /// How many it may have.
        most: usize,
    },
}

fn checked(what: &'static str, text: &str, most: usize) -> Result<(), QuotingError> {
    if text.contains('\0') {
        return Err(QuotingError::Nul { what });
    }
    let units = text.encode_utf16().count();
    if units > most {
        return Err(QuotingError::TooLong { what, units, most });
    }
    Ok(())
}

/// A name: of a database, a login, a credential, a file. Prints quoted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identifier(String);

impl Identifier {
    /// Takes any name that SQL Server could hold, however strange.
    ///
    /// # Errors
    /// [`QuotingError`]: empty, longer than [`NAME_MAX`], NUL.
    pub fn new(name: &str) -> Result<Self, QuotingError> {
        if name.is_empty() {
            return Err(QuotingError::Empty { what: "name" });
        }
        checked("name", name, NAME_MAX)?;
        Ok(Self(name.to_owned()))
    }

    /// As it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The name as a text rather than as a name: `N'...'`.
    #[must_use]
    pub fn literal(&self) -> Literal {
        Literal(self.0.clone())
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.0.replace(']', "]]"))
    }
}

/// A text. Prints quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal(String);

impl Literal {
    /// A text of up to [`LITERAL_MAX`].
    ///
    /// # Errors
    /// [`QuotingError`]: too long, NUL.
    pub fn new(text: &str) -> Result<Self, QuotingError> {
        Self::of("text", text, LITERAL_MAX)
    }

    /// A path or URL of a backup device, up to [`DEVICE_MAX`].
    ///
    /// # Errors
    /// [`QuotingError`]: empty, too long, NUL.
    pub fn device(text: &str) -> Result<Self, QuotingError> {
        if text.is_empty() {
            return Err(QuotingError::Empty { what: "device name" });
        }
        Self::of("device name", text, DEVICE_MAX)
    }

    /// A text of up to `most` UTF-16 units; `what` is for the error.
    ///
    /// # Errors
    /// [`QuotingError`]: too long, NUL.
    pub fn of(what: &'static str, text: &str, most: usize) -> Result<Self, QuotingError> {
        checked(what, text, most)?;
        Ok(Self(text.to_owned()))
    }

    /// As it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "N'{}'", self.0.replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_name_or_a_text_is_doubled() {
        let name = |text| Identifier::new(text).unwrap().to_string();
        assert_eq!(name("a]b"), "[a]]b]");
        assert_eq!(name("]; DROP DATABASE x --"), "[]]; DROP DATABASE x --]");
        assert_eq!(name("Zażółć 😀 ' \" ["), "[Zażółć 😀 ' \" []");
        let text = |text| Literal::new(text).unwrap().to_string();
        assert_eq!(text("it's"), "N'it''s'");
        assert_eq!(text(""), "N''");
        assert_eq!(text("''"), "N''''''");
    }

    #[test]
    fn lengths_are_in_utf16_units_as_sysname_is() {
        assert!(Identifier::new(&"ż".repeat(128)).is_ok());
        assert!(Identifier::new(&"ż".repeat(129)).is_err());
        // Two units each.
        assert!(Identifier::new(&"😀".repeat(64)).is_ok());
        assert!(Identifier::new(&"😀".repeat(65)).is_err());
        assert!(Literal::device(&"x".repeat(259)).is_ok());
        assert!(Literal::device(&"x".repeat(260)).is_err());
        assert!(Identifier::new("").is_err());
        assert!(Identifier::new("a\0b").is_err());
        assert!(Literal::new("a\0b").is_err());
    }
}
