//! A state on paper: how a [`DirectorState`] is written into the history and the journal.
//!
//! Rows of plain values, so that a state of ten thousand groups is written and read in a
//! moment, and a person can read one. What comes from a file is checked like what comes
//! from a user: a row that makes no sense makes the whole state unreadable.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use super::{
    Destination, DestinationKey, DirectorState, MarkEntry, MarkKey, Marking, Method, Netmask,
    ServiceFlags, ServiceTable, SettingKey, Settings, Source, SourceEntry, SourceKey, Sources,
    VirtualService,
};
use crate::model::{Form, Mark, Marker, SyncChannel, Tunnel, TunnelChecksum};

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct StateRows<'a> {
    #[serde(borrow)]
    marking: Vec<MarkRow<'a>>,
    #[serde(borrow)]
    services: Vec<ServiceRow<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    sources: Vec<SourceRow<'a>>,
    #[serde(default, skip_serializing_if = "is_default")]
    local_traffic: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    defragment: bool,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    marker: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "is_default")]
    sets: bool,
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    settings: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceRow<'a> {
    mark: u32,
    server: IpAddr,
    /// Without one it is masqueraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snat: Option<IpAddr>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    group: Option<Cow<'a, str>>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkRow<'a> {
    #[serde(borrow)]
    to: Cow<'a, str>,
    #[serde(borrow)]
    protocol: Cow<'a, str>,
    #[serde(borrow)]
    ports: Cow<'a, str>,
    mark: u32,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    group: Option<Cow<'a, str>>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceRow<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    group: Option<Cow<'a, str>>,
    /// Somebody else's.
    #[serde(default, skip_serializing_if = "is_default")]
    foreign: bool,
    #[serde(borrow)]
    scheduler: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_default")]
    flags: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    timeout: u32,
    netmask: u32,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    engine: Option<Cow<'a, str>>,
    real: Vec<ServerRow>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerRow {
    address: IpAddr,
    #[serde(default, skip_serializing_if = "is_default")]
    port: u16,
    method: MethodRow,
    weight: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    upper: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    lower: u32,
}

#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum MethodRow {
    Dr,
    Nat,
    Tun,
    Gue { port: u16, checksum: ChecksumRow },
    Gre { checksum: ChecksumRow },
    Local,
    Other(u8),
}

#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum ChecksumRow {
    None,
    Csum,
    Remcsum,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl From<TunnelChecksum> for ChecksumRow {
    fn from(checksum: TunnelChecksum) -> Self {
        match checksum {
            TunnelChecksum::None => Self::None,
            TunnelChecksum::Checksum => Self::Csum,
            TunnelChecksum::Remote => Self::Remcsum,
        }
    }
}

impl From<ChecksumRow> for TunnelChecksum {
    fn from(checksum: ChecksumRow) -> Self {
        match checksum {
            ChecksumRow::None => Self::None,
            ChecksumRow::Csum => Self::Checksum,
            ChecksumRow::Remcsum => Self::Remote,
        }
    }
}

impl From<Method> for MethodRow {
    fn from(method: Method) -> Self {
        match method {
            Method::DirectRouting => Self::Dr,
            Method::Nat => Self::Nat,
            Method::Tunnel(Tunnel::Ipip) => Self::Tun,
            Method::Tunnel(Tunnel::Gue { port, checksum }) => {
                Self::Gue { port, checksum: checksum.into() }
            }
            Method::Tunnel(Tunnel::Gre { checksum }) => Self::Gre { checksum: checksum.into() },
            Method::LocalNode => Self::Local,
            Method::Other(number) => Self::Other(number),
        }
    }
}

impl From<MethodRow> for Method {
    fn from(row: MethodRow) -> Self {
        match row {
            MethodRow::Dr => Self::DirectRouting,
            MethodRow::Nat => Self::Nat,
            MethodRow::Tun => Self::Tunnel(Tunnel::Ipip),
            MethodRow::Gue { port, checksum } => {
                Self::Tunnel(Tunnel::Gue { port, checksum: checksum.into() })
            }
            MethodRow::Gre { checksum } => Self::Tunnel(Tunnel::Gre { checksum: checksum.into() }),
            MethodRow::Local => Self::LocalNode,
            MethodRow::Other(number) => Self::Other(number),
        }
    }
}

impl From<&Destination> for ServerRow {
    fn from(destination: &Destination) -> Self {
        Self {
            address: destination.key.address,
            port: destination.key.port,
            method: destination.method.into(),
            weight: destination.weight,
            upper: destination.upper_threshold,
            lower: destination.lower_threshold,
        }
    }
}

impl From<ServerRow> for Destination {
    fn from(row: ServerRow) -> Self {
        Self {
            key: DestinationKey { address: row.address, port: row.port },
            method: row.method.into(),
            weight: row.weight,
            upper_threshold: row.upper,
            lower_threshold: row.lower,
        }
    }
}

impl Serialize for DirectorState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let marking = self.marking.iter().map(|(key, entry)| MarkRow {
            to: key.destination.to_string().into(),
            protocol: key.protocol.as_str().into(),
            ports: key.ports.to_string().into(),
            mark: entry.mark.map_or(0, Mark::get),
            group: entry.group.as_ref().map(|group| group.as_str().into()),
        });
        let services = self.services.iter().map(|(key, service)| ServiceRow {
            key: key.to_string().into(),
            group: service.group.as_ref().map(|group| group.as_str().into()),
            foreign: !service.recorded,
            scheduler: service.scheduler.as_str().into(),
            flags: service.flags.bits(),
            timeout: service.timeout,
            netmask: service.netmask.0,
            engine: service.engine.as_ref().map(|engine| engine.as_str().into()),
            real: service.destinations.iter().map(ServerRow::from).collect(),
        });
        let sources = self.sources.iter().map(|(key, entry)| SourceRow {
            mark: key.mark.get(),
            server: key.server,
            snat: match entry.source {
                Source::Masquerade => None,
                Source::Address(address) => Some(address),
            },
            group: entry.group.as_ref().map(|group| group.as_str().into()),
        });
        let settings = self.settings.iter();
        let settings = settings.map(|(key, value)| (key.to_string().into(), value.into()));
        let rows = StateRows {
            marking: marking.collect(),
            services: services.collect(),
            sources: sources.collect(),
            local_traffic: self.local_traffic,
            defragment: self.defragment,
            marker: (self.marker != Marker::default()).then(|| self.marker.name().into()),
            sets: self.form == Form::Sets,
            settings: settings.collect(),
        };
        rows.serialize(serializer)
    }
}

/// Reads a text that has to be one of ours.
fn read<T: std::str::FromStr, E: Error>(what: &str, text: &str) -> Result<T, E> {
    text.parse().map_err(|_| E::custom(format!("'{text}' is no {what}")))
}

fn optional<T: std::str::FromStr, E: Error>(
    what: &str,
    text: Option<&Cow<'_, str>>,
) -> Result<Option<T>, E> {
    text.map(|text| read(what, text)).transpose()
}

fn marking<E: Error>(rows: Vec<MarkRow<'_>>) -> Result<Marking, E> {
    let mut marking = Marking::new();
    for row in rows {
        let key = MarkKey {
            destination: read("address", &row.to)?,
            protocol: read("protocol", &row.protocol)?,
            ports: read("port", &row.ports)?,
        };
        let group = optional("group", row.group.as_ref())?;
        if marking.insert(key, MarkEntry { mark: Mark::new(row.mark), group }).is_some() {
            return Err(E::custom(format!("{key} is there twice")));
        }
    }
    Ok(marking)
}

fn services<E: Error>(rows: Vec<ServiceRow<'_>>) -> Result<ServiceTable, E> {
    let mut services = ServiceTable::new();
    for row in rows {
        let key = read("service", &row.key)?;
        let mut destinations: Vec<_> = row.real.into_iter().map(Destination::from).collect();
        destinations.sort_by_key(|destination| destination.key);
        if destinations.windows(2).any(|pair| pair[0].key == pair[1].key) {
            return Err(E::custom(format!("{key} has a real server twice")));
        }
        let service = VirtualService {
            group: optional("group", row.group.as_ref())?,
            recorded: !row.foreign,
            scheduler: read("scheduler", &row.scheduler)?,
            flags: ServiceFlags::from_kernel(row.flags),
            timeout: row.timeout,
            netmask: Netmask(row.netmask),
            engine: optional("engine", row.engine.as_ref())?,
            destinations,
        };
        if services.insert(key, service).is_some() {
            return Err(E::custom(format!("{key} is there twice")));
        }
    }
    Ok(services)
}

fn settings<E: Error>(rows: BTreeMap<Cow<'_, str>, Cow<'_, str>>) -> Result<Settings, E> {
    let row = |(key, value): (Cow<'_, str>, Cow<'_, str>)| {
        let key: SettingKey = read("setting", &key)?;
        if let SettingKey::SyncDaemon(_) = key {
            read::<SyncChannel, E>("channel of a daemon", &value)?;
        }
        Ok((key, value.into_owned()))
    };
    rows.into_iter().map(row).collect()
}

fn sources<E: Error>(rows: Vec<SourceRow<'_>>) -> Result<Sources, E> {
    let mut sources = Sources::new();
    for row in rows {
        let mark = Mark::new(row.mark).ok_or_else(|| E::custom("a source of mark 0"))?;
        let key = SourceKey { mark, server: row.server };
        if row.snat.is_some_and(|snat| snat.is_ipv4() != key.server.is_ipv4()) {
            return Err(E::custom(format!("{key} has a source of the other family")));
        }
        let source = row.snat.map_or(Source::Masquerade, Source::Address);
        let group = optional("group", row.group.as_ref())?;
        if sources.insert(key, SourceEntry { source, group }).is_some() {
            return Err(E::custom(format!("{key} is there twice")));
        }
    }
    Ok(sources)
}

impl<'de> Deserialize<'de> for DirectorState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = StateRows::deserialize(deserializer)?;
        Ok(Self {
            marking: marking(rows.marking)?,
            services: services(rows.services)?,
            sources: sources(rows.sources)?,
            local_traffic: rows.local_traffic,
            defragment: rows.defragment,
            marker: optional("backend", rows.marker.as_ref())?.unwrap_or_default(),
            form: if rows.sets { Form::Sets } else { Form::Rules },
            settings: settings(rows.settings)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str = r#"{"marking":[{"to":"192.0.2.1","protocol":"tcp","ports":"80","mark":10,"group":"web"}],"services":[{"key":"fwmark 10 ipv4","group":"web","scheduler":"rr","flags":1,"timeout":300,"netmask":4294967295,"real":[{"address":"192.0.2.11","method":"dr","weight":1},{"address":"192.0.2.12","method":{"gue":{"port":6080,"checksum":"csum"}},"weight":0}]}],"settings":{"sysctl net.ipv4.ip_forward":"1","timeout udp":"60"}}"#;

    #[test]
    fn a_state_is_written_in_rows_that_people_can_read() {
        let state: DirectorState = serde_json::from_str(WEB).expect("a state");
        assert_eq!(state.services.len(), 1);
        assert_eq!(serde_json::to_string(&state).expect("JSON"), WEB);
    }

    #[test]
    fn what_marks_has_a_place_where_it_is_not_nftables() {
        let row = r#"{"marking":[],"services":[],"marker":"iptables-legacy","sets":true}"#;
        let state: DirectorState = serde_json::from_str(row).expect("a state");
        assert_eq!(state.marker, Marker::Iptables(crate::model::Variant::Legacy));
        assert_eq!(serde_json::to_string(&state).expect("JSON"), row);
    }

    const FULLNAT: &str = r#"{"marking":[],"services":[],"sources":[{"mark":10,"server":"192.0.2.11","group":"web"},{"mark":10,"server":"2001:db8::11","snat":"2001:db8::5","group":"web"}],"local_traffic":true}"#;

    #[test]
    fn sources_and_local_traffic_have_a_place_where_there_are_any() {
        let state: DirectorState = serde_json::from_str(FULLNAT).expect("a state");
        assert!(state.local_traffic && state.sources.len() == 2);
        assert_eq!(serde_json::to_string(&state).expect("JSON"), FULLNAT);
        for (from, to, why) in [
            ("\"mark\":10", "\"mark\":0", "mark 0"),
            ("2001:db8::5", "192.0.2.5", "other family"),
            ("2001:db8::11\",\"snat\":\"2001:db8::5", "192.0.2.11", "there twice"),
        ] {
            let error = serde_json::from_str::<DirectorState>(&FULLNAT.replacen(from, to, 1));
            let error = error.expect_err(from).to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn rows_that_make_no_sense_are_refused() {
        for (from, to, why) in [
            ("192.0.2.1\"", "192.0.2.1/33\"", "'192.0.2.1/33' is no address"),
            ("\"80\"", "\"0\"", "'0' is no port"),
            ("\"tcp\"", "\"icmp\"", "'icmp' is no protocol"),
            ("fwmark 10", "fwmark 0", "'fwmark 0 ipv4' is no service"),
            ("192.0.2.12", "192.0.2.11", "has a real server twice"),
            ("\"weight\":0", "\"weight\":-1", "invalid value"),
            ("\"flags\"", "\"flag\"", "unknown field"),
            ("sysctl net", "sysctl kernel", "is no setting"),
            ("timeout udp", "sync-daemon master", "'60' is no channel of a daemon"),
            (r#""settings":"#, r#""marker":"pf","settings":"#, "'pf' is no backend"),
        ] {
            let error = serde_json::from_str::<DirectorState>(&WEB.replacen(from, to, 1));
            let error = error.expect_err(from).to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
