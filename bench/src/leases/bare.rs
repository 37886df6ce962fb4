//! The least that the same knowledge costs: a client that lists every container and puts three questions about each
//! locked blob, over as many connections as the guard has requests in flight, and thinks about nothing.

use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::frontdoor::connection::Connection;
use crate::list::next_marker;

use super::account::{RESTORE_ID, Shape, Tenant};

/// A locked blob as the listing shows it.
struct Locked {
    path: String,
    /// Nothing of it is committed.
    empty: bool,
}

/// Lists and looks; the seconds it took.
pub(crate) fn list(tenant: &Tenant, shape: Shape) -> Result<f64> {
    let start = Instant::now();
    let containers = containers(tenant)?;
    ensure!(
        containers.len() == shape.containers,
        "{} containers",
        containers.len()
    );
    let found = Mutex::new(Vec::new());
    tenant.shared(containers.len(), |connection, index| {
        let locked = blobs(tenant, connection, &containers[index])?;
        found.lock().expect("no thread panics").extend(locked);
        Ok(())
    })?;
    let found = found.into_inner().expect("no thread panics");
    ensure!(
        found.len() == shape.locked,
        "{} locked blobs were found",
        found.len()
    );
    let restores = Mutex::new(0);
    tenant.shared(found.len(), |connection, index| {
        if look(tenant, connection, &found[index])? {
            *restores.lock().expect("no thread panics") += 1;
        }
        Ok(())
    })?;
    let restores = restores.into_inner().expect("no thread panics");
    ensure!(restores == shape.held().1, "{restores} restore leases were found");
    Ok(start.elapsed().as_secs_f64())
}

fn containers(tenant: &Tenant) -> Result<Vec<String>> {
    let mut connection = Connection::open(tenant.addr, None)?;
    let page = text(
        &mut connection,
        &tenant.head("GET", "/", &[("comp", "list")], &[], 0),
    )?;
    ensure!(next_marker(&page)?.is_empty(), "more than one page of containers");
    Ok(page
        .split("<Container>")
        .skip(1)
        .filter_map(|part| element(part, "Name"))
        .collect())
}

/// The locked blobs of one container, all of which stand on one page.
fn blobs(tenant: &Tenant, connection: &mut Connection, container: &str) -> Result<Vec<Locked>> {
    let query = [
        ("comp", "list"),
        ("include", "uncommittedblobs"),
        ("maxresults", "5000"),
        ("restype", "container"),
    ];
    let page = text(
        connection,
        &tenant.head("GET", &format!("/{container}"), &query, &[], 0),
    )?;
    ensure!(next_marker(&page)?.is_empty(), "more than one page of blobs");
    let locked = page
        .split("<Blob>")
        .skip(1)
        .filter(|part| part.contains("<LeaseStatus>locked<"));
    Ok(locked
        .filter_map(|part| {
            Some(Locked {
                path: format!("/{container}/{}", element(part, "Name")?),
                empty: element(part, "Content-Length")? == "0",
            })
        })
        .collect())
}

/// Its properties, whether a restore holds it, and its first bytes or its blocks. True: a restore.
fn look(tenant: &Tenant, connection: &mut Connection, blob: &Locked) -> Result<bool> {
    let path = blob.path.as_str();
    let status = connection.ask(&tenant.head("HEAD", path, &[], &[], 0))?;
    ensure!(status == 200, "{path} was answered {status}");
    let probe = [("x-ms-lease-id", RESTORE_ID)];
    let restore = match connection.ask(&tenant.head("HEAD", path, &[], &probe, 0))? {
        200 => true,
        409 | 412 => false,
        status => bail!("{path} was answered {status}"),
    };
    let head = if blob.empty {
        let query = [("blocklisttype", "all"), ("comp", "blocklist")];
        tenant.head("GET", path, &query, &[], 0)
    } else {
        tenant.head("GET", path, &[], &[("x-ms-range", "bytes=0-65535")], 0)
    };
    let bytes = connection.fetch(&head, b"", |_| ())?;
    ensure!(bytes > 0, "{path} has neither content nor blocks");
    Ok(restore)
}

fn text(connection: &mut Connection, head: &[u8]) -> Result<String> {
    let mut page = Vec::new();
    connection.fetch(head, b"", |part| page.extend_from_slice(part))?;
    String::from_utf8(page).context("a page is text")
}

fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once("</")?.0.to_owned())
}
