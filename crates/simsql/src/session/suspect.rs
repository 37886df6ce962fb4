//! `msdb.dbo.suspect_pages`: pages that were found damaged.

use crate::engine::TableFacts;
use crate::instance::State;
use crate::message::Failure;
use crate::moment::Moment;
use crate::session::{Session, names};
use crate::value::{DateTime, Value};

/// `database_id` of msdb.
const MSDB: u16 = 4;

/// Rows that the table takes; beyond them nothing is noted, as documented.
const ROWS_MAX: usize = 1000;

/// What happened to a page: `event_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageEvent {
    /// 1: an error 823, or 824 other than the next two.
    Error,
    /// 2: a bad checksum.
    Checksum,
    /// 3: a torn page.
    Torn,
    /// 4: restored.
    Restored,
}

impl PageEvent {
    fn number(self) -> i64 {
        match self {
            Self::Error => 1,
            Self::Checksum => 2,
            Self::Torn => 3,
            Self::Restored => 4,
        }
    }
}

/// Notes what happened to a page of a database, once a page and an event: after that its count rises. It is lost where msdb
/// cannot be written, as with SQL Server: nothing else should fail for it.
pub fn note(
    state: &mut State,
    (database, file, page): (u16, u16, u32),
    event: PageEvent,
    (now, local): (Moment, DateTime),
) {
    let Some(table) = table(state) else {
        return;
    };
    let Ok(rows) = names::rows(state, MSDB, table.id) else {
        return;
    };
    let key = [
        Value::Integer(i64::from(database)),
        Value::Integer(i64::from(file)),
        Value::Integer(i64::from(page)),
        Value::Integer(event.number()),
    ];
    let known = rows.iter().find(|(_, row)| row.get(..key.len()) == Some(&key));
    let count = match known.and_then(|(_, row)| row.get(key.len())) {
        Some(Value::Integer(count)) => count + 1,
        _ => 1,
    };
    if known.is_none() && rows.len() >= ROWS_MAX {
        return;
    }
    let mut row = key.to_vec();
    row.push(Value::Integer(count));
    row.push(Value::DateTime(local));
    let place = known.map(|(place, _)| *place);
    let Some(engine) = state
        .databases
        .get_mut(&MSDB)
        .and_then(|entry| entry.engine.as_mut())
    else {
        return;
    };
    let Ok(transaction) = engine.begin(now) else {
        return;
    };
    let written = match place {
        Some(place) => engine.update(transaction, table.id, place, &row),
        None => engine.insert(transaction, table.id, &row),
    };
    match written {
        Ok(_) => drop(engine.commit(transaction, now)),
        Err(_) => drop(engine.rollback(transaction, now)),
    }
}

/// Notes the pages that a statement could not read: message 824 names them, with the number of their database.
pub(crate) fn note_failure(session: &Session, failure: &Failure) {
    for message in failure.messages.iter().filter(|message| message.number == 824) {
        let database = message.text.split("database ID ").nth(1).and_then(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u16>().ok()
        });
        let (Some((file, page)), Some(database)) = (page_of(&message.text), database) else {
            continue;
        };
        let event = if message.text.contains("incorrect checksum") {
            PageEvent::Checksum
        } else if message.text.contains("torn page") {
            PageEvent::Torn
        } else {
            PageEvent::Error
        };
        let clock = &session.instance.world.clock;
        let now = clock.now();
        let local = now.local(clock.offset_minutes(now));
        note(
            &mut session.instance.state(),
            (database, file, page),
            event,
            (now, local),
        );
    }
}

fn table(state: &State) -> Option<TableFacts> {
    let engine = state.databases.get(&MSDB)?.engine.as_ref()?;
    engine.find_table("dbo", "suspect_pages")
}

/// The page that a message of DBCC or of a failed read names: `(1:118)`.
#[must_use]
pub fn page_of(text: &str) -> Option<(u16, u32)> {
    text.split('(').skip(1).find_map(|part| {
        let (inside, _) = part.split_once(')')?;
        let (file, page) = inside.split_once(':')?;
        Some((file.parse().ok()?, page.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::page_of;

    #[test]
    fn the_page_in_a_message() {
        let text = "Object ID 1977058079, index ID 0: Page (1:118) could not be processed. See other errors for details.";
        assert_eq!(page_of(text), Some((1, 118)));
        assert_eq!(
            page_of("during a read of page (4:7) in database ID 5"),
            Some((4, 7))
        );
        assert_eq!(page_of("no page (at all)"), None);
    }
}
