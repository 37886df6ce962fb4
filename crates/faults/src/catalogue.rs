//! The catalogue: one data file, parsed once, strictly.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::code::Code;
use crate::entry::Entry;

/// The file as it stands in the sources: for tools that want it whole.
pub const SOURCE: &str = include_str!("../catalogue.toml");

/// All entries, in the order of [`Code::ALL`].
#[derive(Debug)]
pub struct Catalogue {
    /// Documents that entries point to: short name and title.
    pub documents: BTreeMap<String, String>,
    /// Messages that say nothing about a cause.
    pub carries_nothing: Vec<i32>,
    entries: Vec<Entry>,
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    documents: BTreeMap<String, String>,
    carries_nothing: Vec<i32>,
    code: Vec<Entry>,
}

/// Why a text is no catalogue.
#[derive(Debug, thiserror::Error)]
pub enum Bad {
    /// It is no TOML, or not of this shape; a field or a word that nobody knows counts.
    #[error("{0}")]
    Shape(#[from] toml::de::Error),
    /// Not every code has exactly one entry, in the order of [`Code::ALL`].
    #[error("entry {place} should be {expected:?} and is {found:?}")]
    Order {
        /// From 0.
        place: usize,
        /// What [`Code::ALL`] has there.
        expected: Option<Code>,
        /// What the file has there.
        found: Option<Code>,
    },
}

impl Catalogue {
    /// Reads a catalogue.
    ///
    /// # Errors
    /// When it is not one ([`Bad`]).
    pub fn parse(text: &str) -> Result<Self, Bad> {
        let file: File = toml::from_str(text)?;
        let places = Code::ALL.len().max(file.code.len());
        for place in 0..places {
            let expected = Code::ALL.get(place).copied();
            let found = file.code.get(place).map(|entry| entry.code);
            if expected != found {
                return Err(Bad::Order {
                    place,
                    expected,
                    found,
                });
            }
        }
        Ok(Self {
            documents: file.documents,
            carries_nothing: file.carries_nothing,
            entries: file.code,
        })
    }

    /// All entries, in the order of [`Code::ALL`].
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

static CATALOGUE: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue::parse(SOURCE).expect("the tests have parsed this very file"));

/// The catalogue.
pub fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

/// The entry of `code`.
pub(crate) fn get(code: Code) -> &'static Entry {
    &catalogue().entries[code as usize]
}
