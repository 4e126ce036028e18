//! Text to groups: reading, checking and completing a configuration.
//!
//! [`load`] is the whole of it: files → TOML with positions → one [`Group`] for each
//! `[group.NAME]`, presets and defaults filled in, or else every mistake at once, each
//! with its place and its remedy. Nothing here reads the environment, prints, or knows
//! of a kernel; nothing behind it sees TOML again.

mod across;
mod codes;
mod diagnostic;
mod director;
mod edit;
mod forwarding;
mod json;
mod json_schema;
mod listeners;
mod marks;
mod overlap;
mod persistence;
mod presets;
mod reader;
mod real_servers;
mod render;
mod resolve;
mod scheduler;
mod schema;
mod snat;
mod source;
mod special;
mod surroundings;
mod syntax;
mod text;
mod vips;
mod write;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::model::{Group, GroupName, KernelName};

pub use crate::model::{BackendKind, DirectorSettings};
pub use across::{MAX_ENTRIES, MAX_GROUPS};
pub use codes::Code;
pub use diagnostic::{ConfigErrors, Diagnostic, Label, MAX_ERRORS};
pub use edit::{
    Became, Edit, Files, NewServer, Part, ServerName, ServerSetting, Setting, Touched,
    read_document, write_document,
};
pub use json::ConfigError;
pub use json_schema::json_schema;
pub use presets::{Preset, Presets};
pub use real_servers::MAX_REAL_SERVERS;
pub use render::Look;
pub use source::{Input, Instead, MAX_FILE, Sources};
pub use write::{Written, comment, write, write_sound};

use diagnostic::{Report, Spot};
use director::ReadDirector;
use reader::{Field, Fields, Reported, Scope};
use resolve::{Draft, Known};
use source::Role;

/// What a configuration is read with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'o> {
    /// The user we act as; root refuses files that others may write.
    pub effective_uid: u32,
    /// A folder of further presets.
    pub presets: Option<&'o Path>,
    /// Schedulers that the kernel has beyond [`KNOWN_SCHEDULERS`](crate::model::KNOWN_SCHEDULERS).
    pub extra_schedulers: &'o [KernelName],
    /// What one of the files is taken to say, whatever is on disk.
    pub instead: Option<Instead<'o>>,
}

/// A configuration without mistakes.
#[derive(Debug, Clone)]
pub struct Config {
    /// The settings of `[director]`.
    pub director: DirectorSettings,
    /// The groups in the order of the files, those that are disabled too.
    pub groups: Vec<Group>,
    /// Where each group is defined, in the same order.
    pub origins: Vec<Origin>,
    /// The files that were read, in order.
    pub files: Vec<Arc<str>>,
    /// The SHA-256 of all that was read, in hexadecimal digits: two configurations that
    /// have the same are the same, comments included.
    pub digest: String,
    /// What is odd, but no mistake.
    pub warnings: Vec<Diagnostic>,
}

/// Where a group is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file as the user named it, fit to be shown.
    pub file: Arc<str>,
    /// The line, counted from 1.
    pub line: usize,
    /// The file as it is opened; none where it was standard input.
    pub path: Option<Arc<Path>>,
}

impl Origin {
    /// The file as it is opened, as text; none where it was standard input.
    pub fn path_text(&self) -> Option<String> {
        Some(self.path.as_ref()?.to_string_lossy().into_owned())
    }
}

impl Config {
    /// Where a group is defined.
    pub fn origin(&self, name: &GroupName) -> Option<&Origin> {
        let index = self.groups.iter().position(|group| group.name == *name)?;
        self.origins.get(index)
    }

    /// The groups that belong into the kernel.
    pub fn enabled(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(|group| group.enabled)
    }
}

/// Reads, checks and completes a configuration.
///
/// # Errors
/// Every mistake that can be found at once, up to [`MAX_ERRORS`].
pub fn load(sources: Sources, options: &Options<'_>) -> Result<Config, ConfigErrors> {
    let mut report = Report::default();
    let files = source::read(sources, options, &mut report);
    let mut presets = Presets::shipped();
    if let Some(folder) = options.presets {
        presets.read_folder(folder, options.effective_uid, &mut report);
    }
    let mut reading = Reading {
        report,
        known: Known { presets: &presets, schedulers: options.extra_schedulers },
        director: None,
        names: HashMap::new(),
        drafts: Vec::new(),
    };
    for &(file, role) in &files {
        reading.file(file, role);
    }
    reading.finish(&files)
}

/// A configuration that is being read.
struct Reading<'o> {
    report: Report,
    known: Known<'o>,
    director: Option<(Spot, ReadDirector)>,
    names: HashMap<String, Spot>,
    drafts: Vec<Draft>,
}

impl Reading<'_> {
    fn file(&mut self, file: u32, role: Role) {
        let source = Arc::clone(self.report.file(file));
        let Ok(document) = syntax::parse(&mut self.report, file, source.text()) else { return };
        let whole = Spot { file, start: 0, end: 0 };
        let fields = Fields::new(file, whole, &document);
        Scope { report: &mut self.report, group: None }.known_keys(&fields, &schema::DOCUMENT);
        if let Some(field) = fields.get("director") {
            self.director(field, role);
        }
        if let Some(field) = fields.get("group") {
            self.groups(field);
        }
    }

    fn director(&mut self, field: Field<'_>, role: Role) {
        let mut scope = Scope { report: &mut self.report, group: None };
        if role == Role::Groups {
            scope
                .error(Code::DirectorMisplaced, field.key, "[director] cannot stand in groups.d")
                .label("only groups here")
                .help("move it to fwmarkctl.toml");
            return;
        }
        let settings = director::read(&mut scope, field.value);
        match self.director {
            None => self.director = Some((field.key, settings)),
            Some((first, _)) => {
                let other = scope.report.label(first, "first here");
                scope
                    .error(Code::DirectorMisplaced, field.key, "[director] stands in two files")
                    .label("again here")
                    .also(other)
                    .help("keep one of them");
            }
        }
    }

    fn groups(&mut self, field: Field<'_>) {
        let mut scope = Scope { report: &mut self.report, group: None };
        let toml::de::DeValue::Table(table) = field.value.data else {
            let help = "a group is a table of its own: [group.NAME]".to_owned();
            scope.wrong_type_with_help(field.value, "group", "tables", Some(help));
            return;
        };
        for (name, group) in Fields::new(field.key.file, field.value.spot, table).entries() {
            if self.drafts.len() == MAX_GROUPS {
                let message = format!("more than {MAX_GROUPS} groups");
                self.report
                    .error(Code::TooLarge, group.key, &message)
                    .help("put ports and VIPs that belong together into one group");
                return;
            }
            let twice = across::is_duplicate(&mut self.report, &mut self.names, name, group.key);
            let mut scope = Scope { report: &mut self.report, group: None };
            let draft = resolve::group(&mut scope, name, group.key, group.value, &self.known);
            match draft {
                Ok(draft) if !twice => self.drafts.push(draft),
                Ok(_) | Err(Reported) => {}
            }
        }
    }

    fn finish(mut self, files: &[(u32, Role)]) -> Result<Config, ConfigErrors> {
        if self.drafts.is_empty() && self.report.is_clean() {
            no_groups(&mut self.report, files);
        }
        across::check(&mut self.report, &self.drafts);
        let read = self.director.take().map(|(_, read)| read).unwrap_or_default();
        director::check(&mut self.report, &read, &self.drafts);
        let names: HashMap<u32, Arc<str>> =
            files.iter().map(|&(file, _)| (file, self.report.file(file).name().into())).collect();
        let mut groups = Vec::with_capacity(self.drafts.len());
        let mut origins = Vec::with_capacity(self.drafts.len());
        for draft in self.drafts {
            let Some(group) = draft.group else { continue };
            groups.push(group);
            let file = self.report.file(draft.spot.file);
            origins.push(Origin {
                file: names.get(&draft.spot.file).cloned().unwrap_or_default(),
                line: file.position(draft.spot.start as usize).0,
                path: file.path().cloned(),
            });
        }
        let texts = files.iter().map(|(file, _)| self.report.file(*file).text());
        let digest = digest(texts);
        let files = files.iter().filter_map(|(file, _)| names.get(file).cloned()).collect();
        let director = read.settings;
        let warnings = self.report.finish()?;
        Ok(Config { director, groups, origins, files, digest, warnings })
    }
}

/// The SHA-256 of texts, each with its length before it.
fn digest<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    digest.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn no_groups(report: &mut Report, files: &[(u32, Role)]) {
    let help = "write one, here or in groups.d:\n\n\
        [group.web]\n\
        vips  = [\"172.18.100.7\"]\n\
        ports = [\"80/tcp\"]\n\
        real  = [\"172.18.100.11\", \"172.18.100.12\"]\n\n\
        to take all groups out of the kernel: fwmarkctl clear";
    let message = "no group is configured";
    match files.first() {
        Some(&(file, _)) => report.file_error(Code::NoGroups, file, message),
        None => report.placeless(Code::NoGroups, message),
    }
    .help(help);
}
