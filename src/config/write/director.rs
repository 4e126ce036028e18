//! `[director]` and the tables below it.

use crate::model::{
    BackendKind, DEFAULT_MAX_RULES, DirectorSettings, MarkRange, Share, Sync, SyncRole, Variant,
    VipPlace,
};

use super::table::{Table, quoted, time};

/// The tables that there is something to say in.
pub(super) fn tables(director: &DirectorSettings) -> Vec<String> {
    let mut sysctls = Table::new(&["director", "sysctl"]);
    for (sysctl, value) in &director.sysctls {
        let number = value.parse::<i64>().map(|number| number.to_string());
        sysctls.set(sysctl.as_str(), number.unwrap_or_else(|_| quoted(value)));
    }
    let mut timeouts = Table::new(&["director", "timeouts"]);
    for (timeout, seconds) in &director.timeouts {
        timeouts.set(timeout.as_str(), time(*seconds));
    }
    let sync = director.sync.as_ref().map(sync);
    let tables = [Some(whole(director)), Some(sysctls), Some(timeouts), sync];
    let tables = tables.into_iter().flatten().filter(|table| !table.is_empty());
    tables.map(Table::text).collect()
}

fn whole(director: &DirectorSettings) -> Table {
    let mut table = Table::new(&["director"]);
    if director.backend == BackendKind::Iptables {
        table.set("backend", quoted("iptables"));
    }
    match director.variant {
        None => {}
        Some(Variant::Nft) => table.set("variant", quoted("nft")),
        Some(Variant::Legacy) => table.set("variant", quoted("legacy")),
    }
    if director.max_rules != DEFAULT_MAX_RULES {
        table.set("max-rules", director.max_rules);
    }
    if director.marks != MarkRange::DEFAULT {
        table.set("marks", quoted(director.marks));
    }
    if director.local_traffic {
        table.set("local-traffic", true);
    }
    match &director.vips {
        VipPlace::Local => {}
        VipPlace::Route => table.set("vips", quoted("route")),
        VipPlace::Bind(device) => {
            table.set("vips", quoted("bind"));
            table.set("interface", quoted(device));
        }
    }
    if director.ask_above != Share::HALF {
        table.set("ask-above", quoted(director.ask_above));
    }
    table
}

fn sync(sync: &Sync) -> Table {
    let mut table = Table::new(&["director", "sync"]);
    let role = match sync.roles.as_slice() {
        [SyncRole::Master] => "master",
        [SyncRole::Backup] => "backup",
        _ => "both",
    };
    let channel = &sync.channel;
    table.set("role", quoted(role));
    table.set("interface", quoted(&channel.interface));
    if channel.id != 0 {
        table.set("id", channel.id);
    }
    if let Some(group) = channel.group {
        table.set("group", quoted(group));
    }
    for (key, number) in
        [("port", channel.port), ("ttl", channel.ttl.map(u16::from)), ("maxlen", channel.maxlen)]
    {
        if let Some(number) = number {
            table.set(key, number);
        }
    }
    table
}
