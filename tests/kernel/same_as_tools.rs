//! What `compile` prints and the field's own tools load is what `apply` makes: two
//! directors, one state.

use serde_json::Value;

use crate::lab::Director;
use crate::scene::Fwmarkctl;

/// The table without what differs between any two loads: handles, counters, the order
/// of a hash map's elements, the version of nft; and without the record of the apply.
fn table(director: &Director) -> Vec<Value> {
    let text = director.command("nft").args(["-j", "list", "table", "inet", "fwmarkctl"]).ok();
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut objects = document["nftables"].as_array().unwrap().clone();
    objects.retain(|object| {
        object.get("metainfo").is_none()
            && object.get("rule").is_none_or(|rule| rule["chain"] != "ledger")
    });
    objects.iter_mut().for_each(normalize);
    objects
}

fn normalize(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("handle");
            fields.values_mut().for_each(normalize);
            if let Some(Value::Array(elements)) = fields.get_mut("elem") {
                elements.sort_by_key(ToString::to_string);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(normalize),
        _ => {}
    }
}

/// Services and real servers, which the kernel shows newest first, in an order of their
/// own; and the thresholds, which ipvsadm does not save.
fn services(director: &Director) -> Vec<String> {
    let thresholds = director.command("ipvsadm").args(["-Ln", "--thresholds"]).ok();
    let text = director.ipvsadm_save() + &thresholds;
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Both ways lead to one state; `plan` sees no difference but that nobody committed it, and
/// an apply finds nothing to do but to write its record.
fn same(config: &str) {
    let [applied, loaded] = [Director::alone(), Director::alone()];
    applied.apply(config);

    loaded.nft(&loaded.with(&["compile", "--format", "nft"], config).ok());
    loaded.ipvsadm(&loaded.with(&["compile", "--format", "ipvsadm"], config).ok());

    assert_eq!(table(&loaded), table(&applied), "of {config}");
    assert_eq!(services(&loaded), services(&applied), "of {config}");
    assert_ne!(applied.ipvsadm_save(), "");
    applied.in_sync(config).unwrap();
    let (_, plan) = loaded.json(&["plan"], config);
    let mut changes = plan["changes"].as_array().unwrap().clone();
    // What the director needs beside rules and services no such text can say.
    changes.retain(|line| !["sysctl", "route"].contains(&line["object"].as_str().unwrap()));
    let [line] = changes.as_slice() else { panic!("{plan}") };
    assert_eq!(line["before"], "the chain ledger has no commit record", "{plan}");
    loaded.apply(config);
    loaded.in_sync(config).unwrap();
    assert_eq!(services(&loaded), services(&applied), "of {config}");
}

#[test]
fn the_main_job() {
    same(
        r#"
        [group.web]
        vips = ["172.18.100.7"]
        ports = ["80/tcp", "443/tcp", "443/udp"]
        mark = 10
        scheduler = "rr"
        persistence = { mode = "pfwmc", timeout = "300s" }
        real = ["172.18.100.11", { address = "172.18.100.12", weight = 2 }]
        "#,
    );
}

#[test]
fn ranges_prefixes_any_port_and_both_families() {
    same(
        r#"
        [group.games]
        vips = ["192.0.2.0/28", "198.51.100.7", "2001:db8:7::/64", "2001:db8::7"]
        ports = ["8000-8100/udp", "5060/sctp", "80/tcp"]
        real = ["10.0.0.1", "2001:db8:1::1"]

        [group.everything]
        vips = ["198.51.100.9", "2001:db8::9"]
        ports = ["any"]
        scheduler = "mh"
        real = ["10.0.0.1", "2001:db8:1::1"]

        [group.client]
        vips = ["203.0.113.0/30", "198.51.100.10"]
        persistence = { mode = "pcc", timeout = "1h" }
        real = ["10.0.0.1", { address = "10.0.0.2", weight = 0 }]
        "#,
    );
}

#[test]
fn ppc_with_chosen_and_automatic_marks_and_wide_clients() {
    same(
        r#"
        [group.chosen]
        vips = ["198.51.100.7"]
        ports = ["80/tcp", "443/tcp"]
        persistence = "ppc"
        marks = { "80/tcp" = 80, "443/tcp" = 443 }
        real = ["10.0.0.1"]

        [group.automatic]
        vips = ["198.51.100.8", "2001:db8::8"]
        ports = ["80/tcp", "443/tcp", "9000-9010/tcp"]
        persistence = { mode = "ppc", timeout = 2678400, netmask = 24, netmask6 = 56 }
        real = ["10.0.0.1", "2001:db8:1::1"]

        [group.telephones]
        vips = ["198.51.100.9"]
        ports = ["5060/udp"]
        persistence = { mode = "pfwmc", engine = "sip" }
        one-packet = true
        real = ["10.0.0.1"]
        "#,
    );
}

#[test]
fn services_by_address_beside_those_by_mark() {
    same(
        r#"
        [group.plain]
        vips = ["198.51.100.7", "2001:db8::7"]
        ports = ["80/tcp", "53/udp", "5060/sctp"]
        via = "address"
        one-packet = true
        persistence = { mode = "ppc", netmask = 24 }
        real = [
            { address = "10.0.0.1", forward = "nat", port = 8080 },
            { address = "10.0.0.2", forward = "nat" },
            "10.0.0.3",
            { address = "10.0.0.4", forward = "tun" },
            "2001:db8:1::1",
        ]

        [group.everything]
        vips = ["198.51.100.8", "2001:db8::8"]
        via = "address"
        persistence = "pcc"
        real = ["10.0.0.1", "2001:db8:1::1"]

        [group.marked]
        vips = ["198.51.100.7"]
        ports = ["443/tcp"]
        real = ["10.0.0.1"]
        "#,
    );
}

#[test]
fn every_way_of_forwarding() {
    same(
        r#"
        [group.web]
        vips = ["198.51.100.7", "2001:db8::7"]
        ports = ["80/tcp"]
        real = [
            "10.0.0.1",
            { address = "10.0.0.2", forward = "nat", port = 8080 },
            { address = "10.0.0.3", forward = "tun" },
            { address = "10.0.0.4", forward = { type = "gue", port = 6080 } },
            { address = "10.0.0.5", forward = { type = "gue", port = 6081, checksum = "csum" } },
            { address = "10.0.0.6", forward = { type = "gue", port = 6082, checksum = "remcsum" } },
            { address = "10.0.0.7", forward = { type = "gre" } },
            { address = "10.0.0.8", forward = { type = "gre", checksum = "csum" } },
            { address = "2001:db8:1::1", forward = "dr" },
            { address = "2001:db8:1::2", forward = "nat", port = 8080 },
            { address = "2001:db8:1::3", forward = "tun" },
            { address = "2001:db8:1::4", forward = { type = "gre" } },
        ]

        [group.across]
        vips = ["198.51.100.8"]
        ports = ["80/tcp"]
        forward = "tun"
        real = ["2001:db8:1::1", "10.0.0.1"]
        "#,
    );
}

#[test]
fn full_nat_with_and_without_an_address_of_choice_and_local_traffic() {
    same(
        r#"
        [director]
        local-traffic = true

        [group.web]
        vips = ["198.51.100.7", "2001:db8::7"]
        ports = ["80/tcp"]
        forward = "fullnat"
        snat = ["10.0.0.5", "2001:db8:1::5"]
        real = [{ address = "10.0.0.1", port = 8080 }, "2001:db8:1::1"]

        [group.mail]
        vips = ["198.51.100.8", "2001:db8::8"]
        ports = ["25/tcp"]
        forward = "fullnat"
        real = ["10.0.0.1", "2001:db8:1::1", { address = "10.0.0.2", forward = "nat" }]
        "#,
    );
}

#[test]
fn routed_vips_whose_fragments_are_put_together() {
    same(
        r#"
        [director]
        vips = "route"

        [group.web]
        vips = ["198.51.100.0/28", "2001:db8::7"]
        ports = ["80/tcp", "443/udp"]
        real = ["10.0.0.1", "2001:db8:1::1"]
        "#,
    );
}

#[test]
fn all_schedulers_with_their_flags() {
    let plain = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sed", "nq", "fo", "ovf"];
    let flagged = [
        r#"{ name = "sh", flags = ["fallback", "port"] }"#,
        r#"{ name = "mh", flags = ["fallback", "port"] }"#,
        r#"{ name = "mh", flags = ["fallback"] }"#,
    ];
    let all = plain.iter().map(|name| format!("{name:?}")).chain(flagged.map(str::to_owned));
    let group = |(number, scheduler): (usize, String)| {
        format!(
            r#"
            [group.g{number}]
            vips = ["198.51.100.{number}", "2001:db8::{number}"]
            ports = ["53/udp", "53/tcp"]
            scheduler = {scheduler}
            one-packet = true
            real = ["10.0.0.1", "2001:db8:1::1"]
            "#
        )
    };
    same(&all.enumerate().map(group).collect::<String>());
}

#[test]
fn thresholds_and_marks_of_all_sizes() {
    same(
        r#"
        [group.low]
        vips = ["198.51.100.7"]
        ports = ["80/tcp"]
        mark = 1
        real = [
            { address = "10.0.0.1", upper-threshold = 200, lower-threshold = 100 },
            { address = "10.0.0.2", weight = 65535, upper-threshold = 5 },
            { address = "10.0.0.3", weight = 0 },
        ]

        [group.high]
        vips = ["198.51.100.8"]
        ports = ["80/tcp"]
        mark = "0x7fffffff"
        real = ["10.0.0.1"]

        [group.off]
        vips = ["198.51.100.9"]
        ports = ["80/tcp"]
        real = ["10.0.0.1"]
        enabled = false
        "#,
    );
}
