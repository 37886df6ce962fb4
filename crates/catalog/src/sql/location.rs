//! Where a catalog is: a path, or the URL of a PostgreSQL server.

use std::fmt;
use std::path::PathBuf;

use url::Url;

use crate::error::CatalogError;

/// What a URL of PostgreSQL may say behind its `?`. Others are refused: the driver would log them with their values.
const PARAMETERS: [&str; 13] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "statement-cache-capacity",
];

/// Where a catalog is.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A file of SQLite.
    Sqlite {
        /// The file; it is made, its folder is not.
        path: PathBuf,
        /// The size it may grow to, in bytes; nothing for no limit but the disk's.
        max_bytes: Option<u64>,
    },
    /// A PostgreSQL database: `postgres://USER:PASSWORD@HOST/DATABASE`.
    Postgres(Url),
}

impl Location {
    /// A file of SQLite, as large as its disk lets it be.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::Sqlite {
            path: path.into(),
            max_bytes: None,
        }
    }

    /// Reads `postgres://...`, `postgresql://...`, `sqlite:PATH`, or a path.
    ///
    /// # Errors
    /// `Unreachable` for a URL that is none, or has parameters that are not known.
    pub fn parse(text: &str) -> Result<Self, CatalogError> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            let path = text.strip_prefix("sqlite:").unwrap_or(text);
            return match path {
                "" => Err(bad("an empty path".into())),
                path => Ok(Self::file(path)),
            };
        }
        let url = Url::parse(text).map_err(|error| bad(error.to_string()))?;
        let unknown = url
            .query_pairs()
            .find(|(key, _)| !PARAMETERS.contains(&key.as_ref()))
            .map(|(key, _)| key.into_owned());
        match unknown {
            Some(key) => Err(bad(format!("the parameter {key} of its URL is not known"))),
            None => Ok(Self::Postgres(url)),
        }
    }

    /// The place as people may see it: without password and parameters.
    pub fn name(&self) -> String {
        match self {
            Self::Sqlite { path, .. } => path.display().to_string(),
            Self::Postgres(url) => {
                let mut shown = url.clone();
                // Fails for a URL without a host, which has no password either.
                let _ = shown.set_password(None);
                shown.set_query(None);
                shown.set_fragment(None);
                shown.to_string()
            }
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({})", self.name())
    }
}

fn bad(why: String) -> CatalogError {
    CatalogError::Unreachable {
        catalog: "that was named".into(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls_are_told_apart() {
        assert_eq!(
            Location::parse("/var/lib/vault.db").unwrap(),
            Location::file("/var/lib/vault.db")
        );
        assert_eq!(
            Location::parse("sqlite:vault.db").unwrap(),
            Location::file("vault.db")
        );
        assert!(Location::parse("").is_err());
        assert!(matches!(
            Location::parse("postgres://h/db").unwrap(),
            Location::Postgres(_)
        ));
    }

    #[test]
    fn passwords_are_seen_nowhere() {
        let text = "postgresql://me:hunter2@db.example:5433/bac2?password=hunter2&sslmode=require";
        let location = Location::parse(text).unwrap();
        assert_eq!(location.name(), "postgresql://me@db.example:5433/bac2");
        assert_eq!(
            format!("{location:?}"),
            "Location(postgresql://me@db.example:5433/bac2)"
        );
        let error = Location::parse("postgres://me:hunter2@h/db?pasword=hunter2").unwrap_err();
        assert!(
            error.to_string().contains("pasword") && !error.to_string().contains("hunter2"),
            "{error}"
        );
        let error = Location::parse("postgres://me:hunter2@h:99999/db").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
