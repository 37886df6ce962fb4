//! What one page blob must look like, as far as its answers tell.
#![allow(unreachable_pub, missing_docs)]

use std::collections::BTreeMap;

/// Bytes of a page.
pub const PAGE: u64 = 512;

/// One page blob.
#[derive(Clone, PartialEq, Eq)]
pub struct PageModel {
    pub bytes: Vec<u8>,
    pub sequence_number: u64,
    /// The id, as far as it is known.
    pub lease: Option<u128>,
    /// Content by time.
    pub snapshots: BTreeMap<String, Vec<u8>>,
}

/// What one operation does to the blob when it is carried out. Offsets and lengths are bytes.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Put Blob, over an old one too; snapshots stay.
    Create(u64),
    /// Offset, length, seed of the bytes.
    Update(u64, u64, u64),
    Clear(u64, u64),
    Resize(u64),
    /// Sets the sequence number.
    Count(u64),
    Acquire(u128),
    Release,
    Snapshot,
    /// Deletes all snapshots and leaves the blob.
    DropSnapshots,
    /// Deletes the blob with its snapshots.
    Delete,
}

/// Bytes by a seed (xorshift64*): every stretch unlike every other.
pub fn noise(seed: u64, len: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(len as usize + 8);
    while (bytes.len() as u64) < len {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(len as usize);
    bytes
}

impl Deed {
    /// The blob afterwards. `time` is the name of a snapshot that was taken.
    pub fn apply(&self, before: Option<&PageModel>, time: &str) -> Option<PageModel> {
        let mut blob = before.cloned().unwrap_or(PageModel {
            bytes: Vec::new(),
            sequence_number: 0,
            lease: None,
            snapshots: BTreeMap::new(),
        });
        match self {
            Deed::Create(size) => {
                blob.bytes = vec![0; *size as usize];
                blob.sequence_number = 0;
            }
            Deed::Update(at, len, seed) => {
                blob.bytes[*at as usize..(at + len) as usize].copy_from_slice(&noise(*seed, *len));
            }
            Deed::Clear(at, len) => blob.bytes[*at as usize..(at + len) as usize].fill(0),
            Deed::Resize(size) => blob.bytes.resize(*size as usize, 0),
            Deed::Count(number) => blob.sequence_number = *number,
            Deed::Acquire(id) => blob.lease = Some(*id),
            Deed::Release => blob.lease = None,
            Deed::Snapshot => {
                blob.snapshots.insert(time.to_owned(), blob.bytes.clone());
            }
            Deed::DropSnapshots => blob.snapshots.clear(),
            Deed::Delete => return None,
        }
        Some(blob)
    }

    /// Whether the blob may look so when the server died before it answered.
    pub fn explains(&self, before: Option<&PageModel>, found: Option<&PageModel>) -> bool {
        let (Some(old), Some(new)) = (before, found) else {
            return differs(self.apply(before, "").as_ref(), found).is_none();
        };
        match self {
            // Its time was never told.
            Deed::Snapshot => {
                let fresh = new
                    .snapshots
                    .keys()
                    .find(|time| !old.snapshots.contains_key(*time));
                fresh.is_some_and(|time| differs(self.apply(before, time).as_ref(), found).is_none())
            }
            Deed::DropSnapshots => {
                let left = old
                    .snapshots
                    .iter()
                    .filter(|(time, _)| new.snapshots.contains_key(*time));
                let some_gone = PageModel {
                    snapshots: left.map(|(time, bytes)| (time.clone(), bytes.clone())).collect(),
                    ..old.clone()
                };
                differs(Some(&some_gone), found).is_none()
            }
            _ => differs(self.apply(before, "").as_ref(), found).is_none(),
        }
    }
}

/// What is different, if anything; of leases only whether there is one.
pub fn differs(expected: Option<&PageModel>, found: Option<&PageModel>) -> Option<String> {
    let (Some(expected), Some(found)) = (expected, found) else {
        let there = |blob: Option<&PageModel>| {
            if blob.is_some() {
                "is there"
            } else {
                "is not there"
            }
        };
        return (expected.is_some() != found.is_some())
            .then(|| format!("it {} and {} as expected", there(found), there(expected)));
    };
    if expected.sequence_number != found.sequence_number {
        let (is, was) = (found.sequence_number, expected.sequence_number);
        return Some(format!("sequence number {is}, expected {was}"));
    }
    if expected.lease.is_some() != found.lease.is_some() {
        return Some(format!("leased: {}", found.lease.is_some()));
    }
    let times = |blob: &PageModel| blob.snapshots.keys().cloned().collect::<Vec<_>>();
    if times(expected) != times(found) {
        return Some(format!(
            "snapshots {:?}, expected {:?}",
            times(found),
            times(expected)
        ));
    }
    if let Some((time, _)) =
        (expected.snapshots.iter()).find(|(time, bytes)| found.snapshots[*time] != **bytes)
    {
        return Some(format!("the content of snapshot {time}"));
    }
    if expected.bytes.len() != found.bytes.len() {
        return Some(format!(
            "{} bytes, expected {}",
            found.bytes.len(),
            expected.bytes.len()
        ));
    }
    let pages = expected
        .bytes
        .chunks(PAGE as usize)
        .zip(found.bytes.chunks(PAGE as usize));
    let wrong = pages.enumerate().find(|(_, (expected, found))| expected != found);
    wrong.map(|(page, _)| format!("page {page} of {}", expected.bytes.len() as u64 / PAGE))
}
