//! Over real sockets and TLS to the vault's own front door: what a session's batches back up there is proved there, and comes back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use azblob::names::{AccountName, ContainerName};
use azblob::permission::Permissions;
use azblob::sas::ServiceSas;
use azblob::shared_key::Secret;
use azblob::time::UnixMillis;
use bak::Verdict;
use blobstore::disk::real::RealDisk;
use blobstore::{Options, Store, SystemClock};
use frontdoor::listing::{ShownVerdict, entries};
use frontdoor::tls::{AuthorityCertificate, Certificates, certificates};
use frontdoor::{Account, Config, ProofWaiter, Server, creating};
use simsql::answers::Transcript;
use simsql::instance::{Instance, Settings, Version};
use simsql::machine::{Machine, Wire};
use simsql::session::Session;
use simsql::value::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::service::{ACCOUNT, KEY};

const HOST: &str = "vault.example";
const CONTAINER: &str = "sqlbackup";

/// A front door on a port of this machine.
struct Door {
    runtime: Runtime,
    address: SocketAddr,
    store: Arc<Store>,
    waiter: ProofWaiter,
    data: TempDir,
}

impl Door {
    fn open() -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(
            Arc::new(RealDisk),
            Arc::new(SystemClock),
            &Options::new(data.path()),
        );
        let store = Arc::new(store.unwrap());
        let account = Account {
            name: AccountName::new(ACCOUNT).unwrap(),
            keys: vec![Secret::from_base64(KEY).unwrap()],
        };
        let mut config = Config::new(([127, 0, 0, 1], 0).into(), vec![account], data.path());
        config.hosts = vec![format!("{ACCOUNT}.{HOST}").parse().unwrap()];
        config.tls = Some(Certificates::Vault(data.path().to_owned()));
        let runtime = Runtime::new().unwrap();
        let server = runtime
            .block_on(Server::bind(config, Arc::clone(&store)))
            .unwrap();
        let (address, waiter) = (server.local_addr(), server.proof_waiter());
        runtime.spawn(server.serve(std::future::pending()));
        let (account, container) = (AccountName::new(ACCOUNT), ContainerName::new(CONTAINER));
        creating::create(&store, &account.unwrap(), &container.unwrap()).unwrap();
        Self {
            runtime,
            address,
            store,
            waiter,
            data,
        }
    }

    fn authorities(&self) -> String {
        let all = certificates(self.data.path()).unwrap();
        all.iter().map(AuthorityCertificate::pem).collect()
    }

    fn sas() -> String {
        // 2040-01-01.
        let end = UnixMillis(2_208_988_800_000);
        let container = ContainerName::new(CONTAINER).unwrap();
        let sas = ServiceSas::of_container(container, Permissions::BACKUP, end);
        sas.sign(
            &AccountName::new(ACCOUNT).unwrap(),
            &Secret::from_base64(KEY).unwrap(),
        )
    }

    /// An instance of this machine that finds the door under `host` and trusts `ca`.
    fn instance(&self, folder: &Path, version: Version, host: &str, ca: Option<&str>) -> Arc<Instance> {
        let hosts = BTreeMap::from([(host.to_owned(), self.address)]);
        let wire = Wire::new(ca.map(str::as_bytes), hosts).unwrap();
        let machine = Machine::new(folder, &[], wire).unwrap();
        let mut settings = Settings::new(version, folder.canonicalize().unwrap().to_str().unwrap());
        settings.initial_pages = 128;
        let instance = Instance::start(machine.world, settings).unwrap();
        let mut session = instance.attach("sa").unwrap();
        let secret = Self::sas();
        self.did(
            &mut session,
            &format!(
                "CREATE CREDENTIAL [https://{host}/{CONTAINER}] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = '{secret}'"
            ),
        );
        self.did(
            &mut session,
            &format!("CREATE CREDENTIAL vault WITH IDENTITY = '{ACCOUNT}', SECRET = '{KEY}'"),
        );
        self.did(
            &mut session,
            "CREATE DATABASE Shop; ALTER DATABASE Shop SET RECOVERY FULL",
        );
        self.did(
            &mut session,
            "CREATE TABLE Shop.dbo.Orders (id int, what varchar(100))",
        );
        drop(session);
        instance
    }

    fn run(&self, session: &mut Session, text: &str) -> Transcript {
        let mut answers = Transcript::default();
        self.runtime.block_on(session.batch(text, &mut [], &mut answers));
        answers
    }

    fn did(&self, session: &mut Session, text: &str) -> Transcript {
        let answers = self.run(session, text);
        assert_eq!(answers.errors().count(), 0, "{:?}", answers.messages);
        answers
    }

    fn count(&self, session: &mut Session, database: &str) -> Value {
        let answers = self.did(session, &format!("SELECT COUNT(*) FROM {database}.dbo.Orders"));
        answers.results[0].rows[0][0].clone()
    }
}

#[test]
fn what_is_backed_up_through_the_door_is_proved_there_and_comes_back() {
    let door = Door::open();
    let host = format!("{ACCOUNT}.{HOST}");
    for (version, options) in [(Version::V2022, ""), (Version::V2014, ", CREDENTIAL = 'vault'")] {
        let folder = tempfile::tempdir().unwrap();
        let instance = door.instance(folder.path(), version, &host, Some(&door.authorities()));
        let mut session = instance.attach("sa").unwrap();
        let names: Vec<String> = ["full", "diff", "log"]
            .iter()
            .map(|kind| format!("{kind}-{}.bak", version.year()))
            .collect();
        let url = |name: &str| format!("URL = 'https://{host}/{CONTAINER}/{name}'");
        let add = "INSERT INTO Shop.dbo.Orders VALUES (1, 'one'), (2, 'two')";
        door.did(&mut session, add);
        door.did(
            &mut session,
            &format!(
                "BACKUP DATABASE Shop TO {} WITH CHECKSUM{options}",
                url(&names[0])
            ),
        );
        door.did(&mut session, add);
        door.did(
            &mut session,
            &format!(
                "BACKUP DATABASE Shop TO {} WITH DIFFERENTIAL{options}",
                url(&names[1])
            ),
        );
        door.did(&mut session, add);
        door.did(
            &mut session,
            &format!("BACKUP LOG Shop TO {} WITH COMPRESSION{options}", url(&names[2])),
        );
        door.waiter.wait();
        let listed = entries(&door.store);
        for name in &names {
            let entry = listed.iter().find(|entry| entry.name == *name).unwrap();
            let ok = Some(ShownVerdict::Judged(Verdict::Ok));
            assert_eq!(entry.verdict, ok, "{name}: {:?}", entry.reasons);
            assert!(entry.committed);
        }
        door.did(&mut session, "DROP DATABASE Shop");
        door.did(
            &mut session,
            &format!(
                "RESTORE DATABASE Shop FROM {} WITH NORECOVERY{options}",
                url(&names[0])
            ),
        );
        door.did(
            &mut session,
            &format!(
                "RESTORE DATABASE Shop FROM {} WITH NORECOVERY{options}",
                url(&names[1])
            ),
        );
        door.did(
            &mut session,
            &format!("RESTORE LOG Shop FROM {} WITH RECOVERY{options}", url(&names[2])),
        );
        assert_eq!(door.count(&mut session, "Shop"), Value::Integer(6));
    }
}

#[test]
fn a_certificate_of_nobody_known_or_for_another_name_is_refused() {
    let door = Door::open();
    let host = format!("{ACCOUNT}.{HOST}");
    let known = door.authorities();
    let other = Door::open().authorities();
    for (host, ca) in [
        (host.as_str(), None),
        (host.as_str(), Some(other.as_str())),
        ("other.example", Some(known.as_str())),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let instance = door.instance(folder.path(), Version::V2022, host, ca);
        let mut session = instance.attach("sa").unwrap();
        let url = format!("https://{host}/{CONTAINER}/a.bak");
        let answers = door.run(&mut session, &format!("BACKUP DATABASE Shop TO URL = '{url}'"));
        let told: Vec<i32> = answers.errors().map(|error| error.number).collect();
        assert_eq!(told, [3201, 3013]);
        let first = answers.errors().next().unwrap();
        // ERROR_WINHTTP_SECURE_FAILURE, as SQL Server on Linux prints it.
        assert!(
            first.text.starts_with(&format!(
                "Cannot open backup device '{url}'. Operating system error 12175("
            )),
            "{}",
            first.text
        );
    }
    assert!(entries(&door.store).is_empty());
}
