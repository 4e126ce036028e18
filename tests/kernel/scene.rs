//! What the scenes share: fwmarkctl run on a lab's director with a configuration
//! on its standard input, and the questions that each scene asks afterwards.

use serde_json::Value;

use crate::lab::{Client, Director, Ended, Failure, Lab, Program, RealServer};

/// fwmarkctl with a configuration, on the director.
pub(crate) trait Fwmarkctl {
    /// `fwmarkctl ARGS` that reads `config`.
    fn with(&self, args: &[&str], config: &str) -> Program<'_>;

    /// Applies `config`, which has to succeed; the answer is what it printed.
    fn apply(&self, config: &str) -> String {
        self.with(&["apply"], config).ok()
    }

    /// Runs a command that answers in JSON; the answer is the exit status and
    /// the document.
    fn json(&self, args: &[&str], config: &str) -> (i32, Value) {
        let ended = self.with(&[&["-o", "json"], args].concat(), config).run();
        let document = serde_json::from_str(&ended.stdout)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {ended:?}"));
        (ended.code.unwrap(), document)
    }

    /// Whether the kernel holds what `config` says, by `plan`; whoever expects
    /// otherwise gets the plan to look at.
    fn in_sync(&self, config: &str) -> Result<(), String> {
        let Ended { code, stdout, stderr } =
            self.with(&["plan", "--detailed-exitcode"], config).run();
        match code {
            Some(0) => Ok(()),
            _ => Err(format!("plan ended with {code:?}\n{stdout}{stderr}")),
        }
    }
}

impl Fwmarkctl for Director {
    fn with(&self, args: &[&str], config: &str) -> Program<'_> {
        self.fwmarkctl(&["-c", "-"]).args(args).stdin(config)
    }
}

/// A TOML list of addresses of the lab's real servers.
pub(crate) fn list(lab: &Lab, addresses: &[fn(&RealServer) -> String]) -> String {
    let all = addresses.iter().flat_map(|address| lab.real_servers().iter().map(address));
    format!("{:?}", all.collect::<Vec<_>>())
}

/// The servers that answer `times` requests, one after another.
pub(crate) fn servers(
    times: usize,
    mut request: impl FnMut(usize) -> Result<String, Failure>,
) -> Vec<String> {
    (0..times)
        .map(|number| request(number).unwrap_or_else(|why| panic!("request {number}: {why:?}")))
        .collect()
}

/// The one server that answers `source` at all of `targets`, by TCP.
pub(crate) fn the_one_server(client: Client<'_>, source: &str, targets: &[&str]) -> String {
    let answers = servers(targets.len(), |number| client.tcp(source, targets[number]));
    assert!(answers.iter().all(|name| *name == answers[0]), "{source} at {targets:?}: {answers:?}");
    answers[0].clone()
}
