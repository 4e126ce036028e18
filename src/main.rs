//! `fwmarkctl`: arguments, tracing, the library, an exit code.

use std::io::IsTerminal;
use std::process::ExitCode;

use fwmarkctl::cli::{self, Environment, args};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let environment = environment();
    let exit = match args::read(std::env::args_os()) {
        Ok(arguments) => {
            trace(arguments.global.verbose, arguments.global.quiet);
            cli::run(arguments, environment)
        }
        Err(error) => cli::usage(&error, asks_for_json(), environment.no_color),
    };
    ExitCode::from(exit as u8)
}

/// The library reads no environment variable: it is handed what matters.
fn environment() -> Environment {
    Environment {
        no_color: std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty()),
        term: std::env::var("TERM").ok(),
        utf8: speaks_utf8(),
        sudo_user: std::env::var("SUDO_USER").ok(),
        notify_socket: std::env::var_os("NOTIFY_SOCKET"),
        watchdog_usec: std::env::var("WATCHDOG_USEC").ok(),
        #[cfg(feature = "fail-points")]
        die_at: std::env::var("FWMARKCTL_DIE_AT").ok().and_then(|at| at.parse().ok()),
    }
}

/// The first of these that says anything decides (`locale(7)`).
fn speaks_utf8() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].map(|name| std::env::var(name).unwrap_or_default());
    let locale = set.iter().find(|locale| !locale.is_empty());
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Logs go to standard error; `RUST_LOG` says more precisely what `-v` says.
fn trace(verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => "error",
        (_, 0) => "warn",
        (_, 1) => "info",
        (_, 2) => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        // It would say so by a macro that panics where standard error cannot be written.
        .log_internal_errors(false)
        .init();
}

/// Whether a command line that could not be read asked for JSON all the same.
fn asks_for_json() -> bool {
    let words: Vec<_> = std::env::args_os().collect();
    words.windows(2).any(|pair| (pair[0] == "-o" || pair[0] == "--output") && pair[1] == "json")
        || words.iter().any(|word| word == "-ojson" || word == "--output=json")
}
