//! Simulated time, and the executor that makes it pass.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_trait::async_trait;

use crate::moment::Moment;

/// 2026-01-01 00:00:00 UTC, where simulated time begins.
const START: Moment = Moment(1_767_225_600_000_000);

/// Time that passes only in [`Clock::run`].
#[derive(Debug)]
pub struct Clock {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    uptime: Duration,
    /// What the clock shows beyond `START` and uptime: it was put forward or back by this much (microseconds).
    jump: i64,
    offset_minutes: i16,
    /// By due time and order of arrival.
    timers: BTreeMap<(Duration, u64), Waker>,
    next_timer: u64,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// At the start of 2026, in UTC.
    #[must_use]
    pub fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                uptime: Duration::ZERO,
                jump: 0,
                offset_minutes: 0,
                timers: BTreeMap::new(),
                next_timer: 0,
            }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass outside of a run.
    pub fn advance(&self, time: Duration) {
        self.inner().uptime += time;
    }

    /// Puts the clock forward or back, by microseconds; uptime does not jump.
    pub fn jump(&self, micros: i64) {
        self.inner().jump += micros;
    }

    /// Sets how far local time is ahead of UTC, in minutes.
    pub fn set_offset(&self, minutes: i16) {
        self.inner().offset_minutes = minutes;
    }

    /// Runs `futures` to their ends, together, in their order; time moves to the next timer whenever none can go on.
    ///
    /// # Panics
    /// Where all wait and no timer is set: a deadlock, which a test should see.
    pub fn run<T>(&self, futures: Vec<Pin<Box<dyn Future<Output = T> + '_>>>) -> Vec<T> {
        let mut running: Vec<_> = futures.into_iter().map(Running::new).collect();
        loop {
            let mut any_ran = false;
            for task in running.iter_mut().filter(|task| task.is_due()) {
                any_ran = true;
                task.poll();
            }
            if running.iter().all(|task| task.output.is_some()) {
                return running.into_iter().filter_map(|task| task.output).collect();
            }
            if !any_ran {
                assert!(self.fire(), "everyone waits, and for nothing that time brings");
            }
        }
    }

    /// Runs one future.
    ///
    /// # Panics
    /// As [`Clock::run`].
    pub fn run_one<T>(&self, future: impl Future<Output = T>) -> T {
        let boxed: Pin<Box<dyn Future<Output = T> + '_>> = Box::pin(future);
        self.run(vec![boxed]).pop().expect("one future gives one output")
    }

    /// Moves to the next timer and wakes its sleeper.
    fn fire(&self) -> bool {
        let waker = {
            let mut inner = self.inner();
            let Some(((due, _), waker)) = inner.timers.pop_first() else {
                return false;
            };
            inner.uptime = inner.uptime.max(due);
            waker
        };
        waker.wake();
        true
    }
}

struct Running<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    flag: Arc<Flag>,
    output: Option<T>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<'a, T> Running<'a, T> {
    fn new(future: Pin<Box<dyn Future<Output = T> + 'a>>) -> Self {
        Self {
            future,
            flag: Arc::new(Flag(AtomicBool::new(true))),
            output: None,
        }
    }

    fn is_due(&self) -> bool {
        self.output.is_none() && self.flag.0.load(Ordering::SeqCst)
    }

    fn poll(&mut self) {
        self.flag.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&self.flag));
        if let Poll::Ready(output) = self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.output = Some(output);
        }
    }
}

#[async_trait]
impl crate::world::Clock for Clock {
    fn now(&self) -> Moment {
        let inner = self.inner();
        let uptime = i64::try_from(inner.uptime.as_micros()).unwrap_or(i64::MAX);
        Moment(START.0 + uptime + inner.jump)
    }

    fn offset_minutes(&self, _: Moment) -> i16 {
        self.inner().offset_minutes
    }

    fn uptime(&self) -> Duration {
        self.inner().uptime
    }

    async fn sleep(&self, time: Duration) {
        let due = self.inner().uptime + time;
        Sleep {
            clock: self,
            due,
            timer: None,
        }
        .await;
    }
}

/// A sleeper: one timer, however often it is polled, and none once it is gone, so that time stops only where somebody waits for it.
struct Sleep<'c> {
    clock: &'c Clock,
    due: Duration,
    timer: Option<u64>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.clock.inner();
        if self.timer.is_some() && inner.uptime >= self.due {
            return Poll::Ready(());
        }
        let order = self.timer.unwrap_or(inner.next_timer);
        if self.timer.is_none() {
            inner.next_timer += 1;
        }
        inner.timers.insert((self.due, order), context.waker().clone());
        drop(inner);
        self.timer = Some(order);
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if let Some(order) = self.timer {
            self.clock.inner().timers.remove(&(self.due, order));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::Clock;
    use crate::world::Clock as _;

    #[test]
    fn time_passes_only_when_all_wait_and_in_the_order_of_the_timers() {
        let clock = Clock::new();
        let seen = Mutex::new(Vec::new());
        let sleeper = |name: &'static str, seconds: u64| {
            let (clock, seen) = (&clock, &seen);
            Box::pin(async move {
                clock.sleep(Duration::from_secs(seconds)).await;
                seen.lock().unwrap().push((name, clock.uptime().as_secs()));
            }) as std::pin::Pin<Box<dyn Future<Output = ()>>>
        };
        clock.run(vec![
            sleeper("late", 20),
            sleeper("early", 3),
            sleeper("at once", 0),
        ]);
        assert_eq!(
            *seen.lock().unwrap(),
            [("at once", 0), ("early", 3), ("late", 20)]
        );
    }
}
