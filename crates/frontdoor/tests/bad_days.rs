//! The disk fills up, or fails: the client gets a clear error, nothing is half acknowledged, and what can still be done
//! is done.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use azblob::block::BlockListing;
use blobstore::disk::simulated::{Fault, SimulatedDisk};
use blobstore::{Options, Store, SystemClock};
use tokio::runtime::Runtime;

use support::client::{Ask, Client};
use support::server::{start_as, start_on};
use support::upload::{LEASE, acquire, commit, put_block};

const CAPACITY: u64 = 64 << 20;

/// Runs a story against a server on a simulated disk.
fn on_a_simulated_disk(story: impl FnOnce(&SimulatedDisk, Client) + Send + 'static) {
    let runtime = Runtime::new().unwrap();
    let disk = SimulatedDisk::new(1, CAPACITY);
    let control = tempfile::tempdir().unwrap();
    let options = Options {
        reserve_bytes: 4 << 20,
        ..Options::new("/data")
    };
    let store = Store::open(Arc::new(disk.clone()), Arc::new(SystemClock), &options).unwrap();
    let started = runtime.block_on(start_on(Arc::new(store), control.path()));
    let mut client = Client::connect(started.address).unwrap();
    client.ask(&Ask::put("box?restype=container")).expect(201);
    client
        .ask(&Ask::put("box/b.bak").header("x-ms-blob-type", "BlockBlob"))
        .expect(201);
    client.ask(&acquire("b.bak")).expect(201);
    story(&disk, client);
}

fn uncommitted(client: &mut Client) -> Vec<u64> {
    let ask = Ask::get("box/b.bak?comp=blocklist&blocklisttype=uncommitted");
    let listing = BlockListing::parse(&client.ask(&ask).expect(200).body).unwrap();
    listing
        .uncommitted
        .unwrap()
        .iter()
        .map(|block| block.size)
        .collect()
}

#[test]
fn a_full_disk_refuses_blocks_and_still_deletes() {
    on_a_simulated_disk(|disk, mut client| {
        client
            .ask(&put_block("b.bak", 0, &[1; 1 << 20], Some(LEASE)))
            .expect(201);
        disk.set_capacity(disk.used() + (2 << 20));
        let mut refused = 0;
        for n in 1..8 {
            let reply = client.ask(&put_block("b.bak", n, &[2; 1 << 20], Some(LEASE)));
            if reply.status != 201 {
                assert_eq!(reply.error(), (507, "InsufficientStorage"));
                assert!(reply.text().contains("The disk of the backup store is full"));
                refused += 1;
            }
        }
        assert!(refused > 0);
        let blocks = uncommitted(&mut client);
        assert_eq!(blocks.len(), 8 - refused, "a refused block does not exist");
        assert!(blocks.iter().all(|size| *size == 1 << 20));
        disk.set_capacity(disk.used());
        let broken = Ask::put("box/b.bak?comp=lease").header("x-ms-lease-action", "break");
        client.ask(&broken).expect(202);
        client.ask(&Ask::delete("box/b.bak")).expect(202);
        disk.set_capacity(CAPACITY);
        client
            .ask(&put_block("c.bak", 0, &[1; 1 << 20], None))
            .expect(201);
        client.ask(&commit("c.bak", [0], None)).expect(201);
    });
}

#[test]
fn after_a_failed_write_nothing_is_changed_and_everything_is_read() {
    on_a_simulated_disk(|disk, mut client| {
        client
            .ask(&put_block("b.bak", 0, b"whole", Some(LEASE)))
            .expect(201);
        client.ask(&commit("b.bak", [0], Some(LEASE))).expect(201);
        disk.plan_fault(0, Fault::Broken);
        let failed = client.ask(&put_block("b.bak", 1, &[2; 100_000], Some(LEASE)));
        assert!(failed.status >= 500, "{failed:?}");
        for ask in [
            put_block("b.bak", 2, &[3; 100], Some(LEASE)),
            Ask::delete("box/b.bak").lease(Some(LEASE)),
            Ask::put("new?restype=container"),
        ] {
            let refused = client.ask(&ask);
            assert_eq!(refused.error(), (503, "StoreIsReadOnly"));
            assert_eq!(refused.header("retry-after"), "60");
            assert!(
                refused
                    .text()
                    .contains("takes no more changes until it is restarted")
            );
        }
        assert_eq!(client.ask(&Ask::get("box/b.bak")).expect(200).text(), "whole");
        assert!(uncommitted(&mut client).is_empty());
    });
}

/// Status and body of the health page.
fn health(address: SocketAddr) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let ask = "GET /-/health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    stream.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn health_names_a_full_disk_and_a_store_that_takes_no_changes() {
    let runtime = Runtime::new().unwrap();
    let disk = SimulatedDisk::new(1, 4 << 30);
    let control = tempfile::tempdir().unwrap();
    let options = Options {
        reserve_bytes: 4 << 20,
        ..Options::new("/data")
    };
    let store = Store::open(Arc::new(disk.clone()), Arc::new(SystemClock), &options).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let watch = free.local_addr().unwrap();
    drop(free);
    let started = runtime.block_on(start_as(Arc::new(store), control.path(), |config| {
        config.health = Some(watch);
    }));
    assert_eq!(health(watch).0, 200);
    disk.set_capacity(disk.used() + (5 << 20));
    let (status, body) = health(watch);
    assert_eq!(status, 503);
    assert!(body.contains("nearly full: 5 MiB are free"), "{body}");
    disk.set_capacity(4 << 30);
    assert_eq!(health(watch).0, 200, "it recovers by itself");
    disk.plan_fault(0, Fault::Broken);
    let mut client = Client::connect(started.address).unwrap();
    assert!(client.ask(&Ask::put("box?restype=container")).status >= 500);
    let (status, body) = health(watch);
    assert_eq!(status, 503);
    assert!(body.contains("the store takes no changes: "), "{body}");
}
