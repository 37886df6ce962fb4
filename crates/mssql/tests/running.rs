//! BACKUP and RESTORE against a simulated instance over TDS: how they end, however they end.

#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)] // Real time and sockets here.

mod support;

use std::time::Duration;

use mssql::activity::Progress;
use mssql::quoting::Identifier;
use mssql::run::{Evidence, NobodyWatches, Patience, Report, Runner, Verdict, Watch};
use mssql::statement::backup::Kind;
use mssql::statement::restore::{Ending, Inspection, Look, What};
use mssql::statement::{Backup, Devices, Restore};
use mssql::tds::{SystemClock, Tds};
use mssql::{Fault, Session, Target, Trust, databases};
use simsql::instance::Version;
use support::proxy::{Fate, Proxy};
use support::{PASSWORD, Server, runtime, sa};

const TDS: Tds = Tds { browser: None };

/// Not to wait long in tests.
const SHORT: Patience = Patience {
    within: None,
    locks: Duration::from_secs(1),
    progress: Duration::from_millis(40),
    search: Duration::from_secs(20),
};

async fn with_shop(version: Version) -> (Server, Session) {
    let server = Server::start(version).await;
    let mut session = server.session().await;
    session
        .execute("CREATE DATABASE shop; ALTER DATABASE shop SET RECOVERY FULL")
        .await
        .unwrap();
    (server, session)
}

fn full(server: &Server, name: &str) -> Backup {
    let devices = Devices::files(&[server.backup_path(name)]).unwrap();
    let shop = Identifier::new("shop").unwrap();
    Backup::new(shop, Kind::Full, devices, "shop", &format!("bac2 job {name}")).unwrap()
}

/// Backups of shop take seconds: a slow disk is waited for between two steps, so there must be something to step over.
async fn slow(session: &mut Session, server: &Server) {
    let fill = "CREATE TABLE shop.dbo.t (id int, c char(7000)); BEGIN TRAN; DECLARE @i int = 0;
        WHILE @i < 1500 BEGIN INSERT INTO shop.dbo.t VALUES (@i, 'x'); SET @i += 1 END; COMMIT";
    session.execute(fill).await.unwrap();
    server.slow.set(Duration::from_millis(100));
}

/// Waits until a backup runs on the server.
async fn runs(target: &Target) {
    let mut session = Session::open(&TDS, target).await.unwrap();
    let asked = "SELECT COUNT(*) AS n FROM sys.dm_exec_requests WHERE command LIKE 'BACKUP%'";
    while session
        .query(asked)
        .await
        .unwrap()
        .only()
        .unwrap()
        .get::<i32>("n")
        .unwrap()
        == 0
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    session.close().await;
}

async fn runner<'a>(target: &'a Target, clock: &'a SystemClock) -> Runner<'a> {
    let mut runner = Runner::open(&TDS, target, clock).await.unwrap();
    runner.patience = SHORT;
    runner
}

#[derive(Default)]
struct Percents(Vec<f64>);

impl Watch for Percents {
    fn progress(&mut self, progress: &Progress) {
        self.0.push(progress.percent);
    }
}

fn numbers(report: &Report) -> Vec<i32> {
    report.outcome.messages.iter().map(|one| one.number).collect()
}

#[test]
fn a_full_shows_its_progress_and_ends_with_3014() {
    runtime().block_on(async {
        let (server, mut session) = with_shop(Version::V2022).await;
        slow(&mut session, &server).await;
        let (target, clock) = (server.target(Trust::Anyone), SystemClock::new());
        let mut runner = runner(&target, &clock).await;
        let mut percents = Percents::default();
        let report = runner.backup(&full(&server, "1.bak"), &mut percents).await;
        assert_eq!(
            report.verdict,
            Verdict::Succeeded(Evidence::Message),
            "{report:?}"
        );
        let numbers = numbers(&report);
        assert!(
            numbers.contains(&4035) && numbers.last() == Some(&3014),
            "{numbers:?}"
        );
        assert!(!percents.0.is_empty());
        assert!(
            percents.0.iter().all(|percent| (0.0..=100.0).contains(percent)),
            "{:?}",
            percents.0
        );
        assert!(percents.0.is_sorted(), "{:?}", percents.0);
    });
}

#[test]
fn a_failure_keeps_all_that_was_said_and_names_its_cause() {
    runtime().block_on(async {
        let (server, _session) = with_shop(Version::V2019).await;
        let (target, clock) = (server.target(Trust::Anyone), SystemClock::new());
        let mut runner = runner(&target, &clock).await;
        let mut backup = full(&server, "1.bak");
        backup.devices = Devices::files(&["/nowhere/1.bak"]).unwrap();
        let report = runner.backup(&backup, &mut NobodyWatches).await;
        assert_eq!(
            (report.verdict.clone(), report.fault.clone()),
            (Verdict::Failed, None)
        );
        assert_eq!(numbers(&report), [3201, 3013]);
        let cause = report.cause().unwrap();
        assert_eq!((cause.number, cause.class), (3201, 16));
        assert!(cause.text.contains("/nowhere/1.bak"), "{cause}");
    });
}

#[test]
fn a_cancel_ends_it_and_the_session_goes_on() {
    runtime().block_on(async {
        let (server, mut session) = with_shop(Version::V2022).await;
        slow(&mut session, &server).await;
        let (target, clock) = (server.target(Trust::Anyone), SystemClock::new());
        let mut runner = runner(&target, &clock).await;
        let canceller = runner.canceller();
        let watcher = server.target(Trust::Anyone);
        let cancelling = tokio::spawn(async move {
            runs(&watcher).await;
            canceller.cancel();
        });
        let report = runner.backup(&full(&server, "1.bak"), &mut NobodyWatches).await;
        assert_eq!(
            (report.verdict.clone(), report.fault.clone()),
            (Verdict::Failed, Some(Fault::Cancelled))
        );
        cancelling.await.unwrap();
        assert!(runner.session().id().await.is_ok());
        // One that came while nothing ran ends the next batch, and only that.
        runner.canceller().cancel();
        assert!(runner.session().id().await.is_err());
        assert!(runner.session().id().await.is_ok());
    });
}

#[test]
fn its_time_is_over() {
    runtime().block_on(async {
        let (server, mut session) = with_shop(Version::V2022).await;
        slow(&mut session, &server).await;
        let (target, clock) = (server.target(Trust::Anyone), SystemClock::new());
        let mut runner = runner(&target, &clock).await;
        runner.patience.within = Some(Duration::from_secs(1));
        let report = runner.backup(&full(&server, "1.bak"), &mut NobodyWatches).await;
        assert_eq!(
            (report.verdict.clone(), report.fault.clone()),
            (Verdict::Failed, Some(Fault::TimedOut))
        );
        assert!(runner.session().id().await.is_ok());
    });
}

/// A backup over a proxy whose connection meets `fate` in the middle.
async fn met(fate: Fate) -> (Server, Report) {
    let (server, mut session) = with_shop(Version::V2022).await;
    slow(&mut session, &server).await;
    let proxy = Proxy::before(server.port).await;
    let mut target = Target::new("localhost".parse().unwrap(), sa(PASSWORD), Trust::Anyone);
    target.address = format!("localhost,{}", proxy.port).parse().unwrap();
    let clock = SystemClock::new();
    let mut runner = runner(&target, &clock).await;
    let backup = full(&server, "1.bak");
    let mut nobody = NobodyWatches;
    let (report, ()) = tokio::join!(runner.backup(&backup, &mut nobody), async {
        runs(&server.target(Trust::Anyone)).await;
        proxy.decide(0, fate);
    });
    assert!(matches!(report.fault, Some(Fault::Lost { .. })), "{report:?}");
    (server, report)
}

#[test]
fn a_connection_that_dies_takes_its_backup_with_it() {
    runtime().block_on(async {
        let (_server, report) = met(Fate::Cut).await;
        assert_eq!(report.verdict, Verdict::Failed, "{report:?}");
    });
}

#[test]
fn a_backup_that_outlives_its_connection_is_found_in_msdb() {
    runtime().block_on(async {
        let (_server, report) = met(Fate::ClientGone).await;
        let Verdict::Succeeded(Evidence::History(set)) = &report.verdict else {
            panic!("{report:?}")
        };
        assert_eq!(set.description.as_deref(), Some("bac2 job 1.bak"));
        assert_eq!((set.kind, set.database_name.as_str()), ('D', "shop"));
    });
}

#[test]
fn who_sees_no_requests_still_finds_its_backup_in_msdb() {
    runtime().block_on(async {
        let (server, mut session) = with_shop(Version::V2022).await;
        let rights =
            "CREATE LOGIN small WITH PASSWORD = N'Small-1234'; USE shop; CREATE USER small FOR LOGIN small;
            ALTER ROLE db_backupoperator ADD MEMBER small; USE msdb; CREATE USER small FOR LOGIN small;
            ALTER ROLE db_datareader ADD MEMBER small; USE master";
        session.execute(rights).await.unwrap();
        slow(&mut session, &server).await;
        let proxy = Proxy::before(server.port).await;
        let mut target = server.target(Trust::Anyone);
        target.address = format!("localhost,{}", proxy.port).parse().unwrap();
        target.authentication = mssql::Authentication::Password {
            user: "small".to_owned(),
            password: mssql::Secret::new("Small-1234".to_owned()),
        };
        let clock = SystemClock::new();
        let mut runner = runner(&target, &clock).await;
        let backup = full(&server, "1.bak");
        let mut nobody = NobodyWatches;
        let (report, ()) = tokio::join!(runner.backup(&backup, &mut nobody), async {
            runs(&server.target(Trust::Anyone)).await;
            proxy.decide(0, Fate::ClientGone);
        });
        assert!(
            matches!(report.verdict, Verdict::Succeeded(Evidence::History(_))),
            "{report:?}"
        );
    });
}

#[test]
fn a_server_that_is_gone_leaves_it_unknown() {
    runtime().block_on(async {
        let (mut server, mut session) = with_shop(Version::V2022).await;
        slow(&mut session, &server).await;
        let (mut target, clock) = (server.target(Trust::Anyone), SystemClock::new());
        target.within = Duration::from_secs(2);
        let mut runner = runner(&target, &clock).await;
        runner.patience.search = Duration::from_millis(500);
        let backup = full(&server, "1.bak");
        let mut nobody = NobodyWatches;
        let (report, ()) = tokio::join!(runner.backup(&backup, &mut nobody), async {
            runs(&server.target(Trust::Anyone)).await;
            server.cut();
        });
        assert_eq!(report.verdict, Verdict::Unknown, "{report:?}");
    });
}

#[test]
fn a_killed_session_and_a_backup_in_the_way() {
    runtime().block_on(async {
        let (server, mut session) = with_shop(Version::V2022).await;
        slow(&mut session, &server).await;
        let (target, clock) = (server.target(Trust::Anyone), SystemClock::new());
        let (mut first, mut second) = (runner(&target, &clock).await, runner(&target, &clock).await);
        let id = first.session_id();
        let (one, two) = (full(&server, "1.bak"), full(&server, "2.bak"));
        let (mut nobody, mut nobody_either) = (NobodyWatches, NobodyWatches);
        let (report, blocked) = tokio::join!(first.backup(&one, &mut nobody), async {
            runs(&target).await;
            let blocked = second.backup(&two, &mut nobody_either).await;
            session.execute(&format!("KILL {id}")).await.unwrap();
            blocked
        });
        assert_eq!(blocked.verdict, Verdict::Failed, "{blocked:?}");
        assert_eq!(blocked.cause().map(|one| one.number), Some(3023));
        assert!(matches!(report.fault, Some(Fault::Lost { .. })), "{report:?}");
        assert_eq!(report.verdict, Verdict::Failed, "{report:?}");
        assert!(numbers(&report).contains(&596), "{report:?}");
    });
}

#[test]
fn what_was_backed_up_is_verified_and_restored() {
    runtime().block_on(async {
        let (server, _session) = with_shop(Version::V2025).await;
        let (target, clock) = (server.target(Trust::Anyone), SystemClock::new());
        let mut runner = runner(&target, &clock).await;
        let backup = full(&server, "1.bak");
        assert!(runner.backup(&backup, &mut NobodyWatches).await.is_success());
        let look = Look::VerifyOnly {
            checksum: true,
            moves: Vec::new(),
        };
        let inspection = Inspection {
            look,
            devices: backup.devices.clone(),
            position: 1,
        };
        let verified = runner.verify(&inspection, &mut NobodyWatches).await;
        assert!(
            verified.is_success() && numbers(&verified).contains(&3262),
            "{verified:?}"
        );
        let shop = Identifier::new("shop").unwrap();
        let mut restore = Restore::new(shop, What::Database, backup.devices.clone());
        let refused = runner.restore(&restore, &mut NobodyWatches).await;
        assert_eq!(
            refused.verdict,
            Verdict::Failed,
            "the tail of the log is not backed up: {refused:?}"
        );
        restore.replace = true;
        restore.ending = Ending::Recovery;
        let restored = runner.restore(&restore, &mut NobodyWatches).await;
        assert!(restored.is_success(), "{restored:?}");
        let databases = databases::ask(runner.session()).await.unwrap();
        let shop = databases.iter().find(|one| one.name == "shop").unwrap();
        assert_eq!(shop.state, databases::State::Online);
        runner.close().await;
    });
}
