//! The body of List Blobs.
//!
//! Blobs and prefixes stand in one sequence, in order of name. A blob of which only blocks were put has
//! neither tag nor time of change. Names that XML cannot hold are percent-encoded (`Encoded="true"`).

use std::collections::HashMap;

use super::BlobType;
use crate::copy::{CopyState, CopyStatus};
use crate::digest::Md5;
use crate::lease::LeaseView;
use crate::metadata::Metadata;
use crate::properties::{HttpProperties, ONLY_TIER};
use crate::request::{ListBlobs, Marker};
use crate::snapshot::SnapshotTime;
use crate::tags::Tags;
use crate::time::UnixMillis;
use crate::version::ApiVersion;
use crate::xml::{self, Step, Walker, XmlError};

/// One page of blobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobPage {
    /// In order of name.
    pub entries: Vec<ListedEntry>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Marker>,
}

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedEntry {
    /// A blob.
    Blob(Box<ListedBlob>),
    /// All names that begin so, delimiter included.
    Prefix(String),
}

/// One blob of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedBlob {
    /// Its name.
    pub name: String,
    /// Which snapshot of that blob; `None` for the blob itself.
    pub snapshot: Option<SnapshotTime>,
    /// Its tag, without quotes; `None` while uncommitted.
    pub etag: Option<String>,
    /// When it last changed; `None` while uncommitted.
    pub last_modified: Option<UnixMillis>,
    /// When it was made.
    pub created: Option<UnixMillis>,
    /// Bytes; 0 while uncommitted.
    pub length: u64,
    /// What it is made of.
    pub blob_type: BlobType,
    /// Its HTTP properties.
    pub properties: HttpProperties,
    /// Its lease; a snapshot has none to show.
    pub lease: LeaseView,
    /// Of a page blob.
    pub sequence_number: Option<u64>,
    /// Of an append blob: nothing is added any more.
    pub append_sealed: bool,
    /// The copy that made it, or is making it, where that was asked for.
    pub copy: Option<CopyState>,
    /// Its metadata, where it was asked for.
    pub metadata: Option<Metadata>,
    /// Its tags, where they were asked for and there are any.
    pub tags: Option<Tags>,
}

impl BlobPage {
    /// The body. `endpoint` is the URL of the account, with a slash at its end. Before version 2013-08-15 the URL of the
    /// container stands at the top, and that of each blob beside its name.
    pub fn render(&self, endpoint: &str, container: &str, asked: &ListBlobs, version: ApiVersion) -> String {
        let container_url = format!("{endpoint}{container}");
        let with_urls = (version < ApiVersion::V2013_08_15).then_some(container_url.as_str());
        let mut out = String::with_capacity(512 + self.entries.len() * 768);
        out.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ");
        if with_urls.is_none() {
            xml::attribute(&mut out, "ServiceEndpoint", endpoint);
            out.push(' ');
        }
        xml::attribute(&mut out, "ContainerName", with_urls.unwrap_or(container));
        out.push('>');
        if let Some(prefix) = &asked.prefix {
            xml::name_element(&mut out, "Prefix", prefix);
        }
        if let Some(marker) = &asked.marker {
            xml::element(&mut out, "Marker", &marker.to_wire());
        }
        if asked.max_results_given {
            xml::element(&mut out, "MaxResults", &asked.max_results.to_string());
        }
        if let Some(delimiter) = &asked.delimiter {
            xml::name_element(&mut out, "Delimiter", delimiter);
        }
        xml::open(&mut out, "Blobs");
        for entry in &self.entries {
            match entry {
                ListedEntry::Blob(blob) => blob.render(&mut out, with_urls),
                ListedEntry::Prefix(prefix) => {
                    xml::open(&mut out, "BlobPrefix");
                    xml::name_element(&mut out, "Name", prefix);
                    xml::close(&mut out, "BlobPrefix");
                }
            }
        }
        xml::close(&mut out, "Blobs");
        xml::element(
            &mut out,
            "NextMarker",
            &self.next.as_ref().map_or(String::new(), Marker::to_wire),
        );
        xml::close(&mut out, "EnumerationResults");
        out
    }

    /// Reads the body, as a client of this server does; the marker of another service is not understood.
    ///
    /// # Errors
    /// [`XmlError`].
    pub fn parse(body: &[u8]) -> Result<Self, XmlError> {
        let (entries, next) = Self::parse_any(body)?;
        let next = next.map(|text| Marker::from_wire(&text).ok_or(XmlError::Syntax));
        Ok(Self {
            entries,
            next: next.transpose()?,
        })
    }

    /// Reads the body of any Blob service: the entries, and the marker of the next page as it stands there.
    ///
    /// # Errors
    /// [`XmlError`].
    pub fn parse_any(body: &[u8]) -> Result<(Vec<ListedEntry>, Option<String>), XmlError> {
        let text = xml::decode_reply(body)?;
        let mut walker = Walker::new(&text);
        let (mut entries, mut next) = (Vec::new(), None);
        let mut reading = Reading::default();
        loop {
            match walker.step()? {
                Step::Open { name, encoded } => reading.open(&name, encoded),
                Step::Close { name, text } if reading.in_metadata => reading.close(name, text)?,
                Step::Close { name, text } => match name.as_str() {
                    "Blob" => entries.push(ListedEntry::Blob(Box::new(reading.blob()?))),
                    "BlobPrefix" => {
                        let prefix = reading.name.take().ok_or(XmlError::Syntax)?;
                        entries.push(ListedEntry::Prefix(prefix));
                    }
                    "NextMarker" => next = Some(text).filter(|text| !text.is_empty()),
                    _ => reading.close(name, text)?,
                },
                Step::End => return Ok((entries, next)),
            }
        }
    }
}

impl ListedBlob {
    fn render(&self, out: &mut String, container_url: Option<&str>) {
        xml::open(out, "Blob");
        xml::name_element(out, "Name", &self.name);
        if let Some(snapshot) = self.snapshot {
            xml::element(out, "Snapshot", &snapshot.to_string());
        }
        if let Some(container) = container_url {
            xml::element(out, "Url", &xml::blob_url(container, &self.name));
        }
        xml::open(out, "Properties");
        let mut optional = |name: &str, text: Option<String>| {
            if let Some(text) = text {
                xml::element(out, name, &text);
            }
        };
        optional("Creation-Time", self.created.map(UnixMillis::http_date));
        optional("Last-Modified", self.last_modified.map(UnixMillis::http_date));
        optional("Etag", self.etag.clone());
        optional("Content-Length", Some(self.length.to_string()));
        let properties = &self.properties;
        let plain = crate::properties::DEFAULT_CONTENT_TYPE;
        optional(
            "Content-Type",
            Some(
                properties
                    .content_type
                    .clone()
                    .unwrap_or_else(|| plain.to_owned()),
            ),
        );
        optional("Content-Encoding", properties.content_encoding.clone());
        optional("Content-Language", properties.content_language.clone());
        optional("Content-MD5", properties.content_md5.map(|m| m.to_string()));
        optional("Content-Disposition", properties.content_disposition.clone());
        optional("Cache-Control", properties.cache_control.clone());
        optional(
            "x-ms-blob-sequence-number",
            self.sequence_number.map(|n| n.to_string()),
        );
        optional("BlobType", Some(self.blob_type.as_str().to_owned()));
        if self.append_sealed {
            optional("Sealed", Some("true".to_owned()));
        }
        if self.snapshot.is_none() {
            push_lease(out, self.lease);
        }
        if let Some(copy) = &self.copy {
            copy.push_xml(out);
        }
        if self.blob_type == BlobType::Block && self.etag.is_some() {
            xml::element(out, "AccessTier", ONLY_TIER);
            xml::element(out, "AccessTierInferred", "true");
        }
        xml::close(out, "Properties");
        push_metadata(out, self.metadata.as_ref());
        if let Some(tags) = &self.tags {
            tags.push_xml(out);
        }
        xml::close(out, "Blob");
    }
}

pub(super) fn push_lease(out: &mut String, lease: LeaseView) {
    xml::element(out, "LeaseStatus", lease.status.as_str());
    xml::element(out, "LeaseState", lease.state.as_str());
    if let Some(duration) = lease.duration {
        xml::element(out, "LeaseDuration", duration.as_str());
    }
}

pub(super) fn push_metadata(out: &mut String, metadata: Option<&Metadata>) {
    let Some(metadata) = metadata else { return };
    xml::open(out, "Metadata");
    for (name, value) in metadata.iter() {
        xml::element(out, name, value);
    }
    xml::close(out, "Metadata");
}

/// The entry being read: elements seen since the last one was complete.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) name: Option<String>,
    pub(super) metadata: Option<Metadata>,
    name_encoded: bool,
    tags: Option<Tags>,
    tag_name: Option<String>,
    pub(super) in_metadata: bool,
    fields: HashMap<String, String>,
}

impl Reading {
    pub(super) fn open(&mut self, name: &str, encoded: bool) {
        match name {
            "Name" => self.name_encoded = encoded,
            "Tags" => self.tags = Some(Tags::default()),
            "Metadata" => {
                self.in_metadata = true;
                self.metadata = Some(Metadata::default());
            }
            _ => {}
        }
    }

    pub(super) fn close(&mut self, name: String, text: String) -> Result<(), XmlError> {
        match name.as_str() {
            "Metadata" => self.in_metadata = false,
            _ if self.in_metadata => {
                let metadata = self.metadata.get_or_insert_default();
                metadata.insert(&name, &text).map_err(|_| XmlError::Syntax)?;
            }
            "Key" => self.tag_name = Some(text),
            "Value" => {
                let name = self.tag_name.take().ok_or(XmlError::Syntax)?;
                let tags = self.tags.get_or_insert_default();
                tags.insert(&name, &text).map_err(|_| XmlError::Syntax)?;
            }
            "Name" => {
                self.name = Some(xml::decode_name(&text, self.name_encoded).ok_or(XmlError::Syntax)?);
            }
            _ => {
                self.fields.insert(name, text);
            }
        }
        Ok(())
    }

    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.fields.remove(name).filter(|text| !text.is_empty())
    }

    pub(super) fn date(&mut self, name: &str) -> Option<UnixMillis> {
        UnixMillis::parse_http_date(&self.take(name)?)
    }

    pub(super) fn lease(&mut self) -> LeaseView {
        let (status, state) = (self.take("LeaseStatus"), self.take("LeaseState"));
        let duration = self.take("LeaseDuration");
        let read = || LeaseView::of_words(&status?, &state?, duration.as_deref());
        read().unwrap_or(LeaseView::NONE)
    }

    fn copy(&mut self) -> Option<CopyState> {
        let progress = self.take("CopyProgress")?;
        let (copied, total) = progress.split_once('/')?;
        Some(CopyState {
            id: self.take("CopyId")?,
            source: self.take("CopySource")?,
            status: CopyStatus::parse(&self.take("CopyStatus")?)?,
            copied: copied.parse().ok()?,
            total: total.parse().ok()?,
            completed: self.date("CopyCompletionTime"),
            description: self.take("CopyStatusDescription"),
        })
    }

    fn blob(&mut self) -> Result<ListedBlob, XmlError> {
        let blob = ListedBlob {
            name: self.name.take().ok_or(XmlError::Syntax)?,
            snapshot: match self.take("Snapshot") {
                None => None,
                Some(text) => Some(text.parse().map_err(|_| XmlError::Syntax)?),
            },
            etag: self.take("Etag"),
            last_modified: self.date("Last-Modified"),
            created: self.date("Creation-Time"),
            length: self
                .take("Content-Length")
                .and_then(|t| t.parse().ok())
                .unwrap_or(0),
            blob_type: self
                .take("BlobType")
                .and_then(|t| BlobType::parse(&t))
                .unwrap_or_default(),
            properties: HttpProperties {
                content_type: self.take("Content-Type"),
                content_encoding: self.take("Content-Encoding"),
                content_language: self.take("Content-Language"),
                content_disposition: self.take("Content-Disposition"),
                cache_control: self.take("Cache-Control"),
                content_md5: self.take("Content-MD5").and_then(|t| Md5::parse(&t).ok()),
            },
            sequence_number: self
                .take("x-ms-blob-sequence-number")
                .and_then(|t| t.parse().ok()),
            append_sealed: self.take("Sealed").as_deref() == Some("true"),
            lease: self.lease(),
            copy: self.copy(),
            tags: self.tags.take(),
            metadata: self.metadata.take(),
        };
        self.fields.clear();
        Ok(blob)
    }
}
