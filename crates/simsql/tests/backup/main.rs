//! BACKUP of a simulated instance in memory: what it writes, what it says, what it refuses and what it leaves behind.

mod concurrency;
mod damage;
mod files;
mod history;
mod media;
mod refusals;
mod speed;
mod support;
mod url;
