//! What commands that edit a file share: the edit is checked by the normal reader, shown,
//! put in place, and applied where that was asked for. When an apply fails the file is put
//! back, so that file and kernel never part ways because of us.
//!
//! Who edits holds the lock of the configuration's folders from the reading of the files to
//! the end; who applies takes the lock of all who write to the kernel after that, so that
//! nobody who only has a folder locked keeps the kernel from being repaired.

mod diff;
mod show;

use std::path::Path;
use std::time::Duration;

pub(super) use show::{Action, Change, Document, Object};

use super::args::EditOptions;
use super::consent::{Consent, can_answer};
use super::failure::defuse;
use super::output::note;
use super::{Context, apply, confirm, plan};
use crate::compile::Compiled;
use crate::config::{Config, Edit, Instead};
use crate::error::{Error, Exit};
use crate::operation::{Observer, Session, Tried};
use crate::plan::Plan;
use crate::transaction::{
    Draft, FileLock, Outcome, TransactionError, Trial, create_file, remove_file, rewrite_file,
};

/// How often a command that waits for a lock looks whether it is free.
const TURN: Duration = Duration::from_millis(20);

/// An edit, and what it means in words.
pub(super) struct Made {
    pub(super) edit: Edit,
    /// What changes.
    pub(super) changes: Vec<Change>,
    /// What to say when the file says so already.
    pub(super) nothing: String,
    /// Whether a file in which nothing is left goes: one of groups.d.
    pub(super) may_go: bool,
    /// Files that go with it: it says all that there shall be.
    pub(super) others: Option<Vec<Edit>>,
}

impl Made {
    /// The files that go.
    fn others(&self) -> &[Edit] {
        self.others.as_deref().unwrap_or_default()
    }

    /// What is put in place.
    fn files(&self) -> Files<'_> {
        Files { edit: &self.edit, others: self.others() }
    }

    /// Whether anything is to be done.
    fn changes_files(&self) -> bool {
        self.edit.text() != self.edit.before() || !self.others().is_empty()
    }
}

/// A file that is put in place, and those that go with it.
#[derive(Clone, Copy)]
struct Files<'a> {
    edit: &'a Edit,
    others: &'a [Edit],
}

/// What an apply of an edit did, and the trial that it began.
pub(super) struct Carried {
    pub(super) outcome: Outcome,
    pub(super) trial: Option<Trial>,
}

/// Carries out what `of` makes of the files as they are. It is asked twice: before anybody
/// is waited for, so that what makes no sense is refused at once, and with the locks.
pub(super) fn run(
    context: &mut Context,
    command: &str,
    options: &EditOptions,
    of: impl Fn(&mut Context) -> Result<Made, Error>,
) -> Result<Exit, Error> {
    let made = of(context)?;
    let applies = options.dry_run && options.apply;
    let after = attempt(context, &made.edit, made.others.is_some(), applies)?;
    let consent = Consent::new(options.yes, None);
    if options.dry_run {
        warn(context, &made.edit, &after.0);
        let plan = applies.then(|| plan::of_edit(context, (&after.0, &after.1), &consent));
        show::planned(context, command, &made, plan.transpose()?)?;
        return Ok(Exit::Done);
    }
    consent.seek(context, |context, consent| locked(context, command, options, consent, &of))
}

/// The same with the locks.
fn locked(
    context: &mut Context,
    command: &str,
    options: &EditOptions,
    consent: &Consent,
    of: impl Fn(&mut Context) -> Result<Made, Error>,
) -> Result<Exit, Error> {
    let lock = lock(context, options.no_wait)?;
    let session = options.apply.then(|| context.session(command, options.no_wait)).transpose()?;
    if let Some(session) = &session {
        session.refuse_trial()?;
    }
    let made = of(context)?;
    let after = attempt(context, &made.edit, made.others.is_some(), options.apply)?;
    warn(context, &made.edit, &after.0);
    let within = options.confirm_within;
    let carried = if let Some(session) = &session {
        Some(carry_out_all(context, session, (made.files(), &after), within, consent)?)
    } else {
        place_all(context, made.files())?;
        None
    };
    tidy(made.others());
    let goes = made.may_go && made.edit.is_emptied() && made.edit.text() != made.edit.before();
    // What was done stays done: an empty file is in nobody's way.
    let goes = goes
        && match remove(&made.edit) {
            Ok(()) => true,
            Err(error) => {
                note(&format!(
                    "warning: the file, which is empty now, could not be removed: {error}\n"
                ));
                false
            }
        };
    if session.is_some() {
        apply::say_too_late(context);
    }
    drop(lock);
    show::done(context, command, &made, goes, carried.as_ref().zip(Some(within)));
    let trial = carried.and_then(|carried| carried.trial);
    match (session, trial) {
        (Some(session), Some(trial)) if can_answer(context) => {
            confirm::countdown(context, session, &trial)
        }
        _ => Ok(Exit::Done),
    }
}

/// Takes the lock of who edits files of the configuration.
pub(super) fn lock(context: &Context, no_wait: bool) -> Result<FileLock, Error> {
    let mut waited = false;
    let lock = FileLock::take(context.files().folders(), || {
        if !no_wait && !context.global.quiet && !waited {
            note("waiting for another fwmarkctl, which edits files there\n");
        }
        waited = true;
        !no_wait && context.teller.wait(TURN)
    });
    Ok(lock?)
}

/// What an edit makes of the whole configuration, by the reader of every other one. Who
/// applies it also looks at what this machine has.
pub(super) fn tried(
    context: &mut Context,
    edit: &Edit,
    applies: bool,
) -> Result<(Config, Compiled), Error> {
    attempt(context, edit, false, applies)
}

/// The same, where it may be all that is read.
fn attempt(
    context: &mut Context,
    edit: &Edit,
    alone: bool,
    applies: bool,
) -> Result<(Config, Compiled), Error> {
    let instead = Some(Instead { path: edit.path(), text: edit.text(), alone });
    let tried = if applies {
        context.load_and_compile_with(instead)
    } else {
        context.load_with(instead).and_then(|config| context.compile_config(config))
    };
    tried.inspect_err(|error| {
        // The lines that are shown are nowhere to be found.
        if matches!(error, Error::Config(_)) && !context.output.is_json() {
            let file = defuse(&edit.path().display().to_string());
            note(&format!("nothing was written: this is what {file} would be\n"));
        }
    })
}

/// Shows what is odd about the group that was edited.
fn warn(context: &Context, edit: &Edit, config: &Config) {
    // One that is of no group is of all.
    let all = edit.group().is_empty();
    let own = |group: &Option<String>| all || group.as_deref() == Some(edit.group());
    context.warn(config.warnings.iter().filter(|warning| own(&warning.group)));
}

/// Puts an edit in place and applies the configuration. When that fails the file is as it
/// was.
pub(super) fn carry_out(
    context: &Context,
    session: &Session<'_>,
    _lock: &FileLock,
    (edit, after): (&Edit, &(Config, Compiled)),
    consent: &Consent,
) -> Result<Outcome, Error> {
    let only = Files { edit, others: &[] };
    let carried = carry_out_all(context, session, (only, after), None, consent)?;
    Ok(carried.outcome)
}

/// The same, on trial where it is to go again unless it is confirmed.
fn carry_out_all(
    context: &Context,
    session: &Session<'_>,
    (files, (config, compiled)): (Files<'_>, &(Config, Compiled)),
    within: Option<Duration>,
    consent: &Consent,
) -> Result<Carried, Error> {
    let limit = consent.limit(&config.director, &compiled.state);
    if let Some(limit) = limit {
        // The transaction asks too. Here the file is not touched yet.
        let observed = context.observe(&compiled.state)?;
        let plan = Plan::between(&observed, &compiled.state);
        limit.check(&observed, &plan).map_err(TransactionError::Unconfirmed)?;
    }
    place_all(context, files)?;
    let digest = Some(config.digest.clone());
    let draft = Draft { state: &compiled.state, marks: &compiled.marks, config: digest };
    let carried = match within {
        Some(within) => apply::lead_on_trial(context, session, draft, within, (false, limit))
            .map(|Tried { outcome, trial }| Carried { outcome, trial }),
        None => session
            .apply(draft, false, limit)
            .map(|outcome| Carried { outcome, trial: None })
            .map_err(Error::from),
    };
    carried.inspect_err(|_| return_all(context, files))
}

/// Puts the file in place, and takes those away that go with it. When that fails all are as
/// they were.
fn place_all(context: &Context, files: Files<'_>) -> Result<(), Error> {
    // It may be there although not all went well: a folder that cannot be synced.
    put_in_place(files.edit)
        .and_then(|()| files.others.iter().try_for_each(set_aside))
        .inspect_err(|_| return_all(context, files))
}

/// All files as they were.
fn return_all(context: &Context, files: Files<'_>) {
    for other in files.others {
        let (path, aside) = (other.path(), aside(other.path()));
        // One that was not moved is where it was; what lies aside then is of somebody who died.
        if path.symlink_metadata().is_err()
            && aside.symlink_metadata().is_ok()
            && let Err(error) = std::fs::rename(&aside, path)
        {
            let (path, aside) = (path.display(), aside.display());
            note(&format!("warning: {path} could not be put back, and is {aside}: {error}\n"));
        }
    }
    tell_of_return(context, files.edit);
}

/// Where a file waits that goes unless something fails: hidden, so that nobody reads it.
fn aside(path: &Path) -> std::path::PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.replaced"))
}

fn set_aside(other: &Edit) -> Result<(), Error> {
    let path = other.path();
    if !holds(path, Some(other.before())).map_err(|source| failed("read", path, source))? {
        return Err(saved_meanwhile(path));
    }
    std::fs::rename(path, aside(path)).map_err(|source| failed("remove", path, source))
}

/// Removes what was set aside. What was done stays done: a hidden file is in nobody's way.
fn tidy(others: &[Edit]) {
    for other in others {
        let aside = aside(other.path());
        if let Err(error) = std::path::absolute(&aside).and_then(|aside| remove_file(&aside)) {
            let aside = aside.display();
            note(&format!(
                "warning: {aside}, which is read no more, could not be removed: {error}\n"
            ));
        }
    }
}

/// Puts the file back, where the edit is in place.
fn tell_of_return(context: &Context, edit: &Edit) {
    let path = edit.path().display();
    match put_back(edit) {
        Ok(Return::None) => {}
        Ok(Return::Done) if context.output.is_silent() => {}
        Ok(Return::Done) => note(&format!("{path} is as it was\n")),
        Ok(Return::Saved) => note(&format!(
            "warning: somebody saved {path} meanwhile: it stays, and was not applied\n"
        )),
        Err(error) => {
            note(&format!("warning: the file could not be put back as it was: {error}\n"));
        }
    }
}

/// Replaces the file, unless an editor saved another text since it was read.
fn put_in_place(edit: &Edit) -> Result<(), Error> {
    let path = edit.path();
    if edit.text() == edit.before() {
        return Ok(());
    }
    let before = edit.exists().then(|| edit.before());
    let is_as_read = holds(path, before).map_err(|source| failed("read", path, source))?;
    if !is_as_read {
        return Err(saved_meanwhile(path));
    }
    let written = if edit.exists() {
        rewrite_file(path, edit.text().as_bytes())
    } else {
        std::path::absolute(path).and_then(|path| create_file(&path, edit.text().as_bytes()))
    };
    written.map_err(|source| failed("replace", path, source))
}

/// A file is not what it was when it was read.
pub(super) fn saved_meanwhile(path: &Path) -> Error {
    Error::Usage {
        message: format!("somebody saved {} meanwhile", path.display()),
        hint: Some("run the same command again".to_owned()),
    }
}

/// What became of a file that was to be put back.
#[derive(Debug, PartialEq, Eq)]
enum Return {
    /// It is as it was.
    Done,
    /// Nothing was to be done: the edit is not in place.
    None,
    /// Somebody saved another text since.
    Saved,
}

/// Puts the file back as it was, unless somebody saved another text since.
fn put_back(edit: &Edit) -> std::io::Result<Return> {
    let (path, before) = (edit.path(), edit.exists().then(|| edit.before()));
    if edit.text() == edit.before() || holds(path, before)? {
        return Ok(Return::None);
    }
    if !holds(path, Some(edit.text()))? {
        return Ok(Return::Saved);
    }
    match before {
        Some(before) => rewrite_file(path, before.as_bytes())?,
        None => remove_file(&std::path::absolute(path)?)?,
    }
    Ok(Return::Done)
}

/// Removes a file in which nothing is left.
fn remove(edit: &Edit) -> std::io::Result<()> {
    if !holds(edit.path(), Some(edit.text()))? {
        return Err(std::io::Error::other("somebody saved it meanwhile"));
    }
    remove_file(&std::path::absolute(edit.path())?)
}

/// Whether a file has just this text; with none, whether there is no such file.
fn holds(path: &Path, text: Option<&str>) -> std::io::Result<bool> {
    match (std::fs::read(path), text) {
        (Ok(bytes), Some(text)) => Ok(bytes == text.as_bytes()),
        (Ok(_), None) => Ok(false),
        // A link that leads nowhere is there.
        (Err(error), None) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(path.symlink_metadata().is_err())
        }
        (Err(error), _) => Err(error),
    }
}

fn failed(action: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::File { action, path: path.into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Files, Options, Setting, Sources, load};

    const WEB: &str =
        "[group.web]\nvips = [\"172.18.100.7\"]\nports = [80]\nreal = [\"10.0.0.1\"]\n";

    #[test]
    fn what_an_editor_saved_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("web.toml");
        std::fs::write(&file, WEB).expect("writable");
        let config = load(Sources::file(&file), &Options::default()).expect("valid");
        let (mut edit, _) = Edit::of_group(&config, "web", 0).expect("there");
        edit.set(&Setting::switch("enabled", false)).expect("editable");
        std::fs::write(&file, "# saved\n").expect("writable");
        let refused = put_in_place(&edit).expect_err("it is another text");
        assert!(refused.to_string().contains("somebody saved"), "{refused}");
        std::fs::remove_file(&file).expect("there");
        assert!(put_in_place(&edit).expect_err("gone").sentence().contains("web.toml"));

        let files = Files::Named(vec![file.clone()]);
        let name = "mail".parse().expect("a name");
        let new = Edit::new_group(&files, &name, None, &[], 0).expect("a place");
        std::fs::write(&file, "# saved\n").expect("writable");
        assert!(
            put_in_place(&new).expect_err("it is there").to_string().contains("somebody saved")
        );
        assert_eq!(std::fs::read_to_string(&file).expect("there"), "# saved\n");
        std::fs::remove_file(&file).expect("there");
        put_in_place(&new).expect("free");
        assert_eq!(std::fs::read_to_string(&file).expect("there"), "[group.mail]\n");
        assert_eq!(put_back(&new).expect("possible"), Return::Done);
        assert!(!file.exists());
        assert_eq!(put_back(&new).expect("possible"), Return::None);
    }

    #[test]
    fn what_an_editor_saved_since_is_neither_put_back_nor_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("web.toml");
        std::fs::write(&file, WEB).expect("writable");
        let config = load(Sources::file(&file), &Options::default()).expect("valid");
        let (mut edit, _) = Edit::of_group(&config, "web", 0).expect("there");
        edit.set(&Setting::switch("enabled", false)).expect("editable");
        put_in_place(&edit).expect("as it was read");
        std::fs::write(&file, "# saved\n").expect("writable");
        assert_eq!(put_back(&edit).expect("readable"), Return::Saved);
        assert!(remove(&edit).expect_err("not ours").to_string().contains("saved it meanwhile"));
        assert_eq!(std::fs::read_to_string(&file).expect("there"), "# saved\n");
        std::fs::write(&file, edit.text()).expect("writable");
        assert_eq!(put_back(&edit).expect("readable"), Return::Done);
        assert_eq!(std::fs::read_to_string(&file).expect("there"), WEB);
    }
}
