//! The body of List Containers.

use super::blob_list::{Reading, push_metadata};
use crate::lease::LeaseView;
use crate::metadata::Metadata;
use crate::request::{ListContainers, Marker};
use crate::time::UnixMillis;
use crate::version::ApiVersion;
use crate::xml::{self, Step, Walker, XmlError};

/// One page of containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerPage {
    /// In order of name.
    pub entries: Vec<ListedContainer>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Marker>,
}

/// One container of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedContainer {
    /// Its name.
    pub name: String,
    /// Its tag, without quotes.
    pub etag: String,
    /// When it last changed.
    pub last_modified: UnixMillis,
    /// Its lease.
    pub lease: LeaseView,
    /// Its metadata, where it was asked for.
    pub metadata: Option<Metadata>,
}

impl ContainerPage {
    /// The body. `endpoint` is the URL of the account, with a slash at its end. Before version 2013-08-15 it has another
    /// name, and the URL of each container stands beside its name.
    pub fn render(&self, endpoint: &str, asked: &ListContainers, version: ApiVersion) -> String {
        let with_urls = version < ApiVersion::V2013_08_15;
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ");
        let name = if with_urls {
            "AccountName"
        } else {
            "ServiceEndpoint"
        };
        xml::attribute(&mut out, name, endpoint);
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
        xml::open(&mut out, "Containers");
        for entry in &self.entries {
            entry.render(&mut out, with_urls.then_some(endpoint));
        }
        xml::close(&mut out, "Containers");
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
    pub fn parse_any(body: &[u8]) -> Result<(Vec<ListedContainer>, Option<String>), XmlError> {
        let text = xml::decode_reply(body)?;
        let mut walker = Walker::new(&text);
        let (mut entries, mut next) = (Vec::new(), None);
        let mut reading = Reading::default();
        loop {
            match walker.step()? {
                Step::Open { name, encoded } => reading.open(&name, encoded),
                Step::Close { name, text } if reading.in_metadata => reading.close(name, text)?,
                Step::Close { name, text } => match name.as_str() {
                    "Container" => entries.push(ListedContainer {
                        name: reading.name.take().ok_or(XmlError::Syntax)?,
                        etag: reading.take("Etag").ok_or(XmlError::Syntax)?,
                        last_modified: reading.date("Last-Modified").ok_or(XmlError::Syntax)?,
                        lease: reading.lease(),
                        metadata: reading.metadata.take(),
                    }),
                    "NextMarker" => next = Some(text).filter(|text| !text.is_empty()),
                    _ => reading.close(name, text)?,
                },
                Step::End => return Ok((entries, next)),
            }
        }
    }
}

impl ListedContainer {
    fn render(&self, out: &mut String, endpoint: Option<&str>) {
        xml::open(out, "Container");
        xml::element(out, "Name", &self.name);
        if let Some(endpoint) = endpoint {
            xml::element(out, "Url", &format!("{endpoint}{}", self.name));
        }
        xml::open(out, "Properties");
        xml::element(out, "Last-Modified", &self.last_modified.http_date());
        xml::element(out, "Etag", &self.etag);
        super::blob_list::push_lease(out, self.lease);
        xml::element(out, "HasImmutabilityPolicy", "false");
        xml::element(out, "HasLegalHold", "false");
        xml::close(out, "Properties");
        push_metadata(out, self.metadata.as_ref());
        xml::close(out, "Container");
    }
}
