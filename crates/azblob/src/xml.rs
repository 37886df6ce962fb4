//! XML as the Blob protocol uses it: small flat documents, in UTF-8 or UTF-16.
//!
//! Reading: the encoding is found from the bytes (byte order mark, or `<` with its zero byte), because SQL
//! Server 2017 and 2019 send block lists as UTF-16LE, 2022 as UTF-8, and a declaration may contradict the
//! bytes. Document type declarations, and with them entities, are refused; so are deep nesting and long
//! texts. Memory is the decoded text and the element at hand.
//!
//! Writing: escaping, and the percent-encoding that stands in for characters XML cannot hold.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::limits::{MAX_XML_ATTRIBUTES, MAX_XML_DEPTH, MAX_XML_REPLY, MAX_XML_TEXT};

/// Why a document was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not well-formed, not decodable, or holding what this protocol has no use for.
    #[error("XML specified is not syntactically valid")]
    Syntax,
    /// Nested deeper, or holding longer text, than any document of the protocol.
    #[error("XML specified exceeds a limit")]
    TooLarge,
}

/// The text of a body, whatever Unicode encoding its bytes are in. A byte order mark is taken off.
///
/// # Errors
/// [`XmlError::Syntax`] when the bytes are not valid in the encoding they show.
pub fn decode(body: &[u8]) -> Result<Cow<'_, str>, XmlError> {
    match body {
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [b'<', 0, ..] => utf16(body, u16::from_le_bytes),
        [0, b'<', ..] => utf16(body, u16::from_be_bytes),
        _ => utf8(body),
    }
}

/// [`decode`] for the answer of a server, which may be any server.
pub(crate) fn decode_reply(body: &[u8]) -> Result<Cow<'_, str>, XmlError> {
    if body.len() > MAX_XML_REPLY {
        Err(XmlError::TooLarge)
    } else {
        decode(body)
    }
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, XmlError> {
    std::str::from_utf8(bytes)
        .map(Cow::Borrowed)
        .map_err(|_| XmlError::Syntax)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'static, str>, XmlError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(XmlError::Syntax);
    }
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .collect::<Result<String, _>>()
        .map(Cow::Owned)
        .map_err(|_| XmlError::Syntax)
}

/// One step through a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// An element begins; name without prefix.
    Open { name: String, encoded: bool },
    /// The element that began last ends; the text that stood directly in it since its last child.
    Close { name: String, text: String },
    /// The document is complete.
    End,
}

/// Walks a document in order.
pub(crate) struct Walker<'x> {
    reader: Reader<&'x [u8]>,
    open: Vec<String>,
    text: String,
    /// An empty element (`<a/>`) still owes its close.
    owed: bool,
    seen_root: bool,
}

impl<'x> Walker<'x> {
    pub(crate) fn new(text: &'x str) -> Self {
        // A blank or line break before the declaration is an error in XML, yet clients send it.
        let reader = Reader::from_str(text.trim_start());
        Self {
            reader,
            open: Vec::new(),
            text: String::new(),
            owed: false,
            seen_root: false,
        }
    }

    /// How many elements are open.
    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn step(&mut self) -> Result<Step, XmlError> {
        if std::mem::take(&mut self.owed) {
            return self.close();
        }
        loop {
            match self.reader.read_event().map_err(|_| XmlError::Syntax)? {
                Event::Start(tag) => return self.open(&tag),
                Event::Empty(tag) => {
                    self.owed = true;
                    return self.open(&tag);
                }
                Event::End(_) => return self.close(),
                Event::Text(text) => {
                    let text = text.decode().map_err(|_| XmlError::Syntax)?;
                    self.push(&text)?;
                }
                Event::CData(text) => {
                    let text = text.decode().map_err(|_| XmlError::Syntax)?;
                    self.push(&text)?;
                }
                Event::GeneralRef(reference) => {
                    let c = resolve(&reference)?;
                    self.push(c.encode_utf8(&mut [0; 4]))?;
                }
                Event::DocType(_) => return Err(XmlError::Syntax),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof if self.open.is_empty() && self.seen_root => return Ok(Step::End),
                Event::Eof => return Err(XmlError::Syntax),
            }
        }
    }

    fn open(&mut self, tag: &BytesStart<'_>) -> Result<Step, XmlError> {
        if self.open.is_empty() && std::mem::replace(&mut self.seen_root, true) {
            return Err(XmlError::Syntax);
        }
        if self.open.len() >= MAX_XML_DEPTH {
            return Err(XmlError::TooLarge);
        }
        let name = String::from_utf8(tag.local_name().as_ref().to_vec()).map_err(|_| XmlError::Syntax)?;
        let mut encoded = false;
        // The check for duplicates compares every pair, which an attacker's tag would make endless.
        for (index, attribute) in tag.attributes().with_checks(false).enumerate() {
            if index == MAX_XML_ATTRIBUTES {
                return Err(XmlError::TooLarge);
            }
            let attribute = attribute.map_err(|_| XmlError::Syntax)?;
            encoded |= attribute.key.as_ref() == b"Encoded" && attribute.value.as_ref() == b"true";
        }
        self.text.clear();
        self.open.push(name.clone());
        Ok(Step::Open { name, encoded })
    }

    fn close(&mut self) -> Result<Step, XmlError> {
        let name = self.open.pop().ok_or(XmlError::Syntax)?;
        Ok(Step::Close {
            name,
            text: std::mem::take(&mut self.text),
        })
    }

    fn push(&mut self, text: &str) -> Result<(), XmlError> {
        if self.open.is_empty() {
            return if text.trim().is_empty() {
                Ok(())
            } else {
                Err(XmlError::Syntax)
            };
        }
        if self.text.len() + text.len() > MAX_XML_TEXT {
            return Err(XmlError::TooLarge);
        }
        self.text.push_str(text);
        Ok(())
    }
}

/// The five entities of XML itself and numeric references; there can be no others without a document type.
fn resolve(reference: &BytesRef<'_>) -> Result<char, XmlError> {
    if let Some(c) = reference.resolve_char_ref().map_err(|_| XmlError::Syntax)? {
        return if is_xml_char(c) {
            Ok(c)
        } else {
            Err(XmlError::Syntax)
        };
    }
    match reference.as_ref() {
        b"lt" => Ok('<'),
        b"gt" => Ok('>'),
        b"amp" => Ok('&'),
        b"apos" => Ok('\''),
        b"quot" => Ok('"'),
        _ => Err(XmlError::Syntax),
    }
}

/// XML 1.0 section 2.2, production Char.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Appends `<name>text</name>`.
pub(crate) fn element(out: &mut String, name: &str, text: &str) {
    open(out, name);
    escape(out, text);
    close(out, name);
}

/// Appends `name="text"`.
pub(crate) fn attribute(out: &mut String, name: &str, text: &str) {
    out.push_str(name);
    out.push_str("=\"");
    escape(out, text);
    out.push('"');
}

/// The URL of a blob, from that of its container.
pub(crate) fn blob_url(container: &str, blob: &str) -> String {
    let name = utf8_percent_encode(blob, ENCODED_NAME);
    format!("{container}/{name}")
}

/// Appends `<name>text</name>` for a name of a blob or prefix: percent-encoded and marked `Encoded="true"`
/// where it holds characters that XML cannot (as List Blobs does from 2021-02-12).
pub(crate) fn name_element(out: &mut String, name: &str, text: &str) {
    if text.chars().all(is_xml_char) {
        return element(out, name, text);
    }
    out.push('<');
    out.push_str(name);
    out.push_str(" Encoded=\"true\">");
    out.extend(utf8_percent_encode(text, ENCODED_NAME));
    close(out, name);
}

/// Undoes [`name_element`].
pub(crate) fn decode_name(text: &str, encoded: bool) -> Option<String> {
    if !encoded {
        return Some(text.to_owned());
    }
    percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}

const ENCODED_NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// Appends a start tag.
pub(crate) fn open(out: &mut String, name: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
}

/// Appends an end tag.
pub(crate) fn close(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Appends text with what XML gives a meaning escaped. A carriage return is written as a reference,
/// because parsers make line feeds of them; characters that XML cannot hold become U+FFFD.
pub(crate) fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            c if is_xml_char(c) => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    fn texts(xml: &str) -> Result<Vec<(String, String)>, XmlError> {
        let mut walker = Walker::new(xml);
        let mut found = Vec::new();
        loop {
            match walker.step()? {
                Step::Open { .. } => {}
                Step::Close { name, text } => found.push((name, text)),
                Step::End => return Ok(found),
            }
        }
    }

    #[test]
    fn encodings_are_sniffed() {
        let text = "<a>€</a>";
        let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let bodies = [
            text.as_bytes().to_vec(),
            [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
            le.clone(),
            be.clone(),
            [&b"\xFF\xFE"[..], &le].concat(),
            [&b"\xFE\xFF"[..], &be].concat(),
        ];
        for body in bodies {
            assert_eq!(decode(&body).as_deref(), Ok(text), "{body:x?}");
        }
        assert_eq!(decode(b"<\0a"), Err(XmlError::Syntax));
        assert_eq!(decode(b"<\0\0\xd8"), Err(XmlError::Syntax));
        assert_eq!(decode(b"<a>\xff</a>"), Err(XmlError::Syntax));
    }

    #[test]
    fn hostile_documents_are_refused() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"cc\">]><a>&b;</a>";
        let deep = format!("{}{}", "<a>".repeat(10_000), "</a>".repeat(10_000));
        let long = format!("<a>{}</a>", "x".repeat(MAX_XML_TEXT + 1));
        assert_eq!(
            texts("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>"),
            Err(XmlError::Syntax)
        );
        assert_eq!(texts(bomb), Err(XmlError::Syntax));
        assert_eq!(texts(&deep), Err(XmlError::TooLarge));
        assert_eq!(texts(&long), Err(XmlError::TooLarge));
        let crowded = format!(
            "<a{}/>",
            (0..100_000).map(|n| format!(" b{n}=''")).collect::<String>()
        );
        assert_eq!(texts(&crowded), Err(XmlError::TooLarge));
        for bad in [
            "",
            "  ",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "x<a/>",
            "<a>&b;</a>",
            "<a>&#0;</a>",
            "<a b></a>",
            "</a>",
        ] {
            assert_eq!(texts(bad), Err(XmlError::Syntax), "{bad}");
        }
    }

    #[test]
    fn text_and_references() {
        let read =
            texts(" <?xml version=\"1.0\"?><x:a p=\"q\"><b>1 &lt; 2 &#x20AC;<![CDATA[<]]></b><c/></x:a>")
                .unwrap();
        let want = [("b", "1 < 2 €<"), ("c", ""), ("a", "")];
        assert_eq!(read, want.map(|(n, t)| (n.to_owned(), t.to_owned())));
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in any::<String>()) {
            let mut out = String::new();
            name_element(&mut out, "Name", &text);
            let mut walker = Walker::new(&out);
            let Ok(Step::Open { encoded, .. }) = walker.step() else { panic!("{out}") };
            let Ok(Step::Close { text: read, .. }) = walker.step() else { panic!("{out}") };
            assert_eq!(decode_name(&read, encoded), Some(text));
            assert_eq!(walker.step(), Ok(Step::End));
        }

        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(text) = decode(&body) {
                let _ = texts(&text);
            }
        }

        #[test]
        fn no_markup_panics(body in "[<>a/&;#x0-9 !\\[\\]?\"=-]{0,80}") {
            let _ = texts(&body);
        }
    }
}
