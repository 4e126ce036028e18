//! The shipped examples: each is applied on a director of its own, is in sync then, and is
//! gone without a trace after `clear`.

use std::fs;
use std::path::Path;

use crate::lab::{Director, VIPS_V4};
use crate::scene::Fwmarkctl;

/// The examples with their names, sorted.
pub(crate) fn examples() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// A director with the network devices that examples name.
pub(crate) fn director() -> Director {
    let director = Director::alone();
    director.namespace().ip("link add eth0 type dummy\n\
         link set eth0 up\n\
         addr add 172.18.100.1/24 dev eth0\n\
         link add eth1 type dummy\n\
         link set eth1 multicast on up\n\
         addr add 10.20.0.5/24 dev eth1\n");
    director
}

/// All that an apply could leave behind, as the field's own tools show it.
fn trace(director: &Director) -> Vec<String> {
    let ipvsadm = |arguments: &[&str]| director.command("ipvsadm").args(arguments).ok();
    let network = "rule show\nroute show table all\naddress show\n";
    let ip = |family: &str| {
        let shown = director.command("ip").args([family, "-batch", "-"]).stdin(network).ok();
        // Seconds that an address has still to live pass by themselves.
        shown.lines().filter(|line| !line.contains("valid_lft")).collect::<Vec<_>>().join("\n")
    };
    vec![
        director.ruleset(),
        ipvsadm(&["-Sn"]),
        ipvsadm(&["-L", "--daemon"]),
        ipvsadm(&["-L", "--timeout"]),
        ip("-4"),
        ip("-6"),
        director.run(parameters),
    ]
}

/// The parameters of IPVS and of forwarding.
fn parameters() -> String {
    let mut paths: Vec<_> =
        fs::read_dir("/proc/sys/net/ipv4/vs").unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.extend(
        ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"].map(Into::into),
    );
    let line = |path: &std::path::PathBuf| {
        // Some cannot be read by anybody, such as what only takes a command.
        let value = fs::read_to_string(path).unwrap_or_default();
        format!("{} = {value}", path.display())
    };
    paths.iter().map(line).collect()
}

#[test]
fn every_example_is_applied_in_sync_and_leaves_nothing_after_clear() {
    let examples = examples();
    assert!(examples.len() >= 8, "{}", examples.len());
    for (name, text) in examples {
        let director = director();
        // IPVS makes its parameters and hooks with the first request.
        director.ipvsadm_save();
        let before = trace(&director);

        let applied = director.with(&["apply"], &text).run();
        assert_eq!(applied.code, Some(0), "{name}: {}{}", applied.stdout, applied.stderr);
        director.in_sync(&text).unwrap_or_else(|differs| panic!("{name}: {differs}"));
        let status = director.with(&["status", "--check"], &text).run();
        assert_eq!(status.code, Some(0), "{name}: {}{}", status.stdout, status.stderr);
        assert_ne!(director.ipvsadm_save(), "", "{name}");

        director.fwmarkctl(&["clear", "--yes"]).ok();
        for (now, before) in trace(&director).iter().zip(&before) {
            assert_eq!(now, before, "{name} left something");
        }
    }
}

#[test]
fn a_preset_of_the_administrator_is_listed_shown_and_applied() {
    let director = Director::alone();
    director.run(|| {
        fs::create_dir_all("/etc/fwmarkctl").unwrap();
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("lab", "/etc/fwmarkctl", "tmpfs", flags, None).unwrap();
        fs::create_dir("/etc/fwmarkctl/presets").unwrap();
        let till = "description = \"Tills\\u001b[31m\"\nports = [\"9000-9010/udp\"]\n";
        fs::write("/etc/fwmarkctl/presets/till.toml", till).unwrap();
    });
    let listed = director.fwmarkctl(&["preset", "list"]).ok();
    let line = listed.lines().find(|line| line.starts_with("till ")).unwrap();
    assert!(line.ends_with("  [/etc/fwmarkctl/presets/till.toml]"), "{line}");
    // What it holds does not move the cursor of whoever looks.
    assert!(line.contains("Tills\\u{1b}[31m") && !listed.contains('\u{1b}'), "{line}");
    let shown = director.fwmarkctl(&["preset", "show", "till"]).ok();
    assert!(shown.contains("from    /etc/fwmarkctl/presets/till.toml\n"), "{shown}");

    let [vip, _] = VIPS_V4;
    let group =
        format!("[group.t]\nvips = [{vip:?}]\nservices = [\"till\"]\nreal = [\"10.0.0.1\"]\n");
    let plan = director.with(&["plan"], &group).ok();
    assert!(plan.contains(&format!("{vip}:9000-9010/udp")), "{plan}");

    director.run(|| fs::write("/etc/fwmarkctl/presets/web.toml", "port = [\"80\"]\n").unwrap());
    let broken = director.fwmarkctl(&["preset", "list"]).run();
    assert_eq!(broken.code, Some(2), "{}", broken.stdout);
    assert!(broken.stderr.contains("/etc/fwmarkctl/presets/web.toml:1:1"), "{}", broken.stderr);
}
