//! The control socket `control.sock` in the data directory: how `bac2 blob list`, `bac2 blob seal` and `bac2 sas policy` reach a running
//! server.
//!
//! The server holds the lock on the data directory, so another process cannot use it; it asks instead. Protocol: the
//! client connects, sends one line, and reads until the end of the stream.
//!
//! | line                        | answer                                                     |
//! |-----------------------------|------------------------------------------------------------|
//! | `list`                      | the JSON array of [`crate::listing`]                       |
//! | `list with logs`            | the same, with the fingerprints of the logs                |
//! | `{"command":"seal", ...}`   | the deeds of [`crate::sealing`], a JSON array              |
//! | `{"command":"policies", ...}` | the answer of [`crate::policies`], a JSON object         |
//! | `{"command":"createContainer", ...}` | whether [`crate::creating`] made it, a JSON object |
//! | other                       | `{"error": "..."}`                                         |
//!
//! Only the owner of the data directory may connect (mode 0600); there is no authentication beyond that. What the owner
//! may ask here is what the blob protocol must not offer. Unix only: elsewhere the server opens none, and [`ask`] finds
//! none.

use std::io;
use std::path::{Path, PathBuf};

/// Name of the socket inside the data directory.
pub const SOCKET: &str = "control.sock";

/// The socket of a data directory.
pub fn path(data: &Path) -> PathBuf {
    data.join(SOCKET)
}

/// Asks the server that runs on `data`. `None` when none listens there. Blocking.
///
/// # Errors
/// The connection broke, or the server said why it cannot answer.
#[cfg(unix)]
pub fn ask(data: &Path, command: &str) -> io::Result<Option<String>> {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    let mut stream = match UnixStream::connect(path(data)) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    stream.write_all(format!("{command}\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match serde_json::from_str(&answer) {
        Ok(Refused { error }) => Err(io::Error::other(error)),
        Err(_) => Ok(Some(answer)),
    }
}

/// Asks the server that runs on `data`: there is no control socket on this platform.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn ask(_data: &Path, _command: &str) -> io::Result<Option<String>> {
    Ok(None)
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Refused {
    error: String,
}

/// Answers a command line; runs on a blocking thread.
pub(crate) type Answerer = std::sync::Arc<dyn Fn(&str) -> Result<String, String> + Send + Sync>;

#[cfg(unix)]
mod listener {
    use super::{Answerer, Refused, io, path};

    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{UnixListener, UnixStream};
    use tokio::time::timeout;

    use crate::limits;

    /// The open socket; removed from the directory when dropped.
    pub(crate) struct Control {
        listener: UnixListener,
        path: PathBuf,
    }

    impl Control {
        /// Opens the socket of `data`. The caller holds the store's lock, so a socket that lies there is left over from
        /// a server that was killed.
        ///
        /// # Errors
        /// Those of the operating system; a path of more than about 100 bytes is one.
        pub(crate) fn open(data: &Path) -> io::Result<Self> {
            let path = path(data);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(&path)?;
            fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            Ok(Control { listener, path })
        }

        /// Answers until dropped.
        pub(crate) async fn serve(self, answerer: Answerer) {
            loop {
                match self.listener.accept().await {
                    Ok((stream, _)) => {
                        let answerer = Answerer::clone(&answerer);
                        tokio::spawn(async move {
                            if let Err(error) = converse(stream, answerer).await {
                                tracing::debug!(%error, "control connection ended");
                            }
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept on the control socket");
                        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    }
                }
            }
        }
    }

    impl Drop for Control {
        fn drop(&mut self) {
            let _already_gone = fs::remove_file(&self.path).is_err();
        }
    }

    async fn converse(mut stream: UnixStream, answerer: Answerer) -> io::Result<()> {
        let mut line = String::new();
        let mut reader = BufReader::new((&mut stream).take(limits::CONTROL_LINE as u64));
        timeout(limits::CONTROL_TIME, reader.read_line(&mut line))
            .await
            .map_err(|_| io::ErrorKind::TimedOut)??;
        let answer = tokio::task::spawn_blocking(move || {
            answerer(line.trim())
                .unwrap_or_else(|error| serde_json::to_string(&Refused { error }).expect("a string is JSON"))
        })
        .await
        .map_err(io::Error::other)?;
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    }
}

#[cfg(unix)]
pub(crate) use listener::Control;

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_question_is_answered_and_an_unknown_one_refused() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(ask(data.path(), "list").unwrap(), None, "nobody listens");
        let control = Control::open(data.path()).unwrap();
        let serving = tokio::spawn(control.serve(std::sync::Arc::new(|line| match line {
            "list" => Ok("[]".to_owned()),
            other => Err(format!("what is {other}?")),
        })));
        let at = data.path().to_owned();
        let asked = tokio::task::spawn_blocking(move || (ask(&at, "list"), ask(&at, "sing")))
            .await
            .unwrap();
        assert_eq!(asked.0.unwrap().as_deref(), Some("[]"));
        assert_eq!(asked.1.unwrap_err().to_string(), "what is sing?");
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
        assert!(!path(data.path()).exists());
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced() {
        let data = tempfile::tempdir().unwrap();
        std::mem::forget(Control::open(data.path()).unwrap());
        let again = Control::open(data.path()).unwrap();
        drop(again);
        assert!(!path(data.path()).exists());
    }
}
