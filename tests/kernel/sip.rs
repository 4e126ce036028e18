//! The SIP engine: a call stays on its real server, whoever sends its messages.

use std::net::UdpSocket;
use std::time::Duration;

use crate::lab::{CLIENT, Lab};
use crate::scene::Fwmarkctl;

const SIP: &str = "172.18.100.7:5060";

/// Two servers of SIP; `more` is what the group has beyond the engine.
fn scene(more: &str) -> Lab {
    let lab = Lab::dr();
    lab.serve_udp(&[5060]);
    let config = format!(
        r#"
        [group.sip]
        vips = ["172.18.100.7"]
        ports = ["5060/udp"]
        scheduler = "rr"
        persistence = {{ mode = "pfwmc", engine = "sip" }}
        real = ["172.18.100.11", "172.18.100.12"]
        {more}
        "#
    );
    lab.director().apply(&config);
    lab
}

/// The servers that two messages of each of six calls reach, all from one port.
fn calls(lab: &Lab) -> Vec<[String; 2]> {
    lab.client().namespace().run(|| {
        let socket = UdpSocket::bind((CLIENT, 5060)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let say = |call: usize| {
            let message = format!(
                "OPTIONS sip:a@{SIP} SIP/2.0\r\nVia: SIP/2.0/UDP {CLIENT}:5060\r\n\
                 Call-ID: call{call}@example.org\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            );
            socket.send_to(message.as_bytes(), SIP).unwrap();
            let mut answer = [0; 64];
            let length = socket.recv(&mut answer).unwrap();
            String::from_utf8_lossy(&answer[..length]).trim_end().to_owned()
        };
        let first: Vec<_> = (0..6).map(say).collect();
        first.into_iter().enumerate().map(|(call, first)| [first, say(call)]).collect()
    })
}

#[test]
fn calls_from_one_port_spread_and_each_stays() {
    let calls = calls(&scene("one-packet = true"));
    for [first, second] in &calls {
        assert_eq!(first, second, "{calls:?}");
    }
    let on = |server: &str| calls.iter().filter(|[first, _]| first == server).count();
    assert_eq!((on("rs1"), on("rs2")), (3, 3), "{calls:?}");
}

#[test]
fn without_one_packet_the_port_is_a_connection_that_takes_every_call() {
    let calls = calls(&scene(""));
    let [server, _] = &calls[0];
    assert!(calls.iter().flatten().all(|other| other == server), "{calls:?}");
}
