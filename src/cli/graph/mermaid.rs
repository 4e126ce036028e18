//! A picture in the language of Mermaid, which forges and wikis show.

use super::picture::{Picture, Shown, To};

/// The whole graph.
pub(super) fn of(picture: &Picture) -> String {
    let mut text = String::from("flowchart LR\n");
    for (number, group) in picture.groups.iter().enumerate() {
        text += &subgraph(number, group);
    }
    text + "  classDef off stroke-dasharray:5 4\n"
}

fn subgraph(number: usize, group: &Shown) -> String {
    let title =
        if group.enabled { group.name.clone() } else { format!("{} (disabled)", group.name) };
    let mut text = format!("  subgraph g{number} [{}]\n", quoted(&title));
    let node = |kind: &str, at: usize| format!("g{number}{kind}{at}");
    let mut line = |content: String| text += &format!("    {content}\n");
    for (at, door) in group.doors.iter().enumerate() {
        let label = format!("{}\n{}", door.vip, door.ports.join(" "));
        let to = match door.to {
            To::Mark(mark) => node("mark", mark),
            To::Service(service) => node("service", service),
        };
        line(format!("{}[{}] --> {to}", node("vip", at), quoted(&label)));
    }
    for (at, mark) in group.marks.iter().enumerate() {
        line(format!("{}{{{{{}}}}}", node("mark", at), quoted(mark)));
    }
    for (at, service) in group.services.iter().enumerate() {
        let name = node("service", at);
        line(format!("{name}[{}]", quoted(&format!("{}\n{}", service.name, service.about))));
        if let Some(mark) = service.mark {
            line(format!("{} --> {name}", node("mark", mark)));
        }
        for &server in &service.servers {
            let weight = group.servers[server].weight;
            let arrow = if weight == 0 { "-.->" } else { "-->" };
            let label = quoted(&weight.to_string());
            line(format!("{name} {arrow}|{label}| {}", node("real", server)));
        }
    }
    for (at, server) in group.servers.iter().enumerate() {
        let busy = server.busy().map_or_else(String::new, |busy| format!("\n{busy}"));
        let label = quoted(&format!("{}\n{}{busy}", server.name, server.about()));
        let class = if server.weight == 0 { ":::off" } else { "" };
        line(format!("{}({label}){class}", node("real", at)));
    }
    text += "  end\n";
    if !group.enabled {
        text += &format!("  class g{number} off\n");
    }
    text
}

/// A string as the language has it: its signs are entities, a line break is an element.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted += "#quot;",
            '#' => quoted += "#35;",
            '<' => quoted += "#lt;",
            '>' => quoted += "#gt;",
            '\n' => quoted += "<br/>",
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    #[test]
    fn signs_of_the_language_are_entities() {
        assert_eq!(super::quoted("a\"#<b>\nc"), "\"a#quot;#35;#lt;b#gt;<br/>c\"");
    }
}
