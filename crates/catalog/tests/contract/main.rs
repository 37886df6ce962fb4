//! One contract for all catalogs: each case runs on each of them, on fresh ground.

#![allow(clippy::unwrap_used)] // Everything here is a test, with or without the attribute.

mod cases;
mod concurrency;
mod records;
mod subject;

use std::sync::Arc;

use catalog::memory::MemoryStore;
use libtest_mimic::{Arguments, Trial};

use subject::Subject;

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for (name, case) in cases::CASES.iter().chain(concurrency::CASES) {
        trials.push(Trial::test(format!("memory::{name}"), move || {
            run(case(Arc::new(MemoryStore::new(7)) as Arc<dyn Subject>));
            Ok(())
        }));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn run(case: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(case);
}
