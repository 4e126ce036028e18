//! Configurations that are right: the examples, the pages, and what groups come of them.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fwmarkctl::compile::{Past, compile};
use fwmarkctl::config::{self, Code, Config, ConfigErrors, Look, Options, Sources};
use fwmarkctl::model::{
    Forwarding, Listener, Listeners, MarkChoice, Mode, SchedulerFlag, Tunnel, TunnelChecksum, Via,
};
use fwmarkctl::state::MarkBook;

const OPTIONS: Options<'_> =
    Options { effective_uid: 1000, presets: None, extra_schedulers: &[], instead: None };

fn load(text: &str) -> Result<Config, ConfigErrors> {
    config::load(Sources::text(text), &OPTIONS)
}

fn good(text: &str) -> Config {
    load(text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn example(name: &str) -> Config {
    let sources = Sources::file(Path::new("examples").join(name));
    config::load(sources, &OPTIONS).unwrap_or_else(|errors| panic!("{errors}"))
}

fn codes(text: &str) -> Vec<Code> {
    match load(text) {
        Ok(config) => config.warnings.iter().map(|warning| warning.code).collect(),
        Err(errors) => errors.diagnostics.iter().map(|diagnostic| diagnostic.code).collect(),
    }
}

/// The TOML blocks of a page.
fn blocks(page: &str) -> Vec<&str> {
    let blocks = page.split("```toml\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap_or_default()).collect()
}

#[test]
fn every_example_loads_without_a_warning_and_compiles() {
    let mut count = 0;
    for entry in fs::read_dir("examples").expect("the examples") {
        let name = entry.expect("an entry").file_name();
        if Path::new(&name).extension().is_some_and(|extension| extension == "toml") {
            let config = example(&name.to_string_lossy());
            assert!(config.warnings.is_empty(), "{name:?}: {:?}", config.warnings);
            let marks = MarkBook::default();
            let compiled = compile(&config.groups, &config.director, Past::of(&marks))
                .unwrap_or_else(|error| panic!("{name:?}: {error}"));
            assert!(!compiled.state.services.is_empty(), "{name:?}");
            count += 1;
        }
    }
    assert!(count >= 22);
}

#[test]
fn each_example_of_the_page_of_errors_makes_just_its_error() {
    // These need files that are not there, or several of them, or a command that writes.
    let without = [
        "E0101", "E0102", "E0103", "E0104", "E0105", "E0106", "E0113", "E0701", "E0702", "E0703",
        "E0704", "E0705", "E0706", "E0707", "E0708", "E0801",
    ];
    for code in Code::ALL {
        let examples = blocks(code.explanation());
        if without.contains(&code.as_str()) {
            assert!(examples.is_empty(), "{code}");
            continue;
        }
        assert_eq!(examples.len(), 1, "{code} has no example");
        assert_eq!(codes(examples[0]), [*code], "{}", examples[0]);
    }
}

#[test]
fn the_reference_shows_a_configuration_that_loads() {
    let page = fs::read_to_string("docs/config.md").expect("the page");
    assert_eq!(good(blocks(&page)[0]).groups.len(), 1);
}

#[test]
fn the_minimal_example_means_what_it_says() {
    let config = example("web.toml");
    let [web] = config.groups.as_slice() else { panic!("one group") };
    assert_eq!(web.name.as_str(), "web");
    assert_eq!(web.vips.len(), 1);
    assert_eq!(web.vips[0].to_string(), "172.18.100.7");
    let ports: Vec<_> = web.listeners.iter().map(|listener| listener.to_string()).collect();
    assert_eq!(ports, ["80/tcp", "443/tcp"]);
    assert!(matches!(web.marks, MarkChoice::Fixed(mark) if mark.get() == 10));
    assert_eq!(web.scheduler.name().as_str(), "rr");
    let persistence = web.persistence.as_ref().expect("persistence");
    assert_eq!((persistence.mode, persistence.timeout()), (Mode::Pfwmc, 300));
    let real: Vec<_> = web.real_servers.iter().map(|real| real.address.to_string()).collect();
    assert_eq!(real, ["172.18.100.11", "172.18.100.12"]);
    assert!(web.real_servers.iter().all(|real| real.forwarding == Forwarding::DirectRouting));
    let origin = config.origin(&web.name).expect("an origin");
    assert_eq!((&*origin.file, origin.line), ("examples/web.toml", 4));
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = good("[group.a]\nvips = [\"192.0.2.1\"]\nports = [80]\nreal = [\"192.0.2.2\"]\n");
    let group = &config.groups[0];
    assert!(group.enabled && !group.one_packet);
    assert_eq!(group.scheduler.name().as_str(), "wlc");
    assert_eq!((&group.persistence, group.via), (&None, Via::Mark));
    assert_eq!(group.marks, MarkChoice::Automatic);
    let real = &group.real_servers[0];
    assert_eq!((real.weight, real.port, real.upper_threshold), (1, None, 0));
    assert_eq!(config.director, config::DirectorSettings::default());
}

#[test]
fn ppc_always_has_marks_by_listener() {
    let marks = |more: &str| {
        let text = format!(
            "[group.a]\nvips = [\"192.0.2.1\"]\nreal = [\"192.0.2.2\"]\npersistence = \"ppc\"\n{more}\n"
        );
        match good(&text).groups.remove(0).marks {
            MarkChoice::PerListener(marks) => marks
                .into_iter()
                .map(|(listener, mark)| (listener.to_string(), mark.get()))
                .collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(marks("ports = [80]"), []);
    assert_eq!(marks("ports = [80]\nmark = \"0xa\""), [("80/tcp".to_owned(), 10)]);
    let some = marks("ports = [80]\nservices = [\"https\"]\nmarks = { 443 = 7 }");
    assert_eq!(some, [("443/tcp".to_owned(), 7)]);
}

#[test]
fn pcc_is_every_port_however_it_is_written() {
    for ports in ["", "ports = [\"any\"]\n", "ports = []\n"] {
        let text = format!(
            "[group.a]\nvips = [\"192.0.2.1\"]\nreal = [\"192.0.2.2\"]\npersistence = \"pcc\"\n{ports}"
        );
        assert_eq!(good(&text).groups[0].listeners, Listeners::Any);
    }
}

#[test]
fn presets_and_ports_add_up_and_identical_ones_merge() {
    let config = good(
        "[group.a]\nvips = [\"192.0.2.1\"]\nreal = [\"192.0.2.2\"]\n\
         ports = [\"80\", \"80/tcp\", 80]\nservices = [\"http3\", \"web\"]\n",
    );
    let ports: Vec<String> =
        config.groups[0].listeners.iter().map(|listener: Listener| listener.to_string()).collect();
    assert_eq!(ports, ["80/tcp", "443/tcp", "443/udp"]);
}

#[test]
fn tunnels_and_flags_are_understood() {
    let config = example("tunnel.toml");
    let forwarding: Vec<_> =
        config.groups[0].real_servers.iter().map(|real| real.forwarding).collect();
    let gue = Tunnel::Gue { port: 6080, checksum: TunnelChecksum::Checksum };
    assert_eq!(forwarding[0], Forwarding::Tunnel(Tunnel::Ipip));
    assert_eq!(forwarding[2], Forwarding::Tunnel(gue));
    let both = [SchedulerFlag::Flag1, SchedulerFlag::Flag2];
    assert_eq!(example("pcc.toml").groups[0].scheduler.flags(), both);
}

#[test]
fn groups_stay_in_the_order_of_the_file() {
    let group = |name: &str, port: u32| {
        format!(
            "[group.{name}]\nvips = [\"192.0.2.1\"]\nports = [{port}]\nreal = [\"192.0.2.2\"]\n"
        )
    };
    let config = good(&(group("zebra", 1) + &group("ape", 2) + &group("monkey", 3)));
    let names: Vec<_> = config.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["zebra", "ape", "monkey"]);
    assert_eq!(config.origins.iter().map(|origin| origin.line).collect::<Vec<_>>(), [1, 5, 9]);
}

#[test]
fn a_disabled_group_claims_nothing_and_is_kept() {
    let config = example("ranges.toml");
    let old = config.groups.iter().find(|group| group.name.as_str() == "old").expect("old");
    assert!(!old.enabled);
    assert_eq!(config.enabled().count(), config.groups.len() - 1);
}

#[test]
fn the_kernels_own_schedulers_can_be_named() {
    let text = "[group.a]\nvips = [\"192.0.2.1\"]\nports = [80]\nscheduler = \"vtwos\"\nreal = [\"192.0.2.2\"]\n";
    assert_eq!(codes(text), [Code::UnknownScheduler]);
    let extra = ["vtwos".parse().expect("a name")];
    let options = Options { extra_schedulers: &extra, ..OPTIONS };
    assert!(config::load(Sources::text(text), &options).is_ok());
}

#[test]
fn presets_of_the_administrator_add_to_and_replace_those_that_ship() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
    write("till.toml", "ports = [\"9000-9010/udp\"]\n");
    write("http.toml", "ports = [\"8080\"]\n");
    let options = Options { presets: Some(folder.path()), ..OPTIONS };
    let text = "[group.a]\nvips = [\"192.0.2.1\"]\nservices = [\"till\", \"http\"]\nreal = [\"192.0.2.2\"]\n";
    let config = config::load(Sources::text(text), &options).expect("a configuration");
    let ports: Vec<_> = config.groups[0].listeners.iter().map(|one| one.to_string()).collect();
    assert_eq!(ports, ["8080/tcp", "9000-9010/udp"]);
}

#[test]
fn root_refuses_a_file_that_others_may_write() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("web.toml");
    fs::copy("examples/web.toml", &file).expect("a copy");
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a mode");
    let load = |effective_uid| {
        config::load(Sources::file(&file), &Options { effective_uid, ..OPTIONS })
            .map(|_| ())
            .map_err(|errors| (errors.diagnostics[0].code, errors.diagnostics[0].help.clone()))
    };
    for bad in [0o666, 0o646, 0o664] {
        mode(bad);
        let (code, help) = load(0).expect_err("refused");
        assert_eq!(code, Code::WritableByOthers);
        assert!(help.is_some_and(|help| help.contains("chmod go-w")));
        assert!(load(1000).is_ok(), "another user runs no risk but her own");
    }
    mode(0o644);
    // Made by us: sound where we are root, and somebody else's file to root where not.
    let ours = std::os::unix::fs::MetadataExt::uid(&file.metadata().expect("a file")) == 0;
    assert_eq!(load(0).is_ok(), ours);
}

#[test]
fn a_missing_file_a_directory_and_an_endless_one_are_errors() {
    let code = |path: &str| {
        let errors = config::load(Sources::file(path), &OPTIONS).expect_err(path);
        assert_eq!(errors.diagnostics.len(), 1, "{errors}");
        assert!(errors.to_string().contains(&format!("--> {path}")), "{errors}");
        errors.diagnostics[0].code
    };
    assert_eq!(code("/nonexistent/web.toml"), Code::Unreadable);
    assert_eq!(code("examples"), Code::Directory);
    assert_eq!(code("/dev/zero"), Code::TooLarge);
}

#[test]
fn files_of_ten_megabytes_get_an_answer() {
    const SIZE: usize = 10_000_000;
    let fill = |unit: &str| unit.repeat(SIZE / unit.len());
    for unit in ["[", "x", "x\n", "a.", "[a]\n", "é"] {
        let errors = load(&fill(unit)).expect_err(unit);
        let shown = errors.render(Look::PLAIN);
        assert!(shown.len() < 200_000, "{unit:?}: {} bytes", shown.len());
    }
    for unit in ["x y\n", "[[", "a=1\n", "[group.x]\n"] {
        let some = unit.repeat(1_000_000 / unit.len());
        let errors = load(&some).expect_err(unit);
        assert!(errors.render(Look::PLAIN).len() < 200_000, "{unit:?}");
    }
}

#[test]
fn ten_thousand_groups_load_and_ten_thousand_conflicts_are_counted() {
    let mut text = String::new();
    for number in 0..10_000 {
        let (high, low) = (number / 250, number % 250 + 1);
        writeln!(
            text,
            "[group.g{number}]\nvips = [\"10.1.{high}.{low}\"]\nports = [\"80/tcp\", \"443/tcp\", \"8000-8100/udp\"]\nreal = [\"10.2.{high}.{low}\"]"
        )
        .expect("a string");
    }
    assert_eq!(good(&text).groups.len(), 10_000);
    let same = text.lines().map(|line| {
        let line = if line.starts_with("vips") { "vips = [\"10.1.0.1\"]" } else { line };
        format!("{line}\n")
    });
    let errors = load(&same.collect::<String>()).expect_err("conflicts");
    assert_eq!(errors.diagnostics.len() + errors.omitted, 9_999);
}

#[test]
fn more_groups_than_the_bound_are_refused() {
    let mut text = String::new();
    for number in 0..=config::MAX_GROUPS {
        let (high, middle, low) = (number / 62_500, number / 250 % 250, number % 250 + 1);
        let vip = format!("10.{high}.{middle}.{low}");
        writeln!(text, "[group.g{number}]\nvips=[\"{vip}\"]\nports=[80]\nreal=[\"10.9.9.9\"]")
            .expect("a string");
    }
    assert_eq!(codes(&text), [Code::TooLarge]);
}

#[test]
fn colours_change_nothing_but_the_colour() {
    let errors = load("[group.web]\nvips = 1\n").expect_err("a mistake");
    let coloured = errors.render(Look { colour: true, ..Look::PLAIN });
    assert!(coloured.contains("\u{1b}["));
    let stripped = anstream::adapter::strip_str(&coloured).to_string();
    assert_eq!(stripped, errors.render(Look::PLAIN));
}
