//! Who watches over a trial when everybody else has gone: a process in a session of its
//! own, which waits for the deadline or for the trial's end.
//!
//! It needs nothing but the trial's file. Whatever ends it, an expired trial is seen by
//! the next command, and by the next boot.

use std::io::{BufRead, BufReader, Error as IoError, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::args::Global;
use super::{Context, record_error};
use crate::error::{Error, Exit};
use crate::transaction::uptime;

/// How often it tries to end a trial that does not end, and how long it waits in between:
/// whatever is in the way may go. After that the next command ends it.
const RETRIES: u32 = 60;
const RETRY: Duration = Duration::from_secs(1);

/// What it says when it stands.
const STANDS: &str = "watching";

/// Starts one, and waits until it stands.
///
/// # Errors
/// Why there is none: then the trial must not begin.
pub(super) fn start(global: &Global) -> std::io::Result<()> {
    let mut child = Command::new("/proc/self/exe")
        .env_clear()
        .arg("--state-dir")
        .arg(std::path::absolute(&global.state_dir)?)
        .arg("--run-dir")
        .arg(std::path::absolute(&global.run_dir)?)
        .arg("await-confirmation")
        // A signal to the shell's job is not for it.
        .process_group(0)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut line)?;
    }
    if line.trim() == STANDS {
        return Ok(());
    }
    let status = child.wait()?;
    Err(IoError::other(format!("nobody would watch over the deadline: {status}")))
}

pub(super) fn run(context: &Context) -> Result<Exit, Error> {
    let failed = record_error("watch the trial");
    // A session of its own: no terminal, so no SIGHUP when it goes.
    if let Err(errno) = rustix::process::setsid() {
        // It leads its process group already when it was started by hand.
        tracing::debug!(%errno, "no session of its own");
    }
    let trial_file = context.site()?.trial_file()?;
    let folder = trial_file.path().parent().unwrap_or(Path::new("/"));
    let changes = watch(folder).map_err(|errno| failed(errno.into()))?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{STANDS}").and_then(|()| stdout.flush()).map_err(&failed)?;
    let Some(first) = trial_file.find().map_err(&failed)? else { return Ok(Exit::Done) };
    let mut refusals = 0;
    loop {
        let until = match trial_file.find().map_err(&failed)? {
            Some(trial) if trial.generation == first.generation => match trial.left() {
                Some(_) => trial.deadline,
                // Ending it is the first thing that a session does.
                None => match context.session("end of a trial", false) {
                    Ok(_) => continue,
                    Err(error) if refusals == RETRIES => return Err(error),
                    Err(error) => {
                        tracing::debug!("the trial does not end: {}", error.sentence());
                        refusals += 1;
                        uptime() + RETRY
                    }
                },
            },
            _ => return Ok(Exit::Done),
        };
        wait(&changes, until).map_err(|errno| failed(errno.into()))?;
    }
}

/// Hears of files that come and go in a folder.
fn watch(folder: &Path) -> Result<OwnedFd, Errno> {
    let changes = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    let what = inotify::WatchFlags::MOVED_TO
        | inotify::WatchFlags::DELETE
        | inotify::WatchFlags::DELETE_SELF;
    inotify::add_watch(&changes, folder, what)?;
    Ok(changes)
}

/// Waits until `deadline`, by the time since boot, or until a file changed.
fn wait(changes: &OwnedFd, deadline: Duration) -> Result<(), Errno> {
    let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC)?;
    let at = Timespec {
        tv_sec: i64::try_from(deadline.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(deadline.subsec_nanos()),
    };
    let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
    timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME, &once)?;
    let mut waiting = [
        PollFd::from_borrowed_fd(timer.as_fd(), PollFlags::IN),
        PollFd::from_borrowed_fd(changes.as_fd(), PollFlags::IN),
    ];
    rustix::io::retry_on_intr(|| poll(&mut waiting, None))?;
    // What exactly changed does not matter; it must not wake us again.
    let mut events = [0; 4096];
    match rustix::io::read(changes, &mut events) {
        Ok(_) | Err(Errno::AGAIN) => Ok(()),
        Err(errno) => Err(errno),
    }
}
