//! What ships for the packages of firewalls, below rules/: each file loads, and does what
//! it says.

use std::path::PathBuf;

use crate::lab::{CLIENT, CLIENT_V6, Director, Lab, Program};
use crate::scene::{Fwmarkctl, reboot};

/// A group with an automatic mark, which is what the files accept.
const WEB: &str = r#"
[group.web]
vips = ["172.18.100.7", "2001:db8:18:100::7"]
ports = ["80/tcp", "443/tcp"]
persistence = "pfwmc"
real = ["172.18.100.11", "172.18.100.12", "2001:db8:18:100::11", "2001:db8:18:100::12"]
"#;

/// What a client reaches of it.
const TARGETS: [(&str, &str); 3] = [
    (CLIENT, "172.18.100.7:80"),
    (CLIENT, "172.18.100.7:443"),
    (CLIENT_V6, "[2001:db8:18:100::7]:443"),
];

fn shipped(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "rules", name].iter().collect()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(shipped(name)).unwrap()
}

/// A lab whose director serves [`WEB`].
fn lab() -> Lab {
    let lab = Lab::dr();
    lab.serve_tcp(&[80, 443]);
    lab.director().apply(WEB);
    lab
}

/// Whether all targets of [`WEB`] answer, or none.
fn served(lab: &Lab) -> bool {
    let reached = |(source, target): (&str, &str)| lab.client().tcp(source, target).is_ok();
    let answers = TARGETS.map(reached);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    answers[0]
}

#[test]
fn the_files_for_nftables_load_as_they_are_shipped() {
    let director = Director::alone();
    let folder = shipped("nftables");
    for _ in 0..2 {
        director
            .command("nft")
            .args(["-I", folder.to_str().unwrap(), "-f"])
            .arg(shipped("nftables/nftables.conf"))
            .ok();
    }
    let ruleset = director.nft_ruleset();
    assert!(ruleset.contains("192.0.2.10 . udp . 443"), "{ruleset}");
    let accept = ruleset.find("0x4c560000-0x4c56ffff accept");
    assert!(accept.is_some() && accept < ruleset.find("ct state invalid drop"), "{ruleset}");
}

#[test]
fn a_filter_of_nftables_that_drops_lets_through_what_is_marked() {
    let lab = lab();
    let director = lab.director();
    // As somebody has it in /etc/nftables: the files that ship, with marks of their own.
    let load = |accept: &str| {
        let marks = director.with(&["compile", "--format", "nft"], WEB).ok();
        director.run(|| {
            let folder = PathBuf::from("/run/nftables");
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("shop.nft"), marks).unwrap();
            std::fs::write(folder.join("accept.nft"), accept).unwrap();
        });
        director
            .command("nft")
            .args(["-I", "/run/nftables", "-f"])
            .arg(shipped("nftables/nftables.conf"))
            .ok();
    };
    load("# nothing\n");
    assert!(!served(&lab), "the filter drops");
    load(&read("nftables/accept.nft"));
    assert!(served(&lab));
    // The record of who applied it went with the flush, and nothing else.
    director.apply(WEB);
    director.in_sync(WEB).unwrap();
    assert!(served(&lab));
}

#[test]
fn filters_of_both_iptables_let_through_what_is_marked() {
    for variant in ["legacy", "nft"] {
        let lab = lab();
        let director = lab.director();
        let rules = read("iptables/accept.rules");
        let tools = ["iptables", "ip6tables"].map(|tool| format!("{tool}-{variant}"));
        for tool in &tools {
            // Neighbour discovery has to go on.
            let icmp = if tool.starts_with("ip6") { "ipv6-icmp" } else { "icmp" };
            let filter = format!(
                "*filter\n:INPUT DROP [0:0]\n\
                 -A INPUT -m conntrack --ctstate INVALID -j DROP\n\
                 -A INPUT -p {icmp} -j ACCEPT\nCOMMIT\n"
            );
            director.command(&format!("{tool}-restore")).stdin(&filter).ok();
        }
        assert!(!served(&lab), "{variant} drops");
        for tool in &tools {
            let restore = || director.command(&format!("{tool}-restore")).stdin(&rules);
            restore().args(["--noflush", "--test"]).ok();
            restore().arg("--noflush").ok();
        }
        assert!(served(&lab), "{variant}");
    }
}

/// What the programs of a variant are called, with the format that `compile` has for them.
fn tools(variant: &str) -> [(String, &'static str); 2] {
    ["iptables", "ip6tables"].map(|tool| (format!("{tool}-{variant}-restore"), tool))
}

#[test]
fn the_fragments_for_both_iptables_load_as_they_are_shipped() {
    for variant in ["legacy", "nft"] {
        let director = Director::alone();
        for ((restore, _), file) in tools(variant).iter().zip(["shop.v4", "shop.v6"]) {
            let load = || director.command(restore).stdin(&read(&format!("iptables/{file}")));
            load().args(["--noflush", "--test"]).ok();
            load().arg("--noflush").ok();
            load().ok();
        }
        for tool in ["iptables", "ip6tables"] {
            let saved = director.command(&format!("{tool}-{variant}-save")).ok();
            let jumps = saved.matches("-A PREROUTING -j FWMARKCTL").count();
            assert_eq!((jumps, saved.matches("--set-xmark 0x4c563fe1").count()), (1, 2), "{saved}");
        }
    }
}

/// What `compile` prints serves clients without an apply, whichever way it is loaded; and
/// it is what stands there, for a director that marks by iptables.
#[test]
fn what_compile_prints_for_iptables_marks() {
    for (variant, noflush) in [("legacy", true), ("legacy", false), ("nft", true), ("nft", false)] {
        let lab = Lab::dr();
        lab.serve_tcp(&[80, 443]);
        let director = lab.director();
        for (restore, format) in tools(variant) {
            let text = director.with(&["compile", "--format", format], WEB).ok();
            let options: &[&str] = if noflush { &["--noflush"] } else { &[] };
            director.command(&restore).args(["--test"]).args(options).stdin(&text).ok();
            director.command(&restore).args(options).stdin(&text).ok();
        }
        assert!(!served(&lab), "without services");
        director.ipvsadm(&director.with(&["compile", "--format", "ipvsadm"], WEB).ok());
        assert!(served(&lab), "{variant}, noflush: {noflush}");
    }
}

#[test]
fn compile_has_nothing_to_say_of_a_family_that_is_not_there() {
    let director = Director::alone();
    let only4 =
        "[group.web]\nvips = [\"172.18.100.7\"]\nports = [\"80/tcp\"]\nreal = [\"10.0.0.1\"]";
    let text = director.with(&["compile", "--format", "ip6tables"], only4).ok();
    assert_eq!(text, "# nothing of ipv6 is marked\n");
    for (restore, _) in tools("legacy").into_iter().chain(tools("nft")) {
        director.command(&restore).arg("--noflush").stdin(&text).ok();
    }
}

/// The plugin, as netfilter-persistent(8) runs it.
fn plugin<'a>(director: &'a Director, action: &str) -> Program<'a> {
    director
        .command("run-parts")
        .args(["--verbose", "--exit-on-error", "-a", action])
        .arg(shipped("netfilter-persistent"))
        .env("FWMARKCTL", &Director::program())
}

#[test]
fn the_plugin_of_netfilter_persistent_starts_saves_and_flushes() {
    let lab = lab();
    let director = lab.director();
    let services = director.ipvsadm_save();
    plugin(director, "save").ok();
    director.in_sync(WEB).unwrap();

    plugin(director, "flush").ok();
    assert!(!director.nft_ruleset().contains("fwmarkctl"));
    assert_eq!(director.ipvsadm_save(), services, "connections live on");
    assert!(!served(&lab));
    plugin(director, "flush").ok();

    plugin(director, "start").ok();
    director.in_sync(WEB).unwrap();
    assert!(served(&lab));
    reboot(director);
    plugin(director, "start").ok();
    director.in_sync(WEB).unwrap();

    let stop = plugin(director, "stop").ok();
    assert!(stop.contains("Nothing is flushed"), "{stop}");
    let unknown = plugin(director, "bogus").run();
    assert!(unknown.stderr.contains("Usage: "), "{unknown:?}");
    assert_ne!(unknown.code, Some(0));
    director.in_sync(WEB).unwrap();
}

/// What is saved while marks are in sets loads on a director that has none yet.
#[test]
fn what_the_plugin_saves_loads_after_a_boot() {
    let director = Director::alone();
    let sets = WEB.replacen(
        '[',
        "[director]\nbackend = \"iptables\"\nvariant = \"nft\"\nmax-rules = 0\n[",
        1,
    );
    director.apply(&sets);
    director.command("iptables-nft").args("-A INPUT -p tcp --dport 23 -j DROP".split(' ')).ok();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.v4");
    let saved = director.command("iptables-nft-save").arg("-c").ok();
    assert!(saved.contains("--map-set fwmarkctl-a-port4"), "{saved}");
    let restore = |text: &str| Director::alone().command("iptables-nft-restore").stdin(text).run();
    assert_ne!(restore(&saved).code, Some(0), "the sets are not there");

    std::fs::write(&file, &saved).unwrap();
    plugin(&director, "save").env("FWMARKCTL_SAVED_RULES", folder.path().to_str().unwrap()).ok();
    let saved = std::fs::read_to_string(&file).unwrap();
    assert!(saved.contains("--dport 23 -j DROP") && !saved.contains("FWMARKCTL"), "{saved}");
    assert_eq!(restore(&saved).code, Some(0), "{saved}");
    director.in_sync(&sets).unwrap();
}

#[test]
fn a_flush_empties_our_chains_of_iptables_and_no_others() {
    let director = Director::alone();
    let ours = "*mangle\n:FWMARKCTL - [0:0]\n:FWMARKCTL-LEDGER - [0:0]\n:OTHER - [0:0]\n\
                -A PREROUTING -j FWMARKCTL\n-A PREROUTING -j OTHER\n\
                -A FWMARKCTL -p tcp -j MARK --set-xmark 0xa/0xffffffff\n\
                -A FWMARKCTL-LEDGER -m comment --comment \"generation 1\"\n\
                [7:420] -A OTHER -p udp -j ACCEPT\nCOMMIT\n";
    let tools = ["iptables", "ip6tables"];
    for tool in tools {
        director.command(&format!("{tool}-restore")).arg("--counters").stdin(ours).ok();
    }
    let saved = || {
        tools
            .map(|tool| director.command(&format!("{tool}-save")).args(["-c", "-t", "mangle"]).ok())
    };
    let rules = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with('[')).map(str::to_owned).collect()
    };
    let before = saved();
    assert!(before[0].contains("[7:420] -A OTHER -p udp -j ACCEPT"), "{}", before[0]);
    plugin(&director, "flush").ok();
    for (before, after) in before.iter().zip(saved()) {
        let (mut wanted, left) = (rules(before), rules(&after));
        wanted.retain(|rule| !rule.contains("-A FWMARKCTL -p tcp"));
        assert_eq!((wanted.len(), left), (4, wanted));
    }
    let nat = director.command("iptables-save").args(["-t", "nat"]).ok();
    assert!(!nat.contains("FWMARKCTL-SNAT"), "{nat}");
}

#[test]
fn the_hooks_of_ufw_and_shorewall_bring_the_marks_back() {
    let director = Director::alone();
    director.apply(WEB);
    let ufw = |action: &str| {
        let hook = shipped("ufw/before.init");
        let hook = director.command(hook.to_str().unwrap()).arg(action);
        hook.env("FWMARKCTL", &Director::program()).ok()
    };
    director.nft("flush ruleset");
    for action in ["stop", "status", "flush-all"] {
        assert_eq!(ufw(action), "");
    }
    assert!(director.in_sync(WEB).is_err());
    ufw("start");
    director.in_sync(WEB).unwrap();

    director.nft("flush ruleset");
    // Shorewall reads the file into a script of its own, where PATH leads to the program.
    let script = format!(
        "fwmarkctl() {{ {} \"$@\"; }}\n. {}\n",
        Director::program(),
        shipped("shorewall/start").display()
    );
    director.command("sh").args(["-e", "-c", &script]).ok();
    director.in_sync(WEB).unwrap();
}
