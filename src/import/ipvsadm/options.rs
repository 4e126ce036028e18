//! The options of one line of ipvsadm(8), short and long.

/// What a line does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verb {
    /// `-A`.
    AddService,
    /// `-a`.
    AddServer,
    /// `-C`.
    Clear,
    /// `--set`, with what follows it.
    Timeouts(Vec<String>),
    /// `--start-daemon`, `--stop-daemon`.
    Daemon,
    /// What changes no service: `-L`, `-S`, `-Z`.
    Nothing,
    /// What changes some.
    Other(&'static str),
}

/// What a service listens to, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Listens {
    /// `-t`, `-u`, `--sctp-service`.
    To(crate::model::Protocol, String),
    /// `-f`.
    Mark(String),
}

/// A line, sorted.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) verb: Verb,
    pub(super) listens: Option<Listens>,
    pub(super) ipv6: bool,
    pub(super) one_packet: bool,
    /// `-p`, with its time where it has one.
    #[allow(clippy::option_option, reason = "not given, given, given with a time")]
    pub(super) persistent: Option<Option<String>>,
    /// `-g`, `-i` or `-m`.
    pub(super) method: char,
    values: Vec<(&'static str, String)>,
}

/// The options that take a value: short name, long name.
const VALUES: [(&str, &str); 13] = [
    ("-t", "--tcp-service"),
    ("-u", "--udp-service"),
    ("", "--sctp-service"),
    ("-f", "--fwmark-service"),
    ("-s", "--scheduler"),
    ("-M", "--netmask"),
    ("-b", "--sched-flags"),
    ("", "--pe"),
    ("-r", "--real-server"),
    ("-w", "--weight"),
    ("-x", "--u-threshold"),
    ("-y", "--l-threshold"),
    ("", "--tun-type"),
];

impl Options {
    /// Sorts the words of a line; a sentence where one of them is not known.
    pub(super) fn read(words: Vec<String>) -> Result<Self, String> {
        let mut options = Self {
            verb: Verb::Nothing,
            listens: None,
            ipv6: false,
            one_packet: false,
            persistent: None,
            method: 'g',
            values: Vec::new(),
        };
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next() {
            let (word, joined) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => {
                    (name.to_owned(), Some(value.to_owned()))
                }
                _ => (word, None),
            };
            if word == "--tun-port" {
                let value = joined.or_else(|| words.next());
                options.values.push(("--tun-port", value.ok_or("--tun-port has no value")?));
                continue;
            }
            let valued = VALUES.iter().find(|(short, long)| word == *short || word == *long);
            if let Some((_, long)) = valued {
                let value = joined.or_else(|| words.next());
                options.take(long, value.ok_or_else(|| format!("{word} has no value"))?);
                continue;
            }
            match word.as_str() {
                "-A" | "--add-service" => options.verb = Verb::AddService,
                "-a" | "--add-server" => options.verb = Verb::AddServer,
                "-C" | "--clear" => options.verb = Verb::Clear,
                "-E" | "--edit-service" => options.verb = Verb::Other("-E"),
                "-e" | "--edit-server" => options.verb = Verb::Other("-e"),
                "-D" | "--delete-service" => options.verb = Verb::Other("-D"),
                "-d" | "--delete-server" => options.verb = Verb::Other("-d"),
                "-R" | "--restore" => options.verb = Verb::Other("-R"),
                // Whatever follows belongs to it.
                "--set" => {
                    let verb = Verb::Timeouts(words.collect());
                    return Ok(Self { verb, ..options });
                }
                "--start-daemon" | "--stop-daemon" => {
                    return Ok(Self { verb: Verb::Daemon, ..options });
                }
                "-L" | "-l" | "--list" | "-Ln" | "-ln" | "-S" | "--save" | "-Sn" | "-Z"
                | "--zero" | "-h" | "--help" | "-v" | "--version" => {
                    return Ok(Self { verb: Verb::Nothing, ..options });
                }
                "-6" | "--ipv6" => options.ipv6 = true,
                "-o" | "--ops" => options.one_packet = true,
                "-n" | "--numeric" | "--exact" => {}
                "-p" | "--persistent" => {
                    let digits = |next: &String| next.bytes().all(|byte| byte.is_ascii_digit());
                    options.persistent = Some(joined.or_else(|| words.next_if(digits)));
                }
                "-g" | "--gatewaying" => options.method = 'g',
                "-i" | "--ipip" => options.method = 'i',
                "-m" | "--masquerading" => options.method = 'm',
                "--tun-nocsum" | "--tun-csum" | "--tun-remcsum" => {
                    options.values.push(("checksum", word));
                }
                other => return Err(format!("'{other}' is no option of a service")),
            }
        }
        Ok(options)
    }

    fn take(&mut self, option: &'static str, value: String) {
        use crate::model::Protocol;
        match option {
            "--tcp-service" => self.listens = Some(Listens::To(Protocol::Tcp, value)),
            "--udp-service" => self.listens = Some(Listens::To(Protocol::Udp, value)),
            "--sctp-service" => self.listens = Some(Listens::To(Protocol::Sctp, value)),
            "--fwmark-service" => self.listens = Some(Listens::Mark(value)),
            other => self.values.push((other, value)),
        }
    }

    /// The value of an option, by its long name; the last one counts.
    pub(super) fn value(&self, option: &str) -> Option<&str> {
        let mut found = self.values.iter().rev().filter(|(name, _)| *name == option);
        found.next().map(|(_, value)| value.as_str())
    }
}
