//! One contract for all catalogs: each case runs on each of them, on fresh ground.
//!
//! PostgreSQL is the system's own; where it is not installed its cases count as ignored, and a line says so.

#![allow(clippy::unwrap_used)] // Everything here is a test, with or without the attribute.

mod cases;
mod concurrency;
mod records;
mod server;
mod subject;

use std::sync::Arc;

use catalog::memory::MemoryStore;
use libtest_mimic::{Arguments, Trial};

use server::Server;
use subject::{Case, Sql, Subject};

fn main() {
    let arguments = Arguments::from_args();
    let server = if arguments.list {
        Err("only listed".into())
    } else {
        Server::start()
    };
    if let Err(why) = &server {
        server::say_skipped(why);
    }
    let server = server.ok().map(Arc::new);
    let mut trials = Vec::new();
    for case in cases::CASES.iter().chain(concurrency::CASES) {
        trials.extend(on_each(*case, server.as_ref()));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(server);
    conclusion.exit();
}

/// A case on each catalog.
fn on_each((name, case): Case, server: Option<&Arc<Server>>) -> [Trial; 3] {
    let memory = Trial::test(format!("memory::{name}"), move || {
        run(case(Arc::new(MemoryStore::new(7)) as Arc<dyn Subject>));
        Ok(())
    });
    let sqlite = Trial::test(format!("sqlite::{name}"), move || {
        run(case(Arc::new(Sql::file()) as Arc<dyn Subject>));
        Ok(())
    });
    let is_absent = server.is_none();
    let server = server.cloned();
    let postgres = Trial::test(format!("postgres::{name}"), move || {
        let server = server.ok_or("the server is not here")?;
        run(async move {
            let subject = server.subject().await;
            case(Arc::new(subject) as Arc<dyn Subject>).await;
        });
        Ok(())
    });
    [memory, sqlite, postgres.with_ignored_flag(is_absent)]
}

fn run(case: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(case);
}
