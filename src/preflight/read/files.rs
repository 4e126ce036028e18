//! What files tell: kernel parameters, modules, units.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::preflight::scene::{Flush, Link, Modules, Units};

/// The parameters that checks ask for.
pub(super) fn sysctls(root: &Path, links: &[Link]) -> BTreeMap<String, u32> {
    let mut names = vec![
        "net.ipv4.ip_forward".to_owned(),
        "net.ipv6.conf.all.forwarding".to_owned(),
        "net.ipv4.vs.conntrack".to_owned(),
    ];
    let devices = links.iter().map(|link| link.name.as_str());
    for device in ["all"].into_iter().chain(devices) {
        for key in ["rp_filter", "arp_ignore"] {
            names.push(format!("net.ipv4.conf.{}.{key}", device.replace('.', "/")));
        }
    }
    let read = |name: String| {
        // As sysctl(8) writes it: a dot parts folders, a slash stands for a dot.
        let path: String = name
            .chars()
            .map(|letter| match letter {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect();
        let text = fs::read_to_string(root.join("proc/sys").join(path)).ok()?;
        Some((name, text.trim().parse().ok()?))
    };
    names.into_iter().filter_map(read).collect()
}

/// Modules that are there, and those that can be loaded.
pub(super) fn modules(root: &Path) -> Modules {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let folder = root.join("lib/modules").join(&release);
    let mut present = BTreeSet::new();
    if let Ok(text) = fs::read_to_string(root.join("proc/modules")) {
        present.extend(text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned));
    }
    if let Ok(text) = fs::read_to_string(folder.join("modules.builtin")) {
        present.extend(text.lines().filter_map(module_name));
    }
    let list = fs::read_to_string(folder.join("modules.dep")).ok();
    let loadable = list.map(|text| {
        let paths = text.lines().filter_map(|line| line.split(':').next());
        paths.filter_map(module_name).collect()
    });
    Modules { release, present, loadable }
}

/// `kernel/net/netfilter/ipvs/ip_vs_rr.ko.xz` is the module `ip_vs_rr`.
fn module_name(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    Some(file.split('.').next()?.replace('-', "_"))
}

/// Where units and their links are.
const UNITS: [&str; 4] =
    ["etc/systemd/system", "run/systemd/system", "lib/systemd/system", "usr/lib/systemd/system"];

/// Units that flush at start, stop or reload.
pub(super) fn units(root: &Path) -> Units {
    let mut units = Units {
        watch_enabled: is_enabled(root, "fwmarkctl-watch.service"),
        restore_enabled: is_enabled(root, "fwmarkctl.service"),
        ..Units::default()
    };
    if is_enabled(root, "nftables.service") {
        let rules = ["etc/nftables.conf", "etc/sysconfig/nftables.conf"];
        let texts = UNITS.map(|folder| format!("{folder}/nftables.service"));
        let files = rules.into_iter().map(str::to_owned).chain(texts);
        let flushing = files.into_iter().find(|file| says(root, file, "flush ruleset"));
        units.flush_ruleset.extend(flushing.map(|file| Flush {
            unit: "nftables.service".to_owned(),
            file: format!("/{file}"),
            remedy: None,
        }));
    }
    if is_enabled(root, "ipvsadm.service") {
        units.flush_ipvs.push(Flush {
            unit: "ipvsadm.service".to_owned(),
            file: "/etc/sysconfig/ipvsadm".to_owned(),
            remedy: Some("systemctl disable ipvsadm.service".to_owned()),
        });
    }
    let default = "etc/default/ipvsadm";
    if says(root, default, "AUTO=\"true\"") || says(root, default, "AUTO=true") {
        units.flush_ipvs.push(Flush {
            unit: "ipvsadm (init script)".to_owned(),
            file: format!("/{default}"),
            remedy: Some(format!("sed -i 's/^AUTO=.*/AUTO=\"false\"/' /{default}")),
        });
    }
    units
}

/// Whether a file says so outside of a comment.
fn says(root: &Path, file: &str, words: &str) -> bool {
    let Ok(text) = fs::read_to_string(root.join(file)) else { return false };
    text.lines().any(|line| !line.trim_start().starts_with('#') && line.contains(words))
}

/// Whether a target wants the unit: a link in a folder `*.wants` (systemd.unit(5)).
pub(super) fn is_enabled(root: &Path, unit: &str) -> bool {
    ["etc/systemd/system", "run/systemd/system"].into_iter().any(|folder| {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { return false };
        let wants = entries.filter_map(Result::ok).map(|entry| entry.path());
        wants
            .filter(|path| path.extension().is_some_and(|ending| ending == "wants"))
            .any(|path| fs::symlink_metadata(path.join(unit)).is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    #[test]
    fn only_what_is_enabled_and_flushes_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        assert_eq!(units(root), Units::default());
        write(root, "etc/nftables.conf", "#!/usr/sbin/nft -f\n# flush ruleset\ntable inet t {}\n");
        write(root, "etc/systemd/system/sysinit.target.wants/nftables.service", "");
        assert_eq!(units(root), Units::default());
        write(
            root,
            "lib/systemd/system/nftables.service",
            "ExecStop=/usr/sbin/nft flush ruleset\n",
        );
        write(root, "etc/default/ipvsadm", "# AUTO=\"true\"\nAUTO=\"true\"\n");
        let found = units(root);
        assert_eq!(found.flush_ruleset[0].file, "/lib/systemd/system/nftables.service");
        assert_eq!(found.flush_ipvs[0].file, "/etc/default/ipvsadm");
        assert!(!found.watch_enabled);
        write(root, "etc/nftables.conf", "flush ruleset\n");
        assert_eq!(units(root).flush_ruleset[0].file, "/etc/nftables.conf");
        write(root, "etc/systemd/system/multi-user.target.wants/fwmarkctl-watch.service", "");
        assert!(units(root).watch_enabled && !units(root).restore_enabled);
        write(root, "etc/systemd/system/nftables.service.wants/fwmarkctl.service", "");
        assert!(units(root).restore_enabled);
    }

    #[test]
    fn modules_are_named_by_their_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        write(root, "proc/modules", "ip_vs_rr 16384 2 - Live 0x0\nip_vs 1 3 ip_vs_rr, Live 0x0\n");
        let release = modules(root).release;
        assert_eq!(modules(root).loadable, None);
        let list = format!("lib/modules/{release}/modules.dep");
        write(root, &list, "kernel/net/ip_vs_pe-sip.ko.xz: a b\nkernel/net/ip_vs_mh.ko:\n");
        let modules = modules(root);
        assert_eq!(modules.has("ip_vs_rr"), Some(true));
        assert_eq!(modules.has("ip_vs_pe_sip"), Some(true));
        assert_eq!(modules.has("ip_vs_twos"), Some(false));
    }

    #[test]
    fn a_dot_in_a_device_is_a_slash_in_its_parameter() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "proc/sys/net/ipv4/conf/eth0.7/rp_filter", "1\n");
        let link = Link {
            index: 3,
            name: "eth0.7".to_owned(),
            is_up: true,
            is_loopback: false,
            speaks_arp: true,
            mtu: 1500,
        };
        let read = sysctls(folder.path(), &[link]);
        assert_eq!(read.get("net.ipv4.conf.eth0/7.rp_filter"), Some(&1));
    }
}
