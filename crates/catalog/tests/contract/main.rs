//! One contract for all catalogs: each case runs on each of them, on fresh ground.
//!
//! PostgreSQL is the system's own; where it is not installed its cases count as ignored, and a line says so.

#![allow(clippy::unwrap_used)] // Everything here is a test, with or without the attribute.

mod cases;
mod concurrency;
mod crash;
mod disk;
mod file;
mod history;
mod nodes;
mod records;
mod server;
mod subject;

use std::sync::Arc;

use catalog::memory::MemoryStore;
use libtest_mimic::{Arguments, Trial};

use disk::SmallDisk;
use server::Server;
use subject::{Case, Sql, Subject};

/// Histories that are run on all three.
const SEEDS: u64 = 6;

fn main() {
    if let Ok(path) = std::env::var(file::CHILD) {
        return run(file::be_killed(&path));
    }
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
    for (name, case) in crash::CASES {
        trials.push(Trial::test(format!("memory::{name}"), move || {
            case();
            Ok(())
        }));
    }
    for (name, case) in file::CASES {
        trials.push(Trial::test(format!("sqlite::{name}"), move || {
            run(case());
            Ok(())
        }));
    }
    trials.extend((0..SEEDS).map(|seed| histories(seed, server.clone())));
    trials.push(full_disk());
    trials.extend(on_a_server(server.as_ref()));
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(server);
    conclusion.exit();
}

/// A random history on memory, SQLite, and PostgreSQL where it is.
fn histories(seed: u64, server: Option<Arc<Server>>) -> Trial {
    Trial::test(
        format!("all::the_same_history_has_the_same_answers_{seed}"),
        move || {
            run(async move {
                let mut subjects: Vec<Arc<dyn Subject>> = vec![Arc::new(Sql::file())];
                if let Some(server) = &server {
                    subjects.push(Arc::new(server.subject().await));
                }
                history::run(seed, &subjects).await;
            });
            Ok(())
        },
    )
}

/// A full disk below SQLite, where one can be mounted.
fn full_disk() -> Trial {
    let disk = SmallDisk::mount(2);
    let is_absent = disk.is_none();
    let trial = Trial::test("sqlite::a_full_disk_loses_nothing", move || {
        run(disk::sqlite(disk.ok_or("nothing can be mounted here")?));
        Ok(())
    });
    trial.with_ignored_flag(is_absent)
}

/// What only a server can suffer.
fn on_a_server(server: Option<&Arc<Server>>) -> Vec<Trial> {
    let Some(server) = server.cloned() else {
        return Vec::new();
    };
    let [first, second, third, fourth] = std::array::from_fn(|_| Arc::clone(&server));
    let mut trials = vec![
        Trial::test("postgres::a_lost_connection_is_made_again", move || {
            run(nodes::lost(first));
            Ok(())
        }),
        Trial::test("postgres::nodes_that_start_at_once_are_told_apart", move || {
            run(nodes::start_at_once(second));
            Ok(())
        }),
        Trial::test(
            "postgres::a_wrong_address_is_named_without_its_password",
            move || {
                run(nodes::wrong_addresses(third));
                Ok(())
            },
        ),
    ];
    if let Some(disk) = SmallDisk::mount(14) {
        trials.push(Trial::test("postgres::a_full_disk_loses_nothing", move || {
            run(disk::postgres(fourth, disk));
            Ok(())
        }));
    }
    trials
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
