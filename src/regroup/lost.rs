//! What a configuration cannot say of a state.

use crate::model::{Family, MAX_THRESHOLD, MAX_TIMEOUT, MAX_WEIGHT, Mark, Sysctl};
use crate::state::{DestinationKey, MarkKey, ServiceKey, SettingKey, SourceKey};

/// Something of a state that its groups do not say, or say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The mark entries that it is about; who has read them from a text knows their lines.
    pub marking: Vec<MarkKey>,
    /// The services that it is about.
    pub services: Vec<ServiceKey>,
    /// What is the matter.
    pub reason: Reason,
}

impl Lost {
    pub(super) fn of_marking(marking: Vec<MarkKey>, reason: Reason) -> Self {
        Self { marking, services: Vec::new(), reason }
    }

    pub(super) fn of_service(service: ServiceKey, reason: Reason) -> Self {
        Self { marking: Vec::new(), services: vec![service], reason }
    }

    pub(super) fn of_setting(reason: Reason) -> Self {
        Self { marking: Vec::new(), services: Vec::new(), reason }
    }
}

/// Why something is lost. The text names the object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Packets are marked with 0.
    #[error("mark 0 means \"not marked\", so no service gets these packets")]
    MarkZero,
    /// A mark that nobody schedules.
    #[error("packets get mark {mark}, but there is no service fwmark {mark} {family}")]
    NoService {
        /// The mark.
        mark: Mark,
        /// The packets' family.
        family: Family,
    },
    /// A service whose mark no packet gets.
    #[error("{0}: no packet gets its mark")]
    NothingMarked(ServiceKey),
    /// A service that sends its clients nowhere.
    #[error("{0}: it has no real server")]
    NoRealServers(ServiceKey),
    /// A mark that is not on the same ports of every address.
    #[error("mark {0} is on these ports of some addresses only")]
    Uneven(Mark),
    /// Services of one mark that one group cannot describe.
    #[error("{left_out}: {what} differs from that of {kept}, and a mark belongs to one group")]
    FamiliesDiffer {
        /// The service that is in no group.
        left_out: ServiceKey,
        /// The service that is.
        kept: ServiceKey,
        /// What is not alike.
        what: &'static str,
    },
    /// A service on every port that does not stand for the whole address.
    #[error("{0}: every port, but not of tcp, udp and sctp alike and persistent")]
    NotWholeAddress(ServiceKey),
    /// A forwarding method that has no name.
    #[error("{service}: {server} is reached by method {number}, which has no name")]
    Method {
        /// The service.
        service: ServiceKey,
        /// The real server.
        server: DestinationKey,
        /// The kernel's number.
        number: u8,
    },
    /// A real server that is there twice once what IPVS ignores is left out.
    #[error("{service}: {server} is another port of a real server whose ports IPVS ignores")]
    SameServer {
        /// The service.
        service: ServiceKey,
        /// The real server.
        server: DestinationKey,
    },
    /// A port of a real server that IPVS does not use.
    #[error("{service}: the port of {server} is ignored by its forwarding method")]
    PortIgnored {
        /// The service.
        service: ServiceKey,
        /// The real server.
        server: DestinationKey,
    },
    /// A weight that is too large.
    #[error("{service}: the weight {weight} of {server} is above {MAX_WEIGHT}")]
    Weight {
        /// The service.
        service: ServiceKey,
        /// The real server.
        server: DestinationKey,
        /// Its weight.
        weight: u32,
    },
    /// Thresholds that make no sense.
    #[error("{service}: the thresholds of {server} are not in order, or above {MAX_THRESHOLD}")]
    Thresholds {
        /// The service.
        service: ServiceKey,
        /// The real server.
        server: DestinationKey,
    },
    /// A timeout that is 0 or too long.
    #[error("{service}: a persistence timeout of {timeout} s is not from 1 to {MAX_TIMEOUT}")]
    Timeout {
        /// The service.
        service: ServiceKey,
        /// Its timeout.
        timeout: u32,
    },
    /// A netmask that is no prefix length.
    #[error("{service}: the netmask {netmask} is not the length of a prefix")]
    Netmask {
        /// The service.
        service: ServiceKey,
        /// The netmask.
        netmask: String,
    },
    /// What has a meaning with persistence only.
    #[error("{service}: {what} without persistence does nothing")]
    WithoutPersistence {
        /// The service.
        service: ServiceKey,
        /// What it is.
        what: &'static str,
    },
    /// One-packet scheduling where there is no UDP.
    #[error("{0}: one-packet scheduling is for UDP, and it has none")]
    OnePacket(ServiceKey),
    /// A source address that fits no group.
    #[error("{0}: the source address is replaced, which fits no real server of this mark by NAT")]
    Source(SourceKey),
    /// Sources of a mark that one group cannot describe.
    #[error("{0}: another source address than for the group's other real servers")]
    SourcesDiffer(SourceKey),
    /// A parameter against which a group cannot work.
    #[error("{sysctl} is {value}, and the groups need 1")]
    Sysctl {
        /// The parameter.
        sysctl: Sysctl,
        /// Its value.
        value: String,
    },
    /// A setting that no configuration of these groups has.
    #[error("{0} belongs to no group's VIPs, or not to all of them")]
    Setting(SettingKey),
    /// Daemons that do not speak alike, or a value that cannot be read.
    #[error("{key} is '{value}', which the configuration cannot say")]
    Value {
        /// The setting.
        key: SettingKey,
        /// Its value.
        value: String,
    },
}

impl Reason {
    /// Whether what it is about is in no group. Else a group has it, with a difference.
    pub fn is_left_out(&self) -> bool {
        !matches!(
            self,
            Self::PortIgnored { .. }
                | Self::Weight { .. }
                | Self::Thresholds { .. }
                | Self::Timeout { .. }
                | Self::Netmask { .. }
                | Self::WithoutPersistence { .. }
                | Self::OnePacket(_)
                | Self::SourcesDiffer(_)
        )
    }

    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::MarkZero => "give these packets another mark, or no rule".to_owned(),
            Self::NoService { .. } => {
                "add the service, with its real servers, or take the rule away".to_owned()
            }
            Self::NothingMarked(_) => {
                "write a group with the VIPs and ports whose packets shall get the mark".to_owned()
            }
            Self::NoRealServers(_) => "write a group as soon as it has one".to_owned(),
            Self::Uneven(_) => {
                "a group has each of its ports on each of its VIPs: write a group of its own for \
                 these, with another mark"
                    .to_owned()
            }
            Self::FamiliesDiffer { .. } => {
                "write a group of its own for this family, with another mark".to_owned()
            }
            Self::NotWholeAddress(_) => {
                "write persistence = \"pcc\" for all three protocols, or a group with \
                 ports = [\"1-65535/tcp\"]"
                    .to_owned()
            }
            Self::Method { .. } => "choose dr, nat, tun or fullnat".to_owned(),
            Self::SameServer { .. } => {
                "add its weight to that of the first, or reach it by nat".to_owned()
            }
            Self::PortIgnored { .. } => {
                "it is left out; where ports are to be mapped, use nat".to_owned()
            }
            Self::Weight { .. } => {
                format!("it became {MAX_WEIGHT}; only the ratio of weights counts")
            }
            Self::Thresholds { .. } => {
                "they are left out; the lower one must not be above the upper one".to_owned()
            }
            Self::Timeout { .. } => {
                format!("it became the nearest of 1 to {MAX_TIMEOUT}, and 300 where it was 0")
            }
            Self::Netmask { .. } => "each client is one by itself now; write a netmask".to_owned(),
            Self::WithoutPersistence { .. } | Self::OnePacket(_) => "it is left out".to_owned(),
            Self::Source(_) => {
                "write forward = \"fullnat\" for the real server that is meant".to_owned()
            }
            Self::SourcesDiffer(_) => {
                "it became that of the others; two groups can have two".to_owned()
            }
            Self::Sysctl { .. } => "it is left out, and becomes 1 with an apply".to_owned(),
            Self::Setting(_) | Self::Value { .. } => {
                "it is left out; [director] says what the whole director needs".to_owned()
            }
        }
    }
}
