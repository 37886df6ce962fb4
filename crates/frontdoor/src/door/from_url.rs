//! Put Page From URL and Append Block From URL: a range of another blob of this server becomes pages, or a block at the
//! end. Which blob a URL means, and who may read it: [`super::copy`].

use std::sync::Arc;

use azblob::error::ErrorCode;
use azblob::limits::max_append_block_bytes;
use azblob::request::{AppendFromUrl, PageFromUrl};
use azblob::version::ApiVersion;
use blobstore::BlobPath;

use super::append::{MayAppend, appended};
use super::copy::{Asker, portion, read_through};
use super::pages::{MayWrite, written};
use super::{Answer, Door};
use crate::checks::BodyCheck;
use crate::fault::Fault;

impl Door {
    /// Put Page From URL.
    pub(super) async fn page_from_url(
        &self,
        path: BlobPath,
        ask: PageFromUrl,
        version: ApiVersion,
        asker: Asker<'_>,
    ) -> Answer {
        let source = self.source((ask.source, false), &path.account, &asker).await?;
        let proof = Arc::clone(&self.proof);
        self.copying(move |store| {
            let (reader, range) = (source.open(store)?, ask.put.range);
            let read = ask.source_range.resolve(reader.size());
            let read = read.map_err(|code| Fault::range_beyond(code, reader.size()))?;
            if read.len != range.len() {
                return Err(ErrorCode::InvalidRange.into());
            }
            let may = MayWrite {
                lease_id: ask.put.lease_id,
                conditions: ask.put.conditions,
                sequence: ask.put.sequence,
            };
            let mut writer = may.with(|permit| store.begin_pages(&path, range, permit))?;
            let mut check = BodyCheck::of_pages(source.checksum(), version);
            read_through(&reader, read.start, read.len, |bytes| {
                check.update(bytes);
                Ok(writer.write(bytes)?)
            })?;
            let sums = check.finish()?;
            let writing = proof.writing(&path);
            let done = may.with(|permit| writer.commit(permit))?;
            writing.done(range.start()..range.end(), done.commit);
            Ok(written(done, sums))
        })
        .await
    }

    /// Append Block From URL.
    pub(super) async fn append_from_url(
        &self,
        path: BlobPath,
        ask: AppendFromUrl,
        version: ApiVersion,
        asker: Asker<'_>,
    ) -> Answer {
        let source = self.source((ask.source, false), &path.account, &asker).await?;
        let proof = Arc::clone(&self.proof);
        self.copying(move |store| {
            let reader = source.open(store)?;
            let (start, len) = portion(&reader, ask.range, max_append_block_bytes(version))?;
            let may = MayAppend {
                lease_id: ask.append.lease_id,
                conditions: ask.append.conditions,
                at: ask.append.at,
                max_size: ask.append.max_size,
            };
            let mut writer = may.with(|permit| store.begin_append(&path, len, permit))?;
            let mut check = BodyCheck::of_block(source.checksum(), version);
            read_through(&reader, start, len, |bytes| {
                check.update(bytes);
                Ok(writer.write(bytes)?)
            })?;
            let sums = check.finish()?;
            let writing = proof.writing(&path);
            let done = may.with(|permit| writer.commit(permit))?;
            writing.done(done.offset..done.offset + len, done.commit);
            Ok(appended(&done, sums))
        })
        .await
    }
}
