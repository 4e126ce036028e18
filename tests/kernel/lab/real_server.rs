//! A real server: where it is, and how the director reaches it.

use super::{Director, Namespace, Program, VIPS_V4, VIPS_V6};

/// How the director forwards to a real server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Dr,
    Nat,
    Tunnel,
}

impl Kind {
    /// It has a foot in the front network, on which it answers clients.
    pub(crate) fn in_front(self) -> bool {
        self != Self::Nat
    }

    /// It has a foot in the back network.
    pub(crate) fn in_back(self) -> bool {
        self != Self::Dr
    }

    /// The word of ipvsadm's options.
    pub(crate) fn ipvsadm(self) -> &'static str {
        match self {
            Self::Dr => "-g",
            Self::Nat => "-m",
            Self::Tunnel => "-i",
        }
    }
}

/// One real server.
pub(crate) struct RealServer {
    namespace: Namespace,
    name: String,
    number: usize,
    kind: Kind,
}

impl RealServer {
    pub(super) fn new(namespace: Namespace, number: usize, kind: Kind) -> Self {
        Self { namespace, name: format!("rs{number}"), number, kind }
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The fwmarkctl of this build, on this machine.
    pub(crate) fn fwmarkctl(&self, args: &[&str]) -> Program<'_> {
        self.namespace.command(&Director::program()).args(args)
    }

    /// What its servers answer: "rs1".
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The address at which the director reaches it.
    pub(crate) fn v4(&self) -> String {
        if self.kind == Kind::Dr { self.front_v4() } else { self.back_v4() }
    }

    /// The IPv6 address at which the director reaches it.
    pub(crate) fn v6(&self) -> String {
        if self.kind == Kind::Dr { self.front_v6() } else { self.back_v6() }
    }

    pub(super) fn front_v4(&self) -> String {
        format!("172.18.100.1{}", self.number)
    }

    pub(super) fn front_v6(&self) -> String {
        format!("2001:db8:18:100::1{}", self.number)
    }

    pub(super) fn back_v4(&self) -> String {
        format!("10.20.0.1{}", self.number)
    }

    pub(super) fn back_v6(&self) -> String {
        format!("2001:db8:20::1{}", self.number)
    }

    /// All addresses that a request to it can carry.
    pub(super) fn addresses(&self) -> Vec<String> {
        let mut all = vec![self.v4(), self.v6()];
        if self.kind.in_front() {
            all.extend([VIPS_V4, VIPS_V6].concat().into_iter().map(str::to_owned));
        }
        all
    }
}
