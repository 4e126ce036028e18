//! What is measured: groups, and namespaces to apply them in.

use std::fs::File;
use std::process::Command;

use nix::sched::{CloneFlags, unshare};

/// A fresh network namespace, with its loopback up: IPVS refuses servers without. While
/// the file is open the namespace lives: the kernel takes seconds to clear up ten
/// thousand services, on the processor that the next program is measured on.
pub(crate) fn namespace() -> File {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
    File::open("/proc/thread-self/ns/net").unwrap()
}

/// Groups of 2 ports and 4 real servers; the first server of the middle group has
/// `weight`.
pub(crate) fn config(groups: usize, weight: u32) -> String {
    let mut text = String::new();
    for n in 0..groups {
        let (high, low) = (n / 250, n % 250 + 1);
        let weight = if n == groups / 2 { weight } else { 1 };
        text += &format!(
            "[group.g{n}]\nvips = [\"10.1.{high}.{low}\"]\nports = [\"80/tcp\", \"443/tcp\"]\n\
             scheduler = \"rr\"\npersistence = \"pfwmc\"\nreal = [\
             {{ address = \"10.2.{high}.{low}\", weight = {weight} }}, \"10.3.{high}.{low}\", \
             \"10.4.{high}.{low}\", \"10.5.{high}.{low}\"]\n\n"
        );
    }
    text
}
