//! What `status` shows of the director itself: its settings.

use crate::cli::output::{Output, Tone};
use crate::plan::{ChangeLine, Object, Plan};
use crate::state::{Observation, Original};

/// What belongs to the director and to no group.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct Settings {
    settings: Vec<Setting>,
    changes: Vec<ChangeLine>,
}

/// A setting that the configuration names, or that is ours.
#[derive(serde::Serialize, schemars::JsonSchema)]
struct Setting {
    object: Object,
    key: String,
    value: Option<String>,
    /// Whether it was changed by us, and comes back when nothing needs it any more.
    ours: bool,
    /// What it was before that.
    before: Option<String>,
}

impl Settings {
    /// What was read, and what a plan changes of it.
    pub(super) fn of(observed: &Observation, plan: Option<&Plan>) -> Self {
        let mut settings = Vec::new();
        for (key, value) in &observed.settings {
            let was = match observed.originals.get(key) {
                Some(Original::Was(value)) => Some(value.as_ref()),
                Some(Original::Served) | None => None,
            };
            let shown = |value: &String| ChangeLine::of_setting(key, value);
            let line = shown(value);
            settings.push(Setting {
                object: line.object,
                key: line.key,
                value: line.after,
                ours: was.is_some(),
                before: was.and_then(|value| shown(value?).after),
            });
        }
        let mut changes = plan.map(Plan::lines).unwrap_or_default();
        changes.retain(super::is_of_director);
        Self { settings, changes }
    }

    /// Whether something of it is not as it should be.
    pub(super) fn differ(&self) -> bool {
        !self.changes.is_empty()
    }

    /// What that is, in a list of groups.
    pub(super) fn what_differs(&self) -> &'static str {
        if self.changes.iter().any(ChangeLine::is_of_all_marks) {
            "the director"
        } else {
            "the director's settings"
        }
    }

    /// For a terminal; nothing where there is nothing.
    pub(super) fn text(&self, output: &Output) -> String {
        if self.settings.is_empty() && self.changes.is_empty() {
            return String::new();
        }
        let mut text = format!("{}\n", output.paint(Tone::Heading, "director"));
        for Setting { object, key, value, ours, before } in &self.settings {
            let object = crate::cli::plan::object(*object);
            let value = value.as_deref().unwrap_or_default();
            let was = match (ours, before) {
                (true, Some(before)) => format!("  (was {before})"),
                _ => String::new(),
            };
            text += &format!("  {object} {key}  {value}{}\n", output.paint(Tone::Faint, was));
        }
        for line in &self.changes {
            let line = format!("  ! {}\n", crate::cli::plan::sentence(line));
            text += &output.paint(Tone::Warning, line);
        }
        text + "\n"
    }
}
