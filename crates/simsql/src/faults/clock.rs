//! A clock that can be put forward or back.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Switches;
use crate::moment::Moment;
use crate::world::Clock;

pub(super) struct FaultyClock {
    pub(super) inner: Arc<dyn Clock>,
    pub(super) switches: Arc<Switches>,
}

#[async_trait]
impl Clock for FaultyClock {
    fn now(&self) -> Moment {
        Moment(self.inner.now().0 + self.switches.clock_jump())
    }

    fn offset_minutes(&self, moment: Moment) -> i16 {
        self.inner.offset_minutes(moment)
    }

    fn uptime(&self) -> Duration {
        self.inner.uptime()
    }

    async fn sleep(&self, time: Duration) {
        self.inner.sleep(time).await;
    }
}
