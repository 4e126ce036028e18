//! A picture in the language of Graphviz, `dot(1)`.

use super::picture::{Picture, Shown, To};

/// The whole graph.
pub(super) fn of(picture: &Picture) -> String {
    let mut text = String::from(
        "digraph fwmarkctl {\n  rankdir=LR;\n  node [shape=box, fontname=\"monospace\"];\n  \
         edge [fontname=\"monospace\"];\n",
    );
    for (number, group) in picture.groups.iter().enumerate() {
        text += &cluster(number, group);
    }
    text + "}\n"
}

fn cluster(number: usize, group: &Shown) -> String {
    let (title, style) = if group.enabled {
        (group.name.clone(), "rounded")
    } else {
        (format!("{} (disabled)", group.name), "rounded,dashed")
    };
    let mut text = format!(
        "  subgraph cluster_{number} {{\n    label={};\n    style={};\n",
        quoted(&title),
        quoted(style)
    );
    let node = |kind: &str, at: usize| format!("g{number}{kind}{at}");
    let mut line = |content: String| text += &format!("    {content};\n");
    for (at, door) in group.doors.iter().enumerate() {
        let name = node("vip", at);
        line(format!(
            "{name} [label={}]",
            quoted(&format!("{}\n{}", door.vip, door.ports.join(" ")))
        ));
        let to = match door.to {
            To::Mark(mark) => node("mark", mark),
            To::Service(service) => node("service", service),
        };
        line(format!("{name} -> {to}"));
    }
    for (at, mark) in group.marks.iter().enumerate() {
        line(format!("{} [shape=hexagon, label={}]", node("mark", at), quoted(mark)));
    }
    for (at, service) in group.services.iter().enumerate() {
        let (name, label) = (node("service", at), format!("{}\n{}", service.name, service.about));
        line(format!("{name} [label={}]", quoted(&label)));
        if let Some(mark) = service.mark {
            line(format!("{} -> {name}", node("mark", mark)));
        }
        for &server in &service.servers {
            let weight = group.servers[server].weight;
            let style = if weight == 0 { ", style=dashed" } else { "" };
            let to = node("real", server);
            line(format!("{name} -> {to} [label={}{style}]", quoted(&weight.to_string())));
        }
    }
    for (at, server) in group.servers.iter().enumerate() {
        let busy = server.busy().map_or_else(String::new, |busy| format!("\n{busy}"));
        let label = format!("{}\n{}{busy}", server.name, server.about());
        let style = if server.weight == 0 { "rounded,dashed" } else { "rounded" };
        line(format!("{} [style={}, label={}]", node("real", at), quoted(style), quoted(&label)));
    }
    text + "  }\n"
}

/// A string as the language has it: a line break is `\n`.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn quotes_and_backslashes_stay_inside_of_a_string() {
        assert_eq!(super::quoted("a\"b\\c\nd"), "\"a\\\"b\\\\c\\nd\"");
    }
}
