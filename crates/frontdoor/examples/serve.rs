//! scratch
use azblob::names::AccountName;
use azblob::shared_key::Secret;
use blobstore::disk::real::RealDisk;
use blobstore::{Options, Store, SystemClock};
use frontdoor::{Account, Config, Server};
use std::path::PathBuf;
use std::sync::Arc;
#[tokio::main]
async fn main() {
    let a: Vec<String> = std::env::args().collect();
    let get = |n: &str| a[a.iter().position(|x| x == n).expect(n) + 1].clone();
    let data = PathBuf::from(get("--data"));
    std::fs::create_dir_all(&data).ok();
    let account = get("--account");
    let (n, k) = account.split_once('=').expect("=");
    let store =
        Arc::new(Store::open(Arc::new(RealDisk), Arc::new(SystemClock), &Options::new(&data)).expect("open"));
    let acc = Account {
        name: AccountName::new(n).expect("n"),
        keys: vec![Secret::from_base64(k).expect("k")],
    };
    let s = Server::bind(
        Config::new(get("--listen").parse().expect("addr"), vec![acc], &data),
        store,
    )
    .await
    .expect("bind");
    println!("ready");
    s.serve(std::future::pending()).await;
}
