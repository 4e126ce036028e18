//! Whatever keepalived.conf and ldirectord.cf hold, reading them ends: without a panic,
//! soon, and with a bounded number of everything.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fwmarkctl::import::{Document, ImportError, Imported, keepalived, ldirectord};
use proptest::prelude::*;

/// Real configurations, of which parts are exchanged.
const KEEPALIVED: &str = r#"! one
global_defs {
    router_id "a b"
    nftables_ipvs table
    lvs_timeouts tcp 300 tcpfin 30 udp 20
    lvs_sync_daemon eth0 id 3
}
$VIP=192.0.2
$RS= \
    real_server 10.0.0.${N} 80 { \
        weight ${N} \
        HTTP_GET { \
            url { path "/" } \
        } \
    }
include conf.d/*.conf
virtual_server_group web {
    ${VIP}.7 80
    ${VIP}.9-10 443
    192.0.2.64/26 8000
    2001:db8::1-1f 80
    fwmark 7 inet6
}
virtual_server group web {
    lvs_sched mh
    mh-port
    lvs_method TUN type gue port 6080 csum
    persistence_timeout
    persistence_granularity 255.255.255.0
    protocol TCP
    ~SEQ(N, 11, 13) $RS
    ~LST({N, M}, {21,1}, {22}) $RS
}
virtual_server 2001:db8::7 53 {
    lvs_sched wlc
    ops
    protocol UDP
    real_server 2001:db8::11 53 { weight 1 uthreshold 10
    }
}
@main virtual_server fwmark 1000 {
    sorry_server 10.0.0.9
}
vrrp_instance VI_1 {
    virtual_ipaddress {
        192.0.2.7
    }
}
"#;

const LDIRECTORD: &str = r#"checktimeout=3
virtual=192.0.2.7:80
	servicename=Web
	real=10.0.0.2->10.0.0.7:80 gate 5 "/x", "ok" l:1 u:2
	fallback=127.0.0.1:80 gate
	scheduler=mh
	schedflags=mh-port
	persistent=600
	netmask=255.255.255.0
	protocol=tcp
virtual6=[2001:db8::7]:domain
    real6=[2001:db8::2]:53 masq
    ops=yes
virtual=9
    real=10.0.0.2 ipip
    protocol=fwm
"#;

/// Words that mean something, alone or beside each other.
const WORDS: [&str; 44] = [
    "{",
    "}",
    "{\n",
    "}\n",
    "\"",
    "'",
    "\\",
    "\\\n",
    "\n",
    "\t",
    "#",
    "!",
    "@",
    "@^",
    "$",
    "${A}",
    "$A=",
    "$A=${A}${A}\n",
    "$A= \\\n",
    "~SEQ(A,99999)",
    "~SEQ(A,1,65536) ",
    "~LST(A,",
    "~LST({A,B},",
    "include a*\n",
    "virtual_server ",
    "group g ",
    "virtual_server_group g ",
    "fwmark 1",
    "10.0.0.1-9",
    "0.0.0.0/1 80\n",
    "::/1 80\n",
    "real_server ::1 ",
    "lvs_method ",
    "65536",
    "-1",
    "\u{e4}",
    "\0",
    "virtual=",
    "virtual6=",
    "    real=",
    "10.0.0.0->10.0.255.255 gate\n",
    "[::1]:",
    "=",
    ",",
];

/// Files that include each other for ever: each pattern means four of them.
struct Endless {
    text: String,
    reads: Cell<usize>,
}

impl keepalived::Files for Endless {
    fn matching(&self, folder: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
        // Another path each time, as through a link to a folder above.
        let inner = folder.join("deeper");
        Ok((0..4).map(|number| inner.join(format!("{number}{}", pattern.len()))).collect())
    }

    fn read(&self, path: &Path) -> Result<Document, ImportError> {
        self.reads.set(self.reads.get() + 1);
        Ok(Document::new(&path.to_string_lossy(), self.text.clone()))
    }
}

fn bounded(found: Imported) {
    let joined = found.join();
    let state = joined.state;
    assert!(state.services.len() <= 65_536 && state.marking.len() <= 65_536);
    assert!(joined.not_turned.len() <= 100_000, "{}", joined.not_turned.len());
    let servers: usize = state.services.values().map(|it| it.destinations.len()).sum();
    assert!(servers <= 500_000, "{servers}");
    for (key, service) in &state.services {
        let keys: Vec<_> = service.destinations.iter().map(|it| it.key).collect();
        assert!(keys.is_sorted() && !keys.is_empty(), "{key}: {keys:?}");
    }
    let long = joined.not_turned.iter().find(|it| it.sentence.len() > 1_000);
    assert!(long.is_none(), "{long:?}");
}

/// Reads a text as both formats, its own includes endless.
fn read(text: &str, id: Option<&str>) {
    let begun = Instant::now();
    let files = Endless { text: text.to_owned(), reads: Cell::new(0) };
    let options = keepalived::Options { config_id: id, files: &files };
    let mut found = Imported::default();
    let document = Document::new("x", text);
    drop(keepalived::read(&document, Path::new("etc/x"), &options, &mut found));
    bounded(found);
    assert!(files.reads.get() <= 2_000, "{} files", files.reads.get());
    let mut found = Imported::default();
    drop(ldirectord::read(&document, &mut found));
    bounded(found);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?} for {text:?}", begun.elapsed());
}

/// A text in which some places are exchanged, left out or repeated.
fn mutated(of: &'static str) -> impl Strategy<Value = String> {
    let place = any::<prop::sample::Index>();
    let change = (place, 0..40_usize, prop::sample::select(&WORDS[..]), any::<bool>());
    prop::collection::vec(change, 1..8).prop_map(move |changes| {
        let mut letters: Vec<char> = of.chars().collect();
        for (place, length, word, twice) in changes {
            let from = place.index(letters.len() + 1);
            let to = (from + length).min(letters.len());
            let taken: Vec<char> = letters[from..to].to_vec();
            let again = taken.iter().filter(|_| twice);
            let put: Vec<char> = word.chars().chain(again.clone().copied()).collect();
            letters.splice(from..if twice { from } else { to }, put);
        }
        letters.into_iter().collect()
    })
}

fn id() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![None, Some("main"), Some("")])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::longer::cases(80), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..3_000), id in id()) {
        read(&String::from_utf8_lossy(&bytes), id);
    }

    #[test]
    fn any_words_end(words in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..60), id in id()) {
        read(&words.join(" "), id);
        read(&words.concat(), id);
    }

    #[test]
    fn a_configuration_of_keepalived_with_slips_ends(text in mutated(KEEPALIVED), id in id()) {
        read(&text, id);
    }

    #[test]
    fn a_configuration_of_ldirectord_with_slips_ends(text in mutated(LDIRECTORD)) {
        read(&text, None);
    }
}

/// What a configuration that is made to be large becomes, and how much memory it took.
#[test]
fn what_is_made_to_grow_takes_no_more_than_it_may() {
    let growing = [
        "use_pid_dir\n".to_owned() + &"include a\n".repeat(100),
        "virtual_server_group g {\n0.0.0.0/1 80\n10.0.0.0/16 80\n10.1.0.0/16\n}\n".to_owned()
            + &"virtual_server group g {\nreal_server 10.0.0.1\nreal_server 10.0.0.2\n}\n"
                .repeat(40),
        "use_pid_dir\n~SEQ(A,60000) ~SEQ(B,60000) ~SEQ(C,60000) real_server ${A} ${B}".to_owned(),
        "virtual_server 10.0.0.1 80 {\n".to_owned()
            + "~SEQ(A,0,255) ~SEQ(B,0,255) real_server 10.0.${A}.${B} 80\n}",
        "use_pid_dir\n".to_owned() + &"a{".repeat(2_000_000),
        "use_pid_dir\n".to_owned() + &"a b c\n".repeat(700_000),
        "virtual=5\n".to_owned() + &"\treal=10.0.0.0->10.0.255.255 gate\n".repeat(50_000),
    ];
    for text in &growing {
        read(text, None);
    }
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF);
    let kilobytes = usage.expect("what this process used").max_rss();
    assert!(kilobytes < 1 << 20, "{kilobytes} kB");
}
