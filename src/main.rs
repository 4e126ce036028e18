//! `fwmarkctl`: arguments, tracing, the library, an exit code.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::ValueEnum;
use fwmarkctl::cli::args::{self, ColorChoice};
use fwmarkctl::cli::{self, Environment};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let environment = environment();
    let exit = match args::read(std::env::args_os()) {
        Ok(arguments) => {
            let (global, terminal) = (&arguments.global, std::io::stderr().is_terminal());
            trace(global.verbose, global.quiet, environment.colors(global.color, terminal));
            cli::run(arguments, environment)
        }
        Err(error) => {
            let json = given(["-o", "--output"]).is_some_and(|format| format == "json");
            let color =
                given(["", "--color"]).and_then(|when| ColorChoice::from_str(&when, true).ok());
            cli::usage(&error, json, color.unwrap_or(ColorChoice::Auto), &environment)
        }
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
fn trace(verbose: u8, quiet: bool, colored: bool) {
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
        .with_ansi(colored)
        .without_time()
        .with_target(false)
        // It would say so by a macro that panics where standard error cannot be written.
        .log_internal_errors(false)
        .init();
}

/// What an option, short or long, was given for a value on a command line that could not be
/// read: it says how the error is told.
fn given([short, long]: [&str; 2]) -> Option<String> {
    let words: Vec<_> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let attached = |word: &String| {
        let value = word.strip_prefix(long).and_then(|rest| rest.strip_prefix('='));
        let value = value.or_else(|| word.strip_prefix(short).filter(|_| !short.is_empty()));
        value.filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let apart = words.windows(2).filter(|pair| pair[0] == short || pair[0] == long);
    apart.map(|pair| pair[1].clone()).chain(words.iter().filter_map(attached)).next_back()
}
