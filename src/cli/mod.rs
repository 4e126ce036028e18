//! The commands: one file each, thin, over the library.

mod apply;
pub mod args;
mod await_confirmation;
mod check;
mod clear;
mod compile;
mod completions;
mod confirm;
mod connections;
mod consent;
mod doctor;
mod edit;
mod environment;
mod explain;
mod export;
mod failure;
mod graph;
mod group;
mod groups;
mod history;
mod import;
mod man;
mod observer;
mod output;
mod plan;
mod preset;
mod real;
mod realserver;
mod recover;
mod replace;
mod rollback;
mod schema;
mod service_manager;
mod signals;
mod stats;
mod status;
mod top;
mod watch;
mod zero;

use std::cell::OnceCell;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::rc::Rc;

use args::{Arguments, Command, Global};
pub use environment::Environment;
use observer::Teller;
use output::{Output, note};
use signals::Signals;

use crate::backend::iptables::variant_in_use;
use crate::backend::{Director, KernelDirector};
use crate::compile::{Compiled, Past, compile};
use crate::config::{
    Config, Diagnostic, Files, Input, Instead, Look, MAX_FILE, Options, Sources, Written, load,
    write_sound,
};
use crate::error::{Error, Exit};
use crate::model::{BackendKind, DirectorSettings, Group, KNOWN_SCHEDULERS, KernelName};
use crate::operation::{self, Observer, Session, Site, Unfinished, Wait};
use crate::state::{DirectorState, Marking, Observation, Settings};
use crate::transaction::{Author, History};

/// Where an administrator keeps presets.
const PRESETS: &str = "/etc/fwmarkctl/presets";

/// Runs what the command line asks for; the answer is the exit code.
pub fn run(arguments: Arguments, environment: Environment) -> Exit {
    #[cfg(feature = "fail-points")]
    let _calls = crate::fail_points::Armed::at(environment.die_at);
    let Arguments { global, command } = arguments;
    let output = Output::new(&global, &environment);
    let mut context = Context::new(global, output, environment);
    let command = command.unwrap_or(Command::Status { groups: Vec::new(), check: false });
    let result = match command {
        Command::Check => check::run(&mut context),
        Command::Compile { format } => compile::run(&mut context, format),
        Command::Plan(options) => plan::run(&mut context, &options),
        Command::Apply(options) => apply::run(&mut context, &options),
        Command::Watch(options) => watch::run(&mut context, &options),
        Command::Confirm { no_wait } => confirm::run(&mut context, no_wait),
        Command::Rollback { generation, dry_run, no_wait } => {
            rollback::run(&mut context, generation, dry_run, no_wait)
        }
        Command::History { what } => history::run(&mut context, what.as_ref()),
        Command::Recover { abandon, no_wait } => recover::run(&mut context, abandon, no_wait),
        Command::AwaitConfirmation => await_confirmation::run(&context),
        Command::Status { groups, check } => status::run(&mut context, &groups, check),
        Command::Stats(options) => stats::run(&mut context, &options),
        Command::Top(options) => top::run(&mut context, &options),
        Command::Zero { groups, no_wait } => zero::run(&mut context, &groups, no_wait),
        Command::Connections(options) => connections::run(&mut context, &options),
        Command::Clear { yes, dry_run, no_wait } => clear::run(&mut context, yes, dry_run, no_wait),
        Command::Replace(options) => replace::run(&mut context, &options),
        Command::Group(command) => group::run(&mut context, &command),
        Command::Real(command) => real::run(&mut context, &command),
        Command::RealServer(command) => realserver::run(&mut context, &command),
        Command::Preset(what) => preset::run(&mut context, &what),
        Command::Doctor { groups } => doctor::run(&mut context, &groups),
        Command::Import { files } => import::run(&mut context, &files),
        Command::Export => export::run(&mut context),
        Command::Explain { subject, target } => explain::run(&mut context, &subject, target),
        Command::Graph(options) => graph::run(&mut context, &options),
        Command::Schema { of } => schema::run(&mut context, &of),
        Command::Completions { shell } => completions::run(&mut context, shell),
        Command::Man { page } => man::run(&mut context, page),
        Command::CompleteWords { words } => completions::answer(&mut context, &words),
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
pub fn usage(
    error: &clap::Error,
    json: bool,
    color: args::ColorChoice,
    environment: &Environment,
) -> Exit {
    let failed = error.use_stderr();
    let told = if failed && json {
        let error = failure::of_usage(&error.render().to_string());
        let document = failure::document(&error);
        match serde_json::to_string_pretty(&document) {
            Ok(text) => output::answer(&format!("{text}\n")),
            Err(error) => Err(Error::Output(error.into())),
        }
    } else {
        let terminal =
            if failed { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
        let text = if environment.colors(color, terminal) {
            error.render().ansi().to_string()
        } else {
            failure::defuse(&error.render().to_string())
        };
        if failed {
            note(&text);
            Ok(())
        } else {
            output::answer(&text)
        }
    };
    match told {
        _ if failed => Exit::Refused,
        Ok(()) => Exit::Done,
        Err(error) => {
            note(&format!("error: {}\n", error.sentence()));
            error.exit()
        }
    }
}

/// What every command has at hand.
struct Context {
    global: Global,
    output: Output,
    environment: Environment,
    /// What standard input said, which can be read once, and a configuration more often.
    stdin: Option<Vec<u8>>,
    /// What operations tell, and the signals once a command wanted them.
    teller: Rc<Teller>,
}

impl Context {
    fn new(global: Global, output: Output, environment: Environment) -> Self {
        let signals = Rc::new(OnceCell::new());
        let teller = Teller::new(signals, global.quiet, io::stderr().is_terminal());
        Self { global, output, environment, stdin: None, teller: Rc::new(teller) }
    }

    /// This director, and who acts on it.
    fn site(&self) -> Result<Site<'static>, Error> {
        Ok(Site {
            director: kernel(),
            state_dir: self.global.state_dir.clone(),
            run_dir: self.global.run_dir.clone(),
            boot: boot()?,
            author: self.author(),
        })
    }

    fn author(&self) -> Author {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let user = match &self.environment.sudo_user {
            Some(user) => user.clone(),
            None => user_name(rustix::process::getuid().as_raw()),
        };
        Author { user, host, process: std::process::id() }
    }

    /// The saved generations.
    fn history(&self) -> History {
        History::new(&self.global.state_dir)
    }

    /// As [`Site::session`].
    fn session(&self, command: &str, no_wait: bool) -> Result<Session<'static>, Error> {
        Ok(self.site()?.session(command, wait(no_wait), self.observer())?)
    }

    /// As [`Site::bare_session`].
    fn bare_session(&self, command: &str, no_wait: bool) -> Result<Session<'static>, Error> {
        Ok(self.site()?.bare_session(command, wait(no_wait), self.observer())?)
    }

    /// What operations are told to.
    fn observer(&self) -> Rc<dyn Observer> {
        Rc::<Teller>::clone(&self.teller)
    }

    /// The signals, which are taken over once, by the first that asks.
    fn signals(&self) -> Result<Rc<Signals>, Error> {
        self.teller.signals().map_err(record_error("catch signals"))
    }

    fn load(&mut self) -> Result<Config, Error> {
        self.load_with(None)
    }

    /// The configuration, with another text in place of one of its files.
    fn load_with(&mut self, instead: Option<Instead<'_>>) -> Result<Config, Error> {
        let config = self.read(instead)?;
        // What is tried out instead was shown when it was read as it is.
        if instead.is_none() {
            self.warn(&config.warnings);
        }
        Ok(config)
    }

    /// Shows what is odd in a configuration.
    fn warn<'w>(&self, warnings: impl IntoIterator<Item = &'w Diagnostic>) {
        let look = Look { colour: self.output.colors_errors(), ..Look::PLAIN };
        for warning in warnings {
            if !self.global.quiet {
                note(&format!("{}\n", warning.render(look)));
            }
        }
    }

    /// The files that the configuration is read from.
    fn files(&self) -> Files {
        let named = &self.global.config;
        if named.is_empty() {
            return Files::default_location(Path::new("/"));
        }
        Files::Named(named.iter().filter(|path| path.as_os_str() != "-").cloned().collect())
    }

    /// The same, and says nothing of what is odd in it.
    fn read(&mut self, instead: Option<Instead<'_>>) -> Result<Config, Error> {
        let sources = if self.global.config.is_empty() {
            Sources::default_location(Path::new("/"))
        } else {
            let paths = self.global.config.clone();
            let input = |path: std::path::PathBuf| match path.to_str() {
                Some("-") => self.stdin(),
                _ => Input::File(path),
            };
            Sources::Files(paths.into_iter().map(input).collect())
        };
        let extra_schedulers = kernel_schedulers();
        let options = Options {
            effective_uid: effective_uid(),
            presets: Some(Path::new(PRESETS)),
            extra_schedulers: &extra_schedulers,
            instead,
        };
        let mut config = load(sources, &options)?;
        if let Some(backend) = self.global.backend {
            config.director.backend = backend.into();
        }
        Ok(config)
    }

    /// Standard input, as often as it is asked for.
    fn stdin(&mut self) -> Input {
        if self.stdin.is_none() {
            let mut bytes = Vec::new();
            // One byte more than is allowed, so that too much is seen to be too much.
            if std::io::stdin().take(MAX_FILE + 1).read_to_end(&mut bytes).is_err() {
                // Whoever reads it finds out why.
                return Input::Stdin(Box::new(std::io::stdin()));
            }
            self.stdin = Some(bytes);
        }
        Input::Stdin(Box::new(std::io::Cursor::new(self.stdin.clone().unwrap_or_default())))
    }

    /// What a document says that was named on the command line; `-` is standard input.
    fn document(&mut self, path: &Path) -> Result<String, Error> {
        let unread = |source| Error::File { action: "read", path: path.into(), source };
        let mut text = String::new();
        let read = match (path.to_str(), path) {
            (Some("-"), _) => match self.stdin() {
                Input::Stdin(reader) => reader.take(MAX_FILE + 1).read_to_string(&mut text),
                Input::File(_) => Ok(0),
            },
            (_, path) => std::fs::File::open(path)
                .and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text)),
        };
        if read.map_err(unread)? as u64 > MAX_FILE {
            return Err(unread(io::Error::other("it is larger than 16 MiB")));
        }
        Ok(text)
    }

    fn load_and_compile(&mut self) -> Result<(Config, Compiled), Error> {
        self.load_and_compile_with(None)
    }

    fn load_and_compile_with(
        &mut self,
        instead: Option<Instead<'_>>,
    ) -> Result<(Config, Compiled), Error> {
        let mut config = self.load_with(instead)?;
        let director = &mut config.director;
        if director.backend == BackendKind::Iptables && director.variant.is_none() {
            director.variant = variant_in_use();
        }
        self.compile_config(config)
    }

    /// What the configuration becomes, without a look at the machine: where it leaves open
    /// which iptables is meant, that is nobody's.
    fn compile_unseen(&mut self) -> Result<(Config, Compiled), Error> {
        let config = self.load_with(None)?;
        self.compile_config(config)
    }

    fn compile_config(&self, config: Config) -> Result<(Config, Compiled), Error> {
        let marks = operation::marks(&self.history());
        let past = Past { marks: &marks, marking: &|| self.last_marking() };
        let compiled = compile(&config.groups, &config.director, past)?;
        Ok((config, compiled))
    }

    /// What the generation that counts marks; nothing where that is not known.
    fn last_marking(&self) -> Marking {
        self.last_state().map(|state| state.marking).unwrap_or_default()
    }

    /// The settings of the generation that counts, as they were asked for.
    fn last_settings(&self) -> Settings {
        self.last_state().map(|state| state.settings).unwrap_or_default()
    }

    fn last_state(&self) -> Option<DirectorState> {
        operation::last_state(&self.history())
    }

    /// What another process began and did not end, as far as it can be seen without the lock.
    fn unfinished(&self) -> Result<Unfinished, Error> {
        Ok(self.site()?.unfinished()?)
    }

    /// Reads the kernel: what is ours, and what is in the way of `desired`.
    fn observe(&self, desired: &DirectorState) -> Result<Observation, Error> {
        Ok(self.site()?.observe(desired)?)
    }
}

/// This machine, on which a test can make a process die.
fn kernel() -> Director<'static> {
    #[cfg(feature = "fail-points")]
    return KernelDirector::new().director_with_fail_points();
    #[cfg(not(feature = "fail-points"))]
    KernelDirector::new().director()
}

fn wait(no_wait: bool) -> Wait {
    if no_wait { Wait::No } else { Wait::Yes }
}

/// A user's name as `/etc/passwd` has it (passwd(5)), else its number.
fn user_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = uid.to_string();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id == number).then(|| name.to_owned())
    });
    name.unwrap_or(number)
}

/// Groups as text that this machine's `check` takes.
fn write_groups(groups: Vec<Group>, director: &DirectorSettings) -> Written {
    let extra_schedulers = kernel_schedulers();
    let options = Options {
        effective_uid: effective_uid(),
        extra_schedulers: &extra_schedulers,
        ..Options::default()
    };
    write_sound(groups, director, &options)
}

/// A transaction that did not end.
#[derive(serde::Serialize, schemars::JsonSchema)]
struct Interrupted {
    /// What it was for.
    purpose: String,
    generation: u64,
    user: String,
    process: u32,
}

/// A trial that waits to be confirmed.
#[derive(serde::Serialize, schemars::JsonSchema)]
struct Pending {
    generation: u64,
    /// When the state from before returns, in UTC (RFC 3339).
    deadline: String,
    /// How long that is from now; 0 when the time is over.
    seconds_left: u64,
}

impl Pending {
    /// Of what is unfinished.
    fn of(unfinished: &Unfinished) -> Option<Self> {
        unfinished.trial.as_ref().map(|trial| Self {
            generation: trial.generation,
            deadline: trial.deadline_utc.clone(),
            seconds_left: trial.left().unwrap_or_default().as_secs(),
        })
    }
}

impl Interrupted {
    /// Of what is unfinished.
    fn of(unfinished: &Unfinished) -> Option<Self> {
        let operation::Interrupted { purpose, generation, author } =
            unfinished.interrupted.clone()?;
        let (user, process) = (author.user, author.process);
        Some(Self { purpose: purpose.to_string(), generation, user, process })
    }
}

/// What is unfinished in sentences, a line each.
fn unfinished_text(unfinished: &Unfinished, output: &Output) -> String {
    let mut text = String::new();
    if let Some(trial) = &unfinished.trial {
        let what = match trial.left() {
            Some(left) => format!(
                "Generation {} waits for `fwmarkctl confirm`: {} s left, until {}.",
                trial.generation,
                left.as_secs(),
                trial.deadline_utc
            ),
            None => format!(
                "Generation {} was not confirmed in time; `fwmarkctl recover` returns to the state before.",
                trial.generation
            ),
        };
        text += &format!("{}\n", output.paint(output::Tone::Warning, what));
    }
    if let Some(Interrupted { purpose, generation, user, process }) = Interrupted::of(unfinished) {
        let what = format!(
            "A transaction has not ended ({purpose}, generation {generation}, by {user}, process {process}): \
             `fwmarkctl recover` ends it if that process died."
        );
        text += &format!("{}\n", output.paint(output::Tone::Warning, what));
    }
    text
}

/// An error of the journal or the history.
fn record_error(action: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Record { action, source }
}

fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
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
