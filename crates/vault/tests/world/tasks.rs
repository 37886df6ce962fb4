//! What runs beside a test: statements that a server goes on with, a vault, a workload. Each is polled only when it was woken, in
//! the order in which they came, so that the same seed gives the same run.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

use futures::future::BoxFuture;
use futures::task::AtomicWaker;

/// A task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TaskId(u64);

/// All tasks of a simulation.
#[derive(Default)]
pub(crate) struct Tasks {
    inner: Mutex<Inner>,
    /// Of whoever drives them.
    driver: Arc<AtomicWaker>,
}

#[derive(Default)]
struct Inner {
    next: u64,
    tasks: BTreeMap<u64, Task>,
    /// Dropped while they were being polled.
    dropped: Vec<u64>,
}

struct Task {
    /// Absent while it is polled.
    future: Option<BoxFuture<'static, ()>>,
    flag: Arc<Flag>,
}

struct Flag {
    is_due: AtomicBool,
    driver: Arc<AtomicWaker>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.is_due.store(true, Ordering::SeqCst);
        self.driver.wake();
    }
}

impl Tasks {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Begins a task; it is polled for the first time by the driver.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> TaskId {
        let mut inner = self.inner();
        let id = inner.next;
        inner.next += 1;
        let flag = Flag {
            is_due: AtomicBool::new(true),
            driver: Arc::clone(&self.driver),
        };
        let task = Task {
            future: Some(Box::pin(future)),
            flag: Arc::new(flag),
        };
        inner.tasks.insert(id, task);
        drop(inner);
        self.driver.wake();
        TaskId(id)
    }

    /// Drops a task where it stands.
    pub(crate) fn drop_task(&self, id: TaskId) {
        let mut inner = self.inner();
        match inner.tasks.get(&id.0) {
            Some(Task { future: None, .. }) => inner.dropped.push(id.0),
            Some(_) => {
                let task = inner.tasks.remove(&id.0);
                drop(inner);
                drop(task);
            }
            None => {}
        }
    }

    /// Drops all of them; nothing is polled at that time.
    pub(crate) fn end(&self) {
        loop {
            let tasks = std::mem::take(&mut self.inner().tasks);
            if tasks.is_empty() {
                return;
            }
            // A statement whose client is dropped here becomes a task of its own.
            drop(tasks);
        }
    }

    /// Whether a task has not come to its end.
    pub(crate) fn is_running(&self, id: TaskId) -> bool {
        self.inner().tasks.contains_key(&id.0)
    }

    /// Polls all that are due, until none is.
    fn poll_all(&self) {
        loop {
            let due = {
                let mut inner = self.inner();
                let found = inner
                    .tasks
                    .iter_mut()
                    .find(|(_, task)| task.flag.is_due.swap(false, Ordering::SeqCst));
                found.map(|(id, task)| (*id, task.future.take(), Arc::clone(&task.flag)))
            };
            let Some((id, future, flag)) = due else { return };
            let mut future = future.expect("a task is polled by one driver alone");
            let waker = Waker::from(flag);
            let ended = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            let mut inner = self.inner();
            let is_dropped = inner.dropped.contains(&id);
            inner.dropped.retain(|one| *one != id);
            if ended || is_dropped {
                inner.tasks.remove(&id);
                drop(inner);
                drop(future);
            } else if let Some(task) = inner.tasks.get_mut(&id) {
                task.future = Some(future);
            }
        }
    }

    /// Runs `main` to its end, and all tasks beside it.
    pub(crate) fn beside<T>(&self, main: impl Future<Output = T>) -> impl Future<Output = T> {
        let mut main = Box::pin(main);
        std::future::poll_fn(move |context| {
            self.driver.register(context.waker());
            if let Poll::Ready(output) = main.as_mut().poll(context) {
                return Poll::Ready(output);
            }
            self.poll_all();
            // What a task did may be what `main` waits for: then it was woken.
            Poll::Pending
        })
    }
}

/// Drops a future after so many polls: a crash at that await.
pub(crate) struct CrashAfter<F> {
    future: Option<Pin<Box<F>>>,
    polls: u64,
}

impl<F: Future> CrashAfter<F> {
    /// Lets `future` be polled `polls` times.
    pub(crate) fn new(future: F, polls: u64) -> Self {
        Self {
            future: Some(Box::pin(future)),
            polls,
        }
    }
}

impl<F: Future> Future for CrashAfter<F> {
    /// `None` where it was dropped.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            self.future = None;
        }
        self.polls = self.polls.saturating_sub(1);
        match self.future.as_mut() {
            None => Poll::Ready(None),
            Some(future) => future.as_mut().poll(context).map(Some),
        }
    }
}
