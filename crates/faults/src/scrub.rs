//! Takes secrets out of texts before anybody keeps or shows them.
//!
//! SQL Server quotes URLs and statements in its messages, and client libraries quote connection strings: that is how a
//! shared access signature or a password gets into an error. What is known to announce a secret is found whatever its
//! case, and what follows is replaced by [`HIDDEN`]. It rather hides too much than too little: of a URL the whole query
//! goes.

/// What stands where a secret stood.
pub const HIDDEN: &str = "***";

/// Words that announce a secret, with `=` or `:` after them; also as the end of a longer word (MEDIAPASSWORD).
const ANYWHERE: [&str; 8] = [
    "password",
    "passphrase",
    "secret",
    "accountkey",
    "account_key",
    "sharedaccesskey",
    "sharedaccesssignature",
    "authorization",
];

/// The same, but only as whole words.
const WHOLE: [&str; 6] = ["sig", "pwd", "token", "access_token", "sas", "apikey"];

/// Words that announce a secret with a space after them (schemes of the Authorization header).
const SCHEMES: [&str; 3] = ["sharedkey ", "sharedkeylite ", "bearer "];

/// What announces a secret begins with one of these: most places of a text are passed over at once.
const FIRST: &[u8] = b"abhpst";

/// `text` with each secret replaced by [`HIDDEN`]. What has been scrubbed once stays as it is.
pub fn scrub(text: &str) -> String {
    // ASCII case folding keeps every byte's place.
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if let Some(secret) = secret_at(&lower, at) {
            out.push_str(&text[at..secret.from]);
            out.push_str(HIDDEN);
            at = secret.to;
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        out.push(c);
        at += c.len_utf8();
    }
    out
}

/// Where a secret stands: from what announces it on, bytes `from..to` go.
struct Secret {
    from: usize,
    to: usize,
}

/// The secret that is announced at `at`.
fn secret_at(lower: &str, at: usize) -> Option<Secret> {
    let rest = &lower[at..];
    if !rest.bytes().next().is_some_and(|byte| FIRST.contains(&byte)) {
        return None;
    }
    if rest.starts_with("http://") || rest.starts_with("https://") {
        return url(lower, at);
    }
    let starts_word = !lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    for scheme in SCHEMES {
        if starts_word && rest.starts_with(scheme) {
            let from = at + scheme.len();
            return Some(Secret {
                from,
                to: end_of(lower, from, char::is_whitespace),
            });
        }
    }
    let whole = WHOLE.iter().filter(|_| starts_word);
    let word = ANYWHERE
        .iter()
        .chain(whole)
        .find(|word| rest.starts_with(**word))?;
    let from = assignment(lower, at + word.len())?;
    let to = match *word {
        "authorization" => lower.len(),
        "sig" => end_of(lower, from, |c| c.is_whitespace() || "&;'\"<>),".contains(c)),
        _ => value_end(lower, from),
    };
    (to > from).then_some(Secret { from, to })
}

/// Of a URL: its query, or the name and password ahead of its host.
fn url(lower: &str, at: usize) -> Option<Secret> {
    let end = end_of(lower, at, |c| c.is_whitespace() || "'\"<>".contains(c));
    let after_scheme = at + lower[at..end].find("://")? + 3;
    let authority_end = end_of(&lower[..end], after_scheme, |c| "/?#".contains(c));
    if let Some(user) = lower[after_scheme..authority_end].rfind('@')
        && &lower[after_scheme..after_scheme + user] != HIDDEN
    {
        return Some(Secret {
            from: after_scheme,
            to: after_scheme + user,
        });
    }
    let query = at + lower[at..end].find('?')? + 1;
    (end > query).then_some(Secret { from: query, to: end })
}

/// Where the value starts, if what stands at `at` gives one: a closing quote of the name, blanks, `=` or `:`, blanks.
fn assignment(lower: &str, at: usize) -> Option<usize> {
    let rest = lower[at..].trim_start_matches(['"', '\'', ']']).trim_start();
    let rest = rest
        .strip_prefix("%3d")
        .or_else(|| rest.strip_prefix(['=', ':']))?;
    Some(lower.len() - rest.trim_start().len())
}

/// Where a value ends: a quoted one at its closing quote, any other at a blank or a semicolon.
fn value_end(lower: &str, from: usize) -> usize {
    let rest = &lower[from..];
    if rest.strip_prefix(HIDDEN).is_some_and(ends_value) {
        return from + HIDDEN.len();
    }
    let (quoted, ahead) = match rest.strip_prefix('n') {
        Some(after) if after.starts_with('\'') => (after, 1),
        _ => (rest, 0),
    };
    let Some(quote) = quoted.chars().next().filter(|c| ['\'', '"'].contains(c)) else {
        return end_of(lower, from, |c| c.is_whitespace() || c == ';');
    };
    let mut inside = quoted.char_indices().skip(1).peekable();
    while let Some((place, c)) = inside.next() {
        let escaped = c == '\\' && quote == '"';
        let doubled = c == quote && inside.peek().is_some_and(|(_, next)| *next == quote);
        if escaped || doubled {
            inside.next();
        } else if c == quote {
            return from + ahead + place + 1;
        }
    }
    lower.len()
}

/// Whether what stands behind something hidden shows that no more of it follows.
fn ends_value(after: &str) -> bool {
    let after = after.strip_prefix(',').unwrap_or(after);
    after.is_empty() || after.starts_with(|c: char| c.is_whitespace() || "&;'\"<>)}]".contains(c))
}

/// The first place from `from` on where `ends` holds, or the end of the text.
fn end_of(lower: &str, from: usize, ends: impl Fn(char) -> bool) -> usize {
    lower[from..].find(ends).map_or(lower.len(), |at| from + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, Strategy, prop_assert, prop_assert_eq, proptest};

    use super::{ANYWHERE, FIRST, SCHEMES, WHOLE, scrub};

    /// Ways in which a secret gets into a text; `{}` is where it stands.
    const FORMS: [&str; 16] = [
        "https://acct.blob.core.windows.net/c/b.bak?sv=2022-11-02&sig={}&se=2030",
        "https://acct.blob.core.windows.net/c?sig={}",
        "https://user:{}@host/c/b",
        "sv=2022-11-02&ss=b&sig={}",
        "SIG%3D{}",
        "SharedAccessSignature=sv=2022-11-02&sig={}",
        "CREATE CREDENTIAL [https://h/c] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = '{}'",
        "create credential c with identity=N'x', secret=N'{}'",
        "CREATE LOGIN l WITH PASSWORD = N'{}', CHECK_POLICY = ON",
        "DECRYPTION BY PASSWORD='{}'",
        "RESTORE ... WITH MEDIAPASSWORD = '{}'",
        "Server=tcp:h,1433;User Id=sa;Password={};Encrypt=True",
        "Pwd={};",
        "{\"password\": \"{}\"}",
        "Authorization: SharedKey acct:{}",
        "Authorization: Bearer {}",
    ];

    #[test]
    fn no_word_is_passed_over() {
        let words = ANYWHERE.iter().chain(&WHOLE).chain(&SCHEMES).chain(&["https://"]);
        for word in words {
            assert!(FIRST.contains(&word.as_bytes()[0]), "{word}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "Login failed for user 'sa'. Reason: Password did not match that for the login provided.",
            "Cannot open backup device 'https://h/c/a.bak'. Operating system error 50(The request is not supported.).",
            "The design=final of the signal",
            "Größe \u{1F4BE} = 5",
        ] {
            assert_eq!(scrub(text), text);
        }
    }

    #[test]
    fn a_quote_inside_a_quoted_secret_does_not_end_it() {
        let hidden = scrub("WITH PASSWORD = N'ab''cd', DEFAULT_DATABASE = master");
        assert_eq!(hidden, "WITH PASSWORD = ***, DEFAULT_DATABASE = master");
        assert_eq!(
            scrub("{\"password\":\"ab\\\"cd\",\"x\":1}"),
            "{\"password\":***,\"x\":1}"
        );
        assert_eq!(scrub("PASSWORD = 'never closed"), "PASSWORD = ***");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn no_secret_comes_through(
            secret in "[A-Za-z0-9+/%]{12,60}={0,2}",
            form in 0..FORMS.len(),
            upper in proptest::bool::ANY,
            around in "[ a-zA-Zß.,()\\[\\]'\u{1F600}]{0,30}",
        ) {
            let form = FORMS[form];
            // In front of a host a slash can only stand percent-encoded.
            let secret = if form.contains("{}@") { secret.replace('/', "_") } else { secret };
            let form = if upper { form.to_uppercase() } else { form.to_owned() };
            let text = format!("{around} {} {around}", form.replace("{}", &secret));
            let shown = scrub(&text);
            prop_assert!(!shown.contains(&secret), "{shown}");
            prop_assert!(!shown.contains(&secret[..12]), "{shown}");
            prop_assert_eq!(scrub(&shown), shown);
        }

        #[test]
        fn any_text_is_taken(text in proptest::collection::vec(proptest::char::any(), 0..200)
            .prop_map(String::from_iter))
        {
            let shown = scrub(&text);
            prop_assert_eq!(scrub(&shown), shown);
        }
    }
}
