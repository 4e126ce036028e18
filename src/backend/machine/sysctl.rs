//! Kernel parameters, by their files.

use std::fs;
use std::io::{self, ErrorKind};

use super::refused;
use crate::backend::MachineError;
use crate::model::Sysctl;
use crate::plan::SettingChange;

const REDIRECTS: &str = "/proc/sys/net/ipv4/conf/all/accept_redirects";

/// A parameter's value, its words parted by one space; `None` where there is none of that
/// name.
pub(super) fn read(sysctl: &Sysctl) -> Result<Option<String>, MachineError> {
    match fs::read_to_string(sysctl.path()) {
        Ok(text) => Ok(Some(text.split_whitespace().collect::<Vec<_>>().join(" "))),
        Err(error) if is_absent(&error) => Ok(None),
        Err(source) => Err(MachineError::Unreadable { setting: sysctl.to_string(), source }),
    }
}

/// Sets a parameter. One that is not there keeps no value, so that none is given back.
pub(super) fn write(sysctl: &Sysctl, change: &SettingChange) -> Result<(), MachineError> {
    let Some(value) = &change.after else { return Ok(()) };
    let Err(error) = replace(sysctl, value) else { return Ok(()) };
    let (reason, remedy) = match error.kind() {
        _ if is_absent(&error) => (
            "this kernel has no such parameter".to_owned(),
            Some(format!("sysctl -a --pattern '{}'", sysctl.as_str())),
        ),
        ErrorKind::ReadOnlyFilesystem => (
            "/proc/sys is mounted read-only, as in a container or a hardened unit".to_owned(),
            Some(format!("sysctl -w {sysctl}={}", value.replace(' ', ","))),
        ),
        ErrorKind::InvalidInput => (format!("the kernel does not take the value {value}"), None),
        _ => (error.to_string(), None),
    };
    Err(refused(change, reason, remedy))
}

/// Writes a value. Forwarding of IPv4 takes along whether redirects are believed
/// (`inet_forward_change`, `net/ipv4/devinet.c`), which is nobody's wish here.
fn replace(sysctl: &Sysctl, value: &str) -> io::Result<()> {
    if *sysctl != Sysctl::ip_forward() {
        return fs::write(sysctl.path(), value);
    }
    let redirects = fs::read(REDIRECTS)?;
    fs::write(sysctl.path(), value)?;
    if fs::read(REDIRECTS)? == redirects { Ok(()) } else { fs::write(REDIRECTS, redirects) }
}

/// A file in `/proc/sys` can be absent by its name or by a folder of its path.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
