//! What a running server says: structured lines on standard error.
//!
//! People get text, a pipe or a journal gets one JSON object a line. `BAC2_LOG` sets what is said, in the directives
//! of the `tracing` filter (`warn`, `info,frontdoor=debug`); the default is `info`.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::failure::Failure;

/// The variable with the filter's directives.
const VARIABLE: &str = "BAC2_LOG";

/// Starts logging for the rest of the process.
pub(crate) fn start() -> Result<(), Failure> {
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
    if io::stderr().is_terminal() {
        lines.with_target(false).init();
    } else {
        lines.json().flatten_event(true).with_ansi(false).init();
    }
    Ok(())
}
