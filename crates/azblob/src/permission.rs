//! What an access signature or a stored policy allows, letter by letter.
//!
//! A letter means what the documents of "Create a service SAS" and "Create an account SAS" say; which operation needs
//! which is in [`crate::grant`]. The order of letters is free here: it counts only in the text that is signed, which is
//! the text as it was sent.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A set of permissions. Combine with `|`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Permissions(u32);

/// Every letter there is, in the order in which Azure's own tools write them.
const LETTERS: &[u8] = b"racwdxyltfmeopiu";

macro_rules! letters {
    ($($(#[$doc:meta])* $name:ident = $letter:literal;)*) => {
        impl Permissions {
            $($(#[$doc])* pub const $name: Self = Self::of($letter);)*
        }
    };
}

letters! {
    /// `r`: content, properties, metadata, block list; being the source of a copy.
    READ = b'r';
    /// `a`: Append Block.
    ADD = b'a';
    /// `c`: a blob that is not there yet, a snapshot.
    CREATE = b'c';
    /// `w`: content, properties, metadata, leases.
    WRITE = b'w';
    /// `d`: Delete Blob, and breaking a lease.
    DELETE = b'd';
    /// `x`: deleting a version.
    DELETE_VERSION = b'x';
    /// `y`: deleting a soft-deleted version or snapshot for good.
    PERMANENT_DELETE = b'y';
    /// `l`: listings.
    LIST = b'l';
    /// `t`: tags of a blob.
    TAGS = b't';
    /// `f`: Find Blobs by Tags.
    FIND = b'f';
    /// `i`: immutability policies and legal holds.
    IMMUTABILITY = b'i';
}

impl Permissions {
    /// None at all.
    pub const NONE: Self = Self(0);
    /// Every one.
    pub const ALL: Self = Self((1 << LETTERS.len()) - 1);
    /// What SQL Server needs for BACKUP and RESTORE: read, write, delete, list.
    pub const BACKUP: Self = Self(Self::READ.0 | Self::WRITE.0 | Self::DELETE.0 | Self::LIST.0);

    const fn of(letter: u8) -> Self {
        let mut index = 0;
        while LETTERS[index] != letter {
            index += 1;
        }
        Self(1 << index)
    }

    /// Reads letters in any order. `None` for a letter that no document knows.
    pub fn parse(text: &str) -> Option<Self> {
        let mut all = Self::NONE;
        for letter in text.bytes() {
            let index = LETTERS.iter().position(|known| *known == letter)?;
            all.0 |= 1 << index;
        }
        Some(all)
    }

    /// Reads letters as a token carries them: a letter of a later version allows nothing here and is passed over.
    pub fn of_token(text: &str) -> Self {
        let mut all = Self::NONE;
        for (index, known) in LETTERS.iter().enumerate() {
            if text.bytes().any(|letter| letter == *known) {
                all.0 |= 1 << index;
            }
        }
        all
    }

    /// Whether at least one of `others` is here.
    pub fn any_of(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Whether all of `others` are here.
    pub fn all_of(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl TryFrom<String> for Permissions {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not letters of permissions")
    }
}

impl From<Permissions> for String {
    fn from(permissions: Permissions) -> Self {
        permissions.to_string()
    }
}

impl std::ops::BitOr for Permissions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, letter) in LETTERS.iter().enumerate() {
            if self.0 >> index & 1 == 1 {
                write!(f, "{}", char::from(*letter))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permissions({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_any_order_come_back_in_azures() {
        assert_eq!(Permissions::parse("ldwr").unwrap().to_string(), "rwdl");
        assert_eq!(Permissions::parse("lwdr"), Some(Permissions::BACKUP));
        assert_eq!(Permissions::parse("rq"), None);
        assert_eq!(Permissions::of_token("rq"), Permissions::READ);
        let rw = Permissions::READ | Permissions::WRITE;
        assert!(rw.any_of(Permissions::CREATE | Permissions::WRITE) && !rw.all_of(Permissions::BACKUP));
    }
}
