mod groups;
mod keys;
mod settings;
mod shipped;

use proptest::prelude::*;

use super::*;
use crate::config::{Instead, Options, Sources, load};

const OPTIONS: Options<'_> =
    Options { effective_uid: 1000, presets: None, extra_schedulers: &[], instead: None };

/// A file with `text`, opened to edit its group web.
fn open(text: &str) -> (tempfile::TempDir, Edit, Group) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("web.toml");
    std::fs::write(&path, text).expect("writable");
    let config = load(Sources::file(&path), &OPTIONS).unwrap_or_else(|why| panic!("{why}\n{text}"));
    let (edit, group) = Edit::of_group(&config, "web", 1000).expect("it is there");
    (folder, edit, group)
}

/// The group as the normal reader sees it after an edit.
fn read_again(edit: &Edit) -> Result<Group, ConfigErrors> {
    let instead = Some(Instead { path: edit.path(), text: edit.text(), alone: false });
    let config = load(Sources::file(edit.path()), &Options { instead, ..OPTIONS })?;
    Ok(config.groups.into_iter().find(|group| group.name.as_str() == "web").expect("it is there"))
}

/// What the file becomes when `server` gets the weight 0, and when it is removed. Beside it
/// the reader must see that, and nothing else.
#[track_caller]
fn becomes(server: &str, before: &str, drained: &str, removed: &str) {
    let head =
        "# The web.\n[group.web]\nvips  = ['172.18.100.7']   # clients\nports = [\"80/tcp\"]\n";
    let whole = |rest: &str| format!("{head}{rest}");
    let name: ServerName = server.parse().expect("a name");
    let (_folder, edit, group) = open(&whole(before));
    let server = edit.real_server(name).expect("it is there");

    let mut weighed = edit.clone();
    weighed.set_weight(server, 0).expect("editable");
    assert_eq!(weighed.text(), whole(drained));
    let mut expected = group.clone();
    expected
        .real_servers
        .iter_mut()
        .filter(|it| ServerName::of(it) == server)
        .for_each(|it| it.weight = 0);
    assert_eq!(read_again(&weighed).expect("valid"), expected);

    let mut shorter = edit.clone();
    shorter.remove_real_server(server).expect("editable");
    assert_eq!(shorter.text(), whole(removed));
    let mut expected = group.clone();
    expected.real_servers.retain(|it| ServerName::of(it) != server);
    assert_eq!(read_again(&shorter).expect("valid"), expected);
}

#[test]
fn an_address_in_a_list_on_one_line() {
    let list = "real = [\"172.18.100.11\", '172.18.100.12',\"172.18.100.13\" ] # three\n\n# end\n";
    becomes(
        "172.18.100.11",
        list,
        "real = [{ address = \"172.18.100.11\", weight = 0 }, '172.18.100.12',\"172.18.100.13\" ] # three\n\n# end\n",
        "real = ['172.18.100.12',\"172.18.100.13\" ] # three\n\n# end\n",
    );
    becomes(
        "172.18.100.12",
        list,
        "real = [\"172.18.100.11\", { address = '172.18.100.12', weight = 0 },\"172.18.100.13\" ] # three\n\n# end\n",
        "real = [\"172.18.100.11\",\"172.18.100.13\" ] # three\n\n# end\n",
    );
    becomes(
        "172.18.100.13",
        list,
        "real = [\"172.18.100.11\", '172.18.100.12',{ address = \"172.18.100.13\", weight = 0 } ] # three\n\n# end\n",
        "real = [\"172.18.100.11\", '172.18.100.12' ] # three\n\n# end\n",
    );
}

#[test]
fn an_address_on_a_line_of_its_own() {
    let list = "real = [\n  # rack 1\n  \"172.18.100.11\", # old\n\n  # rack 2\n  \"172.18.100.12\",\n  \"172.18.100.13\" # new\n]\n";
    becomes(
        "172.18.100.11",
        list,
        "real = [\n  # rack 1\n  { address = \"172.18.100.11\", weight = 0 }, # old\n\n  # rack 2\n  \"172.18.100.12\",\n  \"172.18.100.13\" # new\n]\n",
        "real = [\n  # rack 2\n  \"172.18.100.12\",\n  \"172.18.100.13\" # new\n]\n",
    );
    becomes(
        "172.18.100.13",
        list,
        "real = [\n  # rack 1\n  \"172.18.100.11\", # old\n\n  # rack 2\n  \"172.18.100.12\",\n  { address = \"172.18.100.13\", weight = 0 } # new\n]\n",
        "real = [\n  # rack 1\n  \"172.18.100.11\", # old\n\n  # rack 2\n  \"172.18.100.12\",\n]\n",
    );
}

#[test]
fn lines_of_several_addresses() {
    let list = "real = [\"172.18.100.11\",\n        \"172.18.100.12\", \"172.18.100.13\",\n        \"172.18.100.14\"]\n";
    becomes(
        "172.18.100.11",
        list,
        "real = [{ address = \"172.18.100.11\", weight = 0 },\n        \"172.18.100.12\", \"172.18.100.13\",\n        \"172.18.100.14\"]\n",
        "real = [\n        \"172.18.100.12\", \"172.18.100.13\",\n        \"172.18.100.14\"]\n",
    );
    becomes(
        "172.18.100.12",
        list,
        "real = [\"172.18.100.11\",\n        { address = \"172.18.100.12\", weight = 0 }, \"172.18.100.13\",\n        \"172.18.100.14\"]\n",
        "real = [\"172.18.100.11\",\n        \"172.18.100.13\",\n        \"172.18.100.14\"]\n",
    );
    becomes(
        "172.18.100.14",
        list,
        "real = [\"172.18.100.11\",\n        \"172.18.100.12\", \"172.18.100.13\",\n        { address = \"172.18.100.14\", weight = 0 }]\n",
        "real = [\"172.18.100.11\",\n        \"172.18.100.12\", \"172.18.100.13\",\n        ]\n",
    );
}

#[test]
fn an_inline_table_with_and_without_a_weight() {
    let list = "forward = \"nat\"\nreal = [\n  { address = \"172.18.100.11\" , weight=5 }, # five\n  {address = \"172.18.100.11\", port = 8080},\n  \"172.18.100.12\"\n]\n";
    becomes(
        "172.18.100.11",
        &list.replace(", port = 8080", "").replacen("18.100.11", "18.100.13", 1),
        "forward = \"nat\"\nreal = [\n  { address = \"172.18.100.13\" , weight=5 }, # five\n  {address = \"172.18.100.11\", weight = 0},\n  \"172.18.100.12\"\n]\n",
        "forward = \"nat\"\nreal = [\n  { address = \"172.18.100.13\" , weight=5 }, # five\n  \"172.18.100.12\"\n]\n",
    );
    becomes(
        "172.18.100.11:8080",
        list,
        "forward = \"nat\"\nreal = [\n  { address = \"172.18.100.11\" , weight=5 }, # five\n  {address = \"172.18.100.11\", port = 8080, weight = 0},\n  \"172.18.100.12\"\n]\n",
        "forward = \"nat\"\nreal = [\n  { address = \"172.18.100.11\" , weight=5 }, # five\n  \"172.18.100.12\"\n]\n",
    );
    becomes(
        "172.18.100.11",
        list,
        "forward = \"nat\"\nreal = [\n  { address = \"172.18.100.11\" , weight=0 }, # five\n  {address = \"172.18.100.11\", port = 8080},\n  \"172.18.100.12\"\n]\n",
        "forward = \"nat\"\nreal = [\n  {address = \"172.18.100.11\", port = 8080},\n  \"172.18.100.12\"\n]\n",
    );
}

#[test]
fn a_table_of_its_own_with_and_without_a_weight() {
    let tables = "\n# Both racks.\n\n# rack 1\n  [[group.web.real]]\n  address = \"172.18.100.11\" # old\n  # soon 3\n  weight  = 2 # two\n\n# rack 2\n[[group.web.real]]\naddress = \"172.18.100.12\"\n\n\n# Mail.\n[group.mail]\nvips = [\"172.18.100.8\"]\nports = [\"25/tcp\"]\nreal = [\"172.18.100.11\"]\n";
    becomes(
        "172.18.100.11",
        tables,
        &tables.replace("weight  = 2", "weight  = 0"),
        "\n# Both racks.\n\n# rack 2\n[[group.web.real]]\naddress = \"172.18.100.12\"\n\n\n# Mail.\n[group.mail]\nvips = [\"172.18.100.8\"]\nports = [\"25/tcp\"]\nreal = [\"172.18.100.11\"]\n",
    );
    becomes(
        "172.18.100.12",
        tables,
        &tables.replace("100.12\"\n", "100.12\"\nweight = 0\n"),
        "\n# Both racks.\n\n# rack 1\n  [[group.web.real]]\n  address = \"172.18.100.11\" # old\n  # soon 3\n  weight  = 2 # two\n\n\n# Mail.\n[group.mail]\nvips = [\"172.18.100.8\"]\nports = [\"25/tcp\"]\nreal = [\"172.18.100.11\"]\n",
    );
}

#[test]
fn a_table_with_a_table_in_it_at_the_end_of_a_file_without_a_line_end() {
    becomes(
        "172.18.100.12",
        "[[group.web.real]]\naddress = \"172.18.100.11\"\n[[group.web.real]]\naddress = \"172.18.100.12\"\n[group.web.real.forward]\ntype = \"gue\"\nport = 6080",
        "[[group.web.real]]\naddress = \"172.18.100.11\"\n[[group.web.real]]\naddress = \"172.18.100.12\"\nweight = 0\n[group.web.real.forward]\ntype = \"gue\"\nport = 6080",
        "[[group.web.real]]\naddress = \"172.18.100.11\"\n",
    );
    becomes(
        "172.18.100.12",
        "[[group.web.real]]\naddress = \"172.18.100.11\"\n[[group.web.real]]\naddress = \"172.18.100.12\"",
        "[[group.web.real]]\naddress = \"172.18.100.11\"\n[[group.web.real]]\naddress = \"172.18.100.12\"\nweight = 0",
        "[[group.web.real]]\naddress = \"172.18.100.11\"\n",
    );
}

#[test]
fn lines_that_end_as_elsewhere_and_a_byte_order_mark_stay() {
    let text = "\u{feff}[group.web]\r\nvips = [\"172.18.100.7\"]\r\nports = [\"80/tcp\"]\r\n\
        [[group.web.real]]\r\naddress = \"172.18.100.11\"\r\n[[group.web.real]]\r\naddress = \"172.18.100.12\"\r\n";
    let (_folder, mut edit, group) = open(text);
    edit.set_weight(&group.real_servers[0], 0).expect("editable");
    assert_eq!(edit.text(), text.replace("100.11\"\r\n", "100.11\"\r\nweight = 0\r\n"));
}

/// Tables of one list may stand apart. What is between them is not the edit's.
#[test]
fn what_stands_between_the_parts_of_a_server_stays() {
    let mail = "[group.mail]\nvips = [\"172.18.100.8\"]\nports = [\"25/tcp\"]\nreal = [\"172.18.100.11\"]\n";
    let head = "[group.web]\nvips = [\"172.18.100.7\"]\nports = [\"80/tcp\"]\nforward = \"tun\"\n\
        [[group.web.real]]\naddress = \"172.18.100.12\"\n";
    let text = format!(
        "{head}[[group.web.real]]\naddress = \"172.18.100.11\"\n{mail}[group.web.real.forward]\ntype = \"gre\"\n"
    );
    let (_folder, mut edit, group) = open(&text);
    edit.remove_real_server(&group.real_servers[1]).expect("editable");
    assert_eq!(edit.text(), format!("{head}{mail}"));
}

/// A splice that would take more with it than what was asked for.
#[test]
fn what_would_mean_something_else_is_refused() {
    let text = format!("{HEAD}real = [\"172.18.100.11\" # ]\n, \"172.18.100.12\"\n]\n");
    let (_folder, mut edit, group) = open(&text);
    let refused = edit.remove_real_server(&group.real_servers[0]).expect_err("its comma stays");
    assert!(refused.to_string().contains("E0705"), "{refused}");
    assert_eq!(edit.text(), text);
    edit.set_weight(&group.real_servers[0], 0).expect("that takes nothing");
}

const HEAD: &str = "[group.web]\nvips = [\"172.18.100.7\"]\nports = [\"80/tcp\"]\n";

/// The code, the sentence, the line and the remedy of a refusal.
fn told(errors: &ConfigErrors) -> (&'static str, String, usize, String) {
    let [error] = errors.diagnostics.as_slice() else { panic!("{errors}") };
    let line = error.labels.first().map_or(0, crate::config::Label::line);
    (error.code.as_str(), error.message.clone(), line, error.help.clone().unwrap_or_default())
}

const TWO: &str = "[group.web]\nvips = [\"172.18.100.7\"]\nports = [\"80/tcp\"]\nforward = \"nat\"\n\
    real = [\"172.18.100.11\",\n { address = \"172.18.100.12\", port = 8080 },\n { address = \"172.18.100.12\", port = 8081 }]\n";

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let (folder, edit, group) = open(TWO);
    let config = load(Sources::file(folder.path().join("web.toml")), &OPTIONS).expect("valid");
    let refused = Edit::of_group(&config, "wbe", 1000).expect_err("no such group");
    let sentence = "there is no group 'wbe'".to_owned();
    assert_eq!(told(&refused), ("E0701", sentence, 1, "did you mean 'web'?".to_owned()));
    let refused = Edit::of_group(&config, "mail", 1000).expect_err("no such group");
    assert_eq!(told(&refused).3, "the groups are web");

    let refuse =
        |name: &str| told(&edit.real_server(name.parse().expect("a name")).expect_err("none"));
    let (code, sentence, line, help) = refuse("172.18.100.21");
    assert_eq!((code, line), ("E0702", 5));
    assert_eq!(sentence, "group web: there is no real server 172.18.100.21");
    assert!(help.starts_with("did you mean 172.18.100.11?"), "{help}");
    assert_eq!(refuse("172.18.100.11:80").0, "E0702");
    let (code, sentence, _, help) = refuse("172.18.100.12");
    assert_eq!((code, sentence.contains("several ports")), ("E0702", true));
    assert_eq!(help, "name one with its port: 172.18.100.12:8080, 172.18.100.12:8081");

    let last = told(&edit.last(&group.real_servers[1], false));
    assert_eq!((last.0, last.2), ("E0703", 6));
    assert!(last.3.contains("--force"), "{}", last.3);
    assert!(told(&edit.last(&group.real_servers[1], true)).1.contains("these are all"));
}

#[test]
fn standard_input_cannot_be_edited() {
    let config = load(Sources::text(TWO), &OPTIONS).expect("valid");
    let refused = Edit::of_group(&config, "web", 1000).expect_err("no file");
    assert_eq!(told(&refused).0, "E0704");
}

/// An edit that the reader would not take is shown with its text, and nothing is written.
#[test]
fn an_edit_is_read_before_it_is_written() {
    let text = "[group.web]\nvips = [\"172.18.100.7\"]\nports = [\"80/tcp\"]\nreal = [\"172.18.100.11\"]\n";
    let (folder, mut edit, group) = open(text);
    edit.remove_real_server(&group.real_servers[0]).expect("editable");
    let refused = read_again(&edit).expect_err("a group without real servers");
    assert!(refused.to_string().contains("E0301"), "{refused}");
    assert_eq!(std::fs::read_to_string(folder.path().join("web.toml")).expect("there"), text);
}

/// A list of real servers, written in one of many ways.
fn written() -> impl Strategy<Value = (String, usize)> {
    let weight = prop::option::of(0..9_u32);
    let server = (
        weight,
        0..3_usize,
        any::<bool>(),
        prop::sample::select(vec!["", " ", "\n", "\n\n  ", "\n  # a, b\n  ", " # c\n "]),
    );
    (
        prop::collection::vec(server, 2..6),
        any::<prop::sample::Index>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(servers, index, tables, trailing)| {
            let mut text = "[group.web]\nvips=[\"172.18.100.7\"]\nports=[\"80/tcp\"]\n".to_owned();
            let count = servers.len();
            if !tables {
                text += "real = [";
            }
            for (number, (weight, shape, comma_below, gap)) in servers.into_iter().enumerate() {
                let address = format!("\"10.0.0.{}\"", number + 1);
                let fields = weight.map_or(String::new(), |weight| format!(", weight = {weight}"));
                if tables {
                    let fields = fields.replace(", ", "\n");
                    let gap = gap.replace(' ', "");
                    text += &format!(
                        "{}[[group.web.real]]\naddress = {address}{fields}\n",
                        if gap.ends_with('\n') { gap } else { String::new() }
                    );
                    continue;
                }
                text += gap;
                text += &match shape {
                    0 if weight.is_none() => address,
                    1 => format!("{{address={address}{fields}}}"),
                    _ => format!("{{ address = {address}{fields} }}"),
                };
                if trailing || number + 1 < count {
                    text += if comma_below { "\n," } else { "," };
                }
            }
            if !tables {
                text += "]\n";
            }
            (text, index.index(count))
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the layout, the reader sees the edit and nothing else, or it is refused.
    #[test]
    fn an_edit_means_what_was_asked_for_in_any_layout((text, index) in written()) {
        let (_folder, edit, group) = open(&text);
        let server = &group.real_servers[index];
        let mut weighed = edit.clone();
        prop_assert!(weighed.set_weight(server, 7).is_ok(), "{}", text);
        let mut expected = group.clone();
        expected.real_servers[index].weight = 7;
        prop_assert_eq!(read_again(&weighed).expect("valid"), expected);
        let mut shorter = edit.clone();
        if shorter.remove_real_server(server).is_ok() {
            let mut expected = group.clone();
            expected.real_servers.remove(index);
            prop_assert_eq!(read_again(&shorter).expect("valid"), expected);
        } else {
            prop_assert!(text.contains("a, b") || text.contains("\n,"), "{}", text);
        }
    }
}
