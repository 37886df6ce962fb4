//! What a running server says: structured lines on standard error.
//!
//! People get text, a pipe or a journal gets one JSON object a line, unless `--log-format` or `BAC2_LOG_FORMAT` says
//! otherwise. `BAC2_LOG` sets what is said, in the directives
//! of the `tracing` filter (`warn`, `info,frontdoor=debug`); the default is `info`.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::failure::Failure;

/// The variable with the filter's directives.
const VARIABLE: &str = "BAC2_LOG";

/// The variable with the format.
const FORMAT_VARIABLE: &str = "BAC2_LOG_FORMAT";

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

impl LogFormat {
    /// What the environment says.
    fn of_environment() -> Result<Option<Self>, Failure> {
        let Some(value) = std::env::var_os(FORMAT_VARIABLE).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let value = value.to_string_lossy();
        <Self as clap::ValueEnum>::from_str(&value, true)
            .map(Some)
            .map_err(|_| {
                Failure::unusable(
                    "LogFormatInvalid",
                    format!("{FORMAT_VARIABLE} is {value:?}, which is no format of the log"),
                    "use text or json",
                )
            })
    }
}

/// Starts logging for the rest of the process.
pub(crate) fn start(format: Option<LogFormat>) -> Result<(), Failure> {
    let terminal = io::stderr().is_terminal();
    let format = match format {
        Some(format) => format,
        None => LogFormat::of_environment()?.unwrap_or(if terminal {
            LogFormat::Text
        } else {
            LogFormat::Json
        }),
    };
    let filter = match std::env::var(VARIABLE) {
        Ok(directives) => EnvFilter::try_new(&directives).map_err(|error| {
            Failure::unusable(
                "LogFilterInvalid",
                format!("{VARIABLE} is {directives:?}, which is no log filter: {error}"),
                "use a level (error, warn, info, debug, trace) or directives such as info,frontdoor=debug",
            )
        })?,
        Err(_) => EnvFilter::new("info"),
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(SystemTime)
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => lines.with_target(false).with_ansi(terminal).init(),
        LogFormat::Json => lines.json().flatten_event(true).with_ansi(false).init(),
    }
    Ok(())
}
