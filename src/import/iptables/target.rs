//! What a rule of iptables does: `iptables-extensions(8)`, the targets that matter to marks.

use crate::import::walk::Action;
use crate::import::words;
use crate::state::Source;

/// The options of a target, each with its value.
type Given = [(String, Option<String>)];

fn value<'g>(options: &'g Given, name: &str) -> Option<&'g str> {
    let found = options.iter().find(|(option, _)| option == name);
    found.map(|(_, value)| value.as_deref().unwrap_or_default())
}

/// What a target does to marks and to the way of a packet. One that drops packets, logs them
/// or changes something else in them does nothing here.
pub(super) fn actions(target: &str, goto: bool, options: &Given) -> Vec<Action> {
    let writes = |sentence: &str| vec![Action::Writes(sentence.to_owned())];
    match target {
        "MARK" => vec![mark(options)],
        "CONNMARK" if value(options, "--restore-mark").is_some() => {
            writes("it gives packets the mark of their connection, and which that is no rule says")
        }
        "SET" if value(options, "--map-mark").is_some() => writes(
            "it takes marks from a set, whose entries are in no dump of iptables: use nft or \
             write the group by hand from `ipset save`",
        ),
        "TPROXY" if value(options, "--tproxy-mark").is_some() => {
            writes("it marks what it hands to a proxy, which IPVS does not see")
        }
        "HMARK" => writes("it makes a mark of a hash; a group has one mark"),
        "ACCEPT" => vec![Action::Accept],
        "RETURN" => vec![Action::Return],
        // Names of targets are of capital letters, and so may chains be: one that is not
        // there is a target.
        "" => Vec::new(),
        chain if goto => vec![Action::Goto(chain.to_owned())],
        chain => vec![Action::Jump(chain.to_owned())],
    }
}

/// `--set-mark V/M` clears the bits of the mask and of the value, and sets those of the
/// value; `--set-xmark V/M` clears those of the mask and turns those of the value. What is
/// saved is always the latter.
fn mark(options: &Given) -> Action {
    let Some((option, Some(text))) = options.iter().find(|(name, _)| name.ends_with("mark")) else {
        return Action::Writes("it sets a mark that cannot be read".to_owned());
    };
    let (left, right) = text.split_once('/').map_or((text.as_str(), None), |(v, m)| (v, Some(m)));
    let numbers = (words::number(left), right.map_or(Some(u32::MAX), words::number));
    let (Some(number), Some(mask)) = numbers else {
        return Action::Writes(format!("{option} {text} is no mark"));
    };
    let written = match option.as_str() {
        "--set-mark" => mask | number,
        "--set-xmark" => mask,
        "--or-mark" => number,
        "--and-mark" => !number,
        _ => 0,
    };
    if written == u32::MAX {
        let number = if option == "--and-mark" { 0 } else { number };
        return Action::Mark(number);
    }
    Action::Writes(format!(
        "{option} {text} keeps other bits of the mark, and IPVS compares the whole mark"
    ))
}

/// What a target makes of the source of packets; the error is what it cannot be turned for.
pub(super) fn source(target: &str, options: &Given) -> Option<Result<Source, String>> {
    match target {
        "MASQUERADE" => Some(match options.first() {
            None => Ok(Source::Masquerade),
            Some((option, _)) => Err(option.clone()),
        }),
        "SNAT" => {
            let only = options.len() == 1;
            let address = value(options, "--to-source").unwrap_or_default();
            let address = address.parse().ok().filter(|_| only).map(Source::Address);
            Some(address.ok_or_else(|| "more than one address as the source".to_owned()))
        }
        _ => None,
    }
}
