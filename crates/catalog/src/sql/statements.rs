//! All statements on records, as constants: one text for each kind and slot, the same on both engines.
//!
//! A scan's bounds are places, key and id, both left out; an empty id is below every id.

use crate::kind::{Kind, Slot};
use crate::query::Order;

/// A text with the name of a kind's table once, or twice, in it.
macro_rules! of_kind {
    ($kind:expr; $($before:literal)*; $($after:literal)*) => {
        match $kind {
            Kind::Vault => concat!($($before,)* "bac2_vault" $(, $after)*),
            Kind::Secret => concat!($($before,)* "bac2_secret" $(, $after)*),
            Kind::Host => concat!($($before,)* "bac2_host" $(, $after)*),
            Kind::Server => concat!($($before,)* "bac2_server" $(, $after)*),
            Kind::Database => concat!($($before,)* "bac2_database" $(, $after)*),
            Kind::Intent => concat!($($before,)* "bac2_intent" $(, $after)*),
            Kind::Policy => concat!($($before,)* "bac2_policy" $(, $after)*),
            Kind::Item => concat!($($before,)* "bac2_item" $(, $after)*),
            Kind::Job => concat!($($before,)* "bac2_job" $(, $after)*),
            Kind::Point => concat!($($before,)* "bac2_point" $(, $after)*),
            Kind::Container => concat!($($before,)* "bac2_container" $(, $after)*),
            Kind::Foreign => concat!($($before,)* "bac2_foreign" $(, $after)*),
            Kind::Notice => concat!($($before,)* "bac2_notice" $(, $after)*),
            Kind::ServerLog => concat!($($before,)* "bac2_serverlog" $(, $after)*),
        }
    };
    ($kind:expr; $($before:literal)*; $($between:literal)*; $($after:literal)*) => {
        match $kind {
            Kind::Vault => concat!($($before,)* "bac2_vault", $($between,)* "bac2_vault" $(, $after)*),
            Kind::Secret => concat!($($before,)* "bac2_secret", $($between,)* "bac2_secret" $(, $after)*),
            Kind::Host => concat!($($before,)* "bac2_host", $($between,)* "bac2_host" $(, $after)*),
            Kind::Server => concat!($($before,)* "bac2_server", $($between,)* "bac2_server" $(, $after)*),
            Kind::Database => concat!($($before,)* "bac2_database", $($between,)* "bac2_database" $(, $after)*),
            Kind::Intent => concat!($($before,)* "bac2_intent", $($between,)* "bac2_intent" $(, $after)*),
            Kind::Policy => concat!($($before,)* "bac2_policy", $($between,)* "bac2_policy" $(, $after)*),
            Kind::Item => concat!($($before,)* "bac2_item", $($between,)* "bac2_item" $(, $after)*),
            Kind::Job => concat!($($before,)* "bac2_job", $($between,)* "bac2_job" $(, $after)*),
            Kind::Point => concat!($($before,)* "bac2_point", $($between,)* "bac2_point" $(, $after)*),
            Kind::Container => concat!($($before,)* "bac2_container", $($between,)* "bac2_container" $(, $after)*),
            Kind::Foreign => concat!($($before,)* "bac2_foreign", $($between,)* "bac2_foreign" $(, $after)*),
            Kind::Notice => concat!($($before,)* "bac2_notice", $($between,)* "bac2_notice" $(, $after)*),
            Kind::ServerLog => {
                concat!($($before,)* "bac2_serverlog", $($between,)* "bac2_serverlog" $(, $after)*)
            }
        }
    };
}

pub(super) use of_kind;

macro_rules! scan {
    ($kind:expr, $key:literal, $way:literal) => {
        of_kind!($kind;
            "SELECT vault, id, version, generation, format, body, a, b, c, d FROM ";
            " WHERE vault = $1 AND " $key " IS NOT NULL AND (" $key ", id) > ($2, $3) AND (" $key ", id) < ($4, $5)"
            " ORDER BY " $key $way ", id" $way " LIMIT $6")
    };
}

macro_rules! count {
    ($kind:expr, $key:literal) => {
        of_kind!($kind; "SELECT COUNT(*) FROM "; " WHERE vault = $1 AND " $key " >= $2 AND " $key " < $3")
    };
}

macro_rules! holder {
    ($kind:expr, $key:literal) => {
        of_kind!($kind; "SELECT id FROM "; " WHERE vault = $1 AND " $key " = $2 AND id <> $3 LIMIT 1")
    };
}

/// $1 vault, $2 id.
pub(super) fn get(kind: Kind) -> &'static str {
    of_kind!(kind;
        "SELECT vault, id, version, generation, format, body, a, b, c, d FROM ";
        " WHERE vault = $1 AND id = $2")
}

/// $1 vault, $2 id.
pub(super) fn version(kind: Kind) -> &'static str {
    of_kind!(kind; "SELECT version FROM "; " WHERE vault = $1 AND id = $2")
}

/// $1 vault, $2 and $3 key and id before, $4 and $5 key and id behind, $6 how many. By id, $5 is not used and $3 is
/// the id before, or empty.
pub(super) fn scan(kind: Kind, slot: Slot, order: Order) -> &'static str {
    match (slot, order) {
        (Slot::Id, Order::Ascending) => of_kind!(kind;
            "SELECT vault, id, version, generation, format, body, a, b, c, d FROM ";
            " WHERE vault = $1 AND id >= $2 AND id > $3 AND id < $4 ORDER BY id LIMIT $5"),
        (Slot::Id, Order::Descending) => of_kind!(kind;
            "SELECT vault, id, version, generation, format, body, a, b, c, d FROM ";
            " WHERE vault = $1 AND id >= $2 AND id > $3 AND id < $4 ORDER BY id DESC LIMIT $5"),
        (Slot::A, Order::Ascending) => scan!(kind, "a", ""),
        (Slot::A, Order::Descending) => scan!(kind, "a", " DESC"),
        (Slot::B, Order::Ascending) => scan!(kind, "b", ""),
        (Slot::B, Order::Descending) => scan!(kind, "b", " DESC"),
        (Slot::C, Order::Ascending) => scan!(kind, "c", ""),
        (Slot::C, Order::Descending) => scan!(kind, "c", " DESC"),
        (Slot::D, Order::Ascending) => scan!(kind, "d", ""),
        (Slot::D, Order::Descending) => scan!(kind, "d", " DESC"),
    }
}

/// $1 vault, $2 first key, $3 first key that is not counted.
pub(super) fn count(kind: Kind, slot: Slot) -> &'static str {
    match slot {
        Slot::Id => count!(kind, "id"),
        Slot::A => count!(kind, "a"),
        Slot::B => count!(kind, "b"),
        Slot::C => count!(kind, "c"),
        Slot::D => count!(kind, "d"),
    }
}

/// The next vault with records, $1 the one before.
pub(super) fn next_vault(kind: Kind, order: Order) -> &'static str {
    match order {
        Order::Ascending => of_kind!(kind; "SELECT vault FROM "; " WHERE vault > $1 ORDER BY vault LIMIT 1"),
        Order::Descending => {
            of_kind!(kind; "SELECT vault FROM "; " WHERE vault < $1 ORDER BY vault DESC LIMIT 1")
        }
    }
}

/// Another record with this key: $1 vault, $2 key, $3 the id that may have it.
pub(super) fn holder(kind: Kind, slot: Slot) -> &'static str {
    match slot {
        Slot::Id => holder!(kind, "id"),
        Slot::A => holder!(kind, "a"),
        Slot::B => holder!(kind, "b"),
        Slot::C => holder!(kind, "c"),
        Slot::D => holder!(kind, "d"),
    }
}

/// $1 vault, $2 id, $3 generation, $4 format, $5 body, $6 to $9 keys.
pub(super) fn insert(kind: Kind) -> &'static str {
    of_kind!(kind;
        "INSERT INTO ";
        " (vault, id, version, generation, format, body, a, b, c, d)"
        " VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING")
}

/// $1 vault, $2 id, $3 generation, $4 format, $5 body, $6 to $9 keys, $10 expected version.
pub(super) fn update(kind: Kind) -> &'static str {
    of_kind!(kind;
        "UPDATE ";
        " SET version = version + 1, generation = $3, format = $4, body = $5, a = $6, b = $7, c = $8, d = $9"
        " WHERE vault = $1 AND id = $2 AND version = $10")
}

/// $1 vault, $2 id, $3 expected version.
pub(super) fn delete(kind: Kind) -> &'static str {
    of_kind!(kind; "DELETE FROM "; " WHERE vault = $1 AND id = $2 AND version = $3")
}
