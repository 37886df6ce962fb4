//! Copy Blob, Copy Blob From URL, Put Blob From URL, Put Block From URL, Abort Copy Blob: bytes from a blob to another,
//! inside this server.
//!
//! The source is a URL of this server: the host is the one that the request itself was sent to (with another account's
//! name in front of it, where accounts stand in the host). No request is ever sent anywhere. Who may read the source: the
//! owner of its account, who signed the request with the account's key; everybody else needs an access signature in the
//! URL, as at Azure.

use std::sync::Arc;

use azblob::conditions::{Conditions, WriteKind};
use azblob::copy::{CopyState, CopyStatus};
use azblob::error::{ErrorCode, Refusal};
use azblob::etag::ETag;
use azblob::lease::LeaseId;
use azblob::limits::{max_block_bytes, max_put_blob_bytes};
use azblob::names::AccountName;
use azblob::range::ByteRange;
use azblob::request::{
    Address, BlobOperation, BlockFromUrl, Checksum, CopyBlob, CopySource, GetBlob, Operation, PutFromUrl,
    Request,
};
use azblob::snapshot::SnapshotTime;
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use blobstore::{BlobPath, BlobReader, CopyRight, CopyWriter, Permit, Properties, Store, StoreError};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri};
use tokio::time::timeout;
use uuid::Uuid;

use super::{Answer, Door, now};
use crate::authorise::Caller;
use crate::checks::BodyCheck;
use crate::copies::{self, Copies, Job};
use crate::fault::Fault;
use crate::limits;
use crate::peer::Peer;
use crate::proof::{Opening, Proof};
use crate::reply::{changed, empty, put};
use crate::uses::{Guest, Kind, Use};

/// Who asks for a copy, and over which connection.
pub(super) struct Asker<'a> {
    pub(super) caller: &'a Caller,
    pub(super) head: &'a Parts,
    pub(super) peer: Peer,
    pub(super) guest: &'a Arc<Guest>,
}

/// A source that may be read.
pub(super) struct Source {
    path: BlobPath,
    snapshot: Option<SnapshotTime>,
    /// As it is noted and shown: without any signature.
    shown: String,
    asked: CopySource,
    /// What the copy is to the source; it counts once the source was opened.
    used: Use,
}

impl Door {
    /// Copy Blob and Copy Blob From URL.
    pub(super) async fn copy_blob(&self, path: BlobPath, ask: CopyBlob, asker: Asker<'_>) -> Answer {
        let source = (ask.source.clone(), ask.tags_of_source);
        let source = self.source(source, &path.account, &asker).await?;
        let (proof, copies) = (Arc::clone(&self.proof), Arc::clone(&self.copies));
        self.copying(move |store| copy(store, &proof, &copies, path, &ask, &source))
            .await
    }

    /// Put Blob From URL.
    pub(super) async fn put_from_url(
        &self,
        path: BlobPath,
        ask: PutFromUrl,
        version: ApiVersion,
        asker: Asker<'_>,
    ) -> Answer {
        let source = (ask.source.clone(), ask.tags_of_source);
        let source = self.source(source, &path.account, &asker).await?;
        let proof = Arc::clone(&self.proof);
        self.copying(move |store| put_blob((store, &proof), &path, &ask, &source, version))
            .await
    }

    /// Put Block From URL.
    pub(super) async fn block_from_url(
        &self,
        path: BlobPath,
        ask: BlockFromUrl,
        version: ApiVersion,
        asker: Asker<'_>,
    ) -> Answer {
        let source = (ask.source.clone(), false);
        let source = self.source(source, &path.account, &asker).await?;
        let proof = Arc::clone(&self.proof);
        self.copying(move |store| put_block((store, &proof), &path, &ask, &source, version))
            .await
    }

    /// Abort Copy Blob.
    pub(super) async fn abort_copy(&self, path: BlobPath, id: String, lease: Option<LeaseId>) -> Answer {
        let copies = Arc::clone(&self.copies);
        self.call(move |store| {
            store.end_copy(&path, &id, CopyStatus::Aborted, None, lease)?;
            copies.abort(&id);
            Ok(empty())
        })
        .await
    }

    /// Copies on a blocking thread, when there is a seat. A client that goes away meanwhile does not free it: the copy goes
    /// on.
    pub(super) async fn copying<R: Send + 'static>(
        &self,
        copy: impl FnOnce(&Store) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, Fault> {
        let seat = Arc::clone(&self.copying).acquire_owned();
        let Ok(seat) = timeout(limits::COPY_PATIENCE, seat).await else {
            return Err(ErrorCode::ServerBusy.into());
        };
        let seat = seat.expect("the seats are never closed");
        self.call(move |store| {
            let _seat = seat;
            copy(store)
        })
        .await
    }

    /// Finds the blob that a URL means, and whether its content, and its tags where they are wanted too, may be read by
    /// who asks.
    pub(super) async fn source(
        &self,
        (asked, with_tags): (CopySource, bool),
        account: &AccountName,
        asker: &Asker<'_>,
    ) -> Result<Source, Fault> {
        let uri: Uri = asked
            .url
            .parse()
            .map_err(|_| Refusal::header("x-ms-copy-source", "(not a URL)"))?;
        let accounts = self.accounts.current();
        if !is_ours(&uri, asker.head, accounts.names()) {
            return Err(Fault::copy_source(
                StatusCode::NOT_FOUND,
                "The copy source is not on this server, which fetches nothing from others.",
            ));
        }
        let nothing = HeaderMap::new();
        let address = Address::locate(&uri, &nothing, accounts.names())?;
        let read = Request::parse(&address, &Method::HEAD, &uri, &nothing)?;
        let Operation::Blob(path, BlobOperation::GetProperties { snapshot, .. }) = read.operation else {
            return Err(ErrorCode::InvalidSourceBlobUrl.into());
        };
        if !(asker.caller.grant.is_owner() && address.account == *account) {
            let signed = (&Method::GET, &uri, &nothing);
            let owner = accounts.get(&address.account);
            let get = BlobOperation::Get(GetBlob {
                snapshot,
                ..GetBlob::default()
            });
            let tags = BlobOperation::GetTags {
                snapshot,
                lease_id: None,
            };
            let mut reads = vec![get];
            reads.extend(with_tags.then_some(tags));
            let caller = self.authenticate(owner, &address, signed, asker.peer).await;
            let allowed =
                caller.and_then(|caller| {
                    let mut reads = reads.into_iter();
                    Ok(reads
                        .try_for_each(|read| caller.grant.allow(&mut Operation::Blob(path.clone(), read)))?)
                });
            allowed.map_err(|fault| Fault::copy_source(StatusCode::FORBIDDEN, fault.message()))?;
        }
        let path = BlobPath {
            account: address.account,
            container: path.container,
            blob: path.blob,
        };
        Ok(Source {
            used: Use::beside(&self.uses, path.clone(), Kind::Read),
            path,
            snapshot,
            shown: shown(&uri, snapshot),
            asked,
        })
    }
}

impl Source {
    /// Opens it, if it is what the request wants it to be.
    pub(super) fn open(&self, store: &Store) -> Result<BlobReader, Fault> {
        let conditions = &self.asked.conditions;
        let condition = |current: Option<(ETag, UnixMillis)>| match current {
            Some((etag, modified)) => conditions
                .check_read(etag, modified)
                .map_err(|_| ErrorCode::SourceConditionNotMet),
            None => Ok(()),
        };
        let permit = Permit {
            lease: self.asked.lease_id,
            condition: &condition,
        };
        store
            .open_blob((&self.path, self.snapshot), &permit)
            .inspect(|_| self.used.succeeded())
            .map_err(|error| match error {
                StoreError::Protocol(code @ (ErrorCode::BlobNotFound | ErrorCode::ContainerNotFound)) => {
                    Fault::copy_source(StatusCode::NOT_FOUND, code.message())
                }
                other => other.into(),
            })
    }

    /// What its bytes must sum up to.
    pub(super) fn checksum(&self) -> Option<Checksum> {
        let md5 = self.asked.md5.map(Checksum::Md5);
        md5.or(self.asked.crc64.map(Checksum::Crc64))
    }
}

fn copy(
    store: &Store,
    proof: &Proof,
    copies: &Copies,
    path: BlobPath,
    ask: &CopyBlob,
    source: &Source,
) -> Answer {
    let reader = source.open(store)?;
    let condition = create_if(&ask.conditions);
    let right = CopyRight::Permit {
        permit: Permit {
            lease: ask.lease_id,
            condition: &condition,
        },
        endless: !ask.at_once,
        same_kind: true,
    };
    let of_source = &reader.view().properties;
    let id = Uuid::new_v4().to_string();
    let mut properties = Properties {
        http: of_source.http.clone(),
        metadata: ask.metadata.clone().unwrap_or_else(|| of_source.metadata.clone()),
        tags: if ask.tags_of_source {
            of_source.tags.clone()
        } else {
            ask.tags.clone()
        },
        copy: None,
    };
    let mut state = CopyState {
        id: id.clone(),
        source: source.shown.clone(),
        status: CopyStatus::Success,
        copied: reader.size(),
        total: reader.size(),
        completed: Some(now()),
        description: None,
    };
    if state.total > limits::COPY_AT_ONCE && ask.at_once {
        return Err(too_large(limits::COPY_AT_ONCE));
    }
    let (done, status) = if state.total <= limits::COPY_AT_ONCE {
        properties.copy = Some(state);
        let size = reader.size();
        let done = copy_all(store.begin_copy(&path, reader, &right)?, properties, &right)?;
        proof.blob_stored(&path, done.commit, size, None);
        (done, CopyStatus::Success)
    } else {
        if !copies.has_room() {
            return Err(ErrorCode::ServerBusy.into());
        }
        state.status = CopyStatus::Pending;
        (state.copied, state.completed) = (0, None);
        properties.copy = Some(state);
        let done = store.begin_pending_copy(&path, &reader, properties.clone(), &right)?;
        proof.forget(&path);
        let writer = store
            .begin_copy(&path, reader, &CopyRight::Pending(done.etag))
            .inspect_err(|error| copies::give_up(store, &path, &id, error))?;
        let uses = [(&source.path, Kind::Read), (&path, Kind::Write)]
            .map(|(path, kind)| source.used.goes_on(path.clone(), kind));
        copies.add(Job {
            path,
            _uses: uses,
            id: id.clone(),
            writer,
            waiting: done.etag,
            properties,
        });
        (done, CopyStatus::Pending)
    };
    let mut answer = changed(done.etag, done.last_modified);
    put(answer.headers_mut(), "x-ms-copy-id", &id);
    put(answer.headers_mut(), "x-ms-copy-status", status.as_str());
    Ok(answer)
}

fn copy_all(
    mut writer: CopyWriter,
    properties: Properties,
    right: &CopyRight<'_>,
) -> Result<blobstore::Committed, StoreError> {
    while writer.step()? {}
    writer.commit(properties, right)
}

fn put_blob(
    (store, proof): (&Store, &Proof),
    path: &BlobPath,
    ask: &PutFromUrl,
    source: &Source,
    version: ApiVersion,
) -> Answer {
    let reader = source.open(store)?;
    let condition = create_if(&ask.conditions);
    let permit = Permit {
        lease: ask.lease_id,
        condition: &condition,
    };
    let most = max_put_blob_bytes(version);
    if reader.size() > most {
        return Err(too_large(most));
    }
    let mut writer = store.begin_blob(path, reader.size(), &permit)?;
    let mut check = BodyCheck::of_blob(source.checksum(), version);
    read_through(&reader, 0, reader.size(), |bytes| {
        check.update(bytes);
        Ok(writer.write(bytes)?)
    })?;
    let sums = check.finish()?;
    let of_source = &reader.view().properties;
    let mut properties = Properties {
        http: ask.properties.clone(),
        metadata: ask.metadata.clone().unwrap_or_default(),
        tags: ask.tags.clone(),
        copy: None,
    };
    if ask.properties_of_source {
        properties.http = properties.http.or(&of_source.http);
        if ask.metadata.is_none() {
            properties.metadata = of_source.metadata.clone();
        }
    }
    if ask.tags_of_source {
        properties.tags = of_source.tags.clone();
    }
    properties.http.content_md5 = ask.properties.content_md5.or(sums.md5);
    let done = writer.commit(properties, &permit)?;
    proof.blob_stored(path, done.commit, reader.size(), None);
    let mut answer = changed(done.etag, done.last_modified);
    sums.write_headers(answer.headers_mut());
    Ok(answer)
}

fn put_block(
    (store, proof): (&Store, &Proof),
    path: &BlobPath,
    ask: &BlockFromUrl,
    source: &Source,
    version: ApiVersion,
) -> Answer {
    let reader = source.open(store)?;
    let (start, len) = portion(&reader, ask.range, max_block_bytes(version))?;
    let mut writer = store.begin_block(path, &ask.id, len, ask.lease_id)?;
    let mut check = BodyCheck::of_block(source.checksum(), version);
    let mut opening = Opening::default();
    read_through(&reader, start, len, |bytes| {
        check.update(bytes);
        opening.push(bytes);
        Ok(writer.write(bytes)?)
    })?;
    let sums = check.finish()?;
    let block = writer.commit()?;
    proof.block_stored(path, &ask.id, block, None, opening.is_backup());
    let mut answer = empty();
    sums.write_headers(answer.headers_mut());
    Ok(answer)
}

/// What a request takes of its source to make one block of it: offset and length. As one that comes in a body, a block has
/// `most` bytes and is not empty.
pub(super) fn portion(reader: &BlobReader, range: Option<ByteRange>, most: u64) -> Result<(u64, u64), Fault> {
    let size = reader.size();
    let (start, len) = match range {
        None if size == 0 => return Err(Refusal::header("x-ms-copy-source", "(an empty blob)").into()),
        None => (0, size),
        Some(range) => {
            let cut = range.resolve(size);
            let cut = cut.map_err(|code| Fault::range_beyond(code, size))?;
            (cut.start, cut.len)
        }
    };
    if len > most {
        return Err(too_large(most));
    }
    Ok((start, len))
}

fn too_large(most: u64) -> Fault {
    let refusal = Refusal::from(ErrorCode::RequestBodyTooLarge);
    refusal.detail("MaxLimit", most.to_string()).into()
}

/// Reads a range of a blob piece by piece.
pub(super) fn read_through(
    reader: &BlobReader,
    start: u64,
    len: u64,
    mut take: impl FnMut(&[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut buffer = vec![0; limits::READ_CHUNK];
    let mut done = 0;
    while done < len {
        let n = usize::try_from(len - done).map_or(buffer.len(), |left| left.min(buffer.len()));
        reader.read_at(start + done, &mut buffer[..n])?;
        take(&buffer[..n])?;
        done += n as u64;
    }
    Ok(())
}

fn create_if(conditions: &Conditions) -> impl Fn(Option<(ETag, UnixMillis)>) -> Result<(), ErrorCode> + '_ {
    |current| conditions.check_write(current, WriteKind::Create)
}

/// Whether a URL is one of this server: of the host and port that the request was sent to.
fn is_ours(uri: &Uri, head: &Parts, accounts: &[AccountName]) -> bool {
    let Some(source) = uri.authority() else {
        return false;
    };
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let here = head.uri.authority().map(http::uri::Authority::as_str).or(host);
    here.is_some_and(|here| bare(here, accounts) == bare(source.as_str(), accounts))
}

/// A host and port without the account in front, without a port that says nothing, in lower case.
fn bare(authority: &str, accounts: &[AccountName]) -> String {
    let authority = authority.to_ascii_lowercase();
    let rest = match authority.split_once('.') {
        Some((label, rest)) if accounts.iter().any(|account| account.as_str() == label) => rest,
        _ => &authority,
    };
    let plain = rest.strip_suffix(":443").or_else(|| rest.strip_suffix(":80"));
    plain.unwrap_or(rest).to_owned()
}

/// The URL as it is noted: without query, but for the snapshot.
fn shown(uri: &Uri, snapshot: Option<SnapshotTime>) -> String {
    let scheme = uri.scheme_str().unwrap_or("http");
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let of = snapshot.map_or(String::new(), |time| format!("?snapshot={time}"));
    format!("{scheme}://{host}{}{of}", uri.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_the_host_that_was_asked() {
        let accounts = ["vault", "other"].map(|name| AccountName::new(name).unwrap());
        let asked = |host: &str| {
            let (mut head, ()) = http::Request::new(()).into_parts();
            head.headers.insert(HOST, host.parse().unwrap());
            head
        };
        let ours = |url: &str, host: &str| is_ours(&url.parse().unwrap(), &asked(host), &accounts);
        assert!(ours("http://127.0.0.1:10000/vault/c/b", "127.0.0.1:10000"));
        assert!(ours("https://other.backup.local/c/b", "vault.backup.local:443"));
        assert!(ours("https://VAULT.backup.local/c/b", "vault.backup.local"));
        assert!(!ours("http://127.0.0.1:10001/vault/c/b", "127.0.0.1:10000"));
        assert!(!ours("https://vault.elsewhere/c/b", "vault.backup.local"));
        assert!(!ours("/vault/c/b", "vault.backup.local"));
    }

    #[test]
    fn a_signature_is_not_noted() {
        let uri = "https://h/c/b%20b?sv=2020&sig=secret&snapshot=x".parse().unwrap();
        assert_eq!(shown(&uri, None), "https://h/c/b%20b");
        let time = SnapshotTime(12_996_349_549_360_000);
        assert_eq!(
            shown(&uri, Some(time)),
            "https://h/c/b%20b?snapshot=2011-03-09T01:42:34.9360000Z"
        );
    }
}
