//! A virtual service and its real servers as a table that fits a terminal of 80 columns.

use crate::backend::{Activity, DestinationStatistics, ServiceStatistics};
use crate::cli::output::{Output, Tone};
use crate::state::{Destination, ServiceKey, VirtualService};
use crate::units::human;

/// Where the columns of numbers begin; they are 39 wide.
const LEFT: usize = 41;

/// How wide a line may become.
const WIDTH: usize = 79;

/// How long a bar is.
const BAR: u64 = 10;

/// The table, a line for each real server; where `counted` is given, another one with what
/// was counted of it.
pub(super) fn table(
    key: ServiceKey,
    service: &VirtualService,
    activity: &dyn Fn(&Destination) -> Activity,
    counted: Option<&ServiceStatistics>,
    output: &Output,
) -> String {
    let heads = format!("{:>6} {:<15}{:>8}{:>9}", "WEIGHT", "SHARE", "ACTIVE", "INACTIVE");
    let mut description = wrapped(&format!("  {key} "), service.to_string().split(' '));
    let last = description.pop().unwrap_or_default();
    description.push(line(&last, &output.paint(Tone::Faint, heads)));
    let mut text = description.join("\n") + "\n";
    let connections = |it: Activity| u64::from(it.active) + u64::from(it.inactive);
    let all = service.destinations.iter().map(|server| connections(activity(server))).sum();
    let weights = service.destinations.iter().map(|server| u64::from(server.weight)).sum();
    for server in &service.destinations {
        let now = activity(server);
        let mut name = format!("    {}  {}", server.key, server.method);
        if server.weight == 0 {
            name += "  drained";
        }
        let share = percent(connections(now), all);
        let shown = share.map_or_else(|| "-".to_owned(), |share| format!("{share}%"));
        let numbers = format!(
            "{:>6} {} {shown:>4}{:>8}{:>9}",
            server.weight,
            output.bar(share.unwrap_or(0), BAR),
            now.active,
            now.inactive,
        );
        let row = line(&name, &numbers);
        text += &if server.weight == 0 { output.paint(Tone::Warning, row) } else { row };
        text.push('\n');
        if let Some(counted) = counted {
            let counted = counted.destinations.get(&server.key).copied().unwrap_or_default();
            for more in in_depth(server, weights, now, &counted) {
                text += &format!("      {}\n", output.paint(Tone::Faint, more));
            }
        }
    }
    text
}

/// Words behind `head`, in as many lines as they need.
pub(super) fn wrapped<'a>(head: &str, words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let indent = head.chars().count();
    let mut lines = vec![head.to_owned()];
    let mut width = indent;
    for word in words {
        let more = 1 + word.chars().count();
        if width > indent && width + more > WIDTH {
            lines.push(" ".repeat(indent));
            width = indent;
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
        width += more;
    }
    lines
}

/// A line of two parts, or two lines where the first part is too long.
pub(super) fn line(name: &str, numbers: &str) -> String {
    let length = name.chars().count();
    if length < LEFT {
        format!("{name:<LEFT$}{numbers}")
    } else {
        format!("{name}\n{:LEFT$}{numbers}", "")
    }
}

/// What there is to say of one server beside the table, a line each.
fn in_depth(
    server: &Destination,
    weights: u64,
    now: Activity,
    counted: &DestinationStatistics,
) -> Vec<String> {
    let total = counted.statistics.total;
    let weight = percent(u64::from(server.weight), weights)
        .map_or_else(String::new, |percent| format!("{percent}% of the weight, "));
    let mut lines = vec![format!(
        "{weight}{} connections so far, {} bytes in, {} out",
        human(total.connections),
        human(total.bytes_in),
        human(total.bytes_out),
    )];
    match now.persistent {
        0 => {}
        1 => lines.push("1 client stays by persistence".to_owned()),
        clients => lines.push(format!("{clients} clients stay by persistence")),
    }
    match (server.upper_threshold, server.lower_threshold) {
        (0, 0) => {}
        (upper, 0) => lines.push(format!("no new client from {upper} connections on")),
        (upper, lower) => {
            lines.push(format!("no new client from {upper} connections on, until below {lower}"));
        }
    }
    lines
}

/// Of nothing there is no share.
fn percent(part: u64, all: u64) -> Option<u64> {
    (part * 100 + all / 2).checked_div(all)
}
