//! Whether a picture is well-formed XML.

use std::collections::BTreeSet;

/// The names of the elements of an XML document, each opened and closed in order.
///
/// Only what the pictures need: no entities of their own, no CDATA.
pub(crate) fn elements(xml: &str) -> Result<Vec<String>, String> {
    let mut open: Vec<&str> = Vec::new();
    let mut all = Vec::new();
    let mut rest = xml;
    while let Some(start) = rest.find('<') {
        if rest[..start].contains('>') || open.is_empty() && !rest[..start].trim().is_empty() {
            return Err(format!("text out of place: {}", &rest[..start]));
        }
        let end = rest.find('>').ok_or("a tag without an end")?;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let last = open.pop();
            if last != Some(name) {
                return Err(format!("</{name}> closes {last:?}"));
            }
            continue;
        }
        let inner = tag.strip_suffix('/').unwrap_or(tag);
        let name = inner.split_whitespace().next().ok_or("a tag without a name")?;
        attributes(inner[name.len()..].trim_start())?;
        if inner.len() == tag.len() {
            open.push(name);
        }
        all.push(name.to_owned());
    }
    let text_is_escaped = xml.split('&').skip(1).all(|after| {
        ["amp;", "lt;", "gt;", "quot;"].iter().any(|entity| after.starts_with(entity))
    });
    match (open.is_empty() && rest.trim().is_empty(), text_is_escaped) {
        (true, true) => Ok(all),
        (false, _) => Err(format!("{open:?} are not closed")),
        (_, false) => Err("an & that is not escaped".to_owned()),
    }
}

/// Checks that attributes are pairs with quotes, none twice.
fn attributes(mut text: &str) -> Result<(), String> {
    let mut names = BTreeSet::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").ok_or(format!("no value: {text}"))?;
        let (_, rest) = rest.split_once('"').ok_or(format!("no end: {rest}"))?;
        if !names.insert(name) || name.contains(char::is_whitespace) {
            return Err(format!("{name} is no attribute, or there twice"));
        }
        text = rest.trim_start();
    }
    Ok(())
}
