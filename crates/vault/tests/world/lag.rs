//! A catalog that takes its time: whoever waits for it finds that others went on meanwhile, and that what he read is old.

use std::sync::Arc;
use std::time::Duration;

use catalog::memory::{Event, Plan, Step};
use simsql::memory::Clock;
use simsql::world::Clock as _;

use super::time::Dice;

/// What a step of a transaction takes at most where it is quick, in microseconds: a disk that is busy.
const BUSY: u64 = 20_000;

/// The same where it is not: another transaction is in the way.
const HELD_UP: u64 = 3_000_000;

/// Makes a catalog in memory slow, by chance.
pub(crate) struct Lag {
    time: Arc<Clock>,
    dice: Arc<Dice>,
}

impl Lag {
    pub(crate) fn new(time: &Arc<Clock>, seed: u64) -> Self {
        Self {
            time: Arc::clone(time),
            dice: Dice::new(seed ^ 0x1A6),
        }
    }
}

impl Plan for Lag {
    fn next(&mut self, _: Step) -> Event {
        let most = match self.dice.below(200) {
            0 => HELD_UP,
            1..50 => BUSY,
            _ => return Event::Go,
        };
        let (time, takes) = (Arc::clone(&self.time), 1 + self.dice.below(most));
        Event::Wait(Box::pin(async move {
            time.sleep(Duration::from_micros(takes)).await;
        }))
    }
}
