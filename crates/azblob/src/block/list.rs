//! Lists of blocks: what Put Block List sends and Get Block List returns.
//!
//! A client's list names blocks in the order of the blob's bytes and where each is to be sought. A server's
//! list gives the committed blocks in order and the uncommitted ones, with sizes.

use super::BlockId;
use crate::error::{ErrorCode, Refusal};
use crate::limits::{MAX_BLOCK_LIST_BODY, MAX_COMMITTED_BLOCKS};
use crate::xml::{self, Step, Walker, XmlError};

/// Where Put Block List seeks a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockSource {
    /// Only in the committed list.
    Committed,
    /// Only among the uncommitted blocks.
    Uncommitted,
    /// Among the uncommitted blocks, then in the committed list.
    Latest,
}

/// The body of Put Block List: blocks in the order of the blob's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockList(pub Vec<(BlockSource, BlockId)>);

/// Which blocks Get Block List returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlockListKind {
    /// Only committed ones; what a request without `blocklisttype` means.
    #[default]
    Committed,
    /// Only uncommitted ones.
    Uncommitted,
    /// Both.
    All,
}

/// One block of a server's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockEntry {
    /// Its id.
    pub id: BlockId,
    /// Bytes.
    pub size: u64,
}

/// The answer of Get Block List; a list that was not asked for is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockListing {
    /// In the order of the blob's bytes.
    pub committed: Option<Vec<BlockEntry>>,
    /// In the order of their ids.
    pub uncommitted: Option<Vec<BlockEntry>>,
}

impl BlockSource {
    /// The element's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "Committed",
            Self::Uncommitted => "Uncommitted",
            Self::Latest => "Latest",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Committed, Self::Uncommitted, Self::Latest]
            .into_iter()
            .find(|s| s.as_str() == name)
    }
}

impl BlockListKind {
    /// The query value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Uncommitted => "uncommitted",
            Self::All => "all",
        }
    }

    /// Reads the query value, any letter case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Committed, Self::Uncommitted, Self::All]
            .into_iter()
            .find(|k| k.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether committed blocks are asked for.
    pub fn wants_committed(self) -> bool {
        self != Self::Uncommitted
    }

    /// Whether uncommitted blocks are asked for.
    pub fn wants_uncommitted(self) -> bool {
        self != Self::Committed
    }
}

impl BlockList {
    /// Reads the body of Put Block List, in UTF-8 or UTF-16.
    ///
    /// # Errors
    /// 400 `InvalidXmlDocument`, `UnsupportedXmlNode`, `InvalidBlockId` or `BlockListTooLong`; 413
    /// `RequestBodyTooLarge`.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        if body.len() > MAX_BLOCK_LIST_BODY {
            let limit = MAX_BLOCK_LIST_BODY.to_string();
            return Err(Refusal::from(ErrorCode::RequestBodyTooLarge).detail("MaxLimit", limit));
        }
        let text = xml::decode(body).map_err(refuse)?;
        let mut walker = Walker::new(&text);
        match walker.step().map_err(refuse)? {
            Step::Open { name, .. } if name == "BlockList" => {}
            _ => return Err(ErrorCode::InvalidXmlDocument.into()),
        }
        let mut blocks = Vec::new();
        loop {
            match walker.step().map_err(refuse)? {
                Step::Open { name, .. } if walker.depth() == 2 && BlockSource::parse(&name).is_some() => {}
                Step::Open { name, .. } => {
                    return Err(Refusal::from(ErrorCode::UnsupportedXmlNode).detail("XmlNodeName", name));
                }
                Step::Close { name, text } => {
                    let Some(source) = BlockSource::parse(&name) else {
                        continue;
                    };
                    if blocks.len() == MAX_COMMITTED_BLOCKS {
                        return Err(ErrorCode::BlockListTooLong.into());
                    }
                    let id = BlockId::from_base64(&text).map_err(|_| invalid_id(&text))?;
                    blocks.push((source, id));
                }
                Step::End => return Ok(Self(blocks)),
            }
        }
    }

    /// The body of Put Block List, UTF-8.
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(64 + self.0.len() * 48);
        out.push_str(PROLOG);
        xml::open(&mut out, "BlockList");
        for (source, id) in &self.0 {
            xml::element(&mut out, source.as_str(), &id.to_base64());
        }
        xml::close(&mut out, "BlockList");
        out
    }
}

const PROLOG: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";

fn refuse(error: XmlError) -> Refusal {
    match error {
        XmlError::Syntax => ErrorCode::InvalidXmlDocument.into(),
        XmlError::TooLarge => Refusal::with_message(ErrorCode::InvalidXmlDocument, format!("{error}.")),
    }
}

fn invalid_id(text: &str) -> Refusal {
    Refusal::from(ErrorCode::InvalidBlockId).detail("BlockId", text.chars().take(100).collect::<String>())
}

impl BlockListing {
    /// The body of the answer, UTF-8.
    pub fn render(&self) -> String {
        let mut out = String::from(PROLOG);
        xml::open(&mut out, "BlockList");
        let lists = [
            ("CommittedBlocks", &self.committed),
            ("UncommittedBlocks", &self.uncommitted),
        ];
        for (name, list) in lists {
            let Some(list) = list else { continue };
            xml::open(&mut out, name);
            for block in list {
                xml::open(&mut out, "Block");
                xml::element(&mut out, "Name", &block.id.to_base64());
                xml::element(&mut out, "Size", &block.size.to_string());
                xml::close(&mut out, "Block");
            }
            xml::close(&mut out, name);
        }
        xml::close(&mut out, "BlockList");
        out
    }

    /// Reads the answer, as a client does.
    ///
    /// # Errors
    /// [`XmlError`] when it is not well-formed or a block has no id or size.
    pub fn parse(body: &[u8]) -> Result<Self, XmlError> {
        Self::parse_with(body, |text| BlockId::from_base64(text).ok())
    }

    /// Reads the answer of any Blob service; `read` reads the text of an id, for whoever takes more than
    /// [`BlockId::from_base64`] does.
    ///
    /// # Errors
    /// [`XmlError`] when it is not well-formed or a block has no id that `read` takes, or no size.
    pub fn parse_with(body: &[u8], read: impl Fn(&str) -> Option<BlockId>) -> Result<Self, XmlError> {
        let text = xml::decode_reply(body)?;
        let mut walker = Walker::new(&text);
        let mut listing = Self::default();
        let (mut id, mut size) = (None, None);
        let mut in_committed = true;
        loop {
            match walker.step()? {
                Step::Open { name, .. } if name == "CommittedBlocks" => {
                    in_committed = true;
                    listing.committed.get_or_insert_default();
                }
                Step::Open { name, .. } if name == "UncommittedBlocks" => {
                    in_committed = false;
                    listing.uncommitted.get_or_insert_default();
                }
                Step::Open { .. } => {}
                Step::Close { name, text } => match name.as_str() {
                    "Name" => id = Some(read(&text).ok_or(XmlError::Syntax)?),
                    "Size" => size = Some(text.trim().parse().map_err(|_| XmlError::Syntax)?),
                    "Block" => {
                        let (Some(id), Some(size)) = (id.take(), size.take()) else {
                            return Err(XmlError::Syntax);
                        };
                        let list = if in_committed {
                            &mut listing.committed
                        } else {
                            &mut listing.uncommitted
                        };
                        list.get_or_insert_default().push(BlockEntry { id, size });
                    }
                    _ => {}
                },
                Step::End => return Ok(listing),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    fn id(text: &str) -> BlockId {
        BlockId::from_bytes(text.as_bytes()).unwrap()
    }

    /// The example of the Put Block List reference, ids replaced by real Base64.
    const SAMPLE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<BlockList>\r\n  <Latest>QUFB</Latest>\r\n  \
        <Committed>QkJC</Committed>\r\n  <Uncommitted>Q0ND</Uncommitted>\r\n</BlockList>";

    fn sample() -> BlockList {
        BlockList(vec![
            (BlockSource::Latest, id("AAA")),
            (BlockSource::Committed, id("BBB")),
            (BlockSource::Uncommitted, id("CCC")),
        ])
    }

    #[test]
    fn utf8_and_utf16_with_any_declaration() {
        for declared in ["utf-8", "utf-16", "UTF-16LE", "nonsense"] {
            let text = SAMPLE.replace("utf-8", declared);
            assert_eq!(BlockList::parse(text.as_bytes()), Ok(sample()), "{declared}");
            let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert_eq!(BlockList::parse(&le), Ok(sample()), "{declared} as UTF-16LE");
            let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            assert_eq!(
                BlockList::parse(&[&b"\xFE\xFF"[..], &be].concat()),
                Ok(sample()),
                "{declared}, BE with mark"
            );
        }
        assert_eq!(BlockList::parse(sample().render().as_bytes()), Ok(sample()));
    }

    #[test]
    fn empty_lists_are_lists() {
        assert_eq!(BlockList::parse(b"<BlockList/>"), Ok(BlockList::default()));
        assert_eq!(
            BlockList::parse(b"<?xml version=\"1.0\"?><BlockList></BlockList>"),
            Ok(BlockList::default())
        );
    }

    #[test]
    fn bad_lists_say_what_is_bad() {
        let code = |body: &[u8]| BlockList::parse(body).unwrap_err().code;
        assert_eq!(code(b""), ErrorCode::InvalidXmlDocument);
        assert_eq!(code(b"<BlockList>"), ErrorCode::InvalidXmlDocument);
        assert_eq!(code(b"<Blocks/>"), ErrorCode::InvalidXmlDocument);
        assert_eq!(
            code(b"<BlockList><Newest>QUFB</Newest></BlockList>"),
            ErrorCode::UnsupportedXmlNode
        );
        assert_eq!(
            code(b"<BlockList><Latest><Latest>QUFB</Latest></Latest></BlockList>"),
            ErrorCode::UnsupportedXmlNode
        );
        assert_eq!(
            code(b"<BlockList><Latest>*</Latest></BlockList>"),
            ErrorCode::InvalidBlockId
        );
        assert_eq!(
            code(b"<BlockList><Latest/></BlockList>"),
            ErrorCode::InvalidBlockId
        );
        assert_eq!(
            code(&vec![b' '; MAX_BLOCK_LIST_BODY + 1]),
            ErrorCode::RequestBodyTooLarge
        );
    }

    #[test]
    fn fifty_thousand_and_no_more() {
        let body = |n| format!("<BlockList>{}</BlockList>", "<Latest>QUFB</Latest>".repeat(n));
        assert_eq!(
            BlockList::parse(body(50_000).as_bytes()).map(|l| l.0.len()),
            Ok(50_000)
        );
        assert_eq!(
            BlockList::parse(body(50_001).as_bytes()).unwrap_err().code,
            ErrorCode::BlockListTooLong
        );
    }

    #[test]
    fn listings_in_azures_form() {
        let listing = BlockListing {
            committed: Some(vec![BlockEntry {
                id: id("AAA"),
                size: 4_194_304,
            }]),
            uncommitted: Some(vec![]),
        };
        // The shape is that of the Get Block List reference.
        let want = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList><CommittedBlocks><Block><Name>QUFB</Name>\
            <Size>4194304</Size></Block></CommittedBlocks><UncommittedBlocks></UncommittedBlocks></BlockList>";
        assert_eq!(listing.render(), want);
        assert_eq!(BlockListing::parse(want.as_bytes()), Ok(listing));
        assert_eq!(
            BlockListing::parse(b"<BlockList><CommittedBlocks/></BlockList>")
                .unwrap()
                .uncommitted,
            None
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = BlockList::parse(&body);
            let _ = BlockListing::parse(&body);
        }
    }
}
