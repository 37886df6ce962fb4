//! What a login without rights sees.

use simsql::instance::Version;
use simsql::value::Value;

use crate::server::{Server, start, text};

fn with_login(version: Version) -> Server {
    let server = start(version);
    server.ask("CREATE DATABASE shop; CREATE LOGIN vault WITH PASSWORD = 'p4ssW0rd!x'");
    server
}

#[test]
fn server_state_is_denied_in_the_words_of_the_version() {
    for (version, permission) in [
        (Version::V2019, "VIEW SERVER STATE"),
        (Version::V2022, "VIEW SERVER PERFORMANCE STATE"),
    ] {
        let server = with_login(version);
        let mut session = server.instance.attach("vault").unwrap();
        let transcript = server.transcript(&mut session, "SELECT * FROM sys.dm_os_sys_info");
        let errors: Vec<_> = transcript.errors().collect();
        assert_eq!(errors[0].number, 300);
        assert_eq!(
            errors[0].text,
            format!("{permission} permission was denied on object 'server', database 'master'.")
        );
        server.ask("GRANT VIEW SERVER STATE TO vault");
        assert_eq!(
            server
                .run(&mut session, "SELECT cpu_count FROM sys.dm_os_sys_info")
                .len(),
            1
        );
    }
}

#[test]
fn without_it_only_the_own_session_shows() {
    let server = with_login(Version::V2022);
    let other = server.session();
    let mut session = server.instance.attach("vault").unwrap();
    let all = "SELECT session_id, login_name FROM sys.dm_exec_sessions";
    let own = vec![Value::Integer(i64::from(session.id)), text("vault")];
    assert_eq!(server.run(&mut session, all), [own]);
    let requests = "SELECT session_id, command FROM sys.dm_exec_requests";
    let found = server.run(&mut session, requests);
    assert_eq!(
        found,
        [vec![Value::Integer(i64::from(session.id)), text("SELECT")]]
    );
    server.ask("GRANT VIEW SERVER STATE TO vault");
    assert!(server.run(&mut session, all).len() >= 2);
    drop(other);
}

#[test]
fn databases_show_to_those_who_may_view_any() {
    let server = with_login(Version::V2022);
    let mut session = server.instance.attach("vault").unwrap();
    let names = "SELECT name FROM sys.databases ORDER BY database_id";
    assert_eq!(server.run(&mut session, names).len(), 5);
    server.ask("DENY VIEW ANY DATABASE TO vault");
    assert_eq!(
        server.run(&mut session, names),
        [vec![text("master")], vec![text("tempdb")]]
    );
}

#[test]
fn probes_of_a_backup_tool() {
    let server = with_login(Version::V2022);
    let mut session = server.instance.attach("vault").unwrap();
    let probes = "SELECT IS_SRVROLEMEMBER('sysadmin'), IS_SRVROLEMEMBER('dbcreator'), IS_SRVROLEMEMBER('nothing'),
        HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE'), HAS_PERMS_BY_NAME(NULL, NULL, 'CREATE ANY DATABASE'),
        HAS_PERMS_BY_NAME(NULL, NULL, 'ALTER ANY CREDENTIAL'), HAS_PERMS_BY_NAME('shop', 'DATABASE', 'BACKUP DATABASE'), HAS_DBACCESS('shop')";
    let bits = |bits: [Option<i64>; 8]| bits.map(Value::from).to_vec();
    let some = |bit| Some(bit);
    let none = [
        some(0),
        some(0),
        None,
        some(0),
        some(0),
        some(0),
        some(0),
        some(0),
    ];
    assert_eq!(server.run(&mut session, probes), [bits(none)]);
    server.ask("ALTER SERVER ROLE dbcreator ADD MEMBER vault; GRANT ALTER ANY CREDENTIAL TO vault; USE shop; CREATE USER vault FOR LOGIN vault; ALTER ROLE db_backupoperator ADD MEMBER vault");
    let some_rights = [
        some(0),
        some(1),
        None,
        some(0),
        some(1),
        some(1),
        some(1),
        some(1),
    ];
    assert_eq!(server.run(&mut session, probes), [bits(some_rights)]);
    let here = server.run(
        &mut session,
        "USE shop; SELECT IS_ROLEMEMBER('db_backupoperator'), IS_ROLEMEMBER('db_owner'), USER_NAME(), SUSER_SNAME()",
    );
    assert_eq!(
        here,
        [vec![
            Value::Integer(1),
            Value::Integer(0),
            text("vault"),
            text("vault")
        ]]
    );
    let administrator =
        server.ask("SELECT IS_SRVROLEMEMBER('sysadmin'), HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE')");
    assert_eq!(administrator, [vec![Value::Integer(1), Value::Integer(1)]]);
}
