//! SQL Server Browser: tells clients that know an instance by name at which port it listens. [MC-SQLR], UDP 1434.

use tokio::net::UdpSocket;

use crate::tds::backend::Greeting;

/// A broadcast or a request for all instances of this machine.
const ALL_BROADCAST: u8 = 0x02;
const ALL: u8 = 0x03;
/// A request for one instance; its name follows, and a zero.
const ONE: u8 = 0x04;
const ANSWER: u8 = 0x05;
/// A name has at most so many bytes.
const NAME_LONGEST: usize = 32;

/// Answers until it is dropped. It names one instance: what `greeting` says, at TCP port `port`.
pub async fn browse(socket: &UdpSocket, greeting: &Greeting, port: u16) {
    let mut request = [0; 64];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut request).await else {
            // A client that is gone already; on some systems that is an error of the next reading.
            tokio::task::yield_now().await;
            continue;
        };
        if let Some(answer) = answer(&request[..length], greeting, port)
            && let Err(error) = socket.send_to(&answer, client).await
        {
            tracing::debug!(%error, "a question for an instance could not be answered");
        }
    }
}

/// The answer to a request; none to one that is not understood or asks for another instance.
fn answer(request: &[u8], greeting: &Greeting, port: u16) -> Option<Vec<u8>> {
    let (machine, instance) = greeting
        .server
        .split_once('\\')
        .unwrap_or((&greeting.server, "MSSQLSERVER"));
    match request {
        [ALL_BROADCAST | ALL, ..] => {}
        [ONE, name @ ..] if name.len() <= NAME_LONGEST + 1 => {
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            if !name.eq_ignore_ascii_case(instance.as_bytes()) {
                return None;
            }
        }
        _ => return None,
    }
    let version = greeting.version;
    let text = format!(
        "ServerName;{machine};InstanceName;{instance};IsClustered;No;Version;{}.{}.{}.0;tcp;{port};;",
        version.major, version.minor, version.build
    );
    let mut answer = vec![ANSWER];
    answer.extend(u16::try_from(text.len()).ok()?.to_le_bytes());
    answer.extend(text.bytes());
    Some(answer)
}

#[cfg(test)]
mod tests {
    use bak::SoftwareVersion;

    use super::answer;
    use crate::tds::backend::Greeting;

    #[test]
    fn answers_for_its_own_instance_alone() {
        let greeting = Greeting {
            server: "SIM\\BLUE".to_owned(),
            version: SoftwareVersion {
                major: 16,
                minor: 0,
                build: 4175,
            },
            collation: String::new(),
        };
        let text = "ServerName;SIM;InstanceName;BLUE;IsClustered;No;Version;16.0.4175.0;tcp;14330;;";
        let expected = [&[5, text.len() as u8, 0], text.as_bytes()].concat();
        for request in [&b"\x04blue\0"[..], b"\x03", b"\x02"] {
            assert_eq!(answer(request, &greeting, 14_330).as_ref(), Some(&expected));
        }
        for request in [&b"\x04red\0"[..], b"", b"\x04", b"\x0f\x01", &[4; 60]] {
            assert_eq!(answer(request, &greeting, 14_330), None);
        }
    }
}
