//! The commands of a page, and what it says that they print.

use std::fs;

/// What is fenced together.
pub(crate) struct Block {
    /// Where: `docs/guide.md:137`.
    pub(crate) place: String,
    pub(crate) steps: Vec<Step>,
    /// The configuration that the page showed last before it.
    pub(crate) config: String,
    /// The heading above it.
    pub(crate) heading: String,
}

/// A command line.
pub(crate) struct Step {
    pub(crate) command: String,
    /// What the page shows of its answer, if anything.
    pub(crate) shown: Vec<String>,
}

/// The blocks of a page that have commands.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let path = format!("{}/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let (mut blocks, mut config, mut heading) = (Vec::new(), String::new(), String::new());
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.starts_with('#') {
            line.trim_start_matches(['#', ' ']).clone_into(&mut heading);
        }
        let Some(language) = line.strip_prefix("```") else { continue };
        let inside: Vec<_> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        let steps = match language {
            "toml" => {
                config = inside.join("\n") + "\n";
                continue;
            }
            "sh" => script(&inside),
            "console" | "" => session(&inside),
            _ => continue,
        };
        if !steps.is_empty() {
            let place = format!("{page}:{}", number + 1);
            let (config, heading) = (config.clone(), heading.clone());
            blocks.push(Block { place, steps, config, heading });
        }
    }
    blocks
}

/// A script: each line is a command, but for those that go on.
fn script(lines: &[&str]) -> Vec<Step> {
    let whole = lines.join("\n").replace("\\\n", "");
    whole.lines().map(|command| Step { command: command.to_owned(), shown: Vec::new() }).collect()
}

/// A session on a terminal: commands behind a prompt, and the answers to them.
fn session(lines: &[&str]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in lines {
        let command = line.strip_prefix("# ").or_else(|| line.strip_prefix("$ "));
        match (command, steps.last_mut()) {
            (Some(command), _) => {
                steps.push(Step { command: command.to_owned(), shown: Vec::new() });
            }
            (None, Some(step)) => step.shown.push((*line).to_owned()),
            (None, None) => {}
        }
    }
    steps
}

/// Where the two begin to differ; numbers need only be numbers where they are `counts`.
/// A line `…` stands for any lines.
pub(crate) fn difference(shown: &[String], printed: &str, counts: bool) -> Option<String> {
    let mut rest: Vec<_> = printed.lines().collect();
    let mut skips = false;
    for line in shown {
        if line.trim() == "…" {
            skips = true;
            continue;
        }
        let place = rest.iter().position(|printed| same(line, printed, counts));
        match place {
            Some(place) if place == 0 || skips => {
                rest.drain(..=place);
                skips = false;
            }
            _ => {
                return Some(format!(
                    "the page shows\n{line}\nbut what is left is\n{}",
                    rest.join("\n")
                ));
            }
        }
    }
    let ends = skips || rest.iter().all(|line| line.is_empty());
    (!ends).then(|| format!("the page does not show\n{}", rest.join("\n")))
}

fn same(shown: &str, printed: &str, counts: bool) -> bool {
    if !counts {
        return shown == printed;
    }
    let words = |line: &str| line.split_whitespace().map(bare).collect::<Vec<_>>();
    words(shown) == words(printed)
}

/// A word without its number, unless it is of the lab: an address, a mark.
fn bare(word: &str) -> String {
    if word.contains("172.18.") || word.starts_with("0x") {
        // The client's port is chosen by its kernel.
        return match word.rsplit_once(':') {
            Some((address, port)) if port.len() == 5 => address.to_owned(),
            _ => word.to_owned(),
        };
    }
    let mut bare = String::new();
    let mut in_number = false;
    for letter in word.chars() {
        in_number = letter.is_ascii_digit() || (in_number && ".kMG".contains(letter));
        match in_number {
            true if bare.ends_with('#') => {}
            true => bare.push('#'),
            false => bare.push(letter),
        }
    }
    bare
}
