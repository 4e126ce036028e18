//! The commands: one file each, thin, over the library.

mod apply;
pub mod args;
mod check;
mod clear;
mod compile;
mod completions;
mod explain;
mod failure;
mod output;
mod plan;
mod progress;
#[cfg_attr(not(test), expect(dead_code, reason = "the command that stays is yet to come"))]
mod service_manager;
mod status;

use std::io::IsTerminal;
use std::path::Path;

use args::{Arguments, Backend, Command, Global};
use output::{Output, note};

use crate::backend::Director;
use crate::backend::ipvs::KernelIpvs;
use crate::backend::nftables::Nftables;
use crate::compile::{Compiled, compile};
use crate::config::{Config, Input, Look, Options, Sources, load};
use crate::error::{Error, Exit};
use crate::history::load_marks;
use crate::model::{KNOWN_SCHEDULERS, KernelName};
use crate::state::{DirectorState, Observation, TransactionId};
use crate::transaction::{
    Identity, Journal, Lock, Outcome, Progress, RunJournal, Silent, Transaction, TransactionError,
    observe,
};

/// Runs what the command line asks for; the answer is the exit code.
pub fn run(arguments: Arguments, no_color: bool) -> Exit {
    let Arguments { global, command } = arguments;
    let output = Output::new(&global, no_color);
    let mut context = Context { global, output };
    let command = command.unwrap_or(Command::Status { groups: Vec::new(), check: false });
    let result = match command {
        Command::Check => check::run(&mut context),
        Command::Compile { format } => compile::run(&mut context, format),
        Command::Plan { detailed_exitcode } => plan::run(&mut context, detailed_exitcode),
        Command::Apply { adopt, no_wait } => apply::run(&mut context, adopt, no_wait),
        Command::Status { groups, check } => status::run(&mut context, &groups, check),
        Command::Clear { yes } => clear::run(&mut context, yes),
        Command::Explain { code } => explain::run(&mut context, &code),
        Command::Completions { shell } => completions::run(&mut context, shell),
    };
    result.unwrap_or_else(|error| {
        let exit = error.exit();
        match context.output.error(&error) {
            Ok(()) => exit,
            Err(second) => {
                note(&format!("error: {}\n", second.sentence()));
                exit
            }
        }
    })
}

/// Tells of a command line that makes no sense, as JSON where that was asked for; the
/// answer is the exit code. Help and version are answers, not errors.
pub fn usage(error: &clap::Error, json: bool, no_color: bool) -> Exit {
    let failed = error.use_stderr();
    if failed && json {
        let text = error.render().to_string();
        let mut lines = text.lines();
        let message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let hint = lines.map(str::trim).find_map(|line| line.strip_prefix("tip: "));
        let error = Error::Usage { message, hint: hint.map(str::to_owned) };
        let document = failure::document(&error);
        output::answer(&format!("{document:#}\n"));
    } else {
        let terminal =
            if failed { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
        let text = if terminal && !no_color {
            error.render().ansi().to_string()
        } else {
            failure::defuse(&error.render().to_string())
        };
        if failed { note(&text) } else { output::answer(&text) }
    }
    if failed { Exit::Refused } else { Exit::Done }
}

/// What every command has at hand.
struct Context {
    global: Global,
    output: Output,
}

impl Context {
    fn load(&mut self) -> Result<Config, Error> {
        if self.global.backend == Some(Backend::Iptables) {
            return Err(Error::Usage {
                message: "the iptables backend is not supported yet".to_owned(),
                hint: Some("leave --backend out: nftables is the default".to_owned()),
            });
        }
        let sources = if self.global.config.is_empty() {
            Sources::default_location(Path::new("/"))
        } else {
            let input = |path: &std::path::PathBuf| match path.to_str() {
                Some("-") => Input::Stdin(Box::new(std::io::stdin())),
                _ => Input::File(path.clone()),
            };
            Sources::Files(self.global.config.iter().map(input).collect())
        };
        let extra_schedulers = kernel_schedulers();
        let options = Options {
            effective_uid: rustix::process::geteuid().as_raw(),
            presets: Some(Path::new("/etc/fwmarkctl/presets")),
            extra_schedulers: &extra_schedulers,
        };
        let config = load(sources, &options)?;
        let look = Look { colour: self.output.colors_errors(), ..Look::PLAIN };
        if !self.global.quiet {
            for warning in &config.warnings {
                note(&format!("{}\n", warning.render(look)));
            }
        }
        Ok(config)
    }

    /// Whether the configuration comes from standard input, which can be read once.
    fn reads_stdin(&self) -> bool {
        self.global.config.iter().any(|path| path.as_os_str() == "-")
    }

    fn load_and_compile(&mut self) -> Result<(Config, Compiled), Error> {
        let config = self.load()?;
        let history = load_marks(&self.global.state_dir);
        let compiled = compile(&config.groups, config.director.marks, &history)?;
        Ok((config, compiled))
    }

    fn compile(&mut self) -> Result<Compiled, Error> {
        self.load_and_compile().map(|(_, compiled)| compiled)
    }

    /// Leads the kernel to `desired`.
    fn transact(
        &self,
        desired: &DirectorState,
        adopt: bool,
        journal: &dyn Journal,
    ) -> Result<Outcome, Error> {
        let (nftables, ipvs) = (Nftables::new(), KernelIpvs::new());
        let director = Director { netfilter: &nftables, ipvs: &ipvs };
        let terminal = std::io::stderr().is_terminal() && !self.global.quiet;
        let (mut shown, mut silent) = (progress::OneLine::default(), Silent);
        let progress: &mut dyn Progress = if terminal { &mut shown } else { &mut silent };
        Ok(Transaction::new(&director, identity()?, journal, progress).run(desired, adopt)?)
    }

    /// Waits until nobody else writes, or says who does; and tells whether it waited.
    fn lock(&self, no_wait: bool) -> Result<(Lock, bool), Error> {
        let quiet = self.global.quiet;
        let mut waited = false;
        let lock = Lock::take(&self.global.run_dir, |holder| {
            waited = true;
            if !no_wait && !quiet {
                note(&format!("waiting for another fwmarkctl: {holder}\n"));
            }
            !no_wait
        })?;
        Ok((lock, waited))
    }

    /// Reads the kernel: what is ours, and what is in the way of `desired`.
    fn observe(&self, desired: &DirectorState) -> Result<Observation, Error> {
        let (nftables, ipvs) = (Nftables::new(), KernelIpvs::new());
        let director = Director { netfilter: &nftables, ipvs: &ipvs };
        observe(&director, desired, &self.journal()?.services())
            .map_err(|cause| TransactionError::Unread(cause).into())
    }

    fn journal(&self) -> Result<RunJournal, Error> {
        let path = "/proc/thread-self/ns/net";
        RunJournal::new(&self.global.run_dir, &boot()?).map_err(|source| Error::File {
            action: "read",
            path: path.into(),
            source,
        })
    }
}

/// A fresh transaction of this boot.
fn identity() -> Result<Identity, Error> {
    // A random UUID by the kernel: 122 bits, of which the first 64 will do.
    let random = read_from_proc("/proc/sys/kernel/random/uuid")?;
    let digits: String = random.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    let transaction = TransactionId(u64::from_str_radix(&digits, 16).unwrap_or_default());
    Ok(Identity { transaction, boot: boot()? })
}

fn boot() -> Result<String, Error> {
    read_from_proc("/proc/sys/kernel/random/boot_id")
}

fn read_from_proc(path: &str) -> Result<String, Error> {
    std::fs::read_to_string(path).map(|text| text.trim().to_owned()).map_err(|source| Error::File {
        action: "read",
        path: path.into(),
        source,
    })
}

/// The schedulers that this kernel has as modules; mainline's own need no list.
fn kernel_schedulers() -> Vec<KernelName> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let list = format!("/lib/modules/{release}/modules.dep");
    let Ok(text) = std::fs::read_to_string(list) else { return Vec::new() };
    let modules = text.lines().filter_map(|line| line.split_once(':')).map(|(path, _)| path);
    modules
        .filter_map(|path| path.rsplit('/').next()?.strip_prefix("ip_vs_"))
        .filter_map(|name| name.split('.').next())
        .filter(|name| *name != "ftp" && !name.starts_with("pe_"))
        .filter(|name| !KNOWN_SCHEDULERS.contains(name))
        .filter_map(|name| name.parse().ok())
        .collect()
}
