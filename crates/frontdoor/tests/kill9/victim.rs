//! The server that is killed, and the chance by which it is.
#![allow(unreachable_pub, missing_docs)]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Names the data directory to the child process.
const CHILD: &str = "BAC2_KILL9_CHILD";

/// A small generator, so that a seed repeats a run as far as timing allows.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// The server, in the child process. Does nothing when the test is run as a test.
#[test]
fn child_process_of_the_kill9_test() {
    if let Ok(data) = std::env::var(CHILD) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let server = crate::support::server::start(Path::new(&data)).await;
            println!("listening on {}", server.address);
            std::future::pending::<()>().await;
        });
    }
}

/// The server's process; killed when dropped, as at the end of every round.
pub struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

pub fn start(data: &Path) -> (Victim, SocketAddr) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "victim::child_process_of_the_kill9_test",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(CHILD, data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut victim = Victim(child);
    let mut lines = BufReader::new(victim.0.stdout.take().unwrap()).lines();
    loop {
        let line = lines
            .next()
            .expect("the server ended before it was ready")
            .unwrap();
        if let Some((_, address)) = line.split_once("listening on ") {
            return (victim, address.parse().unwrap());
        }
    }
}

/// How long to go on (unless `BAC2_KILL9_ROUNDS` says otherwise), and the seed, which is printed.
pub fn rounds_and_seed(usual: u64) -> (u64, u64) {
    let rounds = std::env::var("BAC2_KILL9_ROUNDS").map_or(usual, |r| r.parse().unwrap());
    let seed = std::env::var("BAC2_KILL9_SEED").map_or_else(|_| fresh_seed(), |s| s.parse().unwrap());
    println!("BAC2_KILL9_SEED={seed} BAC2_KILL9_ROUNDS={rounds}");
    (rounds, seed)
}

fn fresh_seed() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    now.as_nanos() as u64
}
