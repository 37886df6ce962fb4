//! A backup's file read back by `OPENROWSET(BULK ..)`, as a client would that has no way to the server's disk.

use simsql::answers::Transcript;
use simsql::session::Session;
use simsql::value::Value;

use crate::support::{Place, log, texts, told};

const LOG: &str = "/sql/backup/log.trn";

fn run(place: &Place, session: &mut Session, text: &str) -> Transcript {
    let mut answers = Transcript::default();
    place
        .memory
        .clock
        .run_one(session.batch(text, &mut [], &mut answers));
    answers
}

fn assert_done(place: &Place, session: &mut Session, text: &str) {
    assert_eq!(texts(&run(place, session, text)), [""; 0], "{text}");
}

fn with_log() -> Place {
    let place = Place::new();
    place.backup_ok(&crate::support::full("/sql/backup/full.bak"));
    place.backup_ok(&log(LOG));
    place
}

#[test]
fn a_file_is_one_value_and_comes_in_pieces() {
    let place = with_log();
    let file = place.bytes(LOG);
    let mut session = place.session();
    let from = format!("FROM OPENROWSET(BULK N'{LOG}', SINGLE_BLOB) AS f");
    let whole = run(&place, &mut session, &format!("SELECT BulkColumn {from};"));
    assert_eq!(whole.results[0].rows, [[Value::Bytes(file.clone())]]);
    let length = run(
        &place,
        &mut session,
        &format!("SELECT CAST(DATALENGTH(f.BulkColumn) AS bigint) AS bytes {from};"),
    );
    let bytes = i64::try_from(file.len()).unwrap();
    assert_eq!(length.results[0].rows, [[Value::Integer(bytes)]]);
    let mut pieces = Vec::new();
    for at in (1..=file.len()).step_by(100_000) {
        let piece = run(
            &place,
            &mut session,
            &format!("SELECT SUBSTRING(f.BulkColumn, {at}, 100000) AS piece {from};"),
        );
        let [Value::Bytes(piece)] = piece.results[0].rows[0].as_slice() else {
            panic!("{piece:?}")
        };
        pieces.extend_from_slice(piece);
    }
    assert_eq!(pieces, file);
}

#[test]
fn what_cannot_be_read_is_refused_with_its_number() {
    let place = with_log();
    let mut session = place.session();
    let of = |path: &str, how: &str| format!("SELECT * FROM OPENROWSET(BULK N'{path}', {how}) AS f;");
    for (text, number) in [
        (of("/sql/backup/none.trn", "SINGLE_BLOB"), 4860),
        (of("/nowhere/none.trn", "SINGLE_BLOB"), 4860),
        (of(LOG, "SINGLE_CLOB"), 40510),
    ] {
        assert_eq!(told(&run(&place, &mut session, &text)), [number], "{text}");
    }
}

#[test]
fn who_may_not_read_files_is_told_so() {
    let place = with_log();
    let mut sa = place.session();
    run(
        &place,
        &mut sa,
        "CREATE LOGIN [app] WITH PASSWORD = N'Xx1!xxxxxx';",
    );
    let text = format!("SELECT * FROM OPENROWSET(BULK N'{LOG}', SINGLE_BLOB) AS f;");
    let mut app = place.instance.attach("app").unwrap();
    assert_eq!(told(&run(&place, &mut app, &text)), [4834]);
    assert_done(&place, &mut sa, "GRANT ADMINISTER BULK OPERATIONS TO [app];");
    assert_eq!(texts(&run(&place, &mut app, &text)), [""; 0]);
    assert_done(&place, &mut sa, "REVOKE ADMINISTER BULK OPERATIONS FROM [app];");
    assert_done(&place, &mut sa, "ALTER SERVER ROLE bulkadmin ADD MEMBER [app];");
    assert_eq!(texts(&run(&place, &mut app, &text)), [""; 0]);
}
