//! How soon after the commit the vault has proved what was stored, asked as a user would: `bac2 blob list`.

use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// A proof that takes longer is none that came in flight.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(5);

/// Whom to ask: the program, and the data directory of the server that runs.
pub(crate) struct Prover {
    pub(crate) binary: PathBuf,
    pub(crate) data: PathBuf,
}

impl Prover {
    /// Waits until the one blob that is stored has its verdict, and returns the time since the call. A verdict
    /// other than "ok" is an error: the backup is sound.
    pub(crate) fn wait(&self) -> Result<Duration> {
        let start = Instant::now();
        loop {
            let blobs = self.blobs()?;
            let blob = blobs
                .as_array()
                .and_then(|all| all.first())
                .context("the blob is not listed")?;
            match blob.get("verdict").and_then(Value::as_str) {
                Some("ok") => return Ok(start.elapsed()),
                Some("pending") if start.elapsed() < PATIENCE => thread::sleep(PAUSE),
                _ => bail!("not proved after {:?}: {blob}", start.elapsed()),
            }
        }
    }

    fn blobs(&self) -> Result<Value> {
        let output = Command::new(&self.binary)
            .args(["blob", "list", "-o", "json", "--data"])
            .arg(&self.data)
            .output()?;
        ensure!(
            output.status.success(),
            "bac2 blob list: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).context("bac2 blob list prints JSON")
    }
}
