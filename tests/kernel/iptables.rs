//! What is particular to iptables, with both of its variants: two families are two steps,
//! and the tables are everybody's.

use std::thread;

use fwmarkctl::backend::KernelDirector;

use crate::lab::Director;
use crate::scene::Fwmarkctl;

const VARIANTS: [&str; 2] = ["nft", "legacy"];

/// A group of both families, or of IPv4 alone.
fn config(variant: &str, ports: &str, six: bool) -> String {
    let (vip, server) =
        if six { (", \"2001:db8:18:100::7\"", ", \"2001:db8:18:100::11\"") } else { ("", "") };
    format!(
        "[director]\nbackend = \"iptables\"\nvariant = \"{variant}\"\n\
         [group.web]\nvips = [\"172.18.100.7\"{vip}]\nports = [{ports}]\nmark = 10\n\
         real = [\"172.18.100.11\"{server}]\n"
    )
}

fn iptables(director: &Director, tool: &str, arguments: &str) -> String {
    director.command(tool).args(arguments.split(' ')).ok()
}

/// The rules of the table mangle of both families, without counters.
fn saved(director: &Director, variant: &str) -> String {
    let save = |tables: &str| {
        let text =
            director.command(&format!("{tables}-{variant}-save")).args(["-t", "mangle"]).ok();
        text.lines()
            .filter(|line| line.starts_with("-A "))
            .fold(String::new(), |all, line| all + tables + " " + line + "\n")
    };
    save("iptables") + &save("ip6tables")
}

/// The kernel refuses to remove a chain that somebody jumps to, and says so only when it is
/// asked to: IPv4 has been exchanged by then.
#[test]
fn ipv4_is_put_back_when_ipv6_is_refused() {
    for variant in VARIANTS {
        let director = Director::alone();
        director.apply(&config(variant, "80", true));
        let tool = format!("ip6tables-{variant}");
        iptables(&director, &tool, "-t mangle -A INPUT -j FWMARKCTL");
        let before = (saved(&director, variant), director.ipvsadm_save());

        let without = config(variant, "80, 443", false);
        let ended = director.with(&["apply"], &without).run();
        assert_eq!(ended.code, Some(1), "{variant}: {ended:?}");
        assert!(ended.stderr.contains("the state from before stands"), "{}", ended.stderr);
        assert_eq!((saved(&director, variant), director.ipvsadm_save()), before, "{variant}");
        assert_eq!(director.in_sync(&config(variant, "80", true)), Ok(()));

        iptables(&director, &tool, "-t mangle -D INPUT -j FWMARKCTL");
        director.apply(&without);
        assert!(!saved(&director, variant).contains("ip6tables -A FWMARKCTL"), "{variant}");
    }
}

/// Where the jump stands among the rules of others is theirs to decide.
#[test]
fn the_jump_stays_where_somebody_put_it() {
    for variant in VARIANTS {
        let director = Director::alone();
        let tool = format!("iptables-{variant}");
        iptables(&director, &tool, "-t mangle -A PREROUTING -s 10.0.0.1 -j ACCEPT");
        director.apply(&config(variant, "80", false));
        iptables(&director, &tool, "-t mangle -A PREROUTING -s 10.0.0.2 -j ACCEPT");
        let order = |director: &Director| -> Vec<String> {
            let rules = saved(director, variant);
            rules.lines().filter(|line| line.contains("PREROUTING")).map(str::to_owned).collect()
        };
        let before = order(&director);
        assert!(before[1].ends_with("-j FWMARKCTL"), "{before:?}");
        director.apply(&config(variant, "80, 443", false));
        assert_eq!(order(&director), before);

        // One too many goes; the first stays.
        iptables(&director, &tool, "-t mangle -I PREROUTING 1 -j FWMARKCTL");
        director.apply(&config(variant, "80, 443", false));
        assert_eq!(order(&director).iter().filter(|rule| rule.ends_with("FWMARKCTL")).count(), 1);
        director.with(&["clear", "--yes"], "").ok();
        assert_eq!(order(&director).len(), 2, "{variant}");
    }
}

/// A rule that another program prints beside ours keeps its counters, and ours keep theirs
/// where they stay.
#[test]
fn counters_stay_with_their_rules() {
    for variant in VARIANTS {
        let director = Director::alone();
        let restore = |text: &str| {
            director
                .command(&format!("iptables-{variant}-restore"))
                .args(["--noflush", "--counters"])
                .stdin(text)
                .ok()
        };
        restore("*mangle\n[7:420] -A PREROUTING -s 10.0.0.1/32 -j ACCEPT\nCOMMIT\n");
        director.apply(&config(variant, "80", false));
        let count = "[5:300] -A FWMARKCTL -d 172.18.100.7/32 -p tcp -m tcp --dport 80 -m comment \
                     --comment web -j MARK --set-xmark 0xa/0xffffffff";
        restore(&format!("*mangle\n-F FWMARKCTL\n{count}\nCOMMIT\n"));
        // Another service changes the ledger, and with it all of our chains.
        let more = config(variant, "80", false)
            + "[group.mail]\nvips = [\"172.18.100.8\"]\nports = [25]\nreal = [\"172.18.100.11\"]\n";
        director.apply(&more);
        let save = director.command(&format!("iptables-{variant}-save"));
        let text = save.args(["-c", "-t", "mangle"]).ok();
        assert!(text.contains(count), "{text}");
        assert!(text.contains("[7:420] -A PREROUTING -s 10.0.0.1/32 -j ACCEPT"), "{text}");
    }
}

/// A chain at a hook costs every packet, and that of the table nat has connections tracked.
#[test]
fn no_hook_stays_where_only_we_had_a_rule() {
    let full_nat = config("nft", "80", true).replace("real =", "forward = \"fullnat\"\nreal =");
    let director = Director::alone();
    let hooks = |director: &Director| {
        let ruleset = director.nft_ruleset();
        ruleset.lines().filter(|line| line.contains(" hook ")).count()
    };
    director.apply(&full_nat);
    assert_eq!(hooks(&director), 4, "PREROUTING and POSTROUTING of both families");
    director.apply(&config("nft", "80", false));
    assert_eq!(hooks(&director), 1, "{}", director.nft_ruleset());
    director.fwmarkctl(&["clear", "--yes"]).ok();
    assert_eq!(hooks(&director), 0, "{}", director.nft_ruleset());

    director.apply(&full_nat);
    iptables(&director, "iptables-nft", "-t nat -A POSTROUTING -s 10.0.0.1 -j ACCEPT");
    iptables(&director, "iptables-nft", "-t mangle -P PREROUTING DROP");
    director.fwmarkctl(&["clear", "--yes"]).ok();
    let left = director.nft_ruleset();
    assert_eq!(hooks(&director), 2, "{left}");
    assert!(left.contains("priority mangle; policy drop;") && left.contains("10.0.0.1"), "{left}");
}

/// Whoever is killed between the two families leaves each with other sets.
#[test]
fn families_that_look_into_two_banks_of_sets_are_mended() {
    for variant in VARIANTS {
        let director = Director::alone();
        let sets = |ports: &str| {
            let keys = "backend = \"iptables\"\nmax-rules = 0\n";
            config(variant, ports, true).replace("backend = \"iptables\"\n", keys)
        };
        let with_input = |tool: &str, text: &str| director.command(tool).stdin(text).ok();
        director.apply(&sets("80"));
        let six = iptables(&director, &format!("ip6tables-{variant}-save"), "-t mangle");
        let saved = director.command("ipset").arg("save").ok();
        director.apply(&sets("80, 443"));
        // IPv6 as it was before.
        let of_six = |line: &&str| line.split(' ').nth(1).is_some_and(|name| name.ends_with('6'));
        let of_six: String =
            saved.lines().filter(of_six).fold(String::new(), |all, line| all + line + "\n");
        director.command("ipset").arg("restore").stdin(&of_six).ok();
        with_input(&format!("ip6tables-{variant}-restore"), &six);
        assert!(director.in_sync(&sets("80, 443")).is_err(), "{variant}");

        director.apply(&sets("80, 443"));
        director.in_sync(&sets("80, 443")).unwrap();
        let names = director.command("ipset").args(["list", "-n"]).ok();
        assert_eq!(names.lines().count(), 10, "{variant}: five sets a family: {names}");
        director.fwmarkctl(&["clear", "--yes"]).ok();
        assert_eq!(director.command("ipset").args(["list", "-n"]).ok(), "", "{variant}");
    }
}

/// A set that somebody else's rule looks into stays, which is told, until that has gone.
#[test]
fn a_set_that_somebody_else_uses_is_told_and_goes_later() {
    let director = Director::alone();
    let keys = "backend = \"iptables\"\nmax-rules = 0\n";
    let sets = config("nft", "80", false).replace("backend = \"iptables\"\n", keys);
    director.apply(&sets);
    iptables(&director, "iptables-nft", "-A INPUT -m set --match-set fwmarkctl-a-port4 dst,dst");
    let cleared = director.fwmarkctl(&["clear", "--yes"]).run();
    assert_eq!(cleared.code, Some(0), "{cleared:?}");
    let told = "fwmarkctl-a-port4 cannot be removed: a rule that is not ours looks into it";
    assert!(cleared.stderr.contains(told), "{}", cleared.stderr);
    iptables(&director, "iptables-nft", "-F INPUT");
    director.fwmarkctl(&["clear", "--yes"]).ok();
    let is_gone = || director.command("ipset").args(["list", "-n"]).ok().is_empty();
    crate::scene::until("the set is gone", is_gone);
}

/// Who looks while somebody else applies sees what is, or was: tables and sets are read one
/// after another, and the sets of before go when the chains look into others.
#[test]
fn who_reads_beside_an_apply_misses_no_set() {
    for variant in VARIANTS {
        let director = Director::alone();
        let in_sets = |ports| config(variant, ports, true).replacen('\n', "\nmax-rules = 0\n", 1);
        let [one, two] = ["80", "80, 443"].map(in_sets);
        director.apply(&one);
        thread::scope(|scope| {
            let applying = scope.spawn(|| {
                for config in [&two, &one, &two, &one, &two, &one] {
                    director.apply(config);
                }
            });
            director.run(|| {
                while !applying.is_finished() {
                    let ruleset = KernelDirector::new().marking().expect("it can be read");
                    let told = format!("{:?}", ruleset.frame);
                    assert!(!told.contains("is not there"), "{variant}: {told}");
                }
            });
        });
    }
}
