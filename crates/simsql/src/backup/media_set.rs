//! The media that a backup goes to: new ones, or those that are there already and take a further set.
//!
//! All families are looked at before the first byte is written, so that a set that does not fit leaves them as they were.

use std::collections::BTreeMap;

use bak::LocalTime;
use bak::compressed::Encoder;
use bak::writer::{BlockSize, MediaDescription, MediaEnd, MediaWriter, NotAppendable};
use uuid::Uuid;

use super::expiration;
use super::order::Order;
use super::output::{Devices, Output};
use crate::instance::Version;
use crate::media::{Device, MediaSink, SinkPlan, disk};
use crate::message::Failure;
use crate::session::Session;
use crate::url;
use crate::world::{Open, OsError, World};

/// BLOCKSIZE of a file where it is not given: the sector of today's disks, as most real backups from 2014 on show.
const DISK_BLOCK: BlockSize = BlockSize::B4096;
/// `ERROR_SHARING_VIOLATION`.
const IN_USE: i32 = 32;
/// BLOCKSIZE of a URL, as real block lists show.
const URL_BLOCK: BlockSize = BlockSize::B65536;

/// A media set, ready to be written.
pub(super) struct MediaSet {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) block_size: BlockSize,
    pub(super) compressed: bool,
    /// Position of the new set, from 1.
    pub(super) position: u16,
    /// What each family starts with, in the order of the devices.
    pub(super) families: Vec<Family>,
}

/// A family of the set.
pub(super) struct Family {
    description: MediaDescription,
    /// What is on it; `None` where it is made anew.
    end: Option<MediaEnd>,
    /// Bytes that stay.
    offset: u64,
}

/// What a disk file holds.
struct Found {
    description: MediaDescription,
    end: Result<MediaEnd, NotAppendable>,
    length: u64,
}

impl MediaSet {
    /// Looks at the devices of an order.
    ///
    /// # Errors
    /// 3201, 3203, 3242, 3241, 3266, 3231, 3227, 3258, 3132, 3098, 3095, 3272, 4037, 3215.
    pub(super) fn plan(session: &Session, order: &Order, now: LocalTime) -> Result<Self, Failure> {
        let world = &session.instance.world;
        let mut found = Vec::new();
        for mirror in &order.mirrors {
            let mut of_mirror = Vec::new();
            for device in mirror {
                of_mirror.push(if order.format { None } else { look(world, device)? });
            }
            check_together(mirror, &of_mirror)?;
            found.push(of_mirror);
        }
        let present = found.iter().flatten().flatten().count();
        if present == 0 {
            if order.mirrors.len() > 1 && !order.format {
                return Err(Failure::new(3215, &[]));
            }
            return Ok(Self::anew(world, order, now));
        }
        if present < found.iter().map(Vec::len).sum() {
            let families = found.iter().flatten().flatten().next();
            let count = families.map_or(0, |family| family.description.family_count);
            // Of the mirror that lacks most: the others may be whole.
            let provided = found.iter().map(|mirror| mirror.iter().flatten().count()).min();
            return Err(Failure::new(3132, &[&count, &provided.unwrap_or(0)]));
        }
        if order.init && !order.skip {
            for (device, found) in order.mirrors.iter().flatten().zip(found.iter().flatten()) {
                check_expiration(world, device, found.as_ref(), now)?;
            }
        }
        Self::existing(order, found.remove(0).into_iter().flatten().collect())
    }

    fn anew(world: &World, order: &Order, date: LocalTime) -> Self {
        let families = &order.mirrors[0];
        let default_size = match families.first() {
            Some(Device::Url(_)) => URL_BLOCK,
            _ => DISK_BLOCK,
        };
        let id = world.chance.guid();
        let block_size = order.block_size.unwrap_or(default_size);
        let compressed = order.compression.unwrap_or(order.compression_default);
        let description = |index: usize| MediaDescription {
            media_set_id: id,
            family_number: index as u16 + 1,
            family_count: families.len() as u16,
            block_size,
            date,
            compressed,
            name: order.media_name.clone(),
            description: order.media_description.clone(),
        };
        Self {
            id,
            name: order.media_name.clone(),
            description: order.media_description.clone(),
            block_size,
            compressed,
            position: 1,
            families: (0..families.len())
                .map(|index| Family {
                    description: description(index),
                    end: None,
                    offset: 0,
                })
                .collect(),
        }
    }

    fn existing(order: &Order, found: Vec<Found>) -> Result<Self, Failure> {
        let devices = &order.mirrors[0];
        let mut families = Vec::new();
        let mut sets = 0;
        for (device, found) in devices.iter().zip(found) {
            let description = found.description;
            check_media(order, device, &description)?;
            let end = match (order.init, found.end) {
                (true, _) => None,
                (false, Ok(end)) => Some(end),
                (false, Err(_)) => return Err(Failure::new(3266, &[&device.name()])),
            };
            sets = end.as_ref().map_or(0, MediaEnd::sets);
            let offset = if end.is_some() { found.length } else { 0 };
            families.push(Family {
                description,
                end,
                offset,
            });
        }
        let first = families.first().map(|family| family.description.clone());
        let first = first.expect("a statement names a device");
        Ok(Self {
            id: first.media_set_id,
            name: first.name,
            description: first.description,
            block_size: first.block_size,
            compressed: first.compressed,
            position: sets + 1,
            families,
        })
    }

    /// Opens all devices of an order: for each family its own and those that mirror it.
    ///
    /// # Errors
    /// Those of the devices; those opened before are abandoned then.
    pub(super) async fn open(
        &self,
        session: &Session,
        order: &Order,
        estimate: u64,
    ) -> Result<Vec<Devices>, Failure> {
        let mut families = Vec::new();
        let block = self.block_size.bytes() as usize;
        for (index, family) in self.families.iter().enumerate() {
            let plan = SinkPlan {
                block_size: self.block_size.bytes() as u32,
                max_transfer_size: order.max_transfer,
                format: order.format,
                offset: family.offset,
                estimate: estimate.div_ceil(self.families.len() as u64),
                utf16_lists: session.instance.settings.version <= Version::V2019,
            };
            let mut sinks: Vec<Box<dyn MediaSink>> = Vec::new();
            for mirror in &order.mirrors {
                match open(session, order, &mirror[index], &plan).await {
                    Ok(sink) => sinks.push(sink),
                    Err(failure) => {
                        Devices::new(sinks, block).abandon().await;
                        for devices in &mut families {
                            Devices::abandon(devices).await;
                        }
                        return Err(failure);
                    }
                }
            }
            families.push(Devices::new(sinks, block));
        }
        Ok(families)
    }

    /// The writers of all families, with their media headers where they are new.
    pub(super) fn writers(&mut self) -> Vec<MediaWriter<Output>> {
        let compressed = self.compressed;
        let families = std::mem::take(&mut self.families);
        families
            .into_iter()
            .map(|family| match family.end {
                Some(end) if compressed => {
                    let output = Output::Packed(Box::new(Encoder::append(family.offset)));
                    MediaWriter::append(output, family.description, end)
                }
                Some(end) => MediaWriter::append(Output::Plain(Vec::new()), family.description, end),
                None if compressed => MediaWriter::new(Output::Packed(Box::default()), family.description),
                None => MediaWriter::new(Output::Plain(Vec::new()), family.description),
            })
            .collect()
    }
}

async fn open(
    session: &Session,
    order: &Order,
    device: &Device,
    plan: &SinkPlan,
) -> Result<Box<dyn MediaSink>, Failure> {
    let world = &session.instance.world;
    let Device::Url(address) = device else {
        if let Device::Disk(path) = device
            && session.instance.has_open(path)
        {
            return Err(Failure::new(3201, &[path, &OsError::new(IN_USE)]));
        }
        return disk::sink(world, device, plan);
    };
    let access = {
        let state = session.instance.state();
        let credentials = &state.server.credentials;
        url::access(
            address,
            order.credential.as_deref(),
            credentials,
            session.instance.settings.version,
            url::Direction::Backup,
        )?
    };
    url::sink(world, address, &access, plan, &session.canceller).await
}

/// What a device holds; `None` for a new file, for `NUL` and for URLs, which are never appended to.
fn look(world: &World, device: &Device) -> Result<Option<Found>, Failure> {
    let Device::Disk(path) = device else {
        return Ok(None);
    };
    let cannot_open = |error: OsError| Failure::new(3201, &[path, &error]);
    let file = match world.disk.open(path, Open::Read) {
        Ok(file) => file,
        Err(error) if error.number == 2 => return Ok(None),
        Err(error) => return Err(cannot_open(error)),
    };
    let length = file.len().map_err(cannot_open)?;
    let found = MediaEnd::read(length, &mut |offset, length| {
        let mut bytes = vec![0; length];
        file.read_at(offset, &mut bytes).map(|()| bytes)
    });
    let found = found.map_err(|error| Failure::new(3203, &[path, &error]))?;
    match found {
        Ok((description, end)) => Ok(Some(Found {
            description,
            end: Ok(end),
            length,
        })),
        Err(NotAppendable::Empty) => Ok(None),
        Err(NotAppendable::Header) => Err(Failure::new(3241, &[path])),
        Err(NotAppendable::NotABackup) => Err(Failure::new(3242, &[path])),
        Err(NotAppendable::End) => {
            let description =
                header(file.as_ref(), length).map_err(|error| Failure::new(3203, &[path, &error]))?;
            let description = description.ok_or_else(|| Failure::new(3241, &[path]))?;
            Ok(Some(Found {
                description,
                end: Err(NotAppendable::End),
                length,
            }))
        }
    }
}

fn check_expiration(
    world: &World,
    device: &Device,
    found: Option<&Found>,
    now: LocalTime,
) -> Result<(), Failure> {
    let (Device::Disk(path), Some(found)) = (device, found) else {
        return Ok(());
    };
    let file = world
        .disk
        .open(path, Open::Read)
        .map_err(|error| Failure::new(3201, &[path, &error]))?;
    expiration::check(path, file.as_ref(), found.length, now)
}

fn header(file: &dyn crate::world::DiskFile, length: u64) -> Result<Option<MediaDescription>, OsError> {
    let mut head = vec![0; MediaEnd::HEAD.min(length) as usize];
    file.read_at(0, &mut head)?;
    Ok(MediaEnd::header(&head).ok())
}

/// Whether the families on devices are those of one media set, each once.
fn check_together(devices: &[Device], found: &[Option<Found>]) -> Result<(), Failure> {
    let mut set = None;
    let mut seen: BTreeMap<u16, &str> = BTreeMap::new();
    for (device, found) in devices.iter().zip(found) {
        let Some(found) = found else { continue };
        let media = &found.description;
        let name = device.name();
        if usize::from(media.family_count) != devices.len() {
            return Err(Failure::new(3231, &[&name, &media.family_count, &devices.len()]));
        }
        if *set.get_or_insert(media.media_set_id) != media.media_set_id {
            return Err(Failure::new(3258, &[&name]));
        }
        if let Some(before) = seen.insert(media.family_number, name) {
            return Err(Failure::new(3227, &[&name, &media.family_number, &before]));
        }
    }
    Ok(())
}

/// Whether media that stay as they are suit the order.
fn check_media(order: &Order, device: &Device, media: &MediaDescription) -> Result<(), Failure> {
    let name = device.name();
    if order.encrypted {
        return Err(Failure::new(3095, &[]));
    }
    match (order.compression, media.compressed) {
        (Some(true), false) => return Err(Failure::new(3098, &[&"COMPRESSION", &"NO_COMPRESSION"])),
        (Some(false), true) => return Err(Failure::new(3098, &[&"NO_COMPRESSION", &"COMPRESSION"])),
        _ => {}
    }
    if let Some(asked) = order.block_size.filter(|asked| *asked != media.block_size) {
        return Err(Failure::new(
            3272,
            &[&name, &media.block_size.bytes(), &asked.bytes()],
        ));
    }
    let is_other = !order.media_name.is_empty() && !order.media_name.eq_ignore_ascii_case(&media.name);
    if is_other {
        return Err(Failure::new(4037, &[&order.media_name, &media.name, &name]));
    }
    Ok(())
}
