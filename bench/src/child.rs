//! A process under measurement: started, waited for, asked for what it cost, and ended when dropped.
//!
//! Figures come from `/proc` (Linux only; elsewhere they read as zero): processor time in ticks of 10 ms, the
//! peak of resident memory (`VmHWM`), bytes fetched from the disk (`read_bytes`).

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// USER_HZ, the unit of `/proc/PID/stat`: 100 on every Linux platform the product has (man 5 proc, sysconf(3)).
const TICK: Duration = Duration::from_millis(10);
/// Node needs about a second to start; a loaded machine several.
const STARTING: Duration = Duration::from_secs(60);

/// A running process, killed when dropped.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts `command` with its output in `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let out = File::create(log)?;
        let program = command.get_program().to_owned();
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { child })
    }

    /// Wraps a child that the caller talks to over its pipes.
    pub(crate) fn of(child: Child) -> Self {
        Self { child }
    }

    /// The pipes of the child, and whether it still runs.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until somebody accepts connections at `addr`; a process that ends instead is an error that quotes
    /// what it said.
    pub(crate) fn listens(&mut self, addr: SocketAddr, log: &Path) -> Result<()> {
        let deadline = Instant::now() + STARTING;
        while TcpStream::connect(addr).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the server ended with {status}: {}",
                    fs::read_to_string(log).unwrap_or_default()
                );
            }
            if Instant::now() > deadline {
                bail!("the server does not listen at {addr} after {STARTING:?}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Processor time so far, user and system, all threads.
    pub(crate) fn cpu(&self) -> Duration {
        cpu_of(&self.child.id().to_string())
    }

    /// Peak of resident memory so far, bytes; `None` when the process is gone.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        peak_of(&self.child.id().to_string())
    }

    /// Bytes that the process made the disk deliver; what came from page cache is not in it.
    pub(crate) fn disk_reads(&self) -> u64 {
        let io = fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap_or_default();
        let line = io.lines().find_map(|line| line.strip_prefix("read_bytes: "));
        line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
    }
}

/// Peak of resident memory of this process so far, bytes.
pub(crate) fn peak_of_self() -> Option<u64> {
    peak_of("self")
}

fn peak_of(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib = line.split_whitespace().nth(1)?.parse::<u64>().ok()?;
    Some(kib << 10)
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when the process is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of this process.
pub(crate) fn own_cpu() -> Duration {
    cpu_of("self")
}

/// Fields 14 and 15 of `/proc/PID/stat`, counted after the command name, which may hold blanks.
fn cpu_of(pid: &str) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace())
        .into_iter()
        .flatten();
    let ticks: u32 = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u32>().ok())
        .sum();
    TICK * ticks
}

/// An address of the loopback that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
