//! Blob tags: at most ten pairs of name and value that belong to a blob and can be changed without changing it.
//!
//! They come as a header (`x-ms-tags`, written like a query) or as an XML body, and go out as XML. Both ways are
//! read into [`Tags`], which holds legal tags only. Limits and characters are those of Microsoft's "Set Blob Tags":
//! names of 1 to 128 characters, values of at most 256, of letters, digits, blank and `+ - . / : = _`.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::error::{ErrorCode, Refusal};
use crate::query;
use crate::xml::{self, Step, Walker};

/// Tags of one blob.
pub const MAX_TAGS: usize = 10;
/// Characters of a tag's name.
pub const MAX_TAG_NAME: usize = 128;
/// Characters of a tag's value.
pub const MAX_TAG_VALUE: usize = 256;
/// Bytes of a Set Blob Tags body that are read: ten of the longest tags, in UTF-16, with room to spare.
pub const MAX_TAGS_BODY: u64 = 32 << 10;

/// The tags of one blob, in order of name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<String, String>);

/// What stays as it is in the header's value.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl Tags {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Name and value, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a tag.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Adds a tag.
    ///
    /// # Errors
    /// 400 `EmptyTagName`, `DuplicateTagNames`, `TagsTooLarge` or `InvalidTag`.
    pub fn insert(&mut self, name: &str, value: &str) -> Result<(), ErrorCode> {
        let legal = |c: char| c.is_ascii_alphanumeric() || " +-./:=_".contains(c);
        if name.is_empty() {
            return Err(ErrorCode::EmptyTagName);
        }
        if self.len() == MAX_TAGS
            || name.chars().count() > MAX_TAG_NAME
            || value.chars().count() > MAX_TAG_VALUE
        {
            return Err(ErrorCode::TagsTooLarge);
        }
        if !name.chars().chain(value.chars()).all(legal) {
            return Err(ErrorCode::InvalidTag);
        }
        match self.0.insert(name.to_owned(), value.to_owned()) {
            None => Ok(()),
            Some(_) => Err(ErrorCode::DuplicateTagNames),
        }
    }

    /// Reads `x-ms-tags`: `name=value&name=value`, percent-encoded.
    ///
    /// # Errors
    /// As [`Tags::insert`].
    pub fn from_header(text: &str) -> Result<Self, ErrorCode> {
        let mut tags = Self::default();
        for (name, value) in query::pairs(text) {
            tags.insert(&name, &value)?;
        }
        Ok(tags)
    }

    /// The value of `x-ms-tags`.
    pub fn to_header(&self) -> String {
        let pair = |(name, value): (&str, &str)| {
            format!(
                "{}={}",
                utf8_percent_encode(name, VALUE),
                utf8_percent_encode(value, VALUE)
            )
        };
        self.iter().map(pair).collect::<Vec<_>>().join("&")
    }

    /// Reads the body of Set Blob Tags, in UTF-8 or UTF-16.
    ///
    /// # Errors
    /// 400 `InvalidXmlDocument`, and as [`Tags::insert`].
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let refuse = |_| Refusal::from(ErrorCode::InvalidXmlDocument);
        let text = xml::decode(body).map_err(refuse)?;
        let mut walker = Walker::new(&text);
        let mut tags = Self::default();
        let (mut key, mut value) = (None, None);
        let mut path = Vec::new();
        loop {
            match walker.step().map_err(refuse)? {
                Step::Open { name, .. } => {
                    path.push(name);
                    let legal = ["Tags", "TagSet", "Tag"];
                    let here = path.len() - 1;
                    let fits = match here {
                        0..3 => path[here] == legal[here],
                        3 => ["Key", "Value"].contains(&path[here].as_str()),
                        _ => false,
                    };
                    if !fits {
                        return Err(ErrorCode::InvalidXmlDocument.into());
                    }
                }
                Step::Close { name, text } => {
                    path.pop();
                    match name.as_str() {
                        "Key" => key = Some(text),
                        "Value" => value = Some(text),
                        "Tag" => {
                            let name = key.take().unwrap_or_default();
                            tags.insert(&name, &value.take().unwrap_or_default())?;
                        }
                        _ => {}
                    }
                }
                Step::End => return Ok(tags),
            }
        }
    }

    /// The body of Get Blob Tags and Set Blob Tags.
    pub fn render(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
        self.push_xml(&mut out);
        out
    }

    /// Appends the `Tags` element.
    pub(crate) fn push_xml(&self, out: &mut String) {
        xml::open(out, "Tags");
        xml::open(out, "TagSet");
        for (name, value) in self.iter() {
            xml::open(out, "Tag");
            xml::element(out, "Key", name);
            xml::element(out, "Value", value);
            xml::close(out, "Tag");
        }
        xml::close(out, "TagSet");
        xml::close(out, "Tags");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_and_a_body_say_the_same() {
        let tags = Tags::from_header("project=year%20end&keep=2026-12-31&empty=").unwrap();
        let pairs: Vec<_> = tags.iter().collect();
        assert_eq!(
            pairs,
            [("empty", ""), ("keep", "2026-12-31"), ("project", "year end")]
        );
        assert_eq!(Tags::from_header(&tags.to_header()), Ok(tags.clone()));
        let body = tags.render();
        assert!(body.ends_with("<Tag><Key>project</Key><Value>year end</Value></Tag></TagSet></Tags>"));
        assert_eq!(Tags::parse(body.as_bytes()).unwrap(), tags);
        let none = "<?xml version='1.0'?><Tags><TagSet/></Tags>";
        assert_eq!(Tags::parse(none.as_bytes()).unwrap(), Tags::default());
    }

    #[test]
    fn what_is_over_a_limit_is_refused_by_its_code() {
        let header = |text: &str| Tags::from_header(text).map(|_| ());
        let many = |count: usize| {
            let pairs: Vec<String> = (0..count).map(|n| format!("k{n}=v")).collect();
            pairs.join("&")
        };
        assert_eq!(header(&many(10)), Ok(()));
        assert_eq!(header(&many(11)), Err(ErrorCode::TagsTooLarge));
        assert_eq!(header("=v"), Err(ErrorCode::EmptyTagName));
        assert_eq!(header("a=1&a=2"), Err(ErrorCode::DuplicateTagNames));
        assert_eq!(header("a=%E2%82%AC"), Err(ErrorCode::InvalidTag));
        assert_eq!(header("a!=1"), Err(ErrorCode::InvalidTag));
        assert_eq!(header(&format!("{}=v", "k".repeat(128))), Ok(()));
        assert_eq!(
            header(&format!("{}=v", "k".repeat(129))),
            Err(ErrorCode::TagsTooLarge)
        );
        assert_eq!(header(&format!("k={}", "v".repeat(256))), Ok(()));
        assert_eq!(
            header(&format!("k={}", "v".repeat(257))),
            Err(ErrorCode::TagsTooLarge)
        );
        for body in ["", "<Tags>", "<Tags><Tag/></Tags>", "<TagSet/>"] {
            let code = Tags::parse(body.as_bytes()).unwrap_err().code;
            assert_eq!(code, ErrorCode::InvalidXmlDocument, "{body}");
        }
    }
}
