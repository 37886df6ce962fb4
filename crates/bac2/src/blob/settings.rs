//! How to serve: flags and a configuration file, made into one answer. Flags win over the file.
//!
//! The file is TOML and holds what does not change from start to start; what it does not know it refuses, so that a
//! misspelt line is not silently without effect. Relative paths in it are meant from the file's own folder.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use frontdoor::Host;
use frontdoor::tls::{Certificates, OwnFiles};
use serde::Deserialize;

use super::accounts;
use super::serve::Arguments;
use crate::failure::Failure;
use crate::logging::LogFormat;

/// The port of https, and the only one that SQL Server's client takes.
pub(crate) const HTTPS: u16 = 443;

/// What the server is told.
#[derive(Debug)]
pub(super) struct Settings {
    /// Where to listen; never empty.
    pub(super) listen: Vec<SocketAddr>,
    /// What clients call the server.
    pub(super) hosts: Vec<Host>,
    /// Where certificates come from; `None`: plain http.
    pub(super) tls: Option<Certificates>,
    /// Where health and metrics are answered.
    pub(super) health: Option<SocketAddr>,
    /// How the log is written.
    pub(super) log_format: Option<LogFormat>,
    /// The file with accounts and keys.
    pub(super) accounts_file: Option<PathBuf>,
    /// Whether what is proved is sealed.
    pub(super) seal_proved: bool,
}

/// The configuration file, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    listen: Vec<String>,
    #[serde(default)]
    hosts: Vec<String>,
    accounts_file: Option<PathBuf>,
    health_listen: Option<String>,
    log_format: Option<LogFormat>,
    #[serde(default)]
    seal_proved: bool,
    tls: Option<FileTls>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileTls {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl Settings {
    /// Joins flags and file.
    pub(super) fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let file = match &arguments.config {
            Some(path) => File::read(path)?,
            None => File::default(),
        };
        let tls = tls(arguments, file.tls)?;
        let listen = if arguments.listen.is_empty() {
            parsed(&arguments.config, "listen", &file.listen, address)?
        } else {
            arguments.listen.clone()
        };
        let hosts = if arguments.host.is_empty() {
            let host = |text: &str| text.parse::<Host>().map_err(|error| error.to_string());
            parsed(&arguments.config, "hosts", &file.hosts, host)?
        } else {
            arguments.host.clone()
        };
        let of_file = parsed(
            &arguments.config,
            "health-listen",
            file.health_listen.as_slice(),
            address,
        )?;
        let health = arguments.health_listen.or(of_file.first().copied());
        // Accounts on the command line stand for themselves.
        let from_file = file.accounts_file.filter(|_| arguments.account.is_empty());
        let settings = Settings {
            listen: match (listen.is_empty(), &tls) {
                (false, _) => listen,
                (true, Some(_)) => everywhere(HTTPS),
                (true, None) => return Err(nowhere()),
            },
            hosts,
            tls,
            health,
            log_format: arguments.log_format.or(file.log_format),
            seal_proved: arguments.seal_proved || file.seal_proved,
            accounts_file: arguments
                .accounts_file
                .clone()
                .or(from_file)
                .or_else(|| in_data(arguments)),
        };
        settings.check(arguments)?;
        Ok(settings)
    }

    fn check(&self, arguments: &Arguments) -> Result<(), Failure> {
        let Some(outside) = self.listen.iter().find(|address| !address.ip().is_loopback()) else {
            return Ok(());
        };
        if !arguments.account.is_empty() {
            return Err(Failure::unusable(
                "KeyInArguments",
                format!("--account is for tests and {outside} can be reached from outside"),
                "put NAME=BASE64KEY lines into a file and give --accounts-file",
            ));
        }
        if self.tls.is_none() {
            return Err(Failure::unusable(
                "PlainHttpNotLoopback",
                format!("plain http is for loopback, and {outside} can be reached from outside"),
                "add --tls and --host with the name that clients use, or listen on 127.0.0.1 or [::1]",
            ));
        }
        Ok(())
    }
}

impl File {
    fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(|error| Failure::reading(path, &error))?;
        let mut file: File = toml::from_str(&text).map_err(|error| {
            let line = error
                .span()
                .map(|span| text[..span.start].matches('\n').count() + 1);
            let place = line.map(|line| format!(" line {line}")).unwrap_or_default();
            invalid(path, format!("{}{place}: {}", path.display(), error.message()))
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let own = file.tls.as_mut().map(|tls| [&mut tls.certificate, &mut tls.key]);
        let paths = own.into_iter().flatten().chain([&mut file.accounts_file]);
        for path in paths.flatten() {
            *path = folder.join(&path);
        }
        Ok(file)
    }
}

/// The accounts file of the data directory, where there is one and no account is named otherwise.
fn in_data(arguments: &Arguments) -> Option<PathBuf> {
    let file = accounts::in_data(&arguments.data);
    (arguments.account.is_empty() && file.is_file()).then_some(file)
}

fn invalid(path: &Path, sentence: String) -> Failure {
    Failure::unusable(
        "ConfigInvalid",
        sentence,
        format!(
            "correct {}; `bac2 blob serve --help` shows a whole one",
            path.display()
        ),
    )
}

fn parsed<T>(
    path: &Option<PathBuf>,
    key: &str,
    texts: &[String],
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, Failure> {
    let one = |text: &String| {
        let path = path.as_deref().unwrap_or(Path::new(""));
        parse(text).map_err(|why| invalid(path, format!("{} {key}: {why}", path.display())))
    };
    texts.iter().map(one).collect()
}

fn tls(arguments: &Arguments, file: Option<FileTls>) -> Result<Option<Certificates>, Failure> {
    let of_flags = arguments.tls_cert.is_some() || arguments.tls_key.is_some();
    if !of_flags && !arguments.tls && file.is_none() {
        return Ok(None);
    }
    let file = file.unwrap_or_default();
    let (certificate, key) = if of_flags {
        (arguments.tls_cert.clone(), arguments.tls_key.clone())
    } else {
        (file.certificate, file.key)
    };
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(Certificates::Own(OwnFiles { certificate, key }))),
        (None, None) => Ok(Some(Certificates::Vault(arguments.data.clone()))),
        _ => Err(Failure::unusable(
            "CertificateOrKeyMissing",
            "a certificate of your own needs both the certificate's file and the key's",
            "give --tls-cert and --tls-key together, or neither for a certificate of the vault's own",
        )),
    }
}

fn nowhere() -> Failure {
    Failure::unusable(
        "NoAddress",
        "nothing says where to listen",
        "give --tls to serve https on port 443, or --listen 127.0.0.1:10000 for plain http on this machine",
    )
}

/// An address and a port as people write them.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let wrong = || format!("expected an address and a port, such as 127.0.0.1:10000, not {text:?}");
    text.to_socket_addrs()
        .map_err(|_| wrong())?
        .next()
        .ok_or_else(wrong)
}

/// Every address of this machine. One socket takes both families where the system lets it.
fn everywhere(port: u16) -> Vec<SocketAddr> {
    let four = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    let six = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
    let has_six = std::net::TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
    let apart = cfg!(windows)
        || fs::read_to_string("/proc/sys/net/ipv6/bindv6only").is_ok_and(|text| text.trim() == "1");
    match (has_six, apart) {
        (true, false) => vec![six],
        (true, true) => vec![four, six],
        (false, _) => vec![four],
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    const KEY: &str = "vault01=AAECAwQFBgcICQoLDA0ODw==";

    fn settings(line: &[&str]) -> Result<Settings, Failure> {
        let line = ["serve", "--data", "d"].iter().chain(line);
        Settings::of(&Line::parse_from(line).arguments)
    }

    #[test]
    fn tls_alone_serves_port_443_everywhere() {
        let settings = settings(&["--tls", "--host", "Backup.Example"]).unwrap();
        assert!(
            settings
                .listen
                .iter()
                .all(|a| a.port() == 443 && a.ip().is_unspecified())
        );
        assert_eq!(settings.hosts, ["backup.example".parse().unwrap()]);
        assert_eq!(settings.tls, Some(Certificates::Vault("d".into())));
    }

    #[test]
    fn plain_http_and_keys_in_arguments_stay_on_loopback() {
        for (line, code) in [
            (&["--account", KEY][..], "NoAddress"),
            (&["--listen", "0.0.0.0:1"], "PlainHttpNotLoopback"),
            (
                &["--listen", "127.0.0.1:1", "--listen", "10.0.0.1:1"],
                "PlainHttpNotLoopback",
            ),
            (&["--listen", "0.0.0.0:1", "--account", KEY], "KeyInArguments"),
            (&["--tls", "--account", KEY], "KeyInArguments"),
        ] {
            assert_eq!(settings(line).unwrap_err().code(), code, "{line:?}");
        }
        assert!(settings(&["--listen", "[::1]:1", "--account", KEY]).is_ok());
    }

    #[test]
    fn flags_win_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bac2.toml");
        let text = "listen = [\"127.0.0.1:7\"]\nhosts = [\"a.example\"]\naccounts-file = \"keys\"\nhealth-listen = \"127.0.0.1:9\"\nlog-format = \"text\"\n\
                    seal-proved = true\n\
                    [tls]\ncertificate = \"c.pem\"\nkey = \"/k.pem\"\n";
        fs::write(&path, text).unwrap();
        let config = ["--config", path.to_str().unwrap()];
        let from_file = settings(&config).unwrap();
        assert_eq!(from_file.listen, ["127.0.0.1:7".parse().unwrap()]);
        assert_eq!(from_file.accounts_file, Some(folder.path().join("keys")));
        assert_eq!(from_file.health, Some("127.0.0.1:9".parse().unwrap()));
        assert_eq!(from_file.log_format, Some(LogFormat::Text));
        assert!(from_file.seal_proved);
        let own = Certificates::Own(OwnFiles {
            certificate: folder.path().join("c.pem"),
            key: "/k.pem".into(),
        });
        assert_eq!(from_file.tls, Some(own));
        let flags = [
            "--listen",
            "127.0.0.1:8",
            "--host",
            "b.example",
            "--accounts-file",
            "k2",
        ];
        let both = settings(&[&config[..], &flags].concat()).unwrap();
        assert_eq!(both.listen, ["127.0.0.1:8".parse().unwrap()]);
        assert_eq!(both.hosts, ["b.example".parse().unwrap()]);
        assert_eq!(both.accounts_file, Some("k2".into()));
    }

    #[test]
    fn a_line_that_is_not_known_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bac2.toml");
        for (text, word) in [
            ("listen = [\"127.0.0.1:7\"]\nhost = \"a\"\n", "line 2"),
            ("hosts = [\"a b\"]\n[tls]\n", "hosts"),
            ("[tls]\nkeys = 1\n", "line 2"),
            ("listen = [\"here\"]\n", "127.0.0.1:10000"),
        ] {
            fs::write(&path, text).unwrap();
            let failure = settings(&["--config", path.to_str().unwrap()]).unwrap_err();
            assert_eq!(failure.code(), "ConfigInvalid");
            assert!(failure.to_string().contains(word), "{failure}");
        }
    }
}
