//! Refusals: what the kernel or the situation does not allow leaves all as it was, and
//! the error names what mends it.

use crate::lab::{CLIENT, Director, Lab, Marks};
use crate::scene::{Fwmarkctl, MAIL, WEB, WEB_AND_MAIL, web_and_mail};

/// Another change that is in order, so that there is something to take back.
fn changed() -> String {
    WEB_AND_MAIL
        .replace("443/tcp", "444/tcp")
        .replace(r#"["172.18.100.11", "#, r#"["172.18.100.13", "#)
}

#[test]
fn a_scheduler_that_the_kernel_lacks_leaves_the_state_from_before() {
    let lab = web_and_mail();
    let mut talk = lab.client().connect(CLIENT, WEB).unwrap();
    lab.client().tcp(CLIENT, MAIL).unwrap();
    let (generation, before) = (lab.director().commits(), lab.director().dump());
    // A new group of the kind, and a group that becomes it.
    let added = format!(
        r#"{}
        [group.zoo]
        vips = ["172.18.100.7"]
        ports = ["8080/tcp"]
        scheduler = "twos"
        real = ["172.18.100.11"]
        "#,
        changed()
    );
    let edited = changed().replacen(r#"scheduler = "rr""#, r#"scheduler = "twos""#, 1);
    for config in [added, edited] {
        let ended = lab.director().with(&["apply"], &config).run();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("scheduler twos"), "{}", ended.stderr);
        assert!(ended.stderr.contains("the state from before stands"), "{}", ended.stderr);
        assert!(ended.stderr.contains("modprobe ip_vs_twos"), "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
        let (code, document) = lab.director().json(&["apply"], &config);
        assert_eq!((code, &document["error"]["kind"]), (1, &"restored".into()));
        assert_eq!(document["error"]["hint"], "modprobe ip_vs_twos");
        assert_eq!(lab.director().dump(), before);
        assert_eq!(lab.director().commits(), generation);
    }
    assert_eq!(talk.ask(), Ok(talk.server.clone()));
    lab.director().in_sync(WEB_AND_MAIL).unwrap();
}

#[test]
fn somebody_elses_service_on_our_mark_is_a_conflict_that_changes_nothing() {
    let lab = Lab::dr();
    lab.director().ipvsadm("-A -f 10 -s wlc\n-a -f 10 -r 172.18.100.12:0 -g -w 7\n");
    let (generation, before) = (lab.director().commits(), lab.director().dump());
    for command in ["plan", "apply"] {
        let ended = lab.director().with(&[command], WEB_AND_MAIL).run();
        assert_eq!(ended.code, Some(2), "{command}: {ended:?}");
        for word in ["group web", "fwmark 10 ipv4", "wlc", "172.18.100.12", "weight 7", "--adopt"] {
            assert!(ended.stderr.contains(word), "{command} names {word}: {}", ended.stderr);
        }
    }
    let (code, document) = lab.director().json(&["apply"], WEB_AND_MAIL);
    assert_eq!((code, &document["error"]["kind"]), (2, &"conflict".into()));
    assert_eq!(document["error"]["conflicts"][0]["key"], "fwmark 10 ipv4");
    assert_eq!(lab.director().dump(), before);
    assert_eq!(lab.director().commits(), generation);
}

#[test]
fn adopt_takes_a_service_over_with_its_connections() {
    let lab = Lab::dr();
    lab.serve_tcp(&[25, 80, 443]);
    lab.director().nft(
        "add table ip old\n\
         add chain ip old marks { type filter hook prerouting priority mangle; }\n\
         add rule ip old marks tcp dport 80 meta mark set 10\n",
    );
    lab.director().ipvsadm("-A -f 10 -s wlc\n-a -f 10 -r 172.18.100.11:0 -g -w 7\n");
    let mut talk = lab.client().connect(CLIENT, WEB).unwrap();
    assert_eq!(talk.server, "rs1");

    lab.director().with(&["apply", "--adopt"], WEB_AND_MAIL).ok();
    lab.director().in_sync(WEB_AND_MAIL).unwrap();
    assert_eq!(talk.ask(), Ok("rs1".to_owned()));
    assert!(lab.client().tcp(CLIENT, "172.18.100.7:443").is_ok());
    // It is ours now: the next apply needs no --adopt, and clear takes it along.
    lab.director().apply(&changed());
    lab.director().in_sync(&changed()).unwrap();
    lab.director().fwmarkctl(&["clear", "--yes"]).ok();
    assert_eq!(lab.director().ipvsadm_save(), "");
}

#[test]
fn a_real_server_that_is_the_director_itself_is_verified_and_serves() {
    let lab = Lab::dr();
    let config = r#"
        [group.web]
        vips = ["172.18.100.7", "2001:db8:18:100::7"]
        ports = ["80/tcp"]
        real = ["172.18.100.1", "2001:db8:18:100::1"]
    "#;
    lab.serve_tcp_on_director(&[80]);
    lab.director().apply(config);
    assert!(lab.director().command("ipvsadm").args(["-Ln"]).ok().contains("Local"));
    lab.director().in_sync(config).unwrap();
    assert!(lab.director().apply(config).starts_with("In sync"));
    assert_eq!(lab.client().tcp(CLIENT, WEB), Ok("director".to_owned()));
}

#[test]
fn without_the_privilege_the_error_names_it_and_only_looking_at_files_works() {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    let before = director.dump();
    let unprivileged = |args: &[&str]| {
        let setpriv = director.command("setpriv").args(["--bounding-set=-all", "--inh-caps=-all"]);
        let program = setpriv.arg(Director::program()).args(["-c", "-"]);
        program.args(args).stdin(&Marks::in_config(&changed())).run()
    };
    for args in [&["plan"] as &[&str], &["apply"], &["status"], &["clear", "--yes"]] {
        let ended = unprivileged(args);
        assert_eq!(ended.code, Some(1), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains("CAP_NET_ADMIN"), "{args:?}: {}", ended.stderr);
    }
    for args in [&["check"] as &[&str], &["compile", "--format", "nft"]] {
        let ended = unprivileged(args);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{args:?}");
    }
    assert_eq!(director.dump(), before);
    director.in_sync(WEB_AND_MAIL).unwrap();
}
