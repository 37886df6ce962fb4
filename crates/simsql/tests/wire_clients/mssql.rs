//! mssql-tds: Microsoft's own, TDS 7.4, with extensions announced at the login.

use mssql_tds::connection::client_context::ClientContext;
use mssql_tds::connection::tds_client::{
    ExecuteOptions, PreparedStatement, ResultSet, StatementResult, TdsClient,
};
use mssql_tds::connection_provider::tds_connection_provider::TdsConnectionProvider;
use mssql_tds::core::{EncryptionSetting, TdsResult};
use mssql_tds::datatypes::column_values::ColumnValues;
use mssql_tds::datatypes::sql_string::SqlString;
use mssql_tds::datatypes::sqltypes::SqlType;
use mssql_tds::error::Error;
use mssql_tds::message::parameters::rpc_parameters::{RpcParameter, StatusFlags};
use mssql_tds::message::transaction_management::TransactionIsolationLevel;
use simsql::tds::{Encryption, Limits};

use crate::served::{Served, identity, plain, serve};
use crate::stand_in::PASSWORD;

async fn connect_with(served: &Served, password: &str, mode: EncryptionSetting) -> TdsResult<TdsClient> {
    let mut context = ClientContext::default();
    context.user_name = "sa".to_owned();
    context.password = password.into();
    context.database = "master".to_owned();
    context.encryption_options.mode = mode;
    context.encryption_options.trust_server_certificate = true;
    let place = format!("tcp:localhost,{}", served.port);
    TdsConnectionProvider {}
        .create_client(context, &place, None)
        .await
}

async fn connect(served: &Served) -> TdsClient {
    connect_with(served, PASSWORD, EncryptionSetting::PreferOff)
        .await
        .unwrap()
}

async fn rows(client: &mut TdsClient) -> Vec<Vec<ColumnValues>> {
    let mut rows = Vec::new();
    while let Some(row) = client.next_row().await.unwrap() {
        rows.push(row);
    }
    rows
}

async fn count(client: &mut TdsClient, text: &str) -> usize {
    client.execute(text.to_owned(), ()).await.unwrap();
    let count = rows(client).await.len();
    client.close_query().await.unwrap();
    count
}

fn number(error: &Error) -> Option<(u32, u8, i32, Option<i32>)> {
    match error {
        Error::SqlServerError { diagnostics } => {
            let first = diagnostics.errors.first()?;
            Some((first.number, first.state, first.class, first.line_number))
        }
        _ => None,
    }
}

fn text(text: &str) -> SqlString {
    SqlString::from_utf8_string(text.to_owned())
}

fn given(name: &str, value: SqlType) -> RpcParameter {
    RpcParameter::new(Some(name.to_owned()), StatusFlags::NONE, value)
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_in_plain_login_only_and_encrypted() {
    let without = plain().await;
    assert_eq!(count(&mut connect(&without).await, "rows 3").await, 3);
    let offered = serve(Encryption::Offered(identity()), Limits::default()).await;
    for (mode, encrypted) in [
        (EncryptionSetting::PreferOff, false),
        (EncryptionSetting::On, true),
        (EncryptionSetting::Required, true),
    ] {
        let mut client = connect_with(&offered, PASSWORD, mode).await.unwrap();
        assert_eq!(client.is_encrypted(), encrypted, "{mode:?}");
        assert_eq!(count(&mut client, "rows 3000").await, 3000, "{mode:?}");
    }
    let refused = connect_with(&without, "wrong", EncryptionSetting::PreferOff).await;
    assert_eq!(
        refused.err().as_ref().and_then(number).map(|error| error.0),
        Some(18456)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_results_and_errors_in_order() {
    let served = plain().await;
    let mut client = connect(&served).await;
    client.take_info_messages();
    client.execute("two".to_owned(), ()).await.unwrap();
    assert_eq!(rows(&mut client).await.len(), 1);
    assert!(matches!(client.advance().await.unwrap(), StatementResult::Rows));
    assert_eq!(rows(&mut client).await.len(), 2);
    assert!(matches!(client.advance().await.unwrap(), StatementResult::End));
    let said: Vec<String> = client
        .take_info_messages()
        .into_iter()
        .map(|one| one.message)
        .collect();
    assert_eq!(said, ["between"]);
    let error = client.execute("fail".to_owned(), ()).await.unwrap_err();
    assert_eq!(number(&error), Some((50_000, 3, 16, Some(7))));
    let touched = client.execute("touch".to_owned(), ()).await.unwrap();
    assert!(matches!(
        touched,
        StatementResult::NoRows {
            rows_affected: Some(42)
        }
    ));
    client.close_query().await.unwrap();
    client.execute("use żółw".to_owned(), ()).await.unwrap();
    client.close_query().await.unwrap();
    assert_eq!(client.database(), "żółw");
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_there_and_back_and_output_ones() {
    let served = plain().await;
    let mut client = connect(&served).await;
    let parameters = vec![
        given("@a", SqlType::Int(Some(-7))),
        given("@b", SqlType::NVarchar(Some(text("Gęś 😀")), 50)),
        given("@c", SqlType::NVarcharMax(Some(text(&"ż".repeat(10_000))))),
        given("@d", SqlType::VarBinaryMax(Some(vec![9; 20_000]))),
        given("@e", SqlType::BigInt(None)),
        RpcParameter::new(
            Some("@f".to_owned()),
            StatusFlags::BY_REF_VALUE,
            SqlType::Int(Some(41)),
        ),
    ];
    client
        .execute_sp_executesql("echo".to_owned(), parameters, ())
        .await
        .unwrap();
    let back = rows(&mut client).await;
    assert_eq!(back.len(), 1);
    assert_eq!(back[0][0], ColumnValues::Int(-7));
    let shown = |at: usize| match &back[0][at] {
        ColumnValues::String(text) => text.to_utf8_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(shown(1), "Gęś 😀");
    assert_eq!(shown(2), "ż".repeat(10_000));
    assert_eq!(back[0][3], ColumnValues::Bytes(vec![9; 20_000]));
    assert_eq!(back[0][4], ColumnValues::Null);
    assert!(!client.advance_to_rows().await.unwrap());
    let returned = client.get_return_values();
    client.close_query().await.unwrap();
    assert_eq!(returned.len(), 1);
    assert_eq!(
        (returned[0].param_name.as_str(), &returned[0].value),
        ("@f", &ColumnValues::Int(42))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_statements() {
    let served = plain().await;
    let mut client = connect(&served).await;
    let mut statement = PreparedStatement::new("echo");
    for n in 0..3 {
        let parameters = vec![given("@n", SqlType::Int(Some(n)))];
        client
            .execute_prepared(&mut statement, parameters, &mut None, ())
            .await
            .unwrap();
        assert_eq!(rows(&mut client).await, [[ColumnValues::Int(n)]]);
        client.close_query().await.unwrap();
    }
    let id = statement.take_id().expect("it was prepared at the first run");
    client.unprepare(id, ()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_is_read() {
    let served = plain().await;
    let mut client = connect(&served).await;
    client.execute("types".to_owned(), ()).await.unwrap();
    let all = rows(&mut client).await;
    assert_eq!(all.len(), 2);
    assert_eq!(all[0][4], ColumnValues::BigInt(i64::MIN));
    assert!(all[0].iter().all(|value| *value != ColumnValues::Null));
    assert!(all[1].iter().all(|value| *value == ColumnValues::Null));
    client.close_query().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_by_request() {
    let served = plain().await;
    let mut client = connect(&served).await;
    for _ in 0..2 {
        client
            .begin_transaction(TransactionIsolationLevel::ReadCommitted, None)
            .await
            .unwrap();
        client.commit_transaction(None, None).await.unwrap();
    }
    client
        .begin_transaction(TransactionIsolationLevel::NoChange, None)
        .await
        .unwrap();
    client.rollback_transaction(None, None).await.unwrap();
    assert_eq!(served.seen.lock().unwrap().rolled_back, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attention_in_the_middle_and_a_reset() {
    let served = plain().await;
    let mut client = connect(&served).await;
    let timeout = ExecuteOptions {
        timeout: Some(1),
        ..ExecuteOptions::default()
    };
    assert!(
        client.execute("wait".to_owned(), timeout).await.is_err(),
        "a second is over first"
    );
    assert_eq!(count(&mut client, "rows 5").await, 5);
    client.prepare_reset_connection(false);
    assert_eq!(count(&mut client, "rows 5").await, 5);
    assert_eq!(served.seen.lock().unwrap().resets, 1);
}
