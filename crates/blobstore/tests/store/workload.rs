//! A random workload of all operations, mirrored in a model of what was acknowledged.

use azblob::block::{BlockId, BlockList, BlockSource};
use azblob::copy::{CopyState, CopyStatus};
use azblob::error::ErrorCode;
use azblob::lease::{Lease, LeaseAction, LeaseDuration, LeaseId};
use azblob::names::{BlobName, ContainerName};
use azblob::snapshot::{DeleteSnapshots, SnapshotTime};
use bak::Verdict;
use blobstore::disk::simulated::Random;
use blobstore::{
    BlobPath, BlockWriter, CopyRight, ListEntry, ListQuery, Permit, Proof, Properties, Store, StoreError,
};

use crate::logged::{ArrivingChange, Change, Logged, change_model};
use crate::model::{BlobState, Committed, ContainerState, Contents, SnapshotState, mark};
use crate::support::{account, bytes, id};

const CONTAINERS: [&str; 2] = ["one", "two"];
const BLOBS: [&str; 4] = ["a", "b", "c/d", "a name of many letters, so that it differs"];
const IDS: [&str; 5] = ["A0", "A1", "A2", "A3", "A4"];

/// One operation. It is legal in the state it was drawn for.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    CreateContainer(&'static str, u64),
    DeleteContainer(&'static str),
    MarkContainer(&'static str, u64),
    PutBlob(Target, Vec<u8>, u64),
    PutBlock(Target, &'static str, Vec<u8>, u64),
    GiveUpBlock(Target, &'static str, usize),
    BeginBlock(Target, &'static str, Vec<u8>, u64),
    EndBlock(Ending),
    Commit(Target, Vec<&'static str>, u64),
    Delete(Target),
    /// Of a blob, or of its snapshot with this index.
    Copy(Target, Option<usize>, Target, u64, CopyWay),
    /// With metadata of its own, unless that is 0.
    Snapshot(Target, u64),
    /// The snapshot with this index, the oldest being 0.
    DeleteSnapshot(Target, usize),
    DeleteSnapshots(Target, DeleteSnapshots),
    Mark(Target, u64),
    Lease(Target, LeaseAction),
    Seal(Target, bool),
    Prove(Target, Verdict),
    Change(Target, Change),
    Sweep,
}

/// How a copy goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyWay {
    /// In one step.
    AtOnce,
    /// With a destination that waits for it.
    Pending,
    /// Likewise, and then it fails.
    PendingAndFailed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target(pub(crate) &'static str, pub(crate) &'static str);

impl Target {
    pub(crate) fn path(self) -> BlobPath {
        BlobPath {
            account: account(),
            container: ContainerName::new(self.0).unwrap(),
            blob: BlobName::new(self.1).unwrap(),
        }
    }
}

/// The second half of a block that was begun.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    target: Target,
    id: &'static str,
    data: Vec<u8>,
    /// Rises with each block begun: of two of the same id the later begun one counts.
    order: u64,
}

/// A block that is still arriving.
pub(crate) struct Arriving {
    ending: Ending,
    writer: BlockWriter,
}

/// Draws deeds and mirrors them.
pub(crate) struct Workload {
    pub(crate) random: Random,
    pub(crate) expected: Contents,
    arriving: Vec<Arriving>,
    pub(crate) arriving_changes: Vec<ArrivingChange>,
    next: u64,
}

impl Workload {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            expected: Contents::new(),
            arriving: Vec::new(),
            arriving_changes: Vec::new(),
            next: 1,
        }
    }

    /// Gives up everything that is arriving.
    pub(crate) fn give_up_all(&mut self) {
        self.arriving.clear();
        self.arriving_changes.clear();
    }

    /// Draws a deed that is legal now.
    pub(crate) fn draw(&mut self) -> Deed {
        loop {
            let target = Target(self.pick(&CONTAINERS), self.pick(&BLOBS));
            let Some(container) = self.expected.get(target.0) else {
                return Deed::CreateContainer(target.0, self.number());
            };
            let blob = container.blobs.get(target.1).cloned();
            let sealed = blob.as_ref().is_some_and(|b| b.sealed);
            let committed = blob.as_ref().is_some_and(|b| b.committed.is_some());
            let snapshots = blob.as_ref().map_or(0, |b| b.snapshots.len());
            let logged = (blob.as_ref())
                .and_then(|b| b.committed.as_ref())
                .is_some_and(|c| c.logged.is_some());
            // What is sent in blocks, only to what has blocks.
            let which = match self.random.below(60) {
                5..=20 if logged => 36,
                drawn => drawn,
            };
            let deed = match which {
                36..56 if !sealed => match self.draw_change(target, blob.as_ref()) {
                    Some(change) => Deed::Change(target, change),
                    None => continue,
                },
                0 if self.random.one_in(4) && container.blobs.values().all(|b| !b.sealed) => {
                    Deed::DeleteContainer(target.0)
                }
                1 if self.random.one_in(2) => Deed::MarkContainer(target.0, self.number()),
                2..=4 if !sealed => Deed::PutBlob(target, self.data(0), self.number()),
                5..=12 if !sealed => Deed::PutBlock(target, self.pick(&IDS), self.data(1), self.number()),
                13 if !sealed => {
                    Deed::GiveUpBlock(target, self.pick(&IDS), self.random.below(9_000) as usize)
                }
                14..=15 if !sealed && self.arriving.len() < 3 => {
                    Deed::BeginBlock(target, self.pick(&IDS), self.data(1), self.number())
                }
                16 if !self.arriving.is_empty() => {
                    let which = self.random.below(self.arriving.len() as u64) as usize;
                    Deed::EndBlock(self.arriving[which].ending.clone())
                }
                17..=20 if !sealed => Deed::Commit(target, self.some_ids(blob.as_ref()), self.number()),
                21 if committed && !sealed && snapshots == 0 => Deed::Delete(target),
                21 if committed && !sealed => Deed::DeleteSnapshots(target, DeleteSnapshots::Include),
                30..=33 if committed && snapshots < 3 => {
                    let mark = if self.random.one_in(2) { self.number() } else { 0 };
                    Deed::Snapshot(target, mark)
                }
                56..=59 if committed => {
                    let Some(deed) = self.copy(target, snapshots) else {
                        continue;
                    };
                    deed
                }
                34 if !sealed && snapshots > 0 => {
                    Deed::DeleteSnapshot(target, self.random.below(snapshots as u64) as usize)
                }
                35 if committed && !sealed && self.random.one_in(3) => {
                    Deed::DeleteSnapshots(target, DeleteSnapshots::Only)
                }
                22 if committed && !sealed => Deed::Mark(target, self.number()),
                23..=25 if blob.is_some() => match self.lease_action(blob.as_ref()) {
                    Some(action) => Deed::Lease(target, action),
                    None => continue,
                },
                26 if committed => Deed::Seal(target, !sealed && self.random.one_in(3)),
                27..=28 if committed => Deed::Prove(target, Verdict::Ok),
                29 => Deed::Sweep,
                _ => continue,
            };
            return deed;
        }
    }

    /// Carries a deed out. Only if it is acknowledged does the model change.
    pub(crate) fn run(&mut self, store: &Store, deed: &Deed) -> Result<(), StoreError> {
        self.give_up_disturbed(deed);
        let etag = self.carry_out(store, deed)?;
        self.expected = self.after(deed, etag);
        Ok(())
    }

    fn carry_out(&mut self, store: &Store, deed: &Deed) -> Result<u64, StoreError> {
        let permit = |target: &Target| Permit::lease(self.held(*target));
        match deed {
            Deed::CreateContainer(name, m) => {
                let view =
                    store.create_container(&account(), &ContainerName::new(*name).unwrap(), mark(*m))?;
                return Ok(view.etag.0);
            }
            Deed::DeleteContainer(name) => {
                store.delete_container(&account(), &ContainerName::new(*name).unwrap(), None, &|_| Ok(()))?;
            }
            Deed::MarkContainer(name, m) => {
                let name = ContainerName::new(*name).unwrap();
                store.set_container_metadata(&account(), &name, mark(*m), &|_| Ok(()))?;
            }
            Deed::PutBlob(target, data, m) => {
                let mut writer = store.begin_blob(&target.path(), data.len() as u64, &permit(target))?;
                for part in data.chunks(40_000) {
                    writer.write(part)?;
                }
                return Ok(writer.commit(marked(*m), &permit(target))?.etag.0);
            }
            Deed::PutBlock(..) | Deed::GiveUpBlock(..) | Deed::BeginBlock(..) | Deed::EndBlock(_) => {
                self.send_block(store, deed)?;
            }
            Deed::Commit(target, ids, m) => {
                let list = BlockList(ids.iter().map(|text| (BlockSource::Latest, id(text))).collect());
                let done = store.put_block_list(&target.path(), &list, marked(*m), &permit(target))?;
                let wanted: Vec<BlockId> = ids.iter().map(|text| id(text)).collect();
                assert!(done.blocks.iter().map(|(id, _)| id).eq(&wanted));
                return Ok(done.committed.etag.0);
            }
            Deed::Delete(target) => store.delete_blob(&target.path(), &permit(target))?,
            Deed::Copy(..) => return self.carry_out_copy(store, deed),
            Deed::Snapshot(target, m) => {
                let metadata = (*m != 0).then(|| mark(*m));
                let taken = store.snapshot_blob(&target.path(), metadata.as_ref(), &Permit::NONE)?;
                let newest = self.expected[target.0].blobs[target.1].newest;
                assert!(taken.time.0 > newest, "a snapshot is as old as one before it");
                return Ok(taken.time.0);
            }
            Deed::DeleteSnapshot(target, index) => {
                let time = time_of_snapshot(store, *target, *index)?;
                store.delete_snapshot(&target.path(), time, &Permit::NONE)?;
            }
            Deed::DeleteSnapshots(target, how) => {
                store.delete_with_snapshots(&target.path(), *how, &permit(target))?;
            }
            Deed::Mark(target, m) => {
                return Ok(store
                    .set_metadata(&target.path(), &mark(*m), &permit(target))?
                    .etag
                    .0);
            }
            Deed::Lease(target, action) => {
                store.lease_blob(&target.path(), action, &|_| Ok(()))?;
            }
            Deed::Seal(target, sealed) => {
                store.seal(&target.path(), *sealed)?;
            }
            Deed::Prove(target, verdict) => {
                let commit = store.blob_properties(&target.path(), &Permit::NONE)?.commit;
                let proof = Proof {
                    verdict: Some(*verdict),
                    ..Proof::default()
                };
                assert!(store.set_proof(&target.path(), commit, &proof)?);
            }
            Deed::Change(target, change) => return self.carry_out_change(store, *target, change),
            Deed::Sweep => {
                store.sweep(azblob::time::UnixMillis(0))?;
            }
        }
        Ok(0)
    }

    fn carry_out_copy(&mut self, store: &Store, deed: &Deed) -> Result<u64, StoreError> {
        let Deed::Copy(from, snapshot, to, m, way) = deed else {
            panic!("{deed:?} is no copy");
        };
        let time = snapshot
            .map(|index| time_of_snapshot(store, *from, index))
            .transpose()?;
        let (from, to, permit) = (from.path(), to.path(), Permit::lease(self.held(*to)));
        let source = store.open_blob((&from, time), &Permit::NONE)?;
        let mut right = CopyRight::Permit {
            permit,
            endless: false,
            same_kind: true,
        };
        if *way != CopyWay::AtOnce {
            let state = CopyState {
                id: "copy".to_owned(),
                source: String::new(),
                status: CopyStatus::Pending,
                copied: 0,
                total: source.size(),
                completed: None,
                description: None,
            };
            let properties = Properties {
                copy: Some(state),
                ..marked(*m)
            };
            let pending = store.begin_pending_copy(&to, &source, properties, &right)?;
            right = CopyRight::Pending(pending.etag);
        }
        if *way == CopyWay::PendingAndFailed {
            store.end_copy(&to, "copy", CopyStatus::Failed, Some("for a test"), None)?;
            return Ok(store.blob_properties(&to, &Permit::NONE)?.etag.0);
        }
        let mut writer = store.begin_copy(&to, source, &right)?;
        while writer.step()? {}
        Ok(writer.commit(marked(*m), &right)?.etag.0)
    }

    /// The deeds of Put Block.
    fn send_block(&mut self, store: &Store, deed: &Deed) -> Result<(), StoreError> {
        match deed {
            Deed::PutBlock(target, block, data, _) => {
                let path = target.path();
                let mut writer =
                    store.begin_block(&path, &id(block), data.len() as u64, self.held(*target))?;
                for part in data.chunks(40_000) {
                    writer.write(part)?;
                }
                writer.commit()?;
            }
            Deed::GiveUpBlock(target, block, sent) => {
                let path = target.path();
                let mut writer = store.begin_block(&path, &id(block), 10_000, self.held(*target))?;
                writer.write(&vec![1; *sent])?;
            }
            Deed::BeginBlock(target, block, data, order) => {
                let path = target.path();
                let mut writer =
                    store.begin_block(&path, &id(block), data.len() as u64, self.held(*target))?;
                writer.write(&data[..data.len() / 2])?;
                let ending = Ending {
                    target: *target,
                    id: block,
                    data: data.clone(),
                    order: *order,
                };
                self.arriving.push(Arriving { ending, writer });
            }
            Deed::EndBlock(ending) => {
                let which = self.arriving.iter().position(|a| a.ending.order == ending.order);
                let mut writer = self
                    .arriving
                    .remove(which.expect("it was drawn from there"))
                    .writer;
                writer.write(&ending.data[ending.data.len() / 2..])?;
                writer.commit()?;
            }
            other => panic!("{other:?} sends no block"),
        }
        Ok(())
    }

    /// Blocks that are arriving when their blob is replaced, sealed or leased cannot end well.
    fn give_up_disturbed(&mut self, deed: &Deed) {
        self.arriving.retain(|arriving| match deed {
            Deed::DeleteContainer(name) => arriving.ending.target.0 != *name,
            Deed::PutBlob(target, ..)
            | Deed::Copy(_, _, target, ..)
            | Deed::Delete(target)
            | Deed::DeleteSnapshots(target, _)
            | Deed::Seal(target, _)
            | Deed::Lease(target, _) => arriving.ending.target != *target,
            Deed::Change(target, change) => !change.creates() || arriving.ending.target != *target,
            _ => true,
        });
        if let Deed::Change(target, change) = deed {
            self.give_up_changes(*target, change);
        }
        self.arriving_changes.retain(|arriving| match deed {
            Deed::DeleteContainer(name) => arriving.target.0 != *name,
            Deed::PutBlob(target, ..)
            | Deed::Copy(_, _, target, ..)
            | Deed::Delete(target)
            | Deed::DeleteSnapshots(target, _)
            | Deed::Seal(target, _)
            | Deed::Lease(target, _) => arriving.target != *target,
            _ => true,
        });
    }

    /// The model once the deed is done; with tag (of a snapshot: time) 0 where nobody was told.
    pub(crate) fn after(&self, deed: &Deed, etag: u64) -> Contents {
        let mut contents = self.expected.clone();
        match deed {
            Deed::CreateContainer(name, mark) => {
                let state = ContainerState {
                    mark: *mark,
                    ..ContainerState::default()
                };
                contents.insert((*name).to_owned(), state);
            }
            Deed::DeleteContainer(name) => {
                contents.remove(*name);
            }
            Deed::MarkContainer(name, mark) => {
                contents.get_mut(*name).unwrap().mark = *mark;
            }
            Deed::Copy(from, index, target, mark, way) => {
                let mut content = source(&contents, *from, *index).clone();
                if *way == CopyWay::PendingAndFailed {
                    content.blocks.clear();
                    content.logged = content.logged.map(|logged| logged.emptied());
                }
                replace(
                    blob_of(&mut contents, *target),
                    Committed { etag, ..content },
                    *mark,
                );
            }
            Deed::Snapshot(target, mark) => snapshot(blob_of(&mut contents, *target), *mark, etag),
            Deed::DeleteSnapshot(target, index) => {
                blob_of(&mut contents, *target).snapshots.remove(*index);
            }
            Deed::DeleteSnapshots(target, DeleteSnapshots::Only) => {
                blob_of(&mut contents, *target).snapshots.clear();
            }
            Deed::Delete(target) | Deed::DeleteSnapshots(target, _) => {
                contents.get_mut(target.0).unwrap().blobs.remove(target.1);
            }
            Deed::Change(target, change) => {
                change_model(blob_of(&mut contents, *target), change, etag);
            }
            Deed::Sweep => {}
            Deed::EndBlock(Ending {
                target,
                id,
                data,
                order,
            }) => {
                stage(blob_of(&mut contents, *target), id, data, *order);
            }
            Deed::PutBlock(target, id, data, order) => {
                let blob = blob_of(&mut contents, *target);
                written(blob);
                stage(blob, id, data, *order);
            }
            Deed::BeginBlock(target, ..) | Deed::GiveUpBlock(target, ..) => {
                written(blob_of(&mut contents, *target));
            }
            Deed::PutBlob(target, data, mark) => {
                let blob = blob_of(&mut contents, *target);
                written(blob);
                let blocks = if data.is_empty() {
                    Vec::new()
                } else {
                    vec![(String::new(), data.clone())]
                };
                let content = Committed {
                    blocks,
                    etag,
                    logged: None,
                };
                replace(blob, content, *mark);
            }
            Deed::Commit(target, ids, mark) => commit(blob_of(&mut contents, *target), ids, *mark, etag),
            Deed::Mark(target, mark) => {
                let blob = blob_of(&mut contents, *target);
                written(blob);
                blob.mark = *mark;
                blob.committed.as_mut().unwrap().etag = etag;
            }
            Deed::Lease(target, action) => {
                let blob = blob_of(&mut contents, *target);
                blob.lease = blob.lease.apply(action, NOW, LeaseId::from_u128(0)).unwrap().0;
            }
            Deed::Seal(target, sealed) => blob_of(&mut contents, *target).sealed = *sealed,
            Deed::Prove(target, verdict) => blob_of(&mut contents, *target).verdict = Some(*verdict),
        }
        contents
    }

    /// What the store may hold if the deed was cut off: nothing of it, all of it, or, where it makes the blob
    /// first, that alone; of several snapshots, some.
    pub(crate) fn possible_after(&self, deed: &Deed) -> Vec<Contents> {
        let mut possible = vec![self.expected.clone(), self.after(deed, 0)];
        if let Deed::Copy(from, index, target, mark, _) = deed {
            // The destination that waits.
            let waiting = Deed::Copy(*from, *index, *target, *mark, CopyWay::PendingAndFailed);
            possible.push(self.after(&waiting, 0));
        }
        if let Deed::DeleteSnapshots(target, DeleteSnapshots::Only) = deed {
            let all = self.expected[target.0].blobs[target.1].snapshots.len();
            for kept in 0..1_usize << all {
                let mut some = self.expected.clone();
                let mut index = 0..;
                blob_of(&mut some, *target)
                    .snapshots
                    .retain(|_| kept >> index.next().unwrap() & 1 == 1);
                possible.push(some);
            }
        }
        if let Deed::Change(target, change) = deed
            && change.writes()
        {
            let mut made = self.expected.clone();
            written(blob_of(&mut made, *target));
            possible.push(made);
        }
        if let Deed::PutBlock(target, ..)
        | Deed::GiveUpBlock(target, ..)
        | Deed::BeginBlock(target, ..)
        | Deed::Commit(target, ..) = deed
        {
            let mut made = self.expected.clone();
            written(blob_of(&mut made, *target));
            possible.push(made);
            let mut only_made = self.expected.clone();
            blob_of(&mut only_made, *target);
            possible.push(only_made);
        }
        possible
    }

    fn copy(&mut self, from: Target, snapshots: usize) -> Option<Deed> {
        let to = Target(self.pick(&CONTAINERS), self.pick(&BLOBS));
        let there = self.expected.get(to.0)?.blobs.get(to.1).cloned();
        let sealed = there.as_ref().is_some_and(|b| b.sealed);
        let index = self.random.below(snapshots as u64 + 1) as usize;
        let way = self.pick(&[
            CopyWay::AtOnce,
            CopyWay::AtOnce,
            CopyWay::Pending,
            CopyWay::PendingAndFailed,
        ]);
        let snapshot = (index < snapshots).then_some(index);
        let kind = |content: &Committed| content.logged.as_ref().map(Logged::has_pages);
        let wanted = kind(source(&self.expected, from, snapshot));
        let same = there
            .and_then(|b| b.committed)
            .is_none_or(|there| kind(&there) == wanted);
        (!sealed && same).then(|| Deed::Copy(from, snapshot, to, self.number(), way))
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.random.below(from.len() as u64) as usize]
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Mostly small, sometimes of several checksums; no two alike.
    fn data(&mut self, least: u64) -> Vec<u8> {
        let len = match self.random.below(12) {
            0 => least,
            1 => 65_536 + self.random.below(3),
            2 => self.random.below(150_000).max(1),
            _ => self.random.below(9_000).max(1),
        };
        bytes(self.random.draw(), len as usize)
    }

    fn some_ids(&mut self, blob: Option<&BlobState>) -> Vec<&'static str> {
        let known: Vec<&'static str> = IDS
            .into_iter()
            .filter(|id| blob.is_some_and(|b| find(b, id).is_some()))
            .collect();
        let count = if known.is_empty() { 0 } else { self.random.below(5) };
        (0..count).map(|_| self.pick(&known)).collect()
    }

    fn lease_action(&mut self, blob: Option<&BlobState>) -> Option<LeaseAction> {
        let id = LeaseId::from_u128(1 + u128::from(self.random.below(3)));
        let held = blob?.lease.id();
        let duration = if self.random.one_in(2) {
            LeaseDuration::Infinite
        } else {
            LeaseDuration::Seconds(60)
        };
        let action = match self.random.below(5) {
            0..=1 => LeaseAction::Acquire {
                proposed: Some(held.unwrap_or(id)),
                duration,
            },
            2 => LeaseAction::Release { id: held? },
            3 => LeaseAction::Change {
                id: held?,
                proposed: id,
            },
            _ => LeaseAction::Break { period: None },
        };
        let legal = blob?.lease.apply(&action, NOW, id).is_ok();
        legal.then_some(action)
    }

    /// The id to write with.
    pub(crate) fn held(&self, target: Target) -> Option<LeaseId> {
        let lease = self.expected.get(target.0)?.blobs.get(target.1)?.lease;
        lease.id().filter(|id| lease.check_write(Some(*id), NOW).is_ok())
    }
}

/// The clock of the simulation stands still.
const NOW: azblob::time::UnixMillis = azblob::time::UnixMillis(1_700_000_000_000);

pub(crate) fn marked(value: u64) -> Properties {
    Properties {
        metadata: mark(value),
        ..Properties::default()
    }
}

fn blob_of(contents: &mut Contents, target: Target) -> &mut BlobState {
    let container = contents.get_mut(target.0).unwrap();
    container.blobs.entry(target.1.to_owned()).or_default()
}

/// A write without an id to an expired or broken lease makes it forgotten.
pub(crate) fn written(blob: &mut BlobState) {
    if blob.lease.check_write(None, NOW).is_ok() {
        blob.lease = Lease::Available;
    }
}

fn stage(blob: &mut BlobState, id: &str, data: &[u8], order: u64) {
    let later = blob.uncommitted.get(id).is_some_and(|(there, _)| *there > order);
    if !later {
        blob.uncommitted.insert(id.to_owned(), (order, data.to_vec()));
    }
}

fn find<'a>(blob: &'a BlobState, id: &str) -> Option<&'a Vec<u8>> {
    let committed = || {
        blob.committed
            .as_ref()?
            .blocks
            .iter()
            .find(|(have, _)| have == id)
    };
    blob.uncommitted
        .get(id)
        .map(|(_, data)| data)
        .or_else(|| committed().map(|(_, data)| data))
}

fn commit(blob: &mut BlobState, ids: &[&str], mark: u64, etag: u64) {
    written(blob);
    let blocks = ids
        .iter()
        .map(|id| ((*id).to_owned(), find(blob, id).unwrap().clone()))
        .collect();
    let content = Committed {
        blocks,
        etag,
        logged: None,
    };
    replace(blob, content, mark);
}

/// Other content under the same lease and beside the same snapshots.
fn replace(blob: &mut BlobState, content: Committed, mark: u64) {
    written(blob);
    *blob = BlobState {
        committed: Some(content),
        lease: blob.lease,
        mark,
        snapshots: std::mem::take(&mut blob.snapshots),
        newest: blob.newest,
        ..BlobState::default()
    };
}

/// What a copy of a blob, or of one of its snapshots, takes over.
fn source(contents: &Contents, from: Target, snapshot: Option<usize>) -> &Committed {
    let blob = &contents[from.0].blobs[from.1];
    match snapshot {
        Some(index) => &blob.snapshots[index].content,
        None => blob.committed.as_ref().unwrap(),
    }
}

fn snapshot(blob: &mut BlobState, mark: u64, time: u64) {
    let mut content = blob.committed.clone().unwrap();
    if mark != 0 {
        // The tag is its own then, and only the store knows it.
        content.etag = 0;
    }
    blob.snapshots.push(SnapshotState {
        time,
        content,
        mark: if mark == 0 { blob.mark } else { mark },
        verdict: blob.verdict,
    });
    blob.newest = blob.newest.max(time);
}

/// A listing leaves out what it cannot read, as when the power went unnoticed just before it.
fn time_of_snapshot(store: &Store, target: Target, index: usize) -> Result<SnapshotTime, StoreError> {
    let path = target.path();
    let query = ListQuery {
        prefix: target.1.to_owned(),
        include_snapshots: true,
        ..ListQuery::default()
    };
    let page = store.list_blobs(&path.account, &path.container, &query).unwrap();
    let mut times = page.entries.into_iter().filter_map(|entry| match entry {
        ListEntry::Blob(name, view) if name == path.blob => view.snapshot,
        _ => None,
    });
    Ok(times.nth(index).ok_or(ErrorCode::BlobNotFound)?)
}
