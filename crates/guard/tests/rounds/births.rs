//! Who comes into the world: live and dead backups, restores, database files, disks, programs.

use azblob::lease::LeaseId;
use bytes::Bytes;
use guard::Place;

use crate::holders::{Fresh, Holder, Op, TERABYTE, Term, Trade, USUAL};
use crate::plan::{MINUTE, SECOND};
use crate::world::World;

/// Those who are there from the start.
pub(crate) fn people(world: &mut World) {
    for _ in 0..world.noise.of(1..3) {
        keeper(world, Trade::DatabaseFile);
        keeper(world, Trade::Disk);
    }
    keeper(world, Trade::Program);
    for _ in 0..3 {
        finished(world);
    }
    for _ in 0..6 {
        one(world);
    }
}

/// One more.
pub(crate) fn one(world: &mut World) {
    match world.noise.of(0..100) {
        0..36 => backup(world, true),
        36..66 => backup(world, false),
        66..82 => restore(world),
        82..88 => keeper(world, Trade::Program),
        88..92 => borrower(world),
        92..96 => passer(world),
        96..97 => keeper(world, Trade::DatabaseFile),
        _ => finished(world),
    }
}

fn holder(world: &mut World, trade: Trade, place: Place, whole: Bytes) -> Holder {
    let number = world.holders.len() as u128 + 1;
    let id = match trade {
        Trade::Restore => LeaseId::RESTORE,
        _ => LeaseId::from_u128(number << 64 | u128::from(world.noise.next())),
    };
    let id_text = match (trade, world.noise.chance(700)) {
        // SQL Server's own spelling; others write the dashed one.
        (Trade::Restore, true) => "BAC2BAC2BAC2BAC2BAC2BAC2BAC2BAC2".to_owned(),
        _ => id.to_string(),
    };
    let instance =
        matches!(trade, Trade::Backup | Trade::Restore).then(|| world.noise.below(world.instances.len()));
    Holder {
        trade,
        place,
        instance,
        script: Vec::new(),
        position: 0,
        again_from: None,
        doom: None,
        id,
        id_text,
        holds: false,
        whole,
        tries: 0,
        retry_after: SECOND,
        hides: world.noise.chance(30),
        statement: None,
        job: world.noise.chance(500),
        job_until: 0,
        keeps_connection: world.noise.chance(400),
        connected_until: 0,
        alive: true,
        ended: None,
    }
}

/// A name nobody has had.
fn new_place(world: &mut World, container: Option<&str>) -> Place {
    let number = world.holders.len();
    let container = match container {
        Some(container) => container,
        None if world.noise.chance(100) && world.store.containers.contains_key("temp") => "temp",
        None => *world.noise.one(&["backups", "backups", "logs-2026", "$root"]),
    };
    let name = match world.noise.below(10) {
        0 => format!("Sales {number} full.bak"),
        1 => format!("deep/er/db{number}_log.trn"),
        2 => format!("bäckup-{number}.bak"),
        3 => format!("50%25 {number}.bak"),
        4 => format!("what?{number}#1.bak"),
        5 => format!("UPPER{number}.BAK"),
        6 => format!("ends in a dot{number}.bak."),
        7 if world.noise.chance(200) => format!("not really{number}.MDF"),
        _ => format!("db{number}.bak"),
    };
    Place::new(container, name)
}

/// A place where a backup was written, is being written or was left, if there is one.
fn old_place(world: &mut World, complete: bool) -> Option<Place> {
    let backups = world.holders.iter().filter(|holder| {
        holder.trade == Trade::Backup
            && world
                .store
                .blob(&holder.place)
                .is_some_and(|blob| !complete || blob.holds(&holder.whole))
    });
    let places: Vec<Place> = backups.map(|holder| holder.place.clone()).collect();
    (!places.is_empty()).then(|| world.noise.one(&places).clone())
}

/// How long a holder is held up here and there: shortly, or beyond what observation can bear.
fn pause(world: &mut World, script: &mut [(u64, Op)]) {
    let quiet = world.plan.min_quiet;
    let long = match world.noise.of(0..100) {
        0..30 => world.noise.of(MINUTE..quiet),
        30..50 => world.noise.of(quiet..5 * quiet / 2),
        _ => return,
    };
    let at = world.noise.below(script.len());
    script[at].0 += long;
}

/// What a holder dies of, and when.
fn fate(world: &mut World, holder: &mut Holder) {
    let steps = holder.script.len();
    match world.noise.of(0..100) {
        // The release is lost.
        0..8 => holder.doom = Some(steps - 1),
        8..40 => holder.doom = Some(world.noise.below(steps)),
        // It fails, and SQL Server clears away what it wrote.
        40..44 => {
            let at = 2 + world.noise.below(steps - 2);
            holder.script.truncate(at);
            holder.script.push((SECOND, Op::Withdraw));
        }
        _ => {}
    }
}

fn start(world: &mut World, holder: Holder) {
    let first = world.now + world.noise.of(0..MINUTE);
    world.add(holder, first);
}

/// A backup, in pages or in blocks, to a new place or over an old one.
fn backup(world: &mut World, pages: bool) {
    let old = match world.noise.chance(300) {
        true => old_place(world, false),
        false => None,
    };
    let over = old.is_some();
    let place = match old {
        Some(place) => place,
        None => new_place(world, None),
    };
    backup_at(world, place, pages, over);
}

fn backup_at(world: &mut World, place: Place, pages: bool, over: bool) {
    let whole = world.noise.one(&world.goods.backups.clone()).clone();
    let whole = if pages { padded(&whole) } else { whole };
    let mut holder = holder(world, Trade::Backup, place, whole);
    holder.script = match pages {
        true => page_script(world, holder.whole.len()),
        false => block_script(world, holder.whole.len(), over),
    };
    for (delay, _) in &mut holder.script {
        *delay += world.noise.of(USUAL);
    }
    pause(world, &mut holder.script);
    fate(world, &mut holder);
    holder.tries = world.noise.of(0..40) as u32;
    holder.retry_after = *world.noise.one(&[SECOND, MINUTE, 10 * MINUTE]);
    start(world, holder);
}

/// Pages come in units of 512 bytes.
fn padded(whole: &Bytes) -> Bytes {
    let mut bytes = whole.to_vec();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes.into()
}

fn page_script(world: &mut World, size: usize) -> Vec<(u64, Op)> {
    let declared = *world.noise.one(&[TERABYTE, TERABYTE, 64 << 20]);
    let mut script = vec![
        (0, Op::Create(Fresh::Page(declared))),
        (0, Op::Acquire(Term::Infinite)),
    ];
    let writes = world.noise.of(2..10) as usize;
    for write in 1..=writes {
        let end = (size * write / writes).next_multiple_of(512).min(size);
        script.push((0, Op::Pages(end)));
    }
    script.push((0, Op::Resize));
    script.push((0, Op::Release));
    script
}

fn block_script(world: &mut World, size: usize, over: bool) -> Vec<(u64, Op)> {
    let term = match world.noise.chance(150) {
        true => Term::Seconds(world.noise.of(15..61) as u32),
        false => Term::Infinite,
    };
    let mut script = Vec::new();
    match world.noise.of(0..100) {
        // Over what is there, without an empty blob before.
        0..25 if over => script.push((0, Op::Acquire(term))),
        // A block first: the lease is on a blob without a tag.
        0..8 => {
            script.push((
                0,
                Op::Block {
                    number: 0,
                    from: 0,
                    to: 0,
                },
            ));
            script.push((0, Op::Acquire(term)));
        }
        _ => {
            script.push((0, Op::Create(Fresh::Block)));
            script.push((0, Op::Acquire(term)));
        }
    }
    let writes = world.noise.of(2..10) as usize;
    for number in 0..writes {
        let (from, to) = (size * number / writes, size * (number + 1) / writes);
        script.push((0, Op::Block { number, from, to }));
        if world.noise.chance(100) {
            script.push((0, Op::Block { number, from, to }));
        }
    }
    script.push((0, Op::Commit));
    script.push((0, Op::Release));
    script
}

/// A backup that was there before.
fn finished(world: &mut World) {
    let place = new_place(world, None);
    backup_at(world, place, true, false);
    if let Some(holder) = world.holders.last_mut() {
        (holder.doom, holder.tries) = (None, 0);
    }
}

/// Takes a blob the moment it is free: the backup that a job step starts again, or a restore. Returns at once after its
/// first requests.
pub(crate) fn at_once(world: &mut World, place: &Place, restores: bool) {
    let mut holder = if restores {
        let mut holder = holder(world, Trade::Restore, place.clone(), Bytes::new());
        holder.script = vec![(0, Op::Acquire(Term::Infinite)), (0, Op::Read)];
        holder
    } else {
        let whole = padded(&world.noise.one(&world.goods.backups.clone()).clone());
        let mut holder = holder(world, Trade::Backup, place.clone(), whole);
        holder.script = page_script(world, holder.whole.len());
        holder
    };
    for (delay, _) in &mut holder.script[2..] {
        *delay += world.noise.of(USUAL);
    }
    if restores {
        holder.script.push((MINUTE, Op::Read));
        holder
            .script
            .push((world.noise.of(SECOND..world.plan.min_quiet), Op::Release));
    }
    let first = world.now;
    world.add(holder, first);
}

fn restore(world: &mut World) {
    let Some(place) = old_place(world, true) else {
        return backup(world, true);
    };
    let mut holder = holder(world, Trade::Restore, place, Bytes::new());
    holder.script.push((0, Op::Acquire(Term::Infinite)));
    for _ in 0..world.noise.of(3..20) {
        holder.script.push((world.noise.of(USUAL), Op::Read));
    }
    holder.script.push((SECOND, Op::Release));
    pause(world, &mut holder.script);
    if world.noise.chance(300) {
        holder.doom = Some(1 + world.noise.below(holder.script.len() - 1));
    }
    holder.tries = world.noise.of(0..3) as u32;
    holder.retry_after = 5 * MINUTE;
    start(world, holder);
}

/// A program that leases a complete backup: a copy, a scan. Nothing tells it from a backup that forgot its lease.
fn borrower(world: &mut World) {
    let Some(place) = old_place(world, true) else {
        return;
    };
    let mut holder = holder(world, Trade::Program, place, Bytes::new());
    holder.script = vec![
        (0, Op::Acquire(Term::Infinite)),
        (MINUTE, Op::Read),
        (world.noise.of(SECOND..2 * world.plan.min_quiet), Op::Release),
    ];
    start(world, holder);
}

/// Somebody who reads what he likes.
fn passer(world: &mut World) {
    let Some(place) = old_place(world, false) else {
        return;
    };
    let mut holder = holder(world, Trade::Passer, place, Bytes::new());
    for _ in 0..world.noise.of(1..5) {
        holder
            .script
            .push((world.noise.of(SECOND..10 * MINUTE), Op::Read));
    }
    start(world, holder);
}

/// One that keeps its lease for as long as it lives and writes now and then: a database file, a disk, a program.
fn keeper(world: &mut World, trade: Trade) {
    let number = world.holders.len();
    let log = world.noise.chance(300);
    let (name, whole, fresh) = match trade {
        Trade::DatabaseFile => {
            let names = match log {
                true => [format!("sales{number}_log.ldf"), format!("files/{number}.log")],
                false => [format!("Sales{number}.MDF"), format!("files/{number}")],
            };
            let bytes = if log {
                &world.goods.log_file
            } else {
                &world.goods.data_file
            };
            let name = names[world.noise.below(2)].clone();
            (name, bytes.clone(), Fresh::Page(1 << 30))
        }
        Trade::Disk => (
            format!("vm{number}.vhd"),
            world.goods.other.clone(),
            Fresh::Page(32 << 30),
        ),
        _ => {
            let fresh = *world
                .noise
                .one(&[Fresh::Append, Fresh::Block, Fresh::Page(1 << 20)]);
            (format!("program{number}.dat"), world.goods.other.clone(), fresh)
        }
    };
    let container = *world.noise.one(&["data", "data", "backups"]);
    let place = match old_place(world, false).filter(|_| trade != Trade::Disk && world.noise.chance(250)) {
        // Where a backup was: what was known of that says nothing of this.
        Some(place) => place,
        None => Place::new(container, name),
    };
    let mut holder = holder(world, trade, place, whole);
    let fixed = trade == Trade::Program && world.noise.chance(400);
    let term = match fixed {
        true => Term::Seconds(world.noise.of(15..61) as u32),
        false => Term::Infinite,
    };
    holder.script = vec![(0, Op::Create(fresh)), (SECOND, Op::Acquire(term))];
    match fresh {
        Fresh::Page(_) => holder.script.push((
            world.noise.of(SECOND..MINUTE),
            Op::Pages(holder.whole.len() / 512 * 512),
        )),
        Fresh::Block | Fresh::Append => {}
    }
    holder.again_from = Some(holder.script.len());
    holder
        .script
        .push((world.noise.of(MINUTE..3 * world.plan.min_quiet), Op::Touch));
    if trade == Trade::Program && world.noise.chance(400) {
        holder.doom = Some(2 + world.noise.below(holder.script.len() - 1));
    }
    start(world, holder);
}
