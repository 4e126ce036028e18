//! A machine of the lab: a network namespace, and a mount namespace in which
//! /run and /var/lib/fwmarkctl are its own.
//!
//! No process or thread has to stay in it: open descriptors keep it alive.
//! Threads enter it to do something, and programs inherit it from the thread
//! that starts them, which takes no code between fork and exec.

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd};
use std::{panic, process, thread};

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind_recursive, mount_change};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use super::program::Program;

/// One machine of the lab.
pub(crate) struct Namespace {
    net: File,
    mounts: File,
}

impl Namespace {
    /// A machine with nothing but a loopback device that is down.
    pub(crate) fn new() -> Self {
        let made = thread::spawn(|| {
            unshare(UnshareFlags::NEWNET | UnshareFlags::NEWNS);
            own_mounts();
            quiet_network();
            Self {
                net: File::open("/proc/thread-self/ns/net").unwrap(),
                mounts: File::open("/proc/thread-self/ns/mnt").unwrap(),
            }
        });
        made.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    }

    /// Runs `work` in a thread inside this namespace. There, /proc/sys/net is
    /// the namespace's; but /proc/net is not, use /proc/thread-self/net.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.enter();
                work()
            });
            inside.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
        })
    }

    /// A program to be run inside this namespace.
    pub(crate) fn command(&self, program: &str) -> Program<'_> {
        Program::new(self, program)
    }

    /// Sets a kernel parameter by its dotted name.
    pub(crate) fn sysctl(&self, name: &str, value: &str) {
        self.run(|| set_sysctl(name, value));
    }

    /// Reads a kernel parameter by its dotted name.
    pub(crate) fn sysctl_value(&self, name: &str) -> String {
        self.run(|| fs::read_to_string(sysctl_path(name)).unwrap().trim().to_owned())
    }

    /// Runs lines of iproute2's `ip`; any that fails is a panic.
    pub(crate) fn ip(&self, lines: &str) {
        self.command("ip").args(["-batch", "-"]).stdin(lines).ok();
    }

    /// What `ip link … netns` takes to put a device here.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.net.as_raw_fd())
    }

    /// What nsenter(1) takes, so that a program that others start runs here.
    pub(crate) fn entrance(&self) -> String {
        let entry = |file: &File| format!("/proc/{}/fd/{}", process::id(), file.as_raw_fd());
        format!("--net={} --mount={}", entry(&self.net), entry(&self.mounts))
    }

    fn enter(&self) {
        // A thread that shares its working folder with others can't change its
        // mount namespace.
        unshare(UnshareFlags::FS);
        let network = LinkNameSpaceType::Network;
        move_into_link_name_space(self.net.as_fd(), Some(network)).unwrap();
        let mounts = LinkNameSpaceType::Mount;
        let folder = std::env::current_dir().unwrap();
        move_into_link_name_space(self.mounts.as_fd(), Some(mounts)).unwrap();
        // Entering a mount namespace leads to its root.
        std::env::set_current_dir(folder).unwrap();
    }
}

/// rustix counts this as unsafe because of `UnshareFlags::FILES`, which would
/// take descriptors away from the thread's others; no caller here asks for it.
#[allow(deprecated, reason = "the replacement is unsafe for a flag that is not used")]
fn unshare(flags: UnshareFlags) {
    rustix::thread::unshare(flags).expect("the kernel ring needs root");
}

/// Its own /run and state folder, so that locks and journals of two labs do not
/// meet, and a /sys that shows this namespace's devices. A checkout below /run stays there.
fn own_mounts() {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    fs::create_dir_all("/var/lib/fwmarkctl").unwrap();
    let checkout = env!("CARGO_MANIFEST_DIR");
    let kept = checkout.starts_with("/run/").then(|| File::open(checkout).unwrap());
    for folder in ["/run", "/var/lib/fwmarkctl"] {
        mount("lab", folder, "tmpfs", MountFlags::empty(), None).unwrap();
    }
    if let Some(kept) = kept {
        fs::create_dir_all(checkout).unwrap();
        let opened = format!("/proc/thread-self/fd/{}", kept.as_raw_fd());
        mount_bind_recursive(opened, checkout).unwrap();
    }
    mount("lab", "/sys", "sysfs", MountFlags::empty(), None).unwrap();
}

/// Settings that devices made later inherit: no waiting for duplicate
/// addresses, no router discovery, no filter on a packet's way back (IPv4
/// settings come from the first namespace, and many distributions set one).
fn quiet_network() {
    for (name, value) in [
        ("net.ipv6.conf.all.accept_dad", "0"),
        ("net.ipv6.conf.default.accept_dad", "0"),
        ("net.ipv6.conf.all.accept_ra", "0"),
        ("net.ipv6.conf.default.accept_ra", "0"),
        ("net.ipv4.conf.all.rp_filter", "0"),
        ("net.ipv4.conf.default.rp_filter", "0"),
        ("net.ipv4.ip_forward", "0"),
    ] {
        set_sysctl(name, value);
    }
}

fn set_sysctl(name: &str, value: &str) {
    fs::write(sysctl_path(name), value)
        .unwrap_or_else(|error| panic!("can't set {name} to {value}: {error}"));
}

/// A device name in the path may itself hold a dot: sysctl writes it as a slash.
fn sysctl_path(name: &str) -> String {
    let path: String = name
        .chars()
        .map(|c| match c {
            '.' => '/',
            '/' => '.',
            other => other,
        })
        .collect();
    format!("/proc/sys/{path}")
}
