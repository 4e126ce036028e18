//! A real server that is the director itself: a page that says sorry, or a director that
//! serves too.

use crate::lab::{Failure, Lab};
use crate::scene::Fwmarkctl;
use std::time::Duration;

const VIPS: [&str; 2] = ["172.18.100.7:80", "[2001:db8:18:100::7]:80"];

fn web(forward: &str, real: &str) -> String {
    format!(
        "[group.web]\nvips = [\"172.18.100.7\", \"2001:db8:18:100::7\"]\nports = [\"80/tcp\"]\n\
         forward = \"{forward}\"\nreal = [{real}]\n"
    )
}

/// The packet stays as it is, so the director has to listen on the VIP and its port.
#[test]
fn a_loopback_address_is_the_director_under_dr_and_tun() {
    let lab = Lab::dr();
    lab.serve_tcp_on_director(&[80]);
    for forward in ["dr", "tun"] {
        lab.director().apply(&web(forward, r#""127.0.0.1", "::1""#));
        for vip in VIPS {
            assert_eq!(lab.client().tcp(None, vip), Ok("director".to_owned()), "{forward} {vip}");
        }
    }
}

#[test]
fn an_address_of_the_director_is_itself_under_nat_too_and_maps_ports() {
    let lab = Lab::dr();
    lab.serve_tcp_on_director(&[8080]);
    let own = ["172.18.100.1", "2001:db8:18:100::1"]
        .map(|address| format!("{{ address = \"{address}\", port = 8080 }}"));
    lab.director().apply(&web("nat", &own.join(", ")));
    for vip in VIPS {
        assert_eq!(lab.client().tcp(None, vip), Ok("director".to_owned()), "{vip}");
    }
}

/// Why a configuration refuses it: the kernel takes it, and drops every packet (`ip_vs_nat_xmit`:
/// "stopping DNAT to loopback address").
#[test]
fn under_nat_the_kernel_takes_a_loopback_address_and_drops_its_packets() {
    let lab = Lab::dr();
    lab.serve_tcp_on_director(&[80]);
    let director = lab.director();
    let refused = director.with(&["apply"], &web("nat", r#""127.0.0.1", "::1""#)).run();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert_eq!(refused.stderr.matches("error[E0302]").count(), 2, "{}", refused.stderr);
    director.ipvsadm("-A -t 172.18.100.7:80 -s rr\n-a -t 172.18.100.7:80 -r 127.0.0.1:80 -m\n");
    let client = lab.client().patience(Duration::from_millis(500));
    assert_eq!(client.tcp(None, VIPS[0]), Err(Failure::Timeout));
}
