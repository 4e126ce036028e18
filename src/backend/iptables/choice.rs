//! Which iptables a machine's firewall uses, where the configuration leaves it open.

use super::presence::{has_nf_tables, legacy_tables};
use super::program::{Programs, default_variant};
use crate::model::{Family, Variant};

/// The variant that has chains of ours already; else the one whose tables this network
/// namespace has; else the one that `iptables` means on this machine; else the one that is
/// installed. One that this kernel cannot serve does not count. `None` where there is none.
pub fn variant_in_use() -> Option<Variant> {
    let variants = [Variant::Nft, Variant::Legacy];
    let families = |variant| Family::BOTH.map(|family| Programs { variant, family });
    let usable = |variant: &Variant| {
        let installed = families(*variant).into_iter().any(Programs::exist);
        installed && (*variant == Variant::Legacy || has_nf_tables())
    };
    let ours = variants.into_iter().find(|variant| {
        let families = Family::BOTH.into_iter();
        families.map(|family| Programs { variant: *variant, family }).any(Programs::hold_marks)
    });
    let legacy = Family::BOTH.iter().any(|family| !legacy_tables(*family).is_empty());
    ours.or_else(|| legacy.then_some(Variant::Legacy))
        .filter(usable)
        .or_else(|| default_variant().filter(usable))
        .or_else(|| variants.into_iter().find(usable))
}
