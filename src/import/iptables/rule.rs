//! One rule of iptables(8): what it asks, and what it does.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::target;
use crate::import::matches::{Matches, destination, once, ports, prefixes};
use crate::import::walk::Action;
use crate::import::words;
use crate::model::{GroupName, Mark, Protocol};
use crate::state::Source;

/// A rule without its chain and place.
pub(super) struct Line {
    pub(super) matches: Matches,
    pub(super) actions: Vec<Action>,
    /// What it makes of sources, where it does.
    pub(super) masks: Option<Masks>,
    pub(super) name: Option<GroupName>,
}

/// What a rule that replaces sources asks beside the destination.
#[derive(Debug, Clone)]
pub(super) struct Masks {
    pub(super) mark: Option<Mark>,
    pub(super) only_ipvs: bool,
    pub(super) source: Source,
    pub(super) other: Option<String>,
}

/// Extensions that ask for nothing but by options that are read here (iptables-extensions(8)).
const EXTENSIONS: [&str; 11] = [
    "tcp",
    "udp",
    "sctp",
    "udplite",
    "dccp",
    "multiport",
    "comment",
    "iprange",
    "mark",
    "ipvs",
    "set",
];

/// What is said of packets that only a rule of sources asks for.
#[derive(Default)]
struct Asked {
    mark: Option<Mark>,
    ipvs: bool,
    /// What neither kind of rule can ask for.
    other: Option<String>,
}

impl Line {
    /// Reads `[1:60] -A CHAIN …`; `None` where it is no rule that is appended.
    pub(super) fn read(words: Vec<String>) -> Option<(String, Self)> {
        let mut words = words.into_iter().peekable();
        // With -c the counters are in front.
        words.next_if(|word| word.starts_with('[') && word.ends_with(']'));
        if !matches!(words.next()?.as_str(), "-A" | "--append") {
            return None;
        }
        let chain = words.next()?;
        let mut reader = Reader {
            matches: Matches::default(),
            asked: Asked::default(),
            target: None,
            goto: false,
            options: Vec::new(),
            comment: None,
        };
        while let Some(word) = words.next() {
            let negated = word == "!";
            let word = if negated { words.next()? } else { word };
            reader.word(&word, negated, &mut words);
        }
        Some((chain, reader.line()))
    }
}

struct Reader {
    matches: Matches,
    asked: Asked,
    target: Option<String>,
    goto: bool,
    /// The options of the target, each with its value.
    options: Vec<(String, Option<String>)>,
    comment: Option<String>,
}

type Words = Peekable<IntoIter<String>>;

impl Reader {
    fn word(&mut self, word: &str, negated: bool, words: &mut Words) {
        if negated && word == "--mark" && words.peek().is_some_and(|it| is_no_mark(it)) {
            words.next();
            self.matches.marked = true;
            return;
        }
        if self.target.is_some() {
            let value = words.next_if(|next| !next.starts_with("--"));
            self.options.push((word.to_owned(), value));
            return;
        }
        let known = match word {
            "-d"
            | "--destination"
            | "-p"
            | "--protocol"
            | "--dport"
            | "--destination-port"
            | "--dports"
            | "--destination-ports"
            | "--dst-range"
            | "--mark"
            | "--vmethod"
            | "--ipvs"
            | "-j"
            | "--jump"
            | "-g"
            | "--goto"
            | "-m"
            | "--match"
            | "--comment"
            | "-c"
            | "--set-counters" => !negated,
            _ => false,
        };
        if !known {
            return self.other(word, negated, words);
        }
        // A number as a mask of bits is asked for as it is.
        match word {
            "--ipvs" => self.asked.ipvs = true,
            "-c" | "--set-counters" => drop((words.next(), words.next())),
            _ => {
                let Some(value) = words.next() else { return self.ask(format!("{word} nothing")) };
                self.value(word, value);
            }
        }
    }

    fn value(&mut self, word: &str, value: String) {
        let read = match word {
            "-j" | "--jump" => {
                self.target = Some(value);
                Ok(())
            }
            "-g" | "--goto" => {
                (self.target, self.goto) = (Some(value), true);
                Ok(())
            }
            "--comment" => {
                self.comment = Some(value);
                Ok(())
            }
            "-m" | "--match" if EXTENSIONS.contains(&value.as_str()) => Ok(()),
            // Its options, if it has any, are told by themselves; some have none.
            "-m" | "--match" => Err(format!("-m {value}")),
            "-p" | "--protocol" => {
                self.protocol(&value);
                Ok(())
            }
            "-d" | "--destination" => destination(&value).map(|prefix| {
                self.matches.destinations = prefix.map(|prefix| vec![prefix]);
            }),
            "--dst-range" => range(&value).map(|all| self.matches.destinations = Some(all)),
            "--mark" => {
                self.mark(&value);
                Ok(())
            }
            "--vmethod" if value.eq_ignore_ascii_case("masq") => Ok(()),
            "--vmethod" => Err(format!("--vmethod {value}")),
            _ => {
                let all: Result<Vec<_>, _> = value.split(',').map(ports).collect();
                all.map(|all| self.matches.ports = Some(once(all)))
            }
        };
        if let Err(what) = read {
            self.ask(what);
        }
    }

    fn protocol(&mut self, text: &str) {
        self.matches.protocols = match text {
            "all" | "0" | "ip" | "ipv6" => None,
            text => {
                let number = text.parse().ok().and_then(Protocol::from_number);
                Some(text.parse().ok().or(number).into_iter().collect())
            }
        };
    }

    /// `--mark VALUE/MASK`: only packets without one, or those with one.
    fn mark(&mut self, text: &str) {
        let (value, mask) = text.split_once('/').map_or((text, None), |(v, m)| (v, Some(m)));
        let mask = mask.map_or(Some(u32::MAX), words::number);
        match (words::number(value), mask) {
            _ if is_no_mark(text) => self.matches.unmarked = true,
            (Some(value), Some(u32::MAX)) => self.asked.mark = Mark::new(value),
            _ => self.ask(format!("the bits --mark {text}")),
        }
    }

    /// An option that is not known, with its values.
    fn other(&mut self, word: &str, negated: bool, words: &mut Words) {
        let mut text = if negated { format!("! {word}") } else { word.to_owned() };
        while let Some(value) = words.next_if(|next| !next.starts_with('-') && next != "!") {
            text += &format!(" {value}");
        }
        self.ask(text);
    }

    fn ask(&mut self, what: String) {
        // `-m conntrack` is less than what its options ask.
        match &self.asked.other {
            Some(first) if !(first.starts_with("-m ") && what.starts_with(['-', '!'])) => {}
            _ => self.asked.other = Some(what),
        }
    }

    fn line(self) -> Line {
        let Self { mut matches, asked, target, goto, options, comment } = self;
        let target = target.unwrap_or_default();
        let masks = target::source(&target, &options).map(|source| Masks {
            mark: asked.mark,
            only_ipvs: asked.ipvs,
            source: source.as_ref().copied().unwrap_or(Source::Masquerade),
            other: source.err().or_else(|| asked.other.clone()).or_else(|| {
                let narrow = matches.protocols.is_some() || matches.ports.is_some();
                narrow.then(|| "a protocol or port".to_owned())
            }),
        });
        if let Some(mark) = asked.mark {
            matches.ask(format!("--mark {mark}"));
        }
        if asked.ipvs {
            matches.ask("--ipvs");
        }
        if let Some(other) = asked.other {
            matches.ask(other);
        }
        let actions = target::actions(&target, goto, &options);
        Line { matches, actions, masks, name: comment.as_deref().and_then(words::name) }
    }
}

/// Whether it is mark 0, whole.
fn is_no_mark(text: &str) -> bool {
    let (value, mask) = text.split_once('/').unwrap_or((text, "-1"));
    words::number(value) == Some(0) && words::number(mask) == Some(u32::MAX)
}

fn range(text: &str) -> Result<Vec<crate::model::Prefix>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let prefixes = match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) => prefixes(first, last),
        _ => None,
    };
    prefixes.ok_or_else(|| format!("the addresses {text}"))
}
