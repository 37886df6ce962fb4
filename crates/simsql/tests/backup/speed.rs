//! How fast pages go out. A measurement, run by hand:
//! `cargo test --release -p bac2-simsql --test backup -- --ignored --nocapture speed`.

use std::time::Instant;

use simsql::instance::Version;

use crate::support::{Place, SHOP, With, full, settings, texts};

/// Bytes of the database that is backed up.
const BYTES: u64 = 1 << 30;

#[test]
#[ignore = "a measurement, for a release build"]
fn a_gibibyte_to_nul() {
    let mut settings = settings(Version::V2022);
    settings.initial_pages = 4096;
    let place = Place::of(settings);
    // Two rows of 3 KB a page.
    let rows = BYTES / 8192 * 2;
    for _ in 0..rows / 4096 {
        place.add_rows(4096);
        let now = simsql::world::Clock::now(place.memory.clock.as_ref());
        place.engine(SHOP, |engine| engine.checkpoint(now).unwrap());
    }
    for checksum in [false, true] {
        let statement = full("NUL").with(|options| {
            options.copy_only = true;
            options.checksum = Some(checksum);
        });
        let start = Instant::now();
        let answers = place.backup_ok(&statement);
        let seconds = start.elapsed().as_secs_f64();
        let pages: u64 = texts(&answers)[0].split(' ').nth(1).unwrap().parse().unwrap();
        let megabytes = pages as f64 * 8192.0 / 1e6;
        println!(
            "checksum {checksum}: {megabytes:.0} MB in {seconds:.2} s: {:.0} MB/s",
            megabytes / seconds
        );
    }
}
