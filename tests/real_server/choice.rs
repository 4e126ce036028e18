//! Which VIPs this machine takes: pure, but it needs configurations, which the module
//! itself does not know.

use fwmarkctl::config::{Options, Sources, load};
use fwmarkctl::real_server::{Choice, ChoiceError, Chosen, choose};

const GROUPS: &str = r#"
    [group.web]
    vips = ["172.18.100.7", "2001:db8:18:100::7"]
    ports = ["80/tcp"]
    real = ["172.18.100.11", "172.18.100.12", "2001:db8:18:100::11"]

    [group.far]
    vips = ["172.18.100.8"]
    ports = ["80/tcp"]
    real = [{ address = "10.20.0.11", forward = "tun" }, "172.18.100.12"]

    [group.off]
    enabled = false
    vips = ["172.18.100.9"]
    ports = ["80/tcp"]
    real = ["172.18.100.11"]
"#;

fn choice(config: &str, own: &[&str], only: &[&str]) -> Result<Choice, ChoiceError> {
    let config = load(Sources::text(config), &Options::default()).expect("valid");
    let own = own.iter().map(|text| text.parse().expect("an address")).collect();
    let only: Vec<_> = only.iter().map(ToString::to_string).collect();
    choose(&config.groups, &own, &only, None)
}

fn vips(choice: &Choice) -> Vec<String> {
    choice.vips.iter().map(|vip| format!("{} {}", vip.prefix, vip.method)).collect()
}

#[test]
fn groups_with_an_address_of_this_machine_are_taken() {
    let web = choice(GROUPS, &["172.18.100.11"], &[]).expect("chosen");
    assert_eq!(web.by, Chosen::ByAddress);
    assert_eq!(vips(&web), ["172.18.100.7 dr", "2001:db8:18:100::7 dr"]);
    let far = choice(GROUPS, &["10.20.0.11"], &[]).expect("chosen");
    assert_eq!(vips(&far), ["172.18.100.8 tun"]);
    let both = choice(GROUPS, &["172.18.100.12"], &[]).expect("chosen");
    assert_eq!(both.groups.len(), 2);
}

#[test]
fn names_win_over_addresses() {
    let web = choice(GROUPS, &["10.20.0.11"], &["web"]).expect("chosen");
    assert_eq!((web.by, web.vips.len()), (Chosen::ByName, 2));
    for name in ["off", "none"] {
        let error = choice(GROUPS, &[], &[name]).expect_err("not there");
        assert_eq!(error, ChoiceError::NoGroup(name.to_owned()));
    }
}

#[test]
fn who_is_nobodys_server_takes_all_where_the_method_is_clear() {
    let error = choice(GROUPS, &["192.0.2.1"], &[]).expect_err("dr or tun?");
    assert_eq!(error, ChoiceError::Ambiguous("far".parse().expect("a name")));
    let one = &GROUPS.replace("\"10.20.0.11\", forward = \"tun\"", "\"172.18.100.13\"");
    let all = choice(one, &["192.0.2.1"], &[]).expect("chosen");
    assert_eq!((all.by, all.vips.len()), (Chosen::All, 3));
}

#[test]
fn what_is_not_unpacked_is_refused_or_said() {
    let gue = GROUPS.replace("\"tun\"", "{ type = \"gue\", port = 6080 }");
    let error = choice(&gue, &["10.20.0.11"], &[]).expect_err("not prepared");
    assert!(error.to_string().contains("10.20.0.11 by gue"), "{error}");
    let six = r#"
        [group.far]
        vips = ["2001:db8:18:100::8"]
        ports = ["80/tcp"]
        real = [{ address = "10.20.0.11", forward = "tun" }]
    "#;
    let crossed = choice(six, &["10.20.0.11"], &[]).expect("chosen");
    assert!(crossed.notes[0].contains("inside ipv4"), "{crossed:?}");
}
