//! Whether the ring would see what it looks for.

use super::configs::configs;
use super::foreign;
use super::machine::{End, Machine};

#[test]
fn without_a_recovery_some_death_leaves_a_mixture_that_is_seen() {
    let row: Vec<_> = configs(10).take(2).collect();
    let machine = Machine::new();
    machine.ok(&["apply"], &row[0].text);
    let (mut mixtures, mut deaths) = (0, 0);
    for call in 1.. {
        if let End::Lived(_) = machine.dying_at(call, &["apply"], &row[1].text) {
            break;
        }
        deaths += 1;
        mixtures += u64::from(machine.which([&row[0].state, &row[1].state]).is_none());
        machine.ok(&["recover"], "");
        machine.ok(&["apply"], &row[0].text);
    }
    println!("torture: without a recovery {mixtures} of {deaths} deaths leave a mixture");
    assert!(mixtures > 0, "{deaths} deaths, and no mixture");
}

#[test]
fn whatever_is_done_to_others_is_seen() {
    let machine = Machine::new();
    let before = machine.director.run(foreign::read);
    let [nft, ipvsadm] = ["nft", "ipvsadm"];
    for (program, words, undo) in [
        (
            nft,
            "add element inet firewall admins { 10.9.9.9 }",
            "delete element inet firewall admins { 10.9.9.9 }",
        ),
        (
            nft,
            "delete element inet firewall ports { 8080 }",
            "add element inet firewall ports { 8080 : 0x63 }",
        ),
        (nft, "add chain ip fwmarkctl more", "delete chain ip fwmarkctl more"),
        (nft, "add table ip6 another", "delete table ip6 another"),
        (
            ipvsadm,
            "-e -f 99 -r 172.18.100.11:0 -g -w 4 -x 200 -y 100",
            "-e -f 99 -r 172.18.100.11:0 -g -w 3 -x 200 -y 100",
        ),
        (ipvsadm, "-E -f 99 -s rr", "-E -f 99 -s wlc"),
        (ipvsadm, "-A -f 98", "-D -f 98"),
    ] {
        machine.director.command(program).args(words.split(' ')).ok();
        assert!(machine.director.run(foreign::read) != before, "{words}");
        machine.director.command(program).args(undo.split(' ')).ok();
        assert!(machine.director.run(foreign::read) == before, "{undo}");
    }
}
