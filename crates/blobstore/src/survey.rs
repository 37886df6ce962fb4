//! Reading a blob file from scratch: its newest root, and what a crash left behind that root.
//!
//! A quiet file, one that ends with a root which says that everything before it is durable, costs one read.
//! Any other is walked frame by frame. What is past the highest `durable_below` of any header may be torn and
//! is verified; a frame that fails there was never acknowledged and is dropped. A frame below it that fails is
//! damage, which shows when it is read.
//!
//! A survey changes nothing; [`crate::recovery`] does what it proposes.

use std::io;

use azblob::time::UnixMillis;
use serde::{Deserialize, Serialize};

use crate::blob_file::{read_header, read_trailer};
use crate::disk::DiskFile;
use crate::frame::{Header, Kind, PAGE, ROOT_BYTES, Trailer, crc64, root_payload};
use crate::limits::CHECKSUM_BYTES;
use crate::root::Root;

/// The payload of the first frame of a file, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Birth {
    pub(crate) account: String,
    pub(crate) container: String,
    pub(crate) name: String,
    /// Format of the store that made the file.
    pub(crate) format: u64,
}

/// What a blob file is found to be.
pub(crate) struct Survey {
    pub(crate) root: Root,
    pub(crate) root_header: Header,
    /// Where the file ends once recovered.
    pub(crate) end: u64,
    /// The highest sequence number in it.
    pub(crate) sequence: u64,
    pub(crate) repair: Option<Repair>,
}

/// What has to be done before the file is appended to.
#[derive(Debug, Default)]
pub(crate) struct Repair {
    /// Blocks whose trailer is to say that they were given up.
    pub(crate) voids: Vec<Header>,
    /// Headers to write where a torn one leaves a stretch that cannot be hopped over.
    pub(crate) gaps: Vec<Header>,
    /// The moment of the last block found behind the root.
    pub(crate) last_block: Option<UnixMillis>,
}

/// Why a file cannot be used.
#[derive(Debug)]
pub(crate) enum SurveyError {
    Io(io::Error),
    Damaged(String),
}

impl From<io::Error> for SurveyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A frame met on a walk, or a stretch without one.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Frame(Header),
    /// No header between these offsets; the frame after it follows.
    Lost {
        from: u64,
        to: u64,
    },
}

/// Surveys a file.
pub(crate) fn survey(file: &dyn DiskFile) -> Result<Survey, SurveyError> {
    let len = file.len()?;
    let tail = tail_root(file, len)?;
    if let Some((header, root)) = tail {
        if header.durable_below == header.offset {
            return Ok(Survey {
                end: header.end(),
                sequence: header.sequence,
                root,
                root_header: header,
                repair: None,
            });
        }
        let steps = walk(file, header.identity, header.durable_below, len)?;
        return conclude(file, len, &steps, Some((header, root)));
    }
    let identity = (0..=1)
        .find_map(|page| read_header(file, page * PAGE).transpose())
        .transpose()?
        .map(|header| header.identity);
    let identity = match identity {
        Some(identity) => identity,
        None => {
            any_identity(file, len)?.ok_or_else(|| SurveyError::Damaged("no frame is readable".into()))?
        }
    };
    let start = last_known_root(file, identity, len)?;
    let from = start.as_ref().map_or(0, |(header, _)| header.durable_below);
    let steps = walk(file, identity, from, len)?;
    conclude(file, len, &steps, start)
}

/// The root that the last header of the file names as durable: nothing before that root needs to be looked at, so
/// that a page blob of a million frames opens as fast as a small one. None in files of format 1, and where the end of
/// the file is nothing but rubbish.
fn last_known_root(
    file: &dyn DiskFile,
    identity: u128,
    len: u64,
) -> Result<Option<(Header, Root)>, SurveyError> {
    for page in (0..len / PAGE).rev() {
        let at = page * PAGE;
        let Some(last) = read_header(file, at)?.filter(|h| h.offset == at && h.identity == identity) else {
            continue;
        };
        if last.root_at == 0 {
            return Ok(None);
        }
        return Ok(root_at(file, last.root_at)?.filter(|(header, _)| header.identity == identity));
    }
    Ok(None)
}

/// The root that a file ends with, if it does: either of its two pages will do.
fn tail_root(file: &dyn DiskFile, len: u64) -> io::Result<Option<(Header, Root)>> {
    if len < ROOT_BYTES || !len.is_multiple_of(PAGE) {
        return Ok(None);
    }
    Ok(root_at(file, len - ROOT_BYTES)?.filter(|(header, _)| header.end() == len))
}

/// The root at a place, from either of its two pages.
pub(crate) fn root_at(file: &dyn DiskFile, offset: u64) -> io::Result<Option<(Header, Root)>> {
    let mut pages = vec![0; ROOT_BYTES as usize];
    let n = file.read_at(&mut pages, offset)?;
    Ok(pages[..n].chunks(PAGE as usize).find_map(|page| {
        let header = Header::decode(page).filter(|h| h.kind == Kind::Root && h.offset == offset)?;
        let root = serde_json::from_slice(root_payload(page, &header)).ok()?;
        Some((header, root))
    }))
}

fn any_identity(file: &dyn DiskFile, len: u64) -> io::Result<Option<u128>> {
    for at in (0..len).step_by(PAGE as usize) {
        if let Some(header) = read_header(file, at)?.filter(|h| h.offset == at) {
            return Ok(Some(header.identity));
        }
    }
    Ok(None)
}

/// Hops from header to header between two offsets. Where there is none, looks for the next page that is one.
pub(crate) fn walk(file: &dyn DiskFile, identity: u128, from: u64, to: u64) -> io::Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut last: Option<(u64, u64)> = None;
    let mut at = from;
    // Where it begins may be what a root says.
    while at.checked_add(PAGE).is_some_and(|end| end <= to) {
        let follows = |header: &Header| {
            header.identity == identity
                && last.is_none_or(|(sequence, generation)| {
                    header.sequence > sequence && header.generation >= generation
                })
        };
        let here = header_for(file, at)?.filter(|h| follows(h));
        let header = match here {
            Some(header) => header,
            None => {
                let Some(header) = next_header(file, at + PAGE, to, &follows)? else {
                    break;
                };
                steps.push(Step::Lost {
                    from: at,
                    to: header.offset,
                });
                header
            }
        };
        at = header.end();
        last = Some((header.sequence, header.generation));
        steps.push(Step::Frame(header));
    }
    Ok(steps)
}

/// The header of the frame that starts at `at`; a root's second page will do.
fn header_for(file: &dyn DiskFile, at: u64) -> io::Result<Option<Header>> {
    if let Some(header) = read_header(file, at)?.filter(|h| h.offset == at) {
        return Ok(Some(header));
    }
    Ok(read_header(file, at + PAGE)?.filter(|h| h.kind == Kind::Root && h.offset == at))
}

fn next_header(
    file: &dyn DiskFile,
    from: u64,
    to: u64,
    follows: &dyn Fn(&Header) -> bool,
) -> io::Result<Option<Header>> {
    let mut at = from;
    while at + PAGE <= to {
        if let Some(header) = header_for(file, at)?.filter(|h| follows(h)) {
            return Ok(Some(header));
        }
        at += PAGE;
    }
    Ok(None)
}

/// Decides what of the frames walked is kept.
fn conclude(
    file: &dyn DiskFile,
    len: u64,
    steps: &[Step],
    start: Option<(Header, Root)>,
) -> Result<Survey, SurveyError> {
    let frames = || {
        steps.iter().filter_map(|step| match step {
            Step::Frame(header) => Some(header),
            Step::Lost { .. } => None,
        })
    };
    let durable = frames().map(|h| h.durable_below).max().unwrap_or(0);
    let mut incomplete = Vec::new();
    for header in frames().filter(|h| h.end() > durable) {
        if !is_complete(file, len, header)? {
            incomplete.push(header.offset);
        }
    }
    let is_kept = |header: &Header| !incomplete.contains(&header.offset);
    let (root_header, root) = match (newest_root(file, frames())?, start) {
        (Some(newest), _) => newest,
        (None, Some(start)) => start,
        (None, None) => return Err(SurveyError::Damaged("no root is readable".into())),
    };
    let end = frames()
        .filter(|h| is_kept(h))
        .map(Header::end)
        .max()
        .unwrap_or(root_header.end());
    let mut repair = Repair::default();
    let mut following = steps.iter().skip(1);
    for step in steps {
        let next = following.next();
        match step {
            Step::Frame(header) => {
                let is_client = header.kind == Kind::Block || header.kind.is_change();
                if is_client && !is_kept(header) && header.end() < end {
                    repair.voids.push(header.clone());
                }
                if header.kind == Kind::Block && is_kept(header) && header.offset > root_header.offset {
                    repair.last_block = repair.last_block.max(Some(UnixMillis(header.moment_ms)));
                }
            }
            Step::Lost { from, to } if *to < end && *from >= durable => {
                if let Some(Step::Frame(next)) = next {
                    repair.gaps.push(gap(*from, *to, next, root_header.moment_ms));
                }
            }
            Step::Lost { .. } => {}
        }
    }
    let sequence = frames().map(|h| h.sequence).max().unwrap_or(root_header.sequence);
    Ok(Survey {
        root,
        root_header,
        end,
        sequence,
        repair: Some(repair),
    })
}

/// A header to hop over a stretch that a torn one left. The torn one had a number before that of the frame `next`: with
/// it the numbers rise along the file from wherever it is walked.
fn gap(from: u64, to: u64, next: &Header, moment_ms: i64) -> Header {
    Header {
        kind: Kind::Gap,
        identity: next.identity,
        offset: from,
        payload_len: 0,
        frame_len: to - from,
        sequence: next.sequence.saturating_sub(1),
        generation: next.generation,
        durable_below: 0,
        moment_ms,
        block_id: Vec::new(),
        place: (0, 0),
        root_at: 0,
    }
}

fn newest_root<'a>(
    file: &dyn DiskFile,
    frames: impl DoubleEndedIterator<Item = &'a Header>,
) -> io::Result<Option<(Header, Root)>> {
    for header in frames.rev().filter(|h| h.kind == Kind::Root) {
        if let Some(found) = root_at(file, header.offset)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Whether a frame that may be torn is whole: its trailer is there and every checksum holds.
fn is_complete(file: &dyn DiskFile, len: u64, header: &Header) -> io::Result<bool> {
    if matches!(header.kind, Kind::Root | Kind::Gap) {
        return Ok(true);
    }
    if header.end() > len {
        return Ok(false);
    }
    match read_trailer(file, header)? {
        None => Ok(false),
        Some(Trailer::Void) => Ok(true),
        Some(Trailer::Done(checksums) | Trailer::Changed(checksums, _)) => {
            let mut chunk = vec![0; CHECKSUM_BYTES];
            let mut left = header.payload_len;
            for (index, checksum) in checksums.into_iter().enumerate() {
                let n = left.min(CHECKSUM_BYTES as u64) as usize;
                let at = header.payload_at() + (index * CHECKSUM_BYTES) as u64;
                if file.read_at(&mut chunk[..n], at)? < n || crc64(&chunk[..n]) != checksum {
                    return Ok(false);
                }
                left -= n as u64;
            }
            Ok(true)
        }
    }
}
