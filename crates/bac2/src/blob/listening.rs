//! Why an address cannot be listened on, and the ways out.
//!
//! SQL Server's client knows no port but 443, so "take another port" is no way out for it: then it is a second address,
//! the right to take low ports, or a proxy that passes TLS through.

use std::io;
use std::net::SocketAddr;

use super::settings::HTTPS;
use crate::failure::Failure;

/// The lowest port that needs no right on Linux and the other Unixes.
const UNPRIVILEGED: u16 = 1024;

/// What became of listening on `address`.
pub(super) fn failure(address: SocketAddr, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::AddrInUse => in_use(address),
        io::ErrorKind::PermissionDenied if address.port() < UNPRIVILEGED => Failure::unusable(
            "PortNotAllowed",
            format!("this user may not listen on port {}", address.port()),
            format!("{}, or {}", grant(), proxy(address.port())),
        ),
        io::ErrorKind::PermissionDenied => Failure::unusable(
            "PortNotAllowed",
            format!("this user may not listen on {address}"),
            "look at the rules of SELinux or AppArmor, or take another port",
        ),
        io::ErrorKind::AddrNotAvailable => Failure::unusable(
            "AddressNotHere",
            format!("{} is no address of this machine", address.ip()),
            "`ip addr` lists those that are; 127.0.0.1 always is",
        ),
        _ => Failure::unusable(
            "ListenFailed",
            format!("cannot listen on {address}: {error}"),
            "try another address or port",
        ),
    }
}

fn in_use(address: SocketAddr) -> Failure {
    let port = address.port();
    let holder = holder::of(address).unwrap_or_else(|| "another process".to_owned());
    let next = if port == HTTPS {
        format!(
            "stop it; or give bac2 an address of its own (`ip addr add 10.0.0.2/24 dev eth0`, a DNS name for it, and --listen 10.0.0.2:443), which works when the other listens on its own address too; or {}",
            proxy(port)
        )
    } else {
        format!(
            "`ss -ltnp 'sport = :{port}'` shows it; stop it, or listen on another port (0 takes a free one)"
        )
    };
    Failure::unusable("PortInUse", format!("{address} is in use by {holder}"), next)
}

/// How to let a user take low ports.
fn grant() -> String {
    let program =
        std::env::current_exe().map_or_else(|_| "bac2".to_owned(), |path| path.display().to_string());
    format!(
        "let it: `setcap cap_net_bind_service=+ep {program}` once for the program, or AmbientCapabilities=CAP_NET_BIND_SERVICE in the [Service] part of its systemd unit"
    )
}

fn proxy(port: u16) -> String {
    format!(
        "listen on another port and have a layer-4 proxy on {port} pass TLS through by its server name (nginx: `ssl_preread on`; haproxy: `mode tcp` with req.ssl_sni), never end TLS itself"
    )
}

/// Who holds a port, as far as this user may see.
#[cfg(target_os = "linux")]
mod holder {
    use std::fs;
    use std::net::SocketAddr;

    /// State "listening" in /proc/net/tcp (include/net/tcp_states.h).
    const LISTENING: &str = "0A";

    /// Name and number of the process that listens on the port of `address`.
    pub(super) fn of(address: SocketAddr) -> Option<String> {
        let tables =
            ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
        let inodes: Vec<&str> = tables
            .iter()
            .flat_map(|table| listeners(table, address.port()))
            .collect();
        let first = inodes.first()?;
        fs::read_dir("/proc")
            .ok()?
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .find(|process| inodes.iter().any(|inode| holds(*process, inode)))
            .map(|process: u32| {
                let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
                format!("{} (process {process})", name.trim())
            })
            .or_else(|| Some(format!("a process of another user (socket {first})")))
    }

    /// Inodes of the sockets of a table that listen on this port.
    fn listeners(table: &str, port: u16) -> impl Iterator<Item = &str> {
        let suffix = format!(":{port:04X}");
        table.lines().skip(1).filter_map(move |line| {
            let mut fields = line.split_whitespace();
            let local = fields.nth(1)?;
            let state = fields.nth(1)?;
            let inode = fields.nth(5)?;
            (state == LISTENING && local.ends_with(&suffix)).then_some(inode)
        })
    }

    fn holds(process: u32, inode: &str) -> bool {
        let wanted = format!("socket:[{inode}]");
        let files = fs::read_dir(format!("/proc/{process}/fd"));
        files.is_ok_and(|files| {
            (files.flatten())
                .any(|file| fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == &*wanted))
        })
    }

    #[cfg(test)]
    mod tests {
        use super::listeners;

        /// From proc(5) and a machine that listened on 127.0.0.1:22 and held a connection to port 443.
        const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 15541 1 0000000000000000 100 0 0 10 0
   1: 0100007F:01BB 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 15777 1 0000000000000000 20 4 30 10 -1
";

        #[test]
        fn only_listeners_of_the_port_are_found() {
            assert_eq!(listeners(TABLE, 22).collect::<Vec<_>>(), ["15541"]);
            assert!(listeners(TABLE, 443).next().is_none());
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod holder {
    pub(super) fn of(_address: std::net::SocketAddr) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_out_of_443_are_named() {
        let address: SocketAddr = "0.0.0.0:443".parse().unwrap();
        let busy = failure(address, &io::ErrorKind::AddrInUse.into()).to_string();
        for word in [
            "[PortInUse]",
            "ip addr add",
            "--listen 10.0.0.2:443",
            "ssl_preread",
        ] {
            assert!(busy.contains(word), "{busy}");
        }
        let forbidden = failure(address, &io::ErrorKind::PermissionDenied.into()).to_string();
        for word in [
            "[PortNotAllowed]",
            "setcap cap_net_bind_service=+ep /",
            "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        ] {
            assert!(forbidden.contains(word), "{forbidden}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_busy_port_names_its_holder() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let busy = failure(address, &io::ErrorKind::AddrInUse.into()).to_string();
        assert!(
            busy.contains(&format!("(process {})", std::process::id())),
            "{busy}"
        );
    }
}
