//! Short forms to TOML.

use super::super::*;

fn toml(setting: Result<Setting, String>) -> String {
    match setting.expect("it can be split").value {
        Wanted::One(value) => value,
        Wanted::Parts(parts) => parts.whole,
        Wanted::List(items) => format!("[{}]", items.join(", ")),
    }
}

#[test]
fn short_forms_become_toml() {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let ports = texts(&["80", "443/udp", "8000-8100", "any", "http"]);
    assert_eq!(
        toml(Ok(Setting::ports(&ports))),
        r#"["80/tcp", "443/udp", "8000-8100/tcp", "any", "http"]"#
    );
    assert_eq!(toml(Ok(Setting::list("vips", &texts(&["a\"]"])))), r#"["a\"]"]"#);
    for (setting, wanted) in [
        (Setting::mark("10"), "10"),
        (Setting::mark("0xa"), "\"0xa\""),
        (Setting::mark("ten"), "\"ten\""),
        (Setting::mark("80=10,443/udp=0xb"), r#"{ "80/tcp" = 10, "443/udp" = "0xb" }"#),
        (Setting::persistence("none"), "\"none\""),
        (Setting::persistence("pfwmc"), "\"pfwmc\""),
        (Setting::persistence("pfwmc:300"), r#"{ mode = "pfwmc", timeout = "300s" }"#),
        (Setting::persistence("pcc:5m"), r#"{ mode = "pcc", timeout = "5m" }"#),
        (Setting::persistence("ppc:soon"), r#"{ mode = "ppc", timeout = "soon" }"#),
        (
            Setting::persistence("pfwmc,netmask=24,netmask6=64,engine=sip"),
            r#"{ mode = "pfwmc", netmask = 24, netmask6 = 64, engine = "sip" }"#,
        ),
        (Setting::scheduler("wlc"), "\"wlc\""),
        (
            Setting::scheduler("mh,mh-fallback,port"),
            r#"{ name = "mh", flags = ["fallback", "port"] }"#,
        ),
        (Setting::forward("fullnat"), "\"fullnat\""),
        (Setting::forward("tun"), "\"tun\""),
        (Setting::forward("tun:gre"), r#"{ type = "gre" }"#),
        (
            Setting::forward("tun:gue:6081:remcsum"),
            r#"{ type = "gue", port = 6081, checksum = "remcsum" }"#,
        ),
        (Setting::snat("10.0.0.1"), "\"10.0.0.1\""),
        (Setting::snat("10.0.0.1,fd00::1"), "[\"10.0.0.1\", \"fd00::1\"]"),
        (Setting::via("address"), "\"address\""),
    ] {
        assert_eq!(toml(setting), wanted);
    }
}

#[test]
fn a_real_server_is_an_address_with_what_differs() {
    let item = |text: &str| text.parse::<NewServer>().map(|server| servers::item(&server));
    for (text, wanted) in [
        ("172.18.100.11", "\"172.18.100.11\""),
        ("[2001:db8::1]", "\"2001:db8::1\""),
        (
            "2001:db8::1,forward=tun:gue,weight=2,port=80",
            r#"{ address = "2001:db8::1", port = 80, weight = 2, forward = { type = "gue" } }"#,
        ),
        ("[2001:db8::1]:80", r#"{ address = "2001:db8::1", port = 80 }"#),
        (
            "10.0.0.1,lower-threshold=1,upper-threshold=02",
            r#"{ address = "10.0.0.1", upper-threshold = 2, lower-threshold = 1 }"#,
        ),
        ("web1", "\"web1\""),
    ] {
        assert_eq!(item(text).as_deref(), Ok(wanted));
    }
    for (text, reason) in [
        ("10.0.0.1,wieght=2", "did you mean 'weight'?"),
        ("10.0.0.1,colour=red", "one of port, weight, forward"),
        ("10.0.0.1,weight", "KEY=VALUE"),
        ("10.0.0.1:80,port=81", "'port' is there twice"),
        ("10.0.0.1,weight=x", "weight is a number, such as weight=2; found 'x'"),
        ("10.0.0.1,weight=-1", "weight is a number"),
        ("10.0.0.1,weight=4294967296", "weight 4294967296 is too large"),
        ("10.0.0.1,forward=gue:1", "only tun takes more behind a colon, not 'gue'"),
    ] {
        let refused = item(text).expect_err(text);
        assert!(refused.contains(reason), "{refused}");
    }
    for (setting, reason) in [
        (Setting::forward("tun:gue:1:2"), "'port' is there twice"),
        (Setting::forward("tun:gue::csum"), "nothing between two colons"),
        (Setting::persistence("none:300"), "'none' remembers nobody"),
        (Setting::persistence("pcc:300,timeout=5m"), "'timeout' is there twice"),
        (Setting::scheduler("mh,port,mh-port"), "the flag \"port\" is there twice"),
    ] {
        let refused = setting.map(|it| it.key).expect_err(reason);
        assert!(refused.contains(reason), "{refused}");
    }
    assert!(Setting::mark("80=1,443").is_err_and(|why| why.contains("PORT=MARK")));
    assert!(Setting::persistence("pcc,pe=sip").is_err_and(|why| why.contains("engine")));
    let name = |text: &str| text.parse::<ServerName>().map(|name| name.to_string());
    assert_eq!(name("10.0.0.1,port=80").as_deref(), Ok("10.0.0.1:80"));
    assert_eq!(name("fd00::1,port=80").as_deref(), Ok("[fd00::1]:80"));
    for wrong in ["10.0.0.1:80,port=81", "10.0.0.1,port=0", "10.0.0.1,port=x", "10.0.0.1,weight=1"]
    {
        assert!(name(wrong).is_err(), "{wrong}");
    }
}
