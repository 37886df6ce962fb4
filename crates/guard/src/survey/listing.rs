//! Reading listings to their end, or giving them up where they have none.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use futures::stream::{self, Stream, TryStreamExt};

use super::is_locked;
use crate::account::{Account, Marker, Page, Properties};
use crate::event::{Event, Listener};
use crate::fault::{Cause, Fault, Operation};
use crate::limits::{EMPTY_PAGES_MAX, FINDINGS_MAX};
use crate::place::Place;

/// What was seen of one container.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) locked: Vec<(Place, Properties)>,
    pub(super) blobs: usize,
    /// Whether the reading came to its end.
    pub(super) ended: Result<(), Fault>,
}

impl Container {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            locked: Vec::new(),
            blobs: 0,
            ended: Ok(()),
        }
    }

    /// Counts a blob, and keeps it where it is locked.
    pub(super) fn see(&mut self, blob: String, properties: Properties) {
        self.blobs += 1;
        if is_locked(&properties) {
            let place = Place::new(self.name.clone(), blob);
            self.locked.push((place, properties));
        }
    }
}

/// The names of all containers, page by page.
pub(super) fn containers<'a, A: Account>(
    account: &'a A,
    listener: &'a dyn Listener,
) -> impl Stream<Item = Result<String, Fault>> + Send + 'a {
    let start = Some((Progress::default(), None, 0));
    stream::try_unfold(start, async move |next| {
        let Some((mut progress, from, found)) = next else {
            return Ok(None);
        };
        let page = account.containers(from.as_ref()).await?;
        progress
            .take(&page)
            .map_err(|why| unusable(Operation::ListContainers, "", why))?;
        let found = found + page.items.len();
        let last = page.next.is_none();
        listener.hear(&Event::Containers { found, last });
        let names = stream::iter(page.items.into_iter().map(Ok));
        let next = page.next.map(|marker| (progress, Some(marker), found));
        Ok(Some((names, next)))
    })
    .try_flatten()
}

/// Reads one container to its end.
pub(super) async fn read_container<A: Account>(
    account: &A,
    name: String,
    prefix: &str,
    listener: &dyn Listener,
) -> Container {
    let mut container = Container::new(name);
    container.ended = read_pages(account, &mut container, prefix, listener).await;
    listener.hear(&Event::ContainerDone);
    container
}

async fn read_pages<A: Account>(
    account: &A,
    container: &mut Container,
    prefix: &str,
    listener: &dyn Listener,
) -> Result<(), Fault> {
    let mut progress = Progress::default();
    let mut from = None;
    loop {
        let page = account.blobs(&container.name, prefix, from.as_ref()).await?;
        progress
            .take(&page)
            .map_err(|why| unusable(Operation::ListBlobs, &container.name, why))?;
        let (blobs, before) = (page.items.len(), container.locked.len());
        for listed in page.items {
            container.see(listed.blob, listed.properties);
        }
        let locked = container.locked.len() - before;
        listener.hear(&Event::Listed { blobs, locked });
        // The sum over all containers is held to the same limit by the total; this keeps one from growing beyond it.
        if container.locked.len() > FINDINGS_MAX {
            return Ok(());
        }
        match page.next {
            Some(marker) => from = Some(marker),
            None => return Ok(()),
        }
    }
}

fn unusable(operation: Operation, target: &str, why: &'static str) -> Fault {
    Fault {
        operation,
        target: target.to_owned(),
        cause: Cause::Unusable(why.to_owned()),
        status: None,
        code: None,
    }
}

/// Whether a listing gets on. Of each marker a digest is kept, 8 bytes for up to 5,000 blobs.
#[derive(Debug, Default)]
struct Progress {
    seen: BTreeSet<u64>,
    empty: usize,
}

impl Progress {
    fn take<T>(&mut self, page: &Page<T>) -> Result<(), &'static str> {
        let Some(Marker(marker)) = &page.next else {
            return Ok(());
        };
        let mut hasher = DefaultHasher::new();
        marker.hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            return Err("the listing leads back to a page that was read before, so it has no end");
        }
        self.empty = if page.items.is_empty() { self.empty + 1 } else { 0 };
        if self.empty > EMPTY_PAGES_MAX {
            return Err("the listing sends one empty page after another, so it seems to have no end");
        }
        Ok(())
    }
}
