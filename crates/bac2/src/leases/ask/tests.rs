//! The guard's question, asked of simulated instances over TDS.

use std::collections::BTreeMap;
use std::sync::Arc;

use guard::Place;
use simsql::answers::Transcript;
use simsql::instance::{Instance, Settings, Version};
use simsql::machine::{Identity, Machine, Wire};
use simsql::tds::Encryption;
use tempfile::TempDir;

use super::*;

const PASSWORD: &str = "Test-1234";

/// A running instance and its address.
async fn start() -> (Arc<Instance>, Address, TempDir) {
    let directory = TempDir::new().unwrap();
    let home = directory.path().canonicalize().unwrap();
    let wire = Wire::new(None, BTreeMap::new()).unwrap();
    let world = Machine::new(&home, &[], wire).unwrap().world;
    let settings = Settings {
        sa_password: Some(PASSWORD.to_owned()),
        ..Settings::new(Version::V2022, &home.to_string_lossy())
    };
    let instance = Instance::start(world, settings).unwrap_or_else(|failure| panic!("{failure:?}"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("localhost,{}", listener.local_addr().unwrap().port());
    let identity = Identity::self_signed(&["localhost".to_owned()]).unwrap();
    tokio::spawn(simsql::tds::serve(
        Arc::clone(&instance),
        listener,
        Encryption::Offered(identity.config),
    ));
    (instance, address.parse().unwrap(), directory)
}

fn servers(addresses: &[&Address], user: &str) -> Servers {
    let authentication = Authentication::Password {
        user: user.to_owned(),
        password: Secret::new(PASSWORD.to_owned()),
    };
    let target = |address: &&Address| Target::new((*address).clone(), authentication.clone(), Trust::Anyone);
    Servers {
        connector: Box::new(Tds::default()),
        targets: addresses.iter().map(target).collect(),
    }
}

async fn run(instance: &Arc<Instance>, text: &str) {
    let mut session = instance
        .attach("sa")
        .unwrap_or_else(|failure| panic!("{failure:?}"));
    session.batch(text, &mut [], &mut Transcript::default()).await;
}

/// As `bac2` has it, with the stack that batches need.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(simsql::tds::STACK)
        .build()
        .unwrap()
}

/// Shows a session that seems to run this.
fn pretend(instance: &Arc<Instance>, command: &str, text: &str) -> simsql::session::Session {
    let session = instance
        .attach("sa")
        .unwrap_or_else(|failure| panic!("{failure:?}"));
    let mut state = instance.state();
    let facts = state.sessions.get_mut(&session.id).unwrap();
    facts.request = Some(simsql::instance::state::RequestFacts {
        start: instance.world.clock.now(),
        command: command.to_owned(),
        text: text.to_owned(),
        database: 1,
        percent_complete: 12.5,
        estimated_completion_ms: 5000,
        wait_type: None,
        wait_resource: String::new(),
        wait_since: None,
        blocked_by: 0,
    });
    drop(state);
    session
}

#[test]
fn a_statement_that_names_the_blob_or_may_is_found_on_any_of_the_servers() {
    runtime().block_on(async {
        let (idle, first, _one) = start().await;
        let (busy, second, _two) = start().await;
        let asked = servers(&[&first, &second], "sa");
        assert_eq!(asked.running().await, Ok(Vec::new()));
        run(&idle, "SELECT 1").await;
        let url = "https://shop.example/backups/a%20b.bak";
        let text = format!("BACKUP DATABASE [shop] TO URL = N'{url}' WITH CHECKSUM");
        let backup = pretend(&busy, "BACKUP DATABASE", &text);
        let running = asked.running().await.unwrap();
        assert_eq!(running.len(), 1);
        assert_eq!(running[0].server, second.to_string());
        assert_eq!(running[0].session, i32::from(backup.id));
        assert_eq!(running[0].devices, Devices::Named(vec![url.to_owned()]));
        let place = |text: &str| Place::parse(text).unwrap();
        assert!(running[0].may_use(&place("backups/a b.bak")));
        assert!(!running[0].may_use(&place("backups/b.bak")));
        drop(backup);
        let hidden = pretend(&busy, "RESTORE DATABASE", "EXEC dbo.restore_all");
        let running = asked.running().await.unwrap();
        assert_eq!(running[0].devices, Devices::Hidden);
        assert!(running[0].may_use(&place("backups/b.bak")));
        drop(hidden);
        assert_eq!(asked.running().await, Ok(Vec::new()));
    });
}

#[test]
fn who_sees_too_little_or_does_not_answer_has_not_answered() {
    runtime().block_on(async {
        let (instance, address, _directory) = start().await;
        let login = format!("CREATE LOGIN small WITH PASSWORD = N'{PASSWORD}'");
        run(&instance, &login).await;
        let blind = servers(&[&address], "small").running().await.unwrap_err();
        assert_eq!(blind.server, address.to_string());
        assert!(blind.reason.contains("VIEW SERVER STATE"), "{blind}");
        run(&instance, "GRANT VIEW SERVER STATE TO small").await;
        assert_eq!(servers(&[&address], "small").running().await, Ok(Vec::new()));
        let stranger = servers(&[&address], "nobody").running().await.unwrap_err();
        assert!(
            stranger.reason.contains("18456") && !stranger.reason.contains(PASSWORD),
            "{stranger}"
        );
        let nowhere: Address = "127.0.0.1,1".parse().unwrap();
        let both = servers(&[&address, &nowhere], "sa").running().await.unwrap_err();
        assert_eq!(both.server, "127.0.0.1,1");
    });
}

#[test]
fn rules_for_certificates() {
    assert_eq!(rule("verify"), Ok(Rule::Verify));
    assert_eq!(rule("trust"), Ok(Rule::Trust));
    assert!(matches!(rule(&"ab".repeat(32)), Ok(Rule::Pin(_))));
    assert!(rule("Verify").is_err() && rule("").is_err());
}
