//! One media family: its device, opened, and what its headers say.

use std::time::Duration;

use bak::content::{Event, MediaHeader, SetHeader};
use bak::{ContentReader, Foreign};
use bytes::Bytes;

use crate::instance::waiting::is_killed;
use crate::media::{Device, MediaSource, disk};
use crate::message::Failure;
use crate::session::Session;
use crate::url;

/// Bytes of a read where only headers are wanted, and of one where everything is.
const HEADERS: usize = 64 << 10;
const CONTENT: usize = 1 << 20;
/// The version of the tape format that SQL Server reads.
const TAPE_FORMAT: u8 = 1;
/// Reading of a file ended before its announced end.
const END_OF_FILE: i32 = 38;
/// Backups are written in sectors.
const SECTOR: u64 = 512;

/// An open media family.
pub(super) struct Family {
    pub(super) device: Device,
    pub(super) source: Box<dyn MediaSource>,
    pub(super) media: MediaHeader,
    /// Sets in their order.
    pub(super) sets: Vec<SetFacts>,
}

/// What the headers say of a set in one family.
pub(super) struct SetFacts {
    /// Position in the media, from 1.
    pub(super) position: u16,
    /// The final configuration where it was reached, else the first; `None` where the media end before it.
    pub(super) header: Option<Box<SetHeader>>,
    /// Read to its end.
    pub(super) complete: bool,
}

/// Looks whether the session shall end, and lets others run.
///
/// # Errors
/// [`Failure::cancelled`].
pub(super) async fn breathe(session: &Session) -> Result<(), Failure> {
    let clock = &session.instance.world.clock;
    let slept = session.canceller.unless_cancelled(clock.sleep(Duration::ZERO));
    slept.await?;
    if session.canceller.is_cancelled() || is_killed(session) {
        return Err(Failure::cancelled());
    }
    Ok(())
}

/// Opens a device.
///
/// # Errors
/// 3201, 3254 for NUL, and what the client of a URL says.
pub(super) async fn open(
    session: &Session,
    device: &Device,
    credential: Option<&str>,
) -> Result<Box<dyn MediaSource>, Failure> {
    let world = &session.instance.world;
    match device {
        Device::Nul => Err(Failure::new(3254, &[&device.name()])),
        Device::Disk(_) => disk::source(world, device),
        Device::Url(name) => {
            let access = {
                let state = session.instance.state();
                url::access(
                    name,
                    credential,
                    &state.server.credentials,
                    session.instance.settings.version,
                    url::Direction::Restore,
                )?
            };
            url::source(world, name, &access, &session.canceller).await
        }
    }
}

/// Reads the next bytes.
///
/// # Errors
/// 3203, and 3203 with 38 where the media are shorter than they were.
pub(super) async fn read(
    session: &Session,
    device: &Device,
    source: &mut dyn MediaSource,
    offset: u64,
    length: usize,
) -> Result<Bytes, Failure> {
    breathe(session).await?;
    let reading = source.read_at(offset, length);
    let bytes = session.canceller.unless_cancelled(reading).await??;
    if bytes.is_empty() {
        return Err(end_of_file(device));
    }
    Ok(bytes)
}

fn end_of_file(device: &Device) -> Failure {
    let error = crate::world::OsError::new(END_OF_FILE);
    Failure::new(3203, &[&device.name(), &error])
}

/// What the events of a headers-only reading come to.
#[derive(Default)]
struct Headers {
    media: Option<MediaHeader>,
    sets: Vec<SetFacts>,
}

impl Headers {
    fn take(&mut self, event: Event) {
        match event {
            Event::Media(media) => self.media = Some(*media),
            Event::SetStart(header) => self.sets.push(SetFacts {
                position: header.set.position,
                header: Some(header),
                complete: false,
            }),
            Event::Commit(header) => {
                if let Some(last) = self.sets.last_mut() {
                    last.header = Some(header);
                }
            }
            Event::SetEnd { position, complete } => match self.sets.last_mut() {
                Some(last) if last.position == position => last.complete = complete,
                _ => self.sets.push(SetFacts {
                    position,
                    header: None,
                    complete,
                }),
            },
            _ => {}
        }
    }
}

impl Family {
    /// Opens a device and reads the headers of all its sets.
    ///
    /// # Errors
    /// 3201, 3203, 3241, 3242, 3243, 3254.
    pub(super) async fn open(
        session: &Session,
        device: &Device,
        credential: Option<&str>,
    ) -> Result<Self, Failure> {
        let mut source = open(session, device, credential).await?;
        match read_headers(session, device, source.as_mut()).await {
            Ok((media, sets)) => Ok(Self {
                device: device.clone(),
                source,
                media,
                sets,
            }),
            Err(failure) => {
                source.close().await;
                Err(failure)
            }
        }
    }

    /// The set at `position`.
    ///
    /// # Errors
    /// 4038 where there is none, 3256 where the media end before it does, 3203 where they end in the midst of a sector.
    pub(super) fn set(&self, position: u16) -> Result<&SetHeader, Failure> {
        let name = self.device.name();
        let facts = self
            .sets
            .iter()
            .find(|set| set.position == position)
            .ok_or_else(|| Failure::new(4038, &[&position, &name]))?;
        match &facts.header {
            Some(header) if facts.complete => Ok(header),
            _ if !self.source.len().is_multiple_of(SECTOR) => Err(end_of_file(&self.device)),
            _ => Err(Failure::new(3256, &[&name])),
        }
    }

    /// Whether it is behind a URL.
    pub(super) fn is_url(&self) -> bool {
        matches!(self.device, Device::Url(_))
    }
}

async fn read_headers(
    session: &Session,
    device: &Device,
    source: &mut dyn MediaSource,
) -> Result<(MediaHeader, Vec<SetFacts>), Failure> {
    let mut reader = ContentReader::headers_only();
    let mut headers = Headers::default();
    let (mut offset, length) = (0, source.len());
    while offset < length && !reader.is_lost() {
        let ahead = reader.skippable().min(length - offset);
        reader.skip(ahead);
        offset += ahead;
        if offset == length {
            break;
        }
        let is_compressed = headers.media.as_ref().is_some_and(|media| media.compressed);
        let size = if is_compressed { CONTENT } else { HEADERS };
        let bytes = read(session, device, source, offset, size).await?;
        offset += bytes.len() as u64;
        reader.push(&bytes, &mut |event| headers.take(event));
    }
    let is_lost = reader.is_lost();
    let report = reader.finish(&mut |event| headers.take(event));
    let name = device.name();
    let number = match (report.foreign(), &headers.media) {
        (Some(Foreign::Empty), _) => 3254,
        (Some(Foreign::Unknown), _) => 3242,
        (Some(_), _) | (None, None) => 3241,
        // Behind a broken header nothing can be placed, and nobody can say which sets there are.
        (None, Some(_)) if is_lost => 3241,
        (None, Some(media)) => {
            if media.format_version != TAPE_FORMAT {
                let version = media.format_version;
                return Err(Failure::new(3243, &[&name, &version, &0, &TAPE_FORMAT, &0]));
            }
            return Ok((media.clone(), headers.sets));
        }
    };
    Err(Failure::new(number, &[&name]))
}
