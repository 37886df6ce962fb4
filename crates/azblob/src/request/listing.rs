//! What a listing is asked for: List Blobs and List Containers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::fields::Fields;
use crate::error::{ErrorCode, Refusal};
use crate::limits::MAX_LIST_RESULTS;
use crate::snapshot::SnapshotTime;

/// Where the next page of a listing begins: the first name not listed yet, included.
///
/// On the wire the name is Base64, so that a client carries any name back unharmed and none mistakes it for a name;
/// a point and the snapshot's ticks follow where a blob's snapshots are listed in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The name.
    pub name: String,
    /// The first of its snapshots not listed yet.
    pub snapshot: Option<SnapshotTime>,
}

/// List Blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListBlobs {
    /// Only names that begin so.
    pub prefix: Option<String>,
    /// Names that share their text up to this, after the prefix, are listed as one.
    pub delimiter: Option<String>,
    /// Where to go on.
    pub marker: Option<Marker>,
    /// Most entries, 1 to [`MAX_LIST_RESULTS`].
    pub max_results: u32,
    /// Whether `maxresults` was given: the answer then repeats it.
    pub max_results_given: bool,
    /// `include=metadata`
    pub include_metadata: bool,
    /// The first name wanted, `startFrom`; names before it are left out.
    pub start_from: Option<String>,
    /// `include=snapshots`
    pub include_snapshots: bool,
    /// `include=copy`
    pub include_copy: bool,
    /// `include=tags`
    pub include_tags: bool,
    /// `include=uncommittedblobs`: blobs of which only blocks were put.
    pub include_uncommitted: bool,
}

/// List Containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListContainers {
    /// Only names that begin so.
    pub prefix: Option<String>,
    /// Where to go on.
    pub marker: Option<Marker>,
    /// Most entries, 1 to [`MAX_LIST_RESULTS`].
    pub max_results: u32,
    /// Whether `maxresults` was given: the answer then repeats it.
    pub max_results_given: bool,
    /// `include=metadata`
    pub include_metadata: bool,
}

const OFFERED: [&str; 5] = ["metadata", "snapshots", "uncommittedblobs", "copy", "tags"];

/// What else may be asked to be included. There is none of it here, so leaving it out is the whole truth.
const NOTHING_OF_THESE: [&str; 7] = [
    "deleted",
    "versions",
    "immutabilitypolicy",
    "legalhold",
    "deletedwithversions",
    "permissions",
    "system",
];

impl Default for ListBlobs {
    fn default() -> Self {
        Self {
            prefix: None,
            delimiter: None,
            marker: None,
            max_results: MAX_LIST_RESULTS,
            max_results_given: false,
            include_metadata: false,
            start_from: None,
            include_snapshots: false,
            include_copy: false,
            include_tags: false,
            include_uncommitted: false,
        }
    }
}

impl Default for ListContainers {
    fn default() -> Self {
        Self {
            prefix: None,
            marker: None,
            max_results: MAX_LIST_RESULTS,
            max_results_given: false,
            include_metadata: false,
        }
    }
}

impl Marker {
    /// A marker at a name.
    pub fn at(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            snapshot: None,
        }
    }

    /// The text on the wire.
    pub fn to_wire(&self) -> String {
        let name = URL_SAFE_NO_PAD.encode(&self.name);
        match self.snapshot {
            None => name,
            Some(time) => format!("{name}.{:x}", time.0),
        }
    }

    /// Reads the text off the wire.
    pub fn from_wire(text: &str) -> Option<Self> {
        let (name, ticks) = match text.split_once('.') {
            None => (text, None),
            Some((name, ticks)) => (name, Some(u64::from_str_radix(ticks, 16).ok()?)),
        };
        let name = String::from_utf8(URL_SAFE_NO_PAD.decode(name).ok()?).ok()?;
        let snapshot = ticks.map(SnapshotTime);
        Some(Self { name, snapshot })
    }
}

impl ListBlobs {
    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, Refusal> {
        for unknown in ["showonly", "endbefore"] {
            if fields.query(unknown).is_some() {
                return Err(fields.unsupported_query(unknown));
            }
        }
        let include = include(fields)?;
        let (max_results, max_results_given) = max_results(fields)?;
        Ok(Self {
            prefix: fields.query("prefix").map(str::to_owned),
            delimiter: fields.query("delimiter").map(str::to_owned),
            marker: fields.marker()?,
            max_results,
            max_results_given,
            include_metadata: include.contains(&"metadata"),
            start_from: fields.query("startfrom").map(str::to_owned),
            include_snapshots: include.contains(&"snapshots"),
            include_copy: include.contains(&"copy"),
            include_tags: include.contains(&"tags"),
            include_uncommitted: include.contains(&"uncommittedblobs"),
        })
    }
}

impl ListContainers {
    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let include = include(fields)?;
        let (max_results, max_results_given) = max_results(fields)?;
        Ok(Self {
            prefix: fields.query("prefix").map(str::to_owned),
            marker: fields.marker()?,
            max_results,
            max_results_given,
            include_metadata: include.contains(&"metadata"),
        })
    }
}

fn include<'f>(fields: &'f Fields<'_>) -> Result<Vec<&'f str>, Refusal> {
    let text = fields.query("include").unwrap_or_default();
    let words: Vec<&str> = text.split(',').map(str::trim).filter(|w| !w.is_empty()).collect();
    for word in &words {
        if !OFFERED.contains(word) && !NOTHING_OF_THESE.contains(word) {
            return Err(Refusal::query("include", word, "Unknown value."));
        }
    }
    Ok(words)
}

fn max_results(fields: &Fields<'_>) -> Result<(u32, bool), Refusal> {
    let Some(text) = fields.query("maxresults") else {
        return Ok((MAX_LIST_RESULTS, false));
    };
    match text.parse::<u32>() {
        Ok(n) if n >= 1 => Ok((n.min(MAX_LIST_RESULTS), true)),
        _ => Err(Refusal::from(ErrorCode::OutOfRangeQueryParameterValue)
            .detail("QueryParameterName", "maxresults")
            .detail("QueryParameterValue", text)
            .detail("MinimumAllowed", "1")
            .detail("MaximumAllowed", "2147483647")),
    }
}
