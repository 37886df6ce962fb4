//! The wish to end: SIGINT or SIGTERM, counted, so that the first lets the work under way finish and the second does
//! not.

use tokio::sync::watch;

use crate::failure::Failure;

/// How often the process was asked to end.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    times: watch::Receiver<u32>,
}

impl Stop {
    /// Listens to the process's signals from now on. Needs the runtime.
    pub(super) fn on_signal() -> Result<Self, Failure> {
        let (sender, times) = watch::channel(0);
        listen(sender).map_err(|error| {
            Failure::failed(
                "StartFailed",
                format!("signals cannot be received: {error}"),
                "look at the system log",
            )
        })?;
        Ok(Self { times })
    }

    /// Whether the end was asked for.
    pub(super) fn is_asked(&self) -> bool {
        *self.times.borrow() > 0
    }

    /// What `work` gives, or `None` where the end is asked for first. `work` is dropped then.
    pub(super) async fn unless<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.unless_times(1, work).await
    }

    /// The same for work that the first wish does not interrupt.
    pub(super) async fn unless_again<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.unless_times(2, work).await
    }

    async fn unless_times<T>(&self, number: u32, work: impl Future<Output = T>) -> Option<T> {
        let mut times = self.times.clone();
        let asked = async {
            if times.wait_for(|asked| *asked >= number).await.is_err() {
                // Nobody is left who could ask.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = asked => None,
            done = work => Some(done),
        }
    }

    /// Nobody asks but the holder of the other half.
    #[cfg(test)]
    pub(super) fn by_hand() -> (watch::Sender<u32>, Self) {
        let (sender, times) = watch::channel(0);
        (sender, Self { times })
    }
}

#[cfg(unix)]
fn listen(sender: watch::Sender<u32>) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            sender.send_modify(|times| *times += 1);
        }
    });
    Ok(())
}

#[cfg(not(unix))]
fn listen(sender: watch::Sender<u32>) -> std::io::Result<()> {
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            sender.send_modify(|times| *times += 1);
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_wish_ends_what_may_be_dropped_and_the_second_everything() {
        let (sender, stop) = Stop::by_hand();
        assert_eq!(stop.unless(async { 1 }).await, Some(1));
        sender.send_modify(|times| *times += 1);
        assert!(stop.is_asked());
        assert_eq!(stop.unless(async { 1 }).await, None);
        assert_eq!(stop.unless_again(async { 1 }).await, Some(1));
        sender.send_modify(|times| *times += 1);
        assert_eq!(stop.unless_again(std::future::pending::<()>()).await, None);
    }
}
