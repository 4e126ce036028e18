//! Legacy iptables, which only its own program tells of. It is run where the namespace has
//! tables of it, and else not even looked for: to ask for a table can make one.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::model::Family;
use crate::preflight::filter::{Chain, parse};

/// Where distributions keep it.
const FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// The chains of both families. What cannot be read goes to `unread`.
pub(super) fn read(unread: &mut impl FnMut(&str, String)) -> Vec<Chain> {
    let mut chains = Vec::new();
    for (family, names, program) in [
        (Family::Ipv4, "ip_tables_names", "iptables-legacy-save"),
        (Family::Ipv6, "ip6_tables_names", "ip6tables-legacy-save"),
    ] {
        let list = Path::new("/proc/thread-self/net").join(names);
        match fs::read_to_string(list) {
            Ok(text) if text.trim().is_empty() => {}
            Ok(_) => match save(program) {
                Ok(text) => chains.extend(parse(family, &text)),
                Err(why) => unread(&format!("legacy iptables ({family})"), why),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => unread(&format!("legacy iptables ({family})"), error.to_string()),
        }
    }
    chains
}

fn save(program: &str) -> Result<String, String> {
    let paths = FOLDERS.map(|folder| Path::new(folder).join(program));
    let path = paths
        .iter()
        .find(|path| path.exists())
        .ok_or_else(|| format!("there are tables of it, and no program {program} to read them"))?;
    let output = Command::new(path)
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| format!("{}: {error}", path.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed: {}", path.display(), said.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
