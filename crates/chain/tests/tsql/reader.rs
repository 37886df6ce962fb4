//! A small reader of T-SQL, written from the language's documents and not from the writer under test: what a script means to SQL Server,
//! and what the tools that send it there see in it.
//!
//! Brackets with `]]`, strings with `''`, comments to the end of the line, comments that nest, variables declared with a value.

use std::collections::HashMap;

/// A word of the language, or a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// Keyword, number or variable, in upper case.
    Word(String),
    /// `[...]`
    Name(String),
    /// `'...'` or `N'...'`
    Text(String),
    /// One character of punctuation.
    Mark(char),
}

/// A statement of a restore script, variables replaced by their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Statement {
    /// `USE [name]`
    Use(String),
    /// `IF @@ERROR <> 0 RETURN`
    Guard,
    /// `IF @@ERROR = 3013 RETURN`
    GuardOfDamaged,
    /// `RESTORE DATABASE|LOG`
    Restore(Restore),
}

/// A RESTORE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restore {
    pub(crate) is_log: bool,
    pub(crate) database: String,
    /// DISK or URL, and its name.
    pub(crate) devices: Vec<(String, String)>,
    /// Each option as its words and values, apart by spaces; values in single quotes as they are.
    pub(crate) options: Vec<Vec<Token>>,
}

impl Restore {
    /// The option that begins with `word`.
    pub(crate) fn option(&self, word: &str) -> Option<&[Token]> {
        self.options
            .iter()
            .find(|option| option[0] == Token::Word(word.to_owned()))
            .map(Vec::as_slice)
    }

    /// The value behind `word =`.
    pub(crate) fn value(&self, word: &str) -> Option<&str> {
        match self.option(word)? {
            [_, Token::Mark('='), Token::Word(value) | Token::Text(value), ..] => Some(value),
            other => panic!("{word} without a value: {other:?}"),
        }
    }

    /// Logical names and paths of the MOVEs.
    pub(crate) fn moves(&self) -> Vec<(&str, &str)> {
        self.options
            .iter()
            .filter_map(|option| match option.as_slice() {
                [
                    Token::Word(verb),
                    Token::Text(name),
                    Token::Word(to),
                    Token::Text(path),
                ] => {
                    assert_eq!((verb.as_str(), to.as_str()), ("MOVE", "TO"));
                    Some((name.as_str(), path.as_str()))
                }
                _ => None,
            })
            .collect()
    }
}

/// Cuts `script` into tokens.
pub(crate) fn tokens(script: &str) -> Vec<Token> {
    let mut rest = script.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('-', Some('-')) => while rest.next_if(|c| *c != '\n').is_some() {},
            ('/', Some('*')) => {
                rest.next();
                skip_comment(&mut rest);
            }
            ('N', Some('\'')) => {
                rest.next();
                tokens.push(Token::Text(quoted(&mut rest, '\'')));
            }
            ('\'', _) => tokens.push(Token::Text(quoted(&mut rest, '\''))),
            ('[', _) => tokens.push(Token::Name(quoted(&mut rest, ']'))),
            _ if is_of_a_word(c) => {
                let mut word = c.to_string();
                while let Some(c) = rest.next_if(|c| is_of_a_word(*c)) {
                    word.push(c);
                }
                tokens.push(Token::Word(word.to_uppercase()));
            }
            _ if c.is_whitespace() => {}
            _ => tokens.push(Token::Mark(c)),
        }
    }
    tokens
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '@' | '#')
}

fn skip_comment(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let mut depth = 1;
    while depth > 0 {
        match (rest.next().expect("a comment ends"), rest.peek()) {
            ('*', Some('/')) => depth -= 1,
            ('/', Some('*')) => depth += 1,
            _ => continue,
        }
        rest.next();
    }
}

fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, end: char) -> String {
    let mut value = String::new();
    loop {
        let c = rest.next().expect("a quote ends");
        if c == end && rest.next_if_eq(&end).is_none() {
            return value;
        }
        value.push(c);
    }
}

/// What a script does, as SQL Server would understand it.
pub(crate) fn statements(script: &str) -> Vec<Statement> {
    let mut variables = HashMap::new();
    let mut statements = Vec::new();
    for statement in tokens(script).split(|token| *token == Token::Mark(';')) {
        let words: Vec<&str> = statement
            .iter()
            .map_while(|token| match token {
                Token::Word(word) => Some(word.as_str()),
                _ => None,
            })
            .collect();
        match words.first() {
            None => assert!(statement.is_empty(), "{statement:?}"),
            Some(&"DECLARE") => {
                let (name, value) = declared(statement);
                assert_eq!(variables.insert(name, value), None, "declared twice");
            }
            Some(&"USE") => statements.push(Statement::Use(value(&statement[1], &variables))),
            Some(&"IF") => statements.push(guard(statement)),
            Some(&"RESTORE") => statements.push(Statement::Restore(restore(statement, &variables))),
            Some(other) => panic!("a statement that begins with {other}"),
        }
    }
    statements
}

fn guard(statement: &[Token]) -> Statement {
    assert_eq!(statement[..2], [word("IF"), word("@@ERROR")]);
    let (differs, equals) = ([Token::Mark('<'), Token::Mark('>')], [Token::Mark('=')]);
    if statement[2..] == [&differs[..], &[word("0"), word("RETURN")]].concat() {
        Statement::Guard
    } else {
        assert_eq!(
            statement[2..],
            [&equals[..], &[word("3013"), word("RETURN")]].concat()
        );
        Statement::GuardOfDamaged
    }
}

fn word(text: &str) -> Token {
    Token::Word(text.to_owned())
}

/// `DECLARE @x nvarchar(4000) = N'..' + NCHAR(10) + ...`
fn declared(statement: &[Token]) -> (String, String) {
    let [
        _,
        Token::Word(name),
        kind,
        Token::Mark('('),
        size,
        Token::Mark(')'),
        Token::Mark('='),
        parts @ ..,
    ] = statement
    else {
        panic!("{statement:?}");
    };
    assert_eq!((kind, size), (&word("NVARCHAR"), &word("4000")));
    let value = parts
        .split(|token| *token == Token::Mark('+'))
        .map(|part| match part {
            [Token::Text(text)] => text.clone(),
            [
                Token::Word(nchar),
                Token::Mark('('),
                Token::Word(code),
                Token::Mark(')'),
            ] => {
                assert_eq!(nchar, "NCHAR");
                let code = code.parse().expect("a number");
                char::from_u32(code).expect("a character").to_string()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    (name.clone(), value)
}

fn value(token: &Token, variables: &HashMap<String, String>) -> String {
    match token {
        Token::Name(value) | Token::Text(value) => value.clone(),
        Token::Word(name) => variables[name].clone(),
        Token::Mark(_) => panic!("{token:?}"),
    }
}

fn restore(statement: &[Token], variables: &HashMap<String, String>) -> Restore {
    let with = statement.iter().position(|token| *token == word("WITH"));
    let (what, options) = statement.split_at(with.expect("WITH"));
    let devices = match what.get(3) {
        None => Vec::new(),
        Some(from) => {
            assert_eq!(*from, word("FROM"));
            what[4..]
                .split(|token| *token == Token::Mark(','))
                .map(|device| match device {
                    [Token::Word(kind), Token::Mark('='), name] => (kind.clone(), value(name, variables)),
                    other => panic!("{other:?}"),
                })
                .collect()
        }
    };
    let resolved = |token: &Token| match token {
        Token::Word(name) if name.starts_with('@') => Token::Text(variables[name].clone()),
        _ => token.clone(),
    };
    Restore {
        is_log: match &what[1] {
            Token::Word(kind) if kind == "LOG" => true,
            Token::Word(kind) if kind == "DATABASE" => false,
            other => panic!("RESTORE {other:?}"),
        },
        database: value(&what[2], variables),
        devices,
        options: options[1..]
            .split(|token| *token == Token::Mark(','))
            .map(|option| option.iter().map(resolved).collect())
            .collect(),
    }
}

/// The restores of a script, in order.
pub(crate) fn restores(script: &str) -> Vec<Restore> {
    statements(script)
        .into_iter()
        .filter_map(|statement| match statement {
            Statement::Restore(restore) => Some(restore),
            _ => None,
        })
        .collect()
}

/// What `sqlcmd` and Management Studio act on before SQL Server sees anything, in quotes and comments or not.
pub(crate) fn assert_no_tool_acts_on(script: &str) {
    assert!(!script.contains("$("), "a variable of sqlcmd:\n{script}");
    for line in script.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
        let line = line.trim();
        let first: String = line.chars().take_while(|c| c.is_alphanumeric()).collect();
        assert!(!first.eq_ignore_ascii_case("go"), "a batch ends at {line:?}");
        assert!(
            !line.starts_with(':') && !line.starts_with("!!"),
            "a command: {line:?}"
        );
    }
    let control = script.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(control, None, "{script:?}");
}

#[test]
fn the_reader_reads_what_the_documents_say() {
    let script = "/* a /* nested */ comment; */ RESTORE DATABASE [a]]b] -- ; not a word '
        FROM DISK = N'it''s', URL='x' WITH FILE = 2, MOVE 'l' TO N'p;--', NORECOVERY;";
    let expected = Restore {
        is_log: false,
        database: "a]b".to_owned(),
        devices: vec![
            ("DISK".to_owned(), "it's".to_owned()),
            ("URL".to_owned(), "x".to_owned()),
        ],
        options: vec![
            vec![word("FILE"), Token::Mark('='), word("2")],
            vec![
                word("MOVE"),
                Token::Text("l".to_owned()),
                word("TO"),
                Token::Text("p;--".to_owned()),
            ],
            vec![word("NORECOVERY")],
        ],
    };
    assert_eq!(statements(script), [Statement::Restore(expected)]);
    let script = "DECLARE @a nvarchar(4000) = N'x' + NCHAR(10) + N'GO'; RESTORE LOG @a WITH STANDBY = @a;";
    let restores = restores(script);
    assert_eq!(restores[0].database, "x\nGO");
    assert_eq!(restores[0].value("STANDBY"), Some("x\nGO"));
}
