//! The frame: the one form in which anything is appended to a blob file.
//!
//! A frame is a whole number of 4 KiB pages: a header page, the payload padded to pages, a trailer. The header
//! is written when the place is reserved, so that a reader can hop from frame to frame; the trailer, with a
//! checksum for each 64 KiB of payload, is written last and makes the frame complete. A root is a frame of two
//! header pages that say the same, so that one rotten byte cannot bring an older state back to life.
//!
//! Header page, little-endian:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `BAC2FRAM` |
//! | 8 | 2 | kind ([`Kind`]) |
//! | 10 | 2 | length of the block id |
//! | 12 | 4 | zero |
//! | 16 | 16 | identity of the file, random |
//! | 32 | 8 | offset of the frame in the file: finds misdirected writes |
//! | 40 | 8 | payload in bytes |
//! | 48 | 8 | frame in bytes, header and trailer included |
//! | 56 | 8 | sequence number, rising along the file |
//! | 64 | 8 | generation of the store that wrote it |
//! | 72 | 8 | `durable_below`: every frame that ends at or before this offset is on stable storage |
//! | 80 | 8 | moment, milliseconds since 1970 |
//! | 88 | 64 | block id, padded with zeros; in changes of pages: where they begin in the blob (8), how many bytes (8) |
//! | 152 | 8 | offset of the newest root that was durable then, 0 for none |
//! | 160 | 3928 | roots only: the payload |
//! | 4088 | 8 | CRC-64/NVME of bytes 0 to 4087 |
//!
//! Trailer: `BAC2DONE` (or `BAC2VOID`: given up, payload meaningless), identity (16), offset of the frame (8),
//! payload in bytes (8), sequence number (8), number of checksums (8), the checksums (8 each), CRC-64/NVME of
//! all that (8), zeros to the page. A frame that changes the content by itself ([`Kind::is_change`]) ends with
//! `BAC2CHNG` instead, and has behind the checksums the number of the change (8) and its moment (8): later numbers
//! win.
//!
//! Checks come in pairs: what is asserted here before a header is written is verified after one is read.

use azblob::block::MAX_BLOCK_ID_BYTES;

use crate::limits::CHECKSUM_BYTES;

/// Everything is aligned to this, in bytes.
pub(crate) const PAGE: u64 = 4096;
const PAGE_BYTES: usize = 4096;
/// Room for the payload of a root, in bytes.
pub(crate) const ROOT_PAYLOAD_MAX: usize = CRC_AT - ROOT_PAYLOAD_AT;
/// A root: two pages, equal but for nothing.
pub(crate) const ROOT_BYTES: u64 = 2 * PAGE;

const HEADER_MAGIC: &[u8; 8] = b"BAC2FRAM";
const DONE_MAGIC: &[u8; 8] = b"BAC2DONE";
const VOID_MAGIC: &[u8; 8] = b"BAC2VOID";
const CHANGE_MAGIC: &[u8; 8] = b"BAC2CHNG";
const BLOCK_ID_AT: usize = 88;
const ROOT_AT_AT: usize = 152;
const ROOT_PAYLOAD_AT: usize = 160;
const CRC_AT: usize = PAGE_BYTES - 8;
/// Trailer bytes before the checksums.
const TRAILER_FIXED: usize = 56;
/// Trailer bytes for the number and the moment of a change.
const CHANGE_BYTES: usize = 16;

/// No file reaches further: offsets of files are signed numbers of 64 bits.
pub(crate) const FILE_END_MAX: u64 = 1 << 62;

/// Bytes of a block at most, with room to spare above [`azblob::limits::MAX_PUT_BLOB_BYTES`].
pub(crate) const BLOCK_PAYLOAD_MAX: u64 = 1 << 40;

/// CRC-64/NVME, the checksum of everything in the store (and of the protocol's `x-ms-content-crc64`).
pub(crate) fn crc64(bytes: &[u8]) -> u64 {
    crc_fast::crc64_nvme(bytes)
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The first frame of a file: whose blob this is.
    Birth,
    /// Bytes of a client.
    Block,
    /// A committed block list.
    List,
    /// JSON too large for a root: properties, a verdict's report.
    Text,
    /// The state of the blob from here on.
    Root,
    /// A stretch that holds nothing, where a crash tore a header.
    Gap,
    /// Which stretches of the file are the content of a page or append blob.
    Map,
    /// Bytes of a client for some pages of a page blob.
    Pages,
    /// Pages of a page blob become zeros.
    Clear,
    /// Bytes of a client for the end of an append blob.
    Append,
}

impl Kind {
    fn code(self) -> u16 {
        match self {
            Self::Birth => 1,
            Self::Block => 2,
            Self::List => 3,
            Self::Text => 4,
            Self::Root => 5,
            Self::Gap => 6,
            Self::Map => 7,
            Self::Pages => 8,
            Self::Clear => 9,
            Self::Append => 10,
        }
    }

    /// Whether a complete frame of this kind changes the content by itself, without a root that says so.
    pub(crate) fn is_change(self) -> bool {
        matches!(self, Self::Pages | Self::Clear | Self::Append)
    }

    /// Bytes of payload at most: whatever a file says, nobody sets aside more than this for one frame. What is read
    /// whole is short: the largest map has 75 MiB. A change knows its length in 32 bits ([`crate::extents`]).
    fn payload_max(self) -> u64 {
        match self {
            Self::Block => BLOCK_PAYLOAD_MAX,
            Self::Pages | Self::Clear | Self::Append => u64::from(u32::MAX),
            Self::Birth | Self::List | Self::Text | Self::Map | Self::Root | Self::Gap => 256 << 20,
        }
    }

    fn of_code(code: u16) -> Option<Self> {
        [
            Self::Birth,
            Self::Block,
            Self::List,
            Self::Text,
            Self::Root,
            Self::Gap,
            Self::Map,
            Self::Pages,
            Self::Clear,
            Self::Append,
        ]
        .into_iter()
        .find(|kind| kind.code() == code)
    }
}

/// A header page in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) identity: u128,
    pub(crate) offset: u64,
    pub(crate) payload_len: u64,
    pub(crate) frame_len: u64,
    pub(crate) sequence: u64,
    pub(crate) generation: u64,
    pub(crate) durable_below: u64,
    pub(crate) moment_ms: i64,
    /// Empty unless a block of Put Block.
    pub(crate) block_id: Vec<u8>,
    /// In changes of pages: where they begin in the blob, and how many bytes they are; else zeros.
    pub(crate) place: (u64, u64),
    /// The newest root that was durable when this was written; 0 for none.
    pub(crate) root_at: u64,
}

/// `len` up to the next page.
pub(crate) fn to_pages(len: u64) -> u64 {
    len.next_multiple_of(PAGE)
}

/// Checksums that a payload has.
pub(crate) fn checksum_count(payload_len: u64) -> usize {
    payload_len.div_ceil(CHECKSUM_BYTES as u64) as usize
}

/// Bytes of a frame that is not a root or a gap.
pub(crate) fn frame_len(kind: Kind, payload_len: u64) -> u64 {
    PAGE + to_pages(payload_len) + trailer_len(kind, payload_len)
}

fn trailer_len(kind: Kind, payload_len: u64) -> u64 {
    let change = if kind.is_change() { CHANGE_BYTES } else { 0 };
    to_pages((TRAILER_FIXED + 8 * checksum_count(payload_len) + change + 8) as u64)
}

impl Header {
    /// Offset just past the frame.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.frame_len
    }

    /// Offset of the payload; not for roots.
    pub(crate) fn payload_at(&self) -> u64 {
        self.offset + PAGE
    }

    /// Offset of the trailer; not for roots and gaps.
    pub(crate) fn trailer_at(&self) -> u64 {
        self.payload_at() + to_pages(self.payload_len)
    }

    /// Length of the trailer in bytes.
    pub(crate) fn trailer_bytes(&self) -> u64 {
        trailer_len(self.kind, self.payload_len)
    }

    fn is_consistent(&self) -> bool {
        let len_fits = match self.kind {
            Kind::Root => self.frame_len == ROOT_BYTES && self.payload_len <= ROOT_PAYLOAD_MAX as u64,
            Kind::Gap => self.frame_len >= PAGE && self.payload_len == 0,
            Kind::Birth
            | Kind::Block
            | Kind::List
            | Kind::Text
            | Kind::Map
            | Kind::Pages
            | Kind::Clear
            | Kind::Append => {
                self.payload_len <= self.kind.payload_max()
                    && self.frame_len == frame_len(self.kind, self.payload_len)
            }
        };
        let place_fits = match self.kind {
            Kind::Pages => self.place.1 == self.payload_len && self.place.1 > 0,
            Kind::Clear => self.payload_len == 0 && self.place.1 > 0,
            _ => self.place == (0, 0),
        };
        len_fits
            && place_fits
            && self.place.0.checked_add(self.place.1).is_some()
            && self
                .offset
                .checked_add(self.frame_len)
                .is_some_and(|end| end <= FILE_END_MAX)
            && (self.root_at < self.offset || self.root_at == 0)
            && self.frame_len.is_multiple_of(PAGE)
            && self.offset.is_multiple_of(PAGE)
            && self.durable_below <= self.offset
            && self.block_id.len() <= MAX_BLOCK_ID_BYTES
    }

    /// The page to write. `root_payload` is empty unless the frame is a root.
    pub(crate) fn encode(&self, root_payload: &[u8]) -> Vec<u8> {
        assert!(
            self.is_consistent(),
            "a header is consistent before it is written: {self:?}"
        );
        assert!(self.kind == Kind::Root || root_payload.is_empty());
        let mut page = vec![0; PAGE_BYTES];
        page[..8].copy_from_slice(HEADER_MAGIC);
        page[8..10].copy_from_slice(&self.kind.code().to_le_bytes());
        page[10..12].copy_from_slice(&(self.block_id.len() as u16).to_le_bytes());
        page[16..32].copy_from_slice(&self.identity.to_le_bytes());
        for (at, value) in [
            (32, self.offset),
            (40, self.payload_len),
            (48, self.frame_len),
            (56, self.sequence),
            (64, self.generation),
            (72, self.durable_below),
            (80, self.moment_ms as u64),
        ] {
            page[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        page[BLOCK_ID_AT..BLOCK_ID_AT + self.block_id.len()].copy_from_slice(&self.block_id);
        if self.kind.is_change() {
            page[BLOCK_ID_AT..BLOCK_ID_AT + 8].copy_from_slice(&self.place.0.to_le_bytes());
            page[BLOCK_ID_AT + 8..BLOCK_ID_AT + 16].copy_from_slice(&self.place.1.to_le_bytes());
        }
        page[ROOT_AT_AT..ROOT_PAYLOAD_AT].copy_from_slice(&self.root_at.to_le_bytes());
        page[ROOT_PAYLOAD_AT..ROOT_PAYLOAD_AT + root_payload.len()].copy_from_slice(root_payload);
        let crc = crc64(&page[..CRC_AT]);
        page[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        page
    }

    /// The header in a page, if the page is one and whole.
    pub(crate) fn decode(page: &[u8]) -> Option<Self> {
        if page.len() != PAGE_BYTES
            || &page[..8] != HEADER_MAGIC
            || u64_at(page, CRC_AT) != crc64(&page[..CRC_AT])
        {
            return None;
        }
        let id_len = usize::from(u16::from_le_bytes([page[10], page[11]]));
        if id_len > MAX_BLOCK_ID_BYTES {
            return None;
        }
        let kind = Kind::of_code(u16::from_le_bytes([page[8], page[9]]))?;
        let header = Self {
            kind,
            identity: u128_at(page, 16),
            offset: u64_at(page, 32),
            payload_len: u64_at(page, 40),
            frame_len: u64_at(page, 48),
            sequence: u64_at(page, 56),
            generation: u64_at(page, 64),
            durable_below: u64_at(page, 72),
            moment_ms: u64_at(page, 80) as i64,
            block_id: page[BLOCK_ID_AT..BLOCK_ID_AT + id_len].to_vec(),
            place: if kind.is_change() {
                (u64_at(page, BLOCK_ID_AT), u64_at(page, BLOCK_ID_AT + 8))
            } else {
                (0, 0)
            },
            root_at: u64_at(page, ROOT_AT_AT),
        };
        header.is_consistent().then_some(header)
    }
}

/// The payload inside a root page whose header was decoded.
pub(crate) fn root_payload<'a>(page: &'a [u8], header: &Header) -> &'a [u8] {
    &page[ROOT_PAYLOAD_AT..ROOT_PAYLOAD_AT + header.payload_len as usize]
}

/// What a trailer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trailer {
    /// The frame is complete; one checksum for each [`CHECKSUM_BYTES`] of payload.
    Done(Vec<u64>),
    /// The same of a frame that changes the content by itself.
    Changed(Vec<u64>, Change),
    /// The frame was given up.
    Void,
}

/// Which change of the content a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    /// Unique in the store and rising along the life of the blob: the ETag of the change, and the order of changes.
    pub(crate) number: u64,
    /// When it was made, milliseconds since 1970.
    pub(crate) moment_ms: i64,
}

impl Trailer {
    /// The bytes to write at [`Header::trailer_at`].
    pub(crate) fn encode(&self, header: &Header) -> Vec<u8> {
        let (magic, checksums, change): (_, &[u64], _) = match self {
            Self::Done(checksums) => (DONE_MAGIC, checksums, None),
            Self::Changed(checksums, change) => (CHANGE_MAGIC, checksums, Some(change)),
            Self::Void => (VOID_MAGIC, &[], None),
        };
        assert!(
            *self == Self::Void
                || checksums.len() == checksum_count(header.payload_len)
                    && change.is_some() == header.kind.is_change(),
            "a complete frame has all its checksums, and a change its number"
        );
        let mut bytes = Vec::with_capacity(header.trailer_bytes() as usize);
        bytes.extend_from_slice(magic);
        bytes.extend_from_slice(&header.identity.to_le_bytes());
        for value in [
            header.offset,
            header.payload_len,
            header.sequence,
            checksums.len() as u64,
        ] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        assert_eq!(bytes.len(), TRAILER_FIXED);
        for checksum in checksums {
            bytes.extend_from_slice(&checksum.to_le_bytes());
        }
        if let Some(change) = change {
            bytes.extend_from_slice(&change.number.to_le_bytes());
            bytes.extend_from_slice(&change.moment_ms.to_le_bytes());
        }
        let crc = crc64(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes.resize(to_pages(bytes.len() as u64) as usize, 0);
        bytes
    }

    /// The trailer of `header`'s frame in `bytes`, if it is one and whole.
    pub(crate) fn decode(bytes: &[u8], header: &Header) -> Option<Self> {
        if bytes.len() < TRAILER_FIXED + 8 {
            return None;
        }
        let magic = bytes.first_chunk::<8>()?;
        let count = u64_at(bytes, 48) as usize;
        let sums_end = TRAILER_FIXED.checked_add(count.checked_mul(8)?)?;
        let sum_at = if magic == CHANGE_MAGIC {
            sums_end.checked_add(CHANGE_BYTES)?
        } else {
            sums_end
        };
        if sum_at.checked_add(8)? > bytes.len() || u64_at(bytes, sum_at) != crc64(&bytes[..sum_at]) {
            return None;
        }
        let belongs = u128_at(bytes, 8) == header.identity
            && u64_at(bytes, 24) == header.offset
            && u64_at(bytes, 32) == header.payload_len
            && u64_at(bytes, 40) == header.sequence;
        if !belongs {
            return None;
        }
        let complete = count == checksum_count(header.payload_len);
        let checksums = || (0..count).map(|i| u64_at(bytes, TRAILER_FIXED + 8 * i)).collect();
        match magic {
            VOID_MAGIC if count == 0 => Some(Self::Void),
            DONE_MAGIC if complete && !header.kind.is_change() => Some(Self::Done(checksums())),
            CHANGE_MAGIC if complete && header.kind.is_change() => {
                let change = Change {
                    number: u64_at(bytes, sums_end),
                    moment_ms: u64_at(bytes, sums_end + 8) as i64,
                };
                Some(Self::Changed(checksums(), change))
            }
            _ => None,
        }
    }

    /// The checksums of a complete frame.
    pub(crate) fn checksums(self) -> Option<Vec<u64>> {
        match self {
            Self::Done(checksums) | Self::Changed(checksums, _) => Some(checksums),
            Self::Void => None,
        }
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("the caller checked the length"))
}

fn u128_at(bytes: &[u8], at: usize) -> u128 {
    u128::from_le_bytes(*bytes[at..].first_chunk().expect("the caller checked the length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(payload_len: u64) -> Header {
        Header {
            kind: Kind::Block,
            identity: 7,
            offset: 8192,
            payload_len,
            frame_len: frame_len(Kind::Block, payload_len),
            sequence: 3,
            generation: 1,
            durable_below: 4096,
            moment_ms: 5,
            block_id: b"BLOCKID00001".to_vec(),
            place: (0, 0),
            root_at: 4096,
        }
    }

    #[test]
    fn a_change_of_pages_comes_back() {
        let header = Header {
            kind: Kind::Pages,
            frame_len: frame_len(Kind::Pages, 100_352),
            block_id: Vec::new(),
            place: (1 << 40, 100_352),
            ..header(100_352)
        };
        assert_eq!(Header::decode(&header.encode(&[])), Some(header.clone()));
        let change = Change {
            number: 77,
            moment_ms: -5,
        };
        let trailer = Trailer::Changed(vec![1, 2], change);
        let bytes = trailer.encode(&header);
        assert_eq!(bytes.len() as u64, header.trailer_bytes());
        for at in 0..56 + 2 * 8 + 16 + 8 {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            assert_eq!(Trailer::decode(&bad, &header), None, "byte {at}");
        }
        assert_eq!(Trailer::decode(&bytes, &header), Some(trailer));
    }

    /// Whoever can write to the directory can make the checksum hold too.
    #[test]
    fn no_length_of_a_hostile_header_is_taken() {
        let sound = header(100_000).encode(&[]);
        let forged = |kind: Kind, offset: u64, payload: u64, frame: u64| {
            let mut page = sound.clone();
            page[8..10].copy_from_slice(&kind.code().to_le_bytes());
            for (at, value) in [(32, offset), (40, payload), (48, frame)] {
                page[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
            page[10..12].fill(0);
            page[88..104].fill(0);
            if kind == Kind::Pages {
                page[96..104].copy_from_slice(&payload.to_le_bytes());
            }
            let crc = crc64(&page[..CRC_AT]);
            page[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
            Header::decode(&page)
        };
        let whole = |kind, payload| forged(kind, 8192, payload, frame_len(kind, payload));
        assert!(
            whole(Kind::Block, 5000 << 20).is_some(),
            "it is the length that counts"
        );
        assert!(whole(Kind::Append, 100 << 20).is_some());
        assert_eq!(
            forged(Kind::Gap, 8192, 0, u64::MAX - 4095),
            None,
            "ends behind 2^64"
        );
        assert_eq!(forged(Kind::Gap, 1 << 62, 0, PAGE), None, "where no file reaches");
        for kind in [Kind::Map, Kind::List, Kind::Text, Kind::Birth] {
            assert_eq!(whole(kind, 1 << 40), None, "{kind:?} would be read whole");
        }
        for kind in [Kind::Pages, Kind::Append] {
            assert_eq!(whole(kind, 1 << 32), None, "{kind:?} knows its length in 32 bits");
        }
    }

    #[test]
    fn the_trailer_of_any_change_fits_its_place() {
        for checksums in [0, 1, 500, 503, 504, 505, 1015, 1600] {
            let payload = checksums * CHECKSUM_BYTES as u64;
            let header = Header {
                kind: Kind::Append,
                frame_len: frame_len(Kind::Append, payload),
                block_id: Vec::new(),
                ..header(payload)
            };
            let change = Change {
                number: 1,
                moment_ms: 1,
            };
            let trailer = Trailer::Changed(vec![9; checksums as usize], change);
            assert_eq!(trailer.encode(&header).len() as u64, header.trailer_bytes());
        }
    }

    #[test]
    fn crc_is_the_nvme_one() {
        // Check value of CRC-64/NVME in the catalogue of parametrised CRC algorithms.
        assert_eq!(crc64(b"123456789"), 0xAE8B_1486_0A79_9888);
    }

    #[test]
    fn a_header_comes_back_and_no_flipped_bit_passes() {
        let header = header(100_000);
        let page = header.encode(&[]);
        assert_eq!(Header::decode(&page), Some(header));
        for at in 0..page.len() {
            let mut bad = page.clone();
            bad[at] ^= 0x10;
            assert_eq!(Header::decode(&bad), None, "byte {at}");
        }
    }

    #[test]
    fn a_trailer_comes_back_and_belongs_to_one_frame() {
        let header = header(100_000);
        let trailer = Trailer::Done(vec![1, 2]);
        let bytes = trailer.encode(&header);
        assert_eq!(Trailer::decode(&bytes, &header), Some(trailer));
        let mut other = header.clone();
        other.sequence += 1;
        assert_eq!(Trailer::decode(&bytes, &other), None);
        assert_eq!(
            Trailer::decode(&Trailer::Void.encode(&header), &header),
            Some(Trailer::Void)
        );
    }

    #[test]
    fn frames_of_any_payload_are_whole_pages() {
        for (payload, pages) in [(0, 2), (1, 3), (4096, 3), (4097, 4), (4 << 20, 1026)] {
            assert_eq!(frame_len(Kind::Block, payload), pages * PAGE, "{payload}");
        }
    }
}
