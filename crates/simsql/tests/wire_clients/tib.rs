//! tiberius: TDS 7.3 in Rust. Not judged here: cancelling. It looks for the acknowledgement in the message that was cancelled,
//! where SQL Server since 2005 does not put it (Microsoft's JDBC driver says so and waits for a second message).

use std::time::Duration;

use futures::TryStreamExt;
use simsql::tds::{Encryption, Limits};
use tiberius::{
    AuthMethod, Client, ColumnData, Config, EncryptionLevel, Query, QueryItem, error::Error,
    error::TokenError,
};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use crate::served::{Served, eventually, identity, plain, serve};
use crate::stand_in::PASSWORD;

type Tib = Client<Compat<TcpStream>>;

async fn connect_with(
    served: &Served,
    password: &str,
    change: impl FnOnce(&mut Config),
) -> tiberius::Result<Tib> {
    let mut config = Config::new();
    config.host("localhost");
    config.port(served.port);
    config.authentication(AuthMethod::sql_server("sa", password));
    config.encryption(EncryptionLevel::NotSupported);
    config.application_name("judge");
    config.trust_cert();
    change(&mut config);
    let socket = TcpStream::connect(("127.0.0.1", served.port)).await?;
    socket.set_nodelay(true)?;
    Client::connect(config, socket.compat_write()).await
}

async fn connect(served: &Served) -> Tib {
    connect_with(served, PASSWORD, |_| {}).await.unwrap()
}

async fn count(client: &mut Tib, text: &str) -> usize {
    let rows = client
        .simple_query(text)
        .await
        .unwrap()
        .into_first_result()
        .await
        .unwrap();
    rows.len()
}

/// The server's error to a batch that fails.
async fn refused(client: &mut Tib, text: &str) -> Option<TokenError> {
    let done = match client.simple_query(text).await {
        Ok(stream) => stream.into_results().await.map(drop),
        Err(error) => Err(error),
    };
    match done {
        Err(Error::Server(error)) => Some(error),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_in_plain_login_only_and_encrypted() {
    let levels = [
        EncryptionLevel::Off,
        EncryptionLevel::On,
        EncryptionLevel::Required,
    ];
    let offered = serve(Encryption::Offered(identity()), Limits::default()).await;
    for level in levels.into_iter().chain([EncryptionLevel::NotSupported]) {
        let mut client = connect_with(&offered, PASSWORD, |config| config.encryption(level))
            .await
            .unwrap();
        assert_eq!(count(&mut client, "rows 3000").await, 3000, "{level:?}");
    }
    let required = serve(Encryption::Required(identity()), Limits::default()).await;
    let refused = connect_with(&required, PASSWORD, |_| {}).await;
    assert!(refused.is_err(), "a client that cannot encrypt");
    let mut client = connect_with(&required, PASSWORD, |config| {
        config.encryption(EncryptionLevel::On);
    })
    .await
    .unwrap();
    assert_eq!(count(&mut client, "rows 3").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_18456() {
    let served = plain().await;
    match connect_with(&served, "wrong", |_| {}).await {
        Err(Error::Server(error)) => {
            assert_eq!((error.code(), error.class()), (18456, 14));
            assert_eq!(error.message(), "Login failed for user 'sa'.");
        }
        other => panic!("{:?}", other.err()),
    }
    connect_with(&served, PASSWORD, |config| config.database("żółw"))
        .await
        .unwrap();
    let logins = served.seen.lock().unwrap().logins.clone();
    assert_eq!(logins.len(), 1);
    assert_eq!((logins[0].0.as_str(), logins[0].1.as_str()), ("żółw", "judge"));
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_there_and_back_with_nulls() {
    let served = plain().await;
    let mut client = connect(&served).await;
    let mut query = Query::new("echo");
    query.bind(-5_i32);
    query.bind(i64::MAX);
    query.bind("Zażółć 😀");
    query.bind(1.5_f64);
    query.bind(true);
    query.bind(&[0_u8, 255][..]);
    query.bind(Option::<i32>::None);
    query.bind(Option::<&str>::None);
    query.bind("ł".repeat(5000));
    query.bind(tiberius::numeric::Numeric::new_with_scale(-1234, 2));
    let guid = uuid::Uuid::from_u128(7);
    query.bind(guid);
    let row = query
        .query(&mut client)
        .await
        .unwrap()
        .into_row()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.get::<i32, _>(0), Some(-5));
    assert_eq!(row.get::<i64, _>(1), Some(i64::MAX));
    assert_eq!(row.get::<&str, _>(2), Some("Zażółć 😀"));
    assert_eq!(row.get::<f64, _>(3), Some(1.5));
    assert_eq!(row.get::<bool, _>(4), Some(true));
    assert_eq!(row.get::<&[u8], _>(5), Some(&[0, 255][..]));
    assert_eq!(row.get::<i32, _>(6), None);
    assert_eq!(row.get::<&str, _>(7), None);
    assert_eq!(row.get::<&str, _>(8).map(|text| text.chars().count()), Some(5000));
    let numeric = row.get::<tiberius::numeric::Numeric, _>(9).unwrap();
    assert_eq!(numeric.to_string(), "-12.34");
    assert_eq!(row.get::<uuid::Uuid, _>(10), Some(guid));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_of_a_result() {
    let served = plain().await;
    let mut client = connect(&served).await;
    let rows = client
        .simple_query("types")
        .await
        .unwrap()
        .into_first_result()
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
    let row = &rows[0];
    assert_eq!(row.get::<u8, _>(1), Some(255));
    assert_eq!(row.get::<i16, _>(2), Some(i16::MIN));
    assert_eq!(row.get::<f32, _>(5), Some(0.5));
    assert_eq!(row.get::<f64, _>(6), Some(-1e300));
    let lsn = row.get::<tiberius::numeric::Numeric, _>(7).unwrap();
    assert_eq!(lsn.value(), 40_000_000_012_800_001);
    assert_eq!(row.get::<f64, _>(9), Some(-1.0001));
    assert_eq!(row.get::<&str, _>(16), Some("é€   "));
    assert_eq!(row.get::<&str, _>(17), Some("naïve €"));
    assert_eq!(row.get::<&str, _>(18), Some("żół "));
    assert_eq!(row.get::<&str, _>(19), Some("Gęś 😀"));
    assert_eq!(row.get::<&[u8], _>(20), Some(&[1, 2, 0, 0][..]));
    assert_eq!(row.get::<&str, _>(22).map(str::len), Some(9000));
    let long = row.get::<&str, _>(23).unwrap();
    assert_eq!(long, "Zażółć gęślą jaźń 😀 ".repeat(2000));
    assert_eq!(row.get::<&[u8], _>(24).map(<[u8]>::len), Some(70_000));
    // 2025-11-21 is 45980 days after 1900-01-01, 739575 after 0001-01-01.
    let cells: Vec<&ColumnData> = row.cells().map(|(_, cell)| cell).collect();
    match cells[12] {
        ColumnData::DateTime(Some(moment)) => assert_eq!(moment.days(), 739_575 - 693_595),
        other => panic!("{other:?}"),
    }
    match cells[15] {
        ColumnData::DateTimeOffset(Some(moment)) => assert_eq!(moment.offset(), 60),
        other => panic!("{other:?}"),
    }
    // What `sql_variant` holds.
    assert_eq!(row.get::<i32, _>(26), Some(3));
    assert_eq!(row.get::<&str, _>(27), Some("Enterprise"));
    for (place, (column, cell)) in rows[1].cells().enumerate() {
        let shown = format!("{cell:?}");
        assert!(shown.contains("None"), "{place} {column:?}: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_results_counts_and_errors() {
    let served = plain().await;
    let mut client = connect(&served).await;
    let results = client
        .simple_query("two")
        .await
        .unwrap()
        .into_results()
        .await
        .unwrap();
    assert_eq!(results.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
    let touched = client.execute("touch", &[]).await.unwrap();
    assert_eq!(touched.rows_affected(), [42]);
    let error = refused(&mut client, "fail").await.expect("it fails");
    assert_eq!(
        (error.code(), error.state(), error.class(), error.line()),
        (50_000, 3, 16, 7)
    );
    assert_eq!(error.message(), "it does not work: żółw");
    assert_eq!(error.server(), "STANDIN");
    assert_eq!(count(&mut client, "rows 2").await, 2, "usable after an error");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_in_packets_of_every_size() {
    let served = plain().await;
    for size in [512, 4096, 32_767] {
        let mut client = connect_with(&served, PASSWORD, |config| config.packet_size(size))
            .await
            .unwrap();
        let mut stream = client.simple_query("rows 20000").await.unwrap();
        let mut sum = 0;
        while let Some(item) = stream.try_next().await.unwrap() {
            if let QueryItem::Row(row) = item {
                let n: i32 = row.get(0).unwrap();
                let text = (n % 3 != 0).then(|| format!("row {n}"));
                assert_eq!(row.get::<&str, _>(1), text.as_deref());
                sum += i64::from(n);
            }
        }
        assert_eq!(sum, 19_999 * 10_000, "packets of {size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_by_request_and_a_client_that_leaves() {
    let served = plain().await;
    let mut client = connect(&served).await;
    client.begin_transaction().await.unwrap();
    client.commit_transaction().await.unwrap();
    client.begin_transaction().await.unwrap();
    client.rollback_transaction().await.unwrap();
    assert_eq!(served.seen.lock().unwrap().rolled_back, 1);
    client.begin_transaction().await.unwrap();
    drop(client);
    eventually(&served, |seen| seen.rolled_back == 2 && seen.gone == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_cancels_its_batch() {
    let served = plain().await;
    let mut client = connect(&served).await;
    let waiting = async {
        client
            .simple_query("wait")
            .await
            .unwrap()
            .into_results()
            .await
            .map(drop)
    };
    assert!(
        tokio::time::timeout(Duration::from_millis(100), waiting)
            .await
            .is_err()
    );
    drop(client);
    eventually(&served, |seen| seen.gone == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_severity_20_ends_the_connection() {
    let served = plain().await;
    let mut client = connect(&served).await;
    let died = refused(&mut client, "die").await;
    assert_eq!(died.map(|error| error.class()), Some(20));
    eventually(&served, |seen| seen.gone == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_on_connections_and_on_silence() {
    let one = Limits {
        connections: 1,
        ..Limits::default()
    };
    let served = serve(Encryption::Off, one.clone()).await;
    let _client = connect(&served).await;
    assert!(
        connect_with(&served, PASSWORD, |_| {}).await.is_err(),
        "one is there already"
    );
    let limits = Limits {
        login: Duration::from_millis(300),
        idle: Duration::from_millis(300),
        ..one
    };
    let served = serve(Encryption::Off, limits).await;
    let client = connect(&served).await;
    // It says nothing, and so has to go; whoever does not log in has to as well.
    eventually(&served, |seen| seen.gone == 1).await;
    let silent = TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
    silent.readable().await.unwrap();
    assert_eq!(silent.try_read(&mut [0]).unwrap_or(0), 0);
    drop(client);
}
