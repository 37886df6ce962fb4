//! T-SQL on an instance, from its own console.

use std::sync::Arc;

use simsql::answers::Transcript;
use simsql::instance::Instance;
use simsql::value::Value;

use super::servers::Server;

/// A console of `sa`, with a session of its own for each batch.
#[derive(Clone)]
pub(crate) struct Sql {
    instance: Arc<Instance>,
    address: String,
}

impl Sql {
    /// Of a running instance.
    pub(crate) fn on(server: &Server) -> Self {
        let instance = server.instance();
        Self {
            instance: instance.unwrap_or_else(|| panic!("{} is down", server.address)),
            address: server.address.clone(),
        }
    }

    /// Runs a batch, whatever comes of it.
    pub(crate) async fn run(&self, text: &str) -> Transcript {
        let mut session = self.instance.attach("sa").unwrap();
        let mut answers = Transcript::default();
        session.batch(text, &mut [], &mut answers).await;
        answers
    }

    /// Runs a batch that must succeed.
    pub(crate) async fn go(&self, text: &str) -> Transcript {
        let answers = self.run(text).await;
        let errors: Vec<_> = answers.errors().collect();
        assert!(errors.is_empty(), "{}: {text}: {errors:#?}", self.address);
        answers
    }

    /// The first value of the last result.
    pub(crate) async fn value(&self, text: &str) -> Value {
        let answers = self.go(text).await;
        let rows = answers.results.last().expect("a result");
        rows.rows
            .first()
            .expect("a row")
            .first()
            .expect("a column")
            .clone()
    }

    /// Makes a database under FULL, with a table `dbo.Orders (id int identity, what varchar(4000))` and some rows in it.
    pub(crate) async fn make_database(&self, name: &str) {
        self.go(&format!(
            "CREATE DATABASE [{name}]; ALTER DATABASE [{name}] SET RECOVERY FULL"
        ))
        .await;
        self.go(&format!(
            "CREATE TABLE [{name}].dbo.Orders (id int IDENTITY(1,1), what varchar(4000))"
        ))
        .await;
        self.add_rows(name, 5).await;
    }

    /// Adds rows of some 1 KB to `dbo.Orders`.
    pub(crate) async fn add_rows(&self, name: &str, count: u32) {
        let rows = vec![format!("(REPLICATE('x', {}))", 1000 + count % 7); count as usize];
        self.go(&format!(
            "INSERT INTO [{name}].dbo.Orders (what) VALUES {}",
            rows.join(", ")
        ))
        .await;
    }

    /// How many rows `dbo.Orders` has.
    pub(crate) async fn rows(&self, name: &str) -> i64 {
        match self
            .value(&format!("SELECT COUNT(*) FROM [{name}].dbo.Orders"))
            .await
        {
            Value::Integer(count) => count,
            other => panic!("a count is a number: {other:?}"),
        }
    }

    /// Another tool backs a database up to a file: `DATABASE` or `LOG`, with options such as `DIFFERENTIAL`.
    pub(crate) async fn foreign_backup(&self, what: &str, name: &str, file: &str, with: &str) {
        let with = if with.is_empty() {
            String::new()
        } else {
            format!(" WITH {with}")
        };
        self.go(&format!(
            "BACKUP {what} [{name}] TO DISK = '/sql/backup/{file}'{with}"
        ))
        .await;
    }
}
