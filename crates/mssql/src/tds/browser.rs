//! Asking the SQL Server Browser for the port of a named instance. [MC-SQLR], UDP 1434.
//!
//! Anybody may send to a UDP port, so an answer counts only where it comes from the address that was asked, is of the right kind
//! and length, and names the instance that was asked for; everything else is passed over until the time is over. What can be lied
//! about is the port, and whoever listens there must still show the certificate that is trusted.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::Instant;

/// Where the Browser listens.
pub(super) const PORT: u16 = 1434;
/// CLNT_UCAST_INST: one instance by its name.
const ONE: u8 = 0x04;
/// SVR_RESP.
const ANSWER: u8 = 0x05;
/// Kind and length of the text.
const HEADER: usize = 3;
/// An answer for one instance has 1,024 bytes of text at most.
const ANSWER_MAX: usize = HEADER + 1024;
/// How long one question may be on its way before it is asked again: a datagram gets lost.
const AGAIN: Duration = Duration::from_secs(1);

/// The port of `instance`, asked for at `server` until `deadline`. `None` where nobody answered with one.
///
/// # Errors
/// Where no socket can be had, or nothing listens there and the machine says so.
pub(super) async fn port(server: SocketAddr, instance: &str, deadline: Instant) -> io::Result<Option<u16>> {
    let local: IpAddr = if server.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((local, 0)).await?;
    // A connected socket hears only whom it asked, and hears that nothing listens there.
    socket.connect(server).await?;
    let question = [&[ONE], instance.as_bytes(), &[0]].concat();
    let mut buffer = [0; ANSWER_MAX + 1];
    while Instant::now() < deadline {
        socket.send(&question).await?;
        let until = deadline.min(Instant::now() + AGAIN);
        while let Ok(received) = tokio::time::timeout_at(until, socket.recv(&mut buffer)).await {
            if let Some(port) = read(&buffer[..received?], instance) {
                return Ok(Some(port));
            }
        }
    }
    Ok(None)
}

/// The TCP port that an answer gives for `instance`.
fn read(answer: &[u8], instance: &str) -> Option<u16> {
    let (&[kind, low, high], text) = answer.split_first_chunk::<HEADER>()?;
    if kind != ANSWER || usize::from(u16::from_le_bytes([low, high])) != text.len() || text.len() > ANSWER_MAX
    {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    // Pairs of name and value; the first instance ends with two semicolons, and one was asked for.
    let mut fields = text.split(";;").next()?.split(';');
    let mut named = false;
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        if name.eq_ignore_ascii_case("InstanceName") {
            named = value.eq_ignore_ascii_case(instance);
        } else if named && name.eq_ignore_ascii_case("tcp") {
            return value.parse().ok().filter(|port| *port != 0);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Vec<u8> {
        let length = u16::try_from(text.len()).unwrap().to_le_bytes();
        [&[5], &length[..], text.as_bytes()].concat()
    }

    #[test]
    fn the_port_of_the_instance_that_was_asked_for() {
        // The example of [MC-SQLR], section 4.2, shortened to what matters.
        let text = "ServerName;ILSUNG1;InstanceName;YUKONSTD;IsClustered;No;Version;9.00.1399.06;tcp;57137;np;\\\\ILSUNG1\\pipe\\sql\\query;;";
        assert_eq!(read(&answer(text), "yukonstd"), Some(57_137));
        assert_eq!(read(&answer(text), "other"), None);
    }

    #[test]
    fn hostile_answers_are_none() {
        let good = answer("ServerName;A;InstanceName;B;tcp;5;;");
        assert_eq!(read(&good, "B"), Some(5));
        for cut in 0..good.len() {
            assert_eq!(read(&good[..cut], "B"), None, "{cut}");
        }
        for text in [
            "InstanceName;B;tcp;0;;",
            "InstanceName;B;tcp;65536;;",
            "InstanceName;B;tcp;-1;;",
            "InstanceName;B;;tcp;5;;",
            "tcp;5;InstanceName;B;;",
            "InstanceName;B;tcp",
            "",
            ";;;;",
        ] {
            assert_eq!(read(&answer(text), "B"), None, "{text}");
        }
        let mut other = good;
        other[0] = 4;
        assert_eq!(read(&other, "B"), None);
        assert_eq!(read(&[5, 1, 0, 0xff], "B"), None);
    }
}
