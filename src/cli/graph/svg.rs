//! A picture as one SVG that a browser opens by itself, readable in light and in dark.

use super::layout::{BAR, Band, Box, LINE, Layout, MARGIN, PAD, TOP};
use super::picture::{Picture, Shown, To};

/// What the columns are.
const HEADS: [&str; 4] = ["VIPs and ports", "marks", "virtual services", "real servers"];

/// Colours carry no meaning alone: what takes no clients is dashed, and says so.
const STYLE: &str = "\
    text   { font: 13px ui-monospace, \"DejaVu Sans Mono\", Menlo, Consolas, monospace; fill: #1d2630 }
    .paper { fill: #ffffff }
    .band  { fill: #f5f7f9; stroke: #d5dbe1 }
    .head  { font: 13px system-ui, \"DejaVu Sans\", sans-serif; fill: #5a6672 }
    .group { font: bold 15px system-ui, \"DejaVu Sans\", sans-serif }
    .name  { font-weight: bold }
    .box   { fill: #ffffff; stroke: #7d8c9a; stroke-width: 1.2 }
    .mark  { fill: #fdf3d3; stroke: #b08a1a }
    .real  { fill: #e9f2fb; stroke: #35628f }
    .arrow { fill: none; stroke: #7d8c9a; stroke-width: 1.4 }
    .tip   { fill: #7d8c9a }
    .rail  { fill: #cfdcea }
    .share { fill: #35628f }
    .off   { stroke-dasharray: 5 4 }
    @media (prefers-color-scheme: dark) {
      text   { fill: #e4e9ee }
      .paper { fill: #12161b }
      .band  { fill: #1a2027; stroke: #333d47 }
      .head  { fill: #9aa7b4 }
      .box   { fill: #222a33; stroke: #7b8a98 }
      .mark  { fill: #3a3110; stroke: #c9a63a }
      .real  { fill: #17293b; stroke: #6fa3d6 }
      .arrow { stroke: #8896a4 }
      .tip   { fill: #8896a4 }
      .rail  { fill: #2c4158 }
      .share { fill: #6fa3d6 }
    }
";

/// The whole document.
pub(super) fn of(picture: &Picture) -> String {
    let layout = Layout::of(picture);
    let Layout { width, height, columns, bands } = &layout;
    let names: Vec<_> = picture.groups.iter().map(|group| group.name.as_str()).collect();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-labelledby=\"title desc\">\n  \
         <title id=\"title\">fwmarkctl: {}</title>\n  \
         <desc id=\"desc\">{}</desc>\n  <style>\n{STYLE}  </style>\n  <defs>\n    \
         <marker id=\"to\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" \
         markerHeight=\"8\" orient=\"auto\"><path class=\"tip\" d=\"M0 1 10 5 0 9z\"/></marker>\n  \
         </defs>\n  <rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n",
        escaped(&names.join(", ")),
        escaped(&told(picture)),
    );
    for (head, x) in HEADS.iter().zip(columns) {
        svg += &format!("  <text class=\"head\" x=\"{x}\" y=\"{}\">{head}</text>\n", TOP - 16);
    }
    for (group, band) in picture.groups.iter().zip(bands) {
        svg += &group_svg(group, band, *width);
    }
    svg + "</svg>\n"
}

/// The same in sentences, for those who listen.
fn told(picture: &Picture) -> String {
    let mut told = String::new();
    for group in &picture.groups {
        let vips: Vec<_> = group.doors.iter().map(|door| door.vip.as_str()).collect();
        let servers: Vec<_> = group
            .servers
            .iter()
            .map(|server| format!("{} ({})", server.name, server.about()))
            .collect();
        let off = if group.enabled { "" } else { ", disabled" };
        told += &format!(
            "Group {}{off}: {} lead to {}. ",
            group.name,
            vips.join(", "),
            servers.join(", ")
        );
    }
    told.trim_end().to_owned()
}

fn group_svg(group: &Shown, band: &Band, width: usize) -> String {
    let (off, disabled) = if group.enabled { ("", "") } else { (" off", " (disabled)") };
    let mut svg = format!(
        "  <g>\n    <rect class=\"band{off}\" x=\"{MARGIN}\" y=\"{}\" width=\"{}\" \
         height=\"{}\" rx=\"8\"/>\n    <text class=\"group\" x=\"{}\" y=\"{}\">{}{disabled}</text>\n",
        band.y,
        width - 2 * MARGIN,
        band.height,
        2 * MARGIN,
        band.y + 23,
        escaped(&group.name),
    );
    svg += &arrows(group, band);
    for (kind, boxes) in ["box", "box mark", "box", "box real"].iter().zip(&band.columns) {
        for (number, placed) in boxes.iter().enumerate() {
            let server = (*kind == "box real").then(|| &group.servers[number]);
            let is_off = !group.enabled || server.is_some_and(|server| server.weight == 0);
            svg += &box_svg(placed, kind, is_off);
            if let Some(server) = server {
                svg += &share(placed, server.percent);
            }
        }
    }
    svg + "  </g>\n"
}

fn arrows(group: &Shown, band: &Band) -> String {
    let [doors, marks, services, servers] = &band.columns;
    let mut svg = String::new();
    for (door, from) in group.doors.iter().zip(doors) {
        let to = match door.to {
            To::Mark(mark) => &marks[mark],
            To::Service(service) => &services[service],
        };
        svg += &arrow(from, to, !group.enabled);
    }
    for (service, from) in group.services.iter().zip(services) {
        if let Some(mark) = service.mark {
            svg += &arrow(&marks[mark], from, !group.enabled);
        }
        for &server in &service.servers {
            let is_off = !group.enabled || group.servers[server].weight == 0;
            svg += &arrow(from, &servers[server], is_off);
        }
    }
    svg
}

fn arrow(from: &Box, to: &Box, is_off: bool) -> String {
    let (x, y, end, height) = (from.right(), from.middle(), to.x, to.middle());
    // Straight through an alley; over a column it bends at both of its ends.
    let bend = ((end - x) / 2).min(60);
    let off = if is_off { " off" } else { "" };
    format!(
        "    <path class=\"arrow{off}\" marker-end=\"url(#to)\" d=\"M{x} {y}C{} {y} {} {height} \
         {end} {height}\"/>\n",
        x + bend,
        end - bend,
    )
}

fn box_svg(placed: &Box, kind: &str, is_off: bool) -> String {
    let Box { x, y, width, height, lines } = placed;
    let off = if is_off { " off" } else { "" };
    let mut svg = format!(
        "    <rect class=\"{kind}{off}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" \
         height=\"{height}\" rx=\"5\"/>\n"
    );
    for (number, line) in lines.iter().enumerate() {
        let class = if number == 0 { " class=\"name\"" } else { "" };
        svg += &format!(
            "    <text{class} x=\"{}\" y=\"{}\">{}</text>\n",
            x + PAD,
            y + PAD + 11 + number * LINE,
            escaped(line)
        );
    }
    svg
}

/// A bar as long as a real server's part of the group.
fn share(placed: &Box, percent: u64) -> String {
    let full = placed.width - 2 * PAD;
    let part = full * usize::try_from(percent.min(100)).unwrap_or(0) / 100;
    let (x, y) = (placed.x + PAD, placed.y + placed.height - BAR);
    format!(
        "    <rect class=\"rail\" x=\"{x}\" y=\"{y}\" width=\"{full}\" height=\"6\" rx=\"3\"/>\n    \
         <rect class=\"share\" x=\"{x}\" y=\"{y}\" width=\"{part}\" height=\"6\" rx=\"3\"/>\n"
    )
}

/// Text as XML has it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn signs_of_xml_are_entities() {
        assert_eq!(super::escaped("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
    }
}
