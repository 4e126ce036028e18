//! What a service manager wants to hear of a command that stays: `sd_notify(3)`, which is
//! a datagram of assignments to a local socket, and needs no library.
//!
//! Nothing here fails for the caller: the work goes on whether or not anybody listens.

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How long a manager that does not read may hold us up, once its queue is full.
const PATIENCE: Duration = Duration::from_secs(1);

/// The longest status, in bytes. systemd throws away what is longer than 4096 in all
/// (`NOTIFY_BUFFER_MAX`, `src/core/manager.c`), and with it the `READY=1` before it.
const LONGEST: usize = 1024;

/// The service manager that started us, if there is one and it wants to hear.
#[derive(Debug)]
pub(super) struct ServiceManager {
    listener: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// Of the values of `NOTIFY_SOCKET` and `WATCHDOG_USEC` (`sd_watchdog_enabled(3)`).
    /// Without a socket that can be used, nothing is sent and nothing is watched.
    pub(super) fn new(notify_socket: Option<OsString>, watchdog_usec: Option<String>) -> Self {
        let listener = notify_socket.and_then(|name| match listener(&name) {
            Ok(listener) => Some(listener),
            Err(error) => {
                tracing::debug!(%error, ?name, "the service manager cannot be told");
                None
            }
        });
        let watchdog = watchdog_usec.filter(|_| listener.is_some()).and_then(|text| {
            let period = text.parse().ok().filter(|usec| (1..u64::MAX).contains(usec));
            if period.is_none() {
                tracing::debug!(text, "WATCHDOG_USEC is no time");
            }
            period.map(Duration::from_micros)
        });
        Self { listener, watchdog }
    }

    /// We do what we were started for; it also ends a reload.
    pub(super) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// The configuration is read again; [`Self::ready`] follows, also when it was no good.
    pub(super) fn reloading(&self) {
        // Type=notify-reload (systemd.service(5)) tells by the time which reload is
        // meant, and so wants both in one datagram.
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
    }

    /// How things are, in a line for people.
    pub(super) fn status(&self, status: &str) {
        self.send(&format!("STATUS={}", one_line(status)));
    }

    /// The watchdog may wait for another period.
    pub(super) fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// We are about to end.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// How often [`Self::alive`] is due, where a watchdog waits for it: in half of its
    /// period, as `sd_watchdog_enabled(3)` recommends.
    pub(super) fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog.map(|period| period / 2)
    }

    fn send(&self, message: &str) {
        let Some((socket, manager)) = &self.listener else { return };
        if let Err(error) = socket.send_to_addr(message.as_bytes(), manager) {
            tracing::debug!(%error, message, "the service manager does not listen");
        }
    }
}

/// A socket, and the address that `NOTIFY_SOCKET` means: a path, or `@` and the name of
/// an abstract socket.
fn listener(name: &OsString) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(name)?,
        _ => return Err(io::Error::other("neither a path nor an abstract name")),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok((socket, address))
}

/// A line feed begins the next assignment, and systemd takes a carriage return for one.
fn one_line(status: &str) -> String {
    let letters =
        status.char_indices().take_while(|(at, letter)| at + letter.len_utf8() <= LONGEST);
    letters.map(|(_, letter)| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> i128 {
        let now = clock_gettime(ClockId::Monotonic);
        i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000
    }

    /// A manager at a path in a folder of its own, and what was started by it.
    fn at_a_path(watchdog: Option<&str>) -> (tempfile::TempDir, UnixDatagram, ServiceManager) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let ear = UnixDatagram::bind(&path).expect("a socket");
        ear.set_nonblocking(true).expect("a socket that answers at once");
        let manager = ServiceManager::new(Some(path.into()), watchdog.map(str::to_owned));
        (folder, ear, manager)
    }

    fn next(ear: &UnixDatagram) -> String {
        let mut bytes = [0; 8192];
        let length = ear.recv(&mut bytes).expect("a datagram");
        String::from_utf8(bytes[..length].to_vec()).expect("text")
    }

    #[test]
    fn a_manager_at_a_path_hears_each_thing_in_one_datagram() {
        let (_folder, ear, manager) = at_a_path(None);
        manager.ready("3 groups");
        assert_eq!(next(&ear), "READY=1\nSTATUS=3 groups");
        manager.status("repaired");
        assert_eq!(next(&ear), "STATUS=repaired");
        manager.alive();
        assert_eq!(next(&ear), "WATCHDOG=1");
        manager.stopping();
        assert_eq!(next(&ear), "STOPPING=1");
        assert!(ear.recv(&mut [0; 8]).is_err(), "and nothing else");
    }

    #[test]
    fn a_reload_carries_the_monotonic_time_in_microseconds() {
        let (_folder, ear, manager) = at_a_path(None);
        let before = now();
        manager.reloading();
        let after = now();
        let heard = next(&ear);
        let time = heard.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("both assignments");
        let time: i128 = time.parse().expect("a decimal number");
        assert!((before..=after).contains(&time), "{before} ≤ {time} ≤ {after}");
    }

    #[test]
    fn a_manager_at_an_abstract_name_hears() {
        let name = format!("fwmarkctl-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let ear = UnixDatagram::bind_addr(&address).expect("a socket");
        ear.set_nonblocking(true).expect("a socket that answers at once");
        ServiceManager::new(Some(format!("@{name}").into()), None).status("here");
        assert_eq!(next(&ear), "STATUS=here");
    }

    #[test]
    fn a_status_cannot_say_anything_but_a_status() {
        let (_folder, ear, manager) = at_a_path(None);
        manager.status("one\nREADY=1\r\nSTOPPING=1\0\t");
        assert_eq!(next(&ear), "STATUS=one READY=1  STOPPING=1  ");
        // Three bytes a letter: the limit is within the last one, which goes whole.
        manager.ready(&"…".repeat(2000));
        assert_eq!(next(&ear), format!("READY=1\nSTATUS={}", "…".repeat(341)));
    }

    #[test]
    fn nobody_who_listens_is_no_reason_to_stop() {
        let (folder, ear, gone) = at_a_path(None);
        drop(ear);
        gone.ready("to a socket without an owner");
        drop(folder);
        gone.ready("to a path that is gone");
        for name in ["", "@", "relative", "vsock:2:1234", &format!("/{}", "long".repeat(50))] {
            let manager = ServiceManager::new(Some(name.into()), Some("1000000".to_owned()));
            manager.ready("to nobody");
            manager.reloading();
        }
        let nobody = ServiceManager::new(None, Some("1000000".to_owned()));
        nobody.stopping();
        assert_eq!(nobody.watchdog_interval(), None);
    }

    #[test]
    fn a_manager_that_does_not_read_holds_nobody_up_for_long() {
        let (folder, _ear, manager) = at_a_path(None);
        let crowd = UnixDatagram::unbound().expect("a socket");
        crowd.set_nonblocking(true).expect("a socket that answers at once");
        while crowd.send_to(b"STATUS=", folder.path().join("notify")).is_ok() {}
        let (done, waiting) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            manager.alive();
            done.send(()).expect("somebody waits");
        });
        waiting.recv_timeout(PATIENCE * 20).expect("the call returns");
    }

    #[test]
    fn the_watchdog_is_fed_twice_in_its_period() {
        let interval = |text: &str| at_a_path(Some(text)).2.watchdog_interval();
        assert_eq!(interval("30000000"), Some(Duration::from_secs(15)));
        for no_time in ["0", "", "-1", "30s", "18446744073709551615", "18446744073709551616"] {
            assert_eq!(interval(no_time), None, "{no_time}");
        }
        assert_eq!(at_a_path(None).2.watchdog_interval(), None);
    }
}
