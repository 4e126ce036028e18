//! What stands beside virtual servers, and how the text comes together.

use std::io;
use std::path::{Path, PathBuf};

use super::{InMemory, imported, made, tells, told, with};
use crate::import::keepalived::{Files, Options, read};
use crate::import::{Document, ImportError, Imported};

#[test]
fn timeouts_and_synchronisation_are_settings() {
    let found = imported(
        "global_defs {
            lvs_timeouts tcp 300 tcpfin 0 udp 20
            lvs_sync_daemon eth1 id 7 maxlen 1400 port 8848 ttl 2 group 224.0.0.82
        }",
    );
    let settings: Vec<_> = found.settings.iter().map(|(key, it)| format!("{key}: {it}")).collect();
    assert_eq!(
        settings,
        [
            "timeout tcp: 300",
            "timeout udp: 20",
            "sync-daemon master: interface eth1 id 7 group 224.0.0.82 port 8848 ttl 2 maxlen 1400",
            "sync-daemon backup: interface eth1 id 7 group 224.0.0.82 port 8848 ttl 2 maxlen 1400",
        ]
    );
    assert_eq!(told(&found), Vec::<String>::new());
    tells("global_defs {\nlvs_sync_daemon eth1 inst VI_1\n}", "follows a VRRP instance");
    tells("global_defs {\nlvs_sync_daemon eth1 id 300\n}", "id '300' is wrong");
    tells("global_defs {\nlvs_sync_daemon e/1\n}", "'e/1' is no device");
    tells("global_defs {\nlvs_timeouts tcp x\n}", "lvs_timeouts has no 'tcp x'");
}

#[test]
fn vrrp_stays_where_it_is() {
    let found =
        imported("vrrp_instance A {\n virtual_ipaddress {\n 192.0.2.7\n }\n}\nvrrp_script x {\n}");
    assert_eq!(
        told(&found),
        ["k.conf:1: vrrp_instance: VRRP and the addresses that move by it stay keepalived's \
          (and once more)"]
    );
}

#[test]
fn names_repetitions_and_other_machines_are_followed() {
    let text = "$VIP=192.0.2
        $RS= \\
        real_server 10.0.0.${N} 80 { \\
            weight ${N} \\
        }
        virtual_server_group g {
            ~SEQ(V, 7, 8) ${VIP}.$V 80
        }
        virtual_server group g {
            @one lvs_sched rr
            @^one lvs_sched wrr
            lvs_method DR
            protocol TCP
            ~LST(N, 11, 12) $RS
        }";
    let wanted = "tcp 192.0.2.7:80: rr [g]
           10.0.0.11:80 dr weight 11
           10.0.0.12:80 dr weight 12
         tcp 192.0.2.8:80: rr [g]
           10.0.0.11:80 dr weight 11
           10.0.0.12:80 dr weight 12";
    let with_id = |id| made(&with(text, Some(id), &InMemory::default()));
    let flat = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    assert_eq!(flat(&with_id("one")), flat(wanted));
    assert_eq!(flat(&with_id("two")), flat(&wanted.replace(": rr", ": wrr")));
    tells(text, "k.conf:10: which machine this line is for is not known here");
}

#[test]
fn included_files_stand_in_their_places() {
    let files = InMemory::of(&[
        ("etc/conf.d/a", "virtual_server 192.0.2.7 80 {\n lvs_sched rr\n include ../reals"),
        ("etc/conf.d/b", "}"),
        ("etc/conf.d/../reals", "real_server 10.0.0.11 80"),
    ]);
    let found = with("include conf.d/*\nincluder none", None, &files);
    assert!(made(&found).starts_with("udp 192.0.2.7:80: rr\n  10.0.0.11:80"), "{}", made(&found));
    let told = told(&found);
    assert!(told.contains(&"k.conf:2: 'none' names no file: nothing is included".into()));
    assert!(told.iter().any(|line| line.starts_with("etc/conf.d/a:1: no protocol")), "{told:#?}");
}

/// Files of which each has many names, as through links.
struct Loose(InMemory);

impl Files for Loose {
    fn matching(&self, folder: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
        Ok(vec![folder.join(pattern)])
    }

    fn read(&self, _: &Path) -> Result<Document, ImportError> {
        self.0.read(Path::new("etc/a"))
    }
}

#[test]
fn files_that_include_each_other_end() {
    let files = InMemory::of(&[("etc/a", "include b"), ("etc/b", "include a\nuse_pid_dir")]);
    let found = with("include a", None, &files);
    assert_eq!(told(&found), ["etc/b:1: etc/a would include itself"]);
    let deep = InMemory::of(&[("etc/a", "include ./a")]);
    let mut found = Imported::default();
    let options = Options { config_id: None, files: &Loose(deep) };
    let text = "use_pid_dir\ninclude ./././a";
    read(&Document::new("k.conf", text), Path::new("etc/k.conf"), &options, &mut found).expect("");
    assert!(found.not_turned.len() == 1, "{:?}", told(&found));
}

#[test]
fn what_grows_without_end_is_cut_off() {
    let twice = |name: &str, of: &str| format!("${name}= \\\n{of} \\\n{of}\n");
    let mut text = "use_pid_dir\n$A0=use_pid_dir\n".to_owned();
    for level in 1..30 {
        text += &twice(&format!("A{level}"), &format!("$A{}", level - 1));
    }
    tells(&(text + "$A29"), "lies too deep");
    tells("use_pid_dir\n~SEQ(A,60000) ~SEQ(B,60000) use_pid_dir", "more than 400000 lines come");
    tells("use_pid_dir\n$A=${A}\n$A", "stands for itself");
    tells("use_pid_dir\n~SEQ(A) x", "no ~SEQ or ~LST that has an end");
    tells(&format!("use_pid_dir\n{}", "x".repeat(5_000)), "longer than keepalived reads");
    tells(&format!("use_pid_dir\n{}", "x\n".repeat(5_000)), "further sentences are left out");
}

#[test]
fn what_is_something_else_is_refused() {
    let mut found = Imported::default();
    let options = Options { config_id: None, files: &InMemory::default() };
    let error = read(&Document::new("x", "-A -f 10"), Path::new("x"), &options, &mut found)
        .expect_err("ipvsadm's");
    assert_eq!(
        error.to_string(),
        "x:1: this is not a configuration of keepalived: it has no block '-A'"
    );
}
