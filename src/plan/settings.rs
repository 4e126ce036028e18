//! Which settings change, and when.

use super::{Plan, SettingChange};
use crate::state::{Observation, Original, SettingKey, Settings};

impl Plan {
    /// What is wanted and not so is made; what is ours and not wanted any more becomes
    /// again what it was before, in the other order: an address goes before the parameters
    /// that it needed.
    pub(super) fn plan_settings(&mut self, from: &Observation, to: &Settings) {
        for (key, wanted) in to {
            let found = from.settings.get(key);
            if !found.is_some_and(|found| key.is_served(wanted, found)) {
                self.plan_setting(key, found, Some(wanted), true);
            }
        }
        for (key, original) in from.originals.iter().rev() {
            let Original::Was(original) = original else { continue };
            let found = from.settings.get(key);
            // A parameter that was not there before came with a module or a device, and goes
            // with it.
            let is_fixed = matches!(key, SettingKey::Sysctl(_) | SettingKey::Timeout(_));
            let stays = is_fixed && (original.is_none() || found.is_none());
            if !to.contains_key(key) && found != original.as_ref() && !stays {
                self.plan_setting(key, found, original.as_ref(), false);
            }
        }
    }

    fn plan_setting(
        &mut self,
        key: &SettingKey,
        before: Option<&String>,
        after: Option<&String>,
        is_needed: bool,
    ) {
        let change = |before: Option<&String>, after: Option<&String>| SettingChange {
            key: key.clone(),
            before: before.cloned(),
            after: after.cloned(),
        };
        if matches!(key, SettingKey::SyncDaemon(_)) {
            // A daemon is not changed but made anew. And it cannot run while a service has
            // real servers of the other family, which may come or go now
            // (`ip_vs_add_dest` and `ip_vs_genl_new_daemon`, `ip_vs_ctl.c`).
            self.equip.extend(before.map(|_| change(before, None)));
            self.strip.extend(after.map(|_| change(None, after)));
        } else if is_needed {
            self.equip.push(change(before, after));
        } else {
            self.strip.push(change(before, after));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::Plan;
    use crate::state::{DirectorState, Observation, Original, Originals, Settings};

    fn settings(rows: &[(&str, &str)]) -> Settings {
        let row = |&(key, value): &(&str, &str)| (key.parse().expect(key), value.to_owned());
        rows.iter().map(row).collect()
    }

    fn originals(rows: &[(&str, Option<&str>)]) -> Originals {
        let row = |&(key, value): &(&str, Option<&str>)| {
            (key.parse().expect(key), Original::Was(value.map(str::to_owned)))
        };
        rows.iter().map(row).collect()
    }

    /// What is done before and after the services, in words.
    fn plan(
        found: &[(&str, &str)],
        before: &[(&str, Option<&str>)],
        wanted: &[(&str, &str)],
    ) -> (Vec<String>, Vec<String>) {
        let (settings_found, originals) = (settings(found), originals(before));
        let from = Observation { settings: settings_found, originals, ..Observation::default() };
        let to = DirectorState { settings: settings(wanted), ..DirectorState::default() };
        let plan = Plan::between(&from, &to);
        let words = |changes: &[crate::plan::SettingChange]| {
            changes.iter().map(ToString::to_string).collect()
        };
        (words(&plan.equip), words(&plan.strip))
    }

    const FORWARD: &str = "sysctl net.ipv4.ip_forward";
    const VIP: &str = "address 192.0.2.1 on eth0";
    const MASTER: &str = "sync-daemon master";

    #[test]
    fn what_serves_already_is_left_alone_and_what_does_not_is_set() {
        let nothing: (Vec<String>, Vec<String>) = Default::default();
        assert_eq!(plan(&[(FORWARD, "1")], &[], &[(FORWARD, "1")]), nothing);
        let (equip, strip) = plan(&[(FORWARD, "0")], &[], &[(FORWARD, "1"), (VIP, "present")]);
        assert_eq!(equip, [format!("change {FORWARD} from 0 to 1"), format!("add {VIP}")]);
        assert!(strip.is_empty());
    }

    #[test]
    fn what_is_not_wanted_any_more_becomes_what_it_was_from_the_end() {
        let ours = [(FORWARD, Some("0")), (VIP, None)];
        let (equip, strip) = plan(&[(FORWARD, "1"), (VIP, "present")], &ours, &[]);
        assert!(equip.is_empty());
        assert_eq!(strip, [format!("remove {VIP}"), format!("change {FORWARD} from 1 to 0")]);
        // What is not ours stays, and what is back already too.
        assert_eq!(plan(&[(FORWARD, "1")], &[], &[]).1, [""; 0]);
        assert_eq!(plan(&[(FORWARD, "0")], &ours, &[]).1, [""; 0]);
        // A parameter that a module brought cannot go.
        let came = [("sysctl net.ipv4.vs.conntrack", None)];
        assert_eq!(plan(&[(came[0].0, "1")], &came, &[]).1, [""; 0]);
        // Nor does one come back whose device is gone.
        let gone = [("sysctl net.ipv4.conf.eth9.rp_filter", Some("0"))];
        assert_eq!(plan(&[], &gone, &[]).1, [""; 0]);
    }

    #[test]
    fn a_daemon_stops_before_the_services_change_and_begins_after() {
        let (one, other) = ("interface eth1 id 7", "interface eth1 id 8");
        let (equip, strip) = plan(&[(MASTER, one)], &[(MASTER, None)], &[(MASTER, other)]);
        assert_eq!(equip, [format!("remove {MASTER}")]);
        assert_eq!(strip, [format!("set {MASTER} to {other}")]);
        // Somebody else's comes back.
        let ours = [(MASTER, Some(one))];
        let (equip, strip) = plan(&[(MASTER, other)], &ours, &[]);
        assert_eq!(equip, [format!("remove {MASTER}")]);
        assert_eq!(strip, [format!("set {MASTER} to {one}")]);
    }
}
