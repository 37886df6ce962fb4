//! Comparing text: `SQL_Latin1_General_CP1_CI_AS` unless a query asks for another collation.
//!
//! Case does not count, accents do, blanks at the end do not. The order is that of a dictionary: signs, digits, letters, an
//! accented letter right behind its plain one. Deliberately absent: the weights of other scripts, which are ordered by code
//! point.

use std::cmp::Ordering;

/// How text is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Collation {
    /// The server's: `..._CI_AS`.
    #[default]
    IgnoreCase,
    /// `..._CS_AS`: case counts where nothing else differs.
    Case,
    /// `..._BIN`, `..._BIN2`: code points.
    Binary,
}

impl Collation {
    /// By its name, as COLLATE has it.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let name = name.to_uppercase();
        if name.ends_with("_BIN") || name.ends_with("_BIN2") {
            Self::Binary
        } else if name.contains("_CS") {
            Self::Case
        } else {
            Self::IgnoreCase
        }
    }

    /// Something whose order is the order of texts in this collation.
    #[must_use]
    pub fn key(self, text: &str) -> TextKey {
        let text = text.trim_end_matches(' ');
        match self {
            Self::Binary => TextKey {
                letters: Vec::new(),
                accents: Vec::new(),
                exact: text.to_owned(),
            },
            Self::Case | Self::IgnoreCase => {
                let mut letters = Vec::with_capacity(text.len());
                let mut accents = Vec::new();
                for sign in text.chars() {
                    let small = fold(sign);
                    let plain = plain(small);
                    letters.push(weight(plain));
                    if plain != small {
                        accents.push((letters.len() as u32, small));
                    }
                }
                TextKey {
                    letters,
                    accents,
                    exact: if self == Self::Case {
                        text.to_owned()
                    } else {
                        String::new()
                    },
                }
            }
        }
    }

    /// Compares.
    #[must_use]
    pub fn compare(self, left: &str, right: &str) -> Ordering {
        self.key(left).cmp(&self.key(right))
    }

    /// Whether two characters are the same.
    #[must_use]
    pub fn same(self, left: char, right: char) -> bool {
        left == right || (self == Self::IgnoreCase && fold(left) == fold(right))
    }
}

/// The place of a text in the order of a collation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextKey {
    letters: Vec<u32>,
    accents: Vec<(u32, char)>,
    exact: String,
}

/// The small letter, where one character is one.
#[must_use]
pub fn fold(sign: char) -> char {
    if sign.is_ascii() {
        return sign.to_ascii_lowercase();
    }
    let mut small = sign.to_lowercase();
    match (small.next(), small.next()) {
        (Some(only), None) => only,
        _ => sign,
    }
}

/// Signs before digits before letters.
fn weight(sign: char) -> u32 {
    let class = if sign.is_alphabetic() {
        2
    } else {
        u32::from(sign.is_ascii_digit())
    };
    (class << 24) | u32::from(sign)
}

/// A letter of Latin-1 without its accent.
fn plain(small: char) -> char {
    match small {
        'à'..='å' => 'a',
        'ç' => 'c',
        'è'..='ë' => 'e',
        'ì'..='ï' => 'i',
        'ñ' => 'n',
        'ò'..='ö' | 'ø' => 'o',
        'ù'..='ü' => 'u',
        'ý' | 'ÿ' => 'y',
        'š' => 's',
        'ž' => 'z',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::Collation;

    #[test]
    fn case_and_blanks_at_the_end_do_not_count() {
        let collation = Collation::IgnoreCase;
        assert_eq!(collation.compare("Master", "mASTER  "), Ordering::Equal);
        assert_eq!(collation.compare("a", "á"), Ordering::Less);
        assert_eq!(collation.compare("á", "b"), Ordering::Less);
        assert_eq!(collation.compare("_x", "1x"), Ordering::Less);
        assert_eq!(collation.compare("9", "A"), Ordering::Less);
        assert_ne!(Collation::Case.compare("a", "A"), Ordering::Equal);
        assert_eq!(
            Collation::named("Latin1_General_BIN2").compare("a", "B"),
            Ordering::Greater
        );
    }
}
