//! What `realserver` prints for people.

use std::fmt::Write as _;

use super::Selection;
use super::document::{Done, Readiness};
use crate::cli::output::{Output, Tone};
use crate::error::Error;
use crate::model::GroupName;
use crate::real_server::{Chosen, Deed, Gateway, Neighbours, Outcome, Plan, Setting, Status};

/// Shows what would be done.
pub(super) fn plan(
    output: &mut Output,
    selection: Option<&Selection>,
    plan: &Plan,
) -> Result<(), Error> {
    if output.is_json() {
        return output.json(&Done::planned(selection, plan));
    }
    let mut text = chosen(selection) + &steps(output, &plan.make, &plan.undo);
    text += if plan.is_empty() { "Nothing to do.\n" } else { "Nothing was changed.\n" };
    output.text(&text)
}

/// Shows what was done.
pub(super) fn outcome(
    output: &mut Output,
    selection: Option<&Selection>,
    outcome: &Outcome,
    gateway: Option<&Gateway>,
) -> Result<(), Error> {
    let Outcome { made, undone, left, useless } = outcome;
    if output.is_json() {
        return output.json(&Done::of(selection, outcome, gateway));
    }
    let mut text = chosen(selection);
    if let Some(why) = useless {
        writeln_to(
            &mut text,
            format_args!("The record is {why}: nothing of it is in this kernel."),
        );
    }
    text += &steps(output, made, undone);
    for (setting, why) in left {
        let line = format!("left: {setting}: {why}");
        writeln_to(&mut text, format_args!("{}", output.paint(Tone::Warning, line)));
    }
    if let Some(gateway) = gateway {
        writeln_to(
            &mut text,
            format_args!("The default route is {}, as it should be.", gateway.found),
        );
    }
    let done = output.paint(Tone::Good, if selection.is_some() { "Up" } else { "Down" });
    text += &match (made.len() + undone.len(), selection) {
        (0, Some(_)) => format!("{done}: nothing to do.\n"),
        (0, None) => "Down: nothing of ours is here.\n".to_owned(),
        (1, _) => format!("{done}: 1 step.\n"),
        (count, _) => format!("{done}: {count} steps.\n"),
    };
    output.text(&text)
}

/// Shows how ready this machine is.
pub(super) fn status(
    output: &mut Output,
    selection: Option<&Selection>,
    status: &Status,
    record: Option<&str>,
) -> Result<(), Error> {
    if output.is_json() {
        return output.json(&Readiness::of(selection, status, record));
    }
    let mut text = chosen(selection);
    for row in &status.settings {
        let state = match (row.present, row.ours) {
            (true, true) => output.paint(Tone::Good, "ok"),
            (true, false) => output.paint(Tone::Good, "ok") + ", not by us",
            (false, _) => output.paint(Tone::Bad, "missing"),
        };
        let what = match (row.setting, row.value) {
            (Setting::Sysctl(sysctl), Some(value)) => format!("{sysctl} is {value}"),
            (setting, _) => setting.to_string(),
        };
        writeln_to(&mut text, format_args!("  {what:<44} {state}"));
    }
    for device in &status.neighbours {
        let state = if device.silent {
            output.paint(Tone::Good, "ok, silent about the VIPs")
        } else {
            output.paint(Tone::Bad, "answers for the VIPs")
        };
        let Neighbours { device, arp_ignore, arp_announce, .. } = device;
        let what = format!("{device}: arp_ignore {arp_ignore}, arp_announce {arp_announce}");
        writeln_to(&mut text, format_args!("  {what:<44} {state}"));
    }
    for (vip, device) in &status.elsewhere {
        let line = format!("  {vip} is also on {device}, where ARP is answered for it");
        writeln_to(&mut text, format_args!("{}", output.paint(Tone::Warning, line)));
    }
    for setting in &status.surplus {
        let line = format!("  {setting}: ours, and not wanted any more");
        writeln_to(&mut text, format_args!("{}", output.paint(Tone::Warning, line)));
    }
    if let Some(gateway) = &status.gateway {
        text += &gateway_text(output, gateway);
    }
    if let Some(record) = record {
        let line = format!("  {record}");
        writeln_to(&mut text, format_args!("{}", output.paint(Tone::Warning, line)));
    }
    text += &match status.missing() {
        0 if status.settings.is_empty() && status.gateway.is_none() => {
            "Nothing is set here, and nothing needs to be.\n".to_owned()
        }
        0 => format!("{}.\n", output.paint(Tone::Good, "Ready")),
        missing => format!(
            "{}: {missing} missing; `fwmarkctl realserver up` sets what can be set.\n",
            output.paint(Tone::Bad, "Not ready")
        ),
    };
    output.text(&text)
}

fn gateway_text(output: &Output, gateway: &Gateway) -> String {
    match gateway.remedy() {
        None => format!(
            "  default route {}  {}\n",
            gateway.found,
            output.paint(Tone::Good, "by the director")
        ),
        Some(remedy) => format!(
            "  default route {}  {}: {remedy}\n",
            gateway.found,
            output.paint(Tone::Bad, format!("not by {}", gateway.director))
        ),
    }
}

/// For what: the groups, and by what they were chosen.
fn chosen(selection: Option<&Selection>) -> String {
    let Some(selection) = selection else { return String::new() };
    let vips: Vec<_> =
        selection.vips.iter().map(|vip| format!("{} ({})", vip.prefix, vip.method)).collect();
    let vips = if vips.is_empty() { "none".to_owned() } else { vips.join(", ") };
    let Some(choice) = &selection.choice else { return format!("VIPs: {vips}\n") };
    let names: Vec<_> = choice.groups.iter().map(GroupName::as_str).collect();
    let by = match choice.by {
        Chosen::ByAddress => "this machine is a real server of",
        Chosen::ByName => "named",
        Chosen::All => "all",
    };
    format!("Groups ({by}): {}\nVIPs: {vips}\n", names.join(", "))
}

fn steps(output: &Output, made: &[Deed], undone: &[Deed]) -> String {
    let mut text = String::new();
    for deed in made {
        let was = deed.previous.map_or_else(String::new, |value| format!(" (was {value})"));
        let line = format!("+ {}{was}", deed.setting);
        writeln_to(&mut text, format_args!("{}", output.paint(Tone::Good, line)));
    }
    for deed in undone {
        let line = match (deed.setting, deed.previous) {
            (Setting::Sysctl(sysctl), Some(value)) => format!("- {sysctl} = {value} again"),
            (setting, _) => format!("- {setting}"),
        };
        writeln_to(&mut text, format_args!("{}", output.paint(Tone::Bad, line)));
    }
    text
}

/// A line more. Writing to a string cannot fail.
fn writeln_to(text: &mut String, line: std::fmt::Arguments<'_>) {
    if text.write_fmt(line).is_ok() {
        text.push('\n');
    }
}
