//! A program that runs inside a namespace of the lab.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use super::{Director, Namespace, validity};

/// A [`Command`] bound to a namespace; how it ends is up to the last call.
pub(crate) struct Program<'a> {
    namespace: &'a Namespace,
    command: Command,
    input: Option<String>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit status; none when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl<'a> Program<'a> {
    pub(super) fn new(namespace: &'a Namespace, program: &str) -> Self {
        Self { namespace, command: Command::new(program), input: None }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// What the program reads; without it, nothing.
    pub(crate) fn stdin(mut self, text: &str) -> Self {
        self.input = Some(text.to_owned());
        self
    }

    /// Starts it, to run beside the test.
    pub(crate) fn spawn(mut self) -> Running {
        let input = if self.input.is_some() { Stdio::piped() } else { Stdio::null() };
        self.command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (namespace, command) = (self.namespace, &mut self.command);
        let mut child = namespace
            .run(|| command.spawn())
            .unwrap_or_else(|error| panic!("can't start {:?}: {error}", self.command));
        let arguments = self.command.get_args().map(|it| it.to_string_lossy().into_owned());
        let ours = self.command.get_program() == OsStr::new(&Director::program());
        let arguments = if ours { arguments.collect() } else { Vec::new() };
        if let (Some(text), Some(mut pipe)) = (self.input, child.stdin.take()) {
            // A program may end without reading all; then its status tells.
            thread::spawn(move || drop(pipe.write_all(text.as_bytes())));
        }
        Running { child: Some(child), arguments }
    }

    /// Starts it on a terminal of its own, which is all that it reads and writes.
    pub(crate) fn spawn_on_terminal(mut self) -> (Running, Terminal) {
        let (terminal, end) = Terminal::open();
        let side = || Stdio::from(end.try_clone().unwrap());
        self.command.stdin(side()).stdout(side()).stderr(side());
        let (namespace, command) = (self.namespace, &mut self.command);
        let child = namespace
            .run(|| command.spawn())
            .unwrap_or_else(|error| panic!("can't start {:?}: {error}", self.command));
        (Running { child: Some(child), arguments: Vec::new() }, terminal)
    }

    /// Runs it to its end, whatever that is.
    pub(crate) fn run(self) -> Ended {
        self.spawn().wait()
    }

    /// Runs it, panics unless it succeeds, and returns its output.
    pub(crate) fn ok(self) -> String {
        let (shown, input) = (format!("{:?}", self.command), self.input.clone());
        let ended = self.run();
        assert!(
            ended.code == Some(0),
            "{shown} ended with {:?}\n{}{}\ninput: {}",
            ended.code,
            ended.stdout,
            ended.stderr,
            input.unwrap_or_default(),
        );
        ended.stdout
    }
}

/// The person's side of a terminal.
pub(crate) struct Terminal {
    side: File,
    settings: Termios,
    seen: String,
}

impl Terminal {
    /// A terminal, and the program's side of it.
    fn open() -> (Self, File) {
        let side = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&side).unwrap();
        unlockpt(&side).unwrap();
        let screen = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&side, screen).unwrap();
        let name = ptsname(&side, Vec::new()).unwrap();
        let end = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let settings = tcgetattr(&side).unwrap();
        (Self { side: side.into(), settings, seen: String::new() }, end)
    }

    /// Returns when `text` was shown.
    pub(crate) fn wait_for(&mut self, text: &str) {
        while !self.seen.contains(text) {
            let Some(bytes) = self.read() else {
                panic!("the terminal ended before {text:?}: {}", self.seen)
            };
            self.seen += &String::from_utf8_lossy(&bytes);
        }
    }

    /// What was shown until now.
    pub(crate) fn seen(&self) -> &str {
        &self.seen
    }

    /// What else was shown; none when the program's side is closed. It is a failure when
    /// nothing is shown for a minute.
    pub(crate) fn read(&mut self) -> Option<Vec<u8>> {
        let minute = Timespec { tv_sec: 60, tv_nsec: 0 };
        let ready = poll(&mut [PollFd::new(&self.side, PollFlags::IN)], Some(&minute)).unwrap();
        assert!(ready > 0, "nothing more is shown: {}", self.seen);
        let mut bytes = vec![0; 4096];
        let length = self.side.read(&mut bytes).unwrap_or(0);
        bytes.truncate(length);
        (length > 0).then_some(bytes)
    }

    /// Its settings before a program came.
    pub(crate) fn settings(&self) -> &Termios {
        &self.settings
    }

    /// The terminal itself, with its size and its settings.
    pub(crate) fn side(&self) -> &File {
        &self.side
    }

    /// Types.
    pub(crate) fn type_in(&mut self, text: &str) {
        self.side.write_all(text.as_bytes()).unwrap();
    }
}

/// A program that runs; it is killed when this is dropped. Its output is read
/// at the end, so it must not print more than a pipe holds (64 KiB) before.
pub(crate) struct Running {
    child: Option<Child>,
    /// Those of fwmarkctl, whose JSON is compared with its schema.
    arguments: Vec<String>,
}

impl Running {
    /// Its process number.
    pub(crate) fn process(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Whether it catches an end by signal, and waits for something.
    pub(crate) fn waits(&self) -> bool {
        let read = |file| std::fs::read_to_string(format!("/proc/{}/{file}", self.process()));
        let status = read("status").unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
        let terminates = 1 << (Signal::TERM.as_raw() - 1);
        caught & terminates != 0 && read("wchan").unwrap().contains("poll")
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().unwrap();
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let ended = Ended::from(self.child.take().unwrap().wait_with_output().unwrap());
        // Who was killed may have stopped in the middle of a document.
        if ended.code.is_some() {
            validity::check(&self.arguments, &ended.stdout);
        }
        ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
